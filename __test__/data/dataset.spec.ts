/** Opening data sets. */
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset, preparingError } from '../../ts/data/dataset.ts'
import { DataError } from '../../ts/native/index.ts'
import { folder, images, options } from '../support/images.ts'

test('a prepared dataset can be named itself', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  t.is((await openDataset(await options(dir))).levels.count, 3)
})

test('a folder that is missing, a file, or empty is refused by name', async (t) => {
  const dir = await folder()
  await writeFile(join(dir, 'file'), '')
  const open = async (data: string) => openDataset(await options(data))
  await t.throwsAsync(open(join(dir, 'gone')), { message: /gone: a folder of images is expected, got nothing/ })
  const empty = /file: a folder of images, .* or Parquet is expected, got a file that is empty; get it again/
  await t.throwsAsync(open(join(dir, 'file')), { message: empty })
  await t.throwsAsync(open(dir), { message: /no image|images/ })
})

test('a prepared dataset that is too small is refused', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  const error = await t.throwsAsync(openDataset(await options(dir, { resolution: 16 })))
  t.regex(error.message, /at least 16x16 are expected, got a prepared dataset of 8x8; lower resolution/)
})

test('a level that was cut names the folder to delete', async (t) => {
  const prepare = await options(await images(3))
  const { dir } = await openDataset(prepare)
  await truncate(join(dir, 'r03.npy'), 500)
  const error = await t.throwsAsync(openDataset(prepare), { instanceOf: DataError })
  t.true(error.message.endsWith(`the file was cut or damaged: delete the folder ${dir} and prepare its images again`))
})

test('a prepared dataset whose dataset.json is cut is no folder of images', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  await truncate(join(dir, 'dataset.json'), 20)
  const error = await t.throwsAsync(openDataset(await options(dir)), { instanceOf: DataError })
  t.regex(error.message, /its dataset.json is missing or damaged; delete the folder/)
})

test('a prepared dataset whose dataset.json lost a part is no folder of images', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  const path = join(dir, 'dataset.json')
  const text = await readFile(path, 'utf8')
  for (const part of ['source', 'fingerprint', 'transform', 'resolution', 'channels', 'skipped']) {
    await writeFile(path, text.replace(`"${part}"`, '"other"'))
    const error = await t.throwsAsync(openDataset(await options(dir)), { instanceOf: DataError })
    t.regex(error.message, /its dataset.json is missing or damaged; delete the folder/, part)
  }
})

test('a byte that changed on the disk is found when it is read, and at once with --verify', async (t) => {
  const prepare = await options(await images(3))
  const { dir, info, levels } = await openDataset(prepare)
  t.deepEqual(Object.keys(info.crc32c!), ['r02.npy', 'r03.npy'])
  const notes: string[] = []
  const verified = { ...prepare, verify: true, onNote: (line: string) => notes.push(line) }
  await openDataset(verified)
  t.deepEqual(notes, ['3 images have their checksums at every resolution'])
  const bytes = await readFile(join(dir, 'r03.npy'))
  bytes[bytes.length - 1]! ^= 1
  await writeFile(join(dir, 'r03.npy'), bytes)
  const damaged = await openDataset(prepare)
  await damaged.levels.batch(8, [0, 1], [false, false])
  const expected = { instanceOf: DataError, message: /r03.npy: .*image 2.* delete the folder/ }
  await t.throwsAsync(damaged.levels.batch(8, [2], [false]), expected)
  await t.throwsAsync(openDataset(verified), expected)
  t.true(levels.hasChecksums)
})

test('a level whose checksum dataset.json leaves out is told with --verify', async (t) => {
  const prepare = await options(await images(3))
  const { dir, info } = await openDataset(prepare)
  const path = join(dir, 'dataset.json')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('"r03.npy"', '"r0"'))
  const given = `the checksum none of dataset.json is expected, got ${info.crc32c!['r03.npy']} from those of its images in crc32c.npy`
  const error = await t.throwsAsync(openDataset({ ...prepare, verify: true }), { instanceOf: DataError })
  t.true(error.message.startsWith(`${join(dir, 'r03.npy')}: ${given}; delete the folder`), error.message)
})

test('a dataset without checksums, of an older version, opens and cannot be verified', async (t) => {
  const dir = new URL('../fixtures/compatibility/0.1.0/data', import.meta.url).pathname
  const prepare = await options(dir, { resolution: 16 })
  t.false((await openDataset(prepare)).levels.hasChecksums)
  await t.throwsAsync(openDataset({ ...prepare, verify: true }), {
    instanceOf: DataError,
    message: /checksums are expected with verify/,
  })
})

test('errors of the disk while images are prepared name the folder of the user, the code and what to do', async (t) => {
  const dir = join(await folder(), 'cats')
  const of = (error: Error) => (preparingError(error, dir, 'cats') as Error).message
  const full = new DataError(`${dir}.preparing/r02.npy: No space left on device (ENOSPC)`)
  t.regex(of(full), /^the disk is full \(ENOSPC\): no room is left for cats, .*; .* run the same command again$/)
  await mkdir(`${dir}.preparing`)
  t.regex(of(full), /run the same command again, which goes on from what is prepared$/)
  const system = (code: string, path?: string) => Object.assign(new Error(code), { code, path })
  t.regex(of(system('ENOSPC')), /^the disk is full \(ENOSPC\): no room is left for cats,/)
  const readOnly = 'cats: the disk can only be read (EROFS); choose another outdir'
  t.is(of(system('EROFS', join(dir, '../.cats.lock'))), readOnly)
  t.is(of(new DataError(`${dir}/../.cats.lock: Read-only file system (EROFS)`)), readOnly)
  const locked = system('EACCES', join(dir, '../.cats.lock'))
  t.is(of(locked), 'cats: the permission is missing (EACCES); change it, or choose another outdir')
  const source = new DataError('a.zip: Input/output error (EIO)')
  t.regex(of(source), /^a\.zip: the disk does not read or write \(EIO\)/)
  t.is(of(new DataError('a.png: truncated PNG')), 'a.png: truncated PNG')
})
