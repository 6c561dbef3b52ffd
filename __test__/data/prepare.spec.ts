/** Preparing folders of images, and resuming that. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { describeLeftOut, openDataset } from '../../ts/data/dataset.ts'
import { planSource } from '../../ts/data/prepare.ts'
import { openSource } from '../../ts/data/sources/index.ts'
import { acquireLock } from '../../ts/files/lock.ts'
import { DataError, encodeDrawnPng, encodePng } from '../../ts/native/index.ts'
import { folder, images, options } from '../support/images.ts'

test('a folder is prepared once, into one file a resolution', async (t) => {
  const prepare = await options(await images(5))
  const { levels, info, dir } = await openDataset(prepare)
  t.deepEqual([levels.count, levels.resolution, levels.channels, info.count], [5, 8, 3, 5])
  // Sorted by path: 0, 2, 4, nested/1, nested/3.
  const batch = await levels.batch(4, [0, 1, 2, 3, 4], [false, false, false, false, false])
  t.deepEqual(
    [0, 1, 2, 3, 4].map((i) => batch[i * 48]),
    [0, 2, 4, 1, 3],
  )
  const before = (await readFile(join(dir, 'r03.npy'))).length
  t.is(before, 128 + 5 * 8 * 8 * 3)
  let progress = 0
  await openDataset({ ...prepare, onProgress: () => progress++ })
  t.is(progress, 0)
})

test('a changed folder is prepared again', async (t) => {
  const data = await images(3)
  const prepare = await options(data)
  await openDataset(prepare)
  await rm(join(data, '0000.png'))
  t.is((await openDataset(prepare)).levels.count, 2)
})

test('an interrupted preparation goes on where it stopped, to the same bytes', async (t) => {
  const data = await images(150)
  const whole = await openDataset(await options(data))
  const stop = new AbortController()
  const prepare = await options(data)
  await t.throwsAsync(openDataset({ ...prepare, signal: stop.signal, onProgress: () => stop.abort() }), {
    any: true, // a DOMException is no native error
  })
  const seen: number[] = []
  const { dir } = await openDataset({ ...prepare, onProgress: (done) => seen.push(done) })
  t.deepEqual(seen, [128, 150])
  t.deepEqual(await readFile(join(dir, 'r03.npy')), await readFile(join(whole.dir, 'r03.npy')))
})

test('a bad file stops preparation by name, or is left out and counted', async (t) => {
  const data = await images(4)
  await truncate(join(data, 'nested', '0001.png'), 40)
  await writeFile(join(data, 'zero.jpg'), '')
  const prepare = await options(data)
  const error = await t.throwsAsync(openDataset(prepare), { instanceOf: DataError })
  t.regex(error.message, /nested\/0001\.png: .*; mend or remove it, or leave such files out with skipBad/)
  const { levels, info } = await openDataset({ ...prepare, skipBad: true })
  t.is(levels.count, 3)
  t.is(info.skipped.length, 2)
  t.regex(info.skipped[1]!, /zero\.jpg: the file is empty \(0 bytes\)/)
})

test('two preparations of one folder at once give one whole dataset, and the second says that it waits', async (t) => {
  const prepare = await options(await images(70))
  const notes: string[] = []
  const onNote = (line: string) => notes.push(line)
  const [first, second] = await Promise.all([openDataset({ ...prepare, onNote }), openDataset({ ...prepare, onNote })])
  t.is(first.dir, second.dir)
  t.is(notes.length, 1)
  t.regex(notes[0]!, /preparing .* is under way: .*; waiting for it/)
  for (const { levels } of [first, second]) t.true((await levels.batch(8, [69], [false])).some((byte) => byte > 0))
  t.deepEqual((await readdir(prepare.cache)).filter((name) => !name.startsWith('.')).length, 1)
})

test('whoever waits for a preparation can be stopped', async (t) => {
  const prepare = await options(await images(1))
  const { dir } = await openDataset(prepare)
  await rm(dir, { recursive: true })
  const lock = acquireLock(join(prepare.cache, `.${basename(dir)}.lock`), { what: 'a test', advice: '' })
  const stop = new AbortController()
  const waiting = openDataset({ ...prepare, signal: stop.signal, onNote: () => stop.abort() })
  await t.throwsAsync(waiting, { any: true })
  lock.release()
})

test('a preparation that is under way has no name of a dataset', async (t) => {
  const stop = new AbortController()
  const prepare = await options(await images(70))
  await t.throwsAsync(openDataset({ ...prepare, signal: stop.signal, onProgress: () => stop.abort() }), { any: true })
  const names = (await readdir(prepare.cache)).filter((name) => !name.startsWith('.'))
  t.regex(names.join(), /^[^,]*\.preparing$/)
  // Killed after the last byte and before its new name: nothing is prepared again.
  const { dir } = await openDataset(prepare)
  await rename(dir, `${dir}.preparing`)
  let steps = 0
  await openDataset({ ...prepare, onProgress: () => steps++ })
  t.is(steps, 0)
})

test('what a dataset was prepared from is told by sizes and times as Node gives them', async (t) => {
  const data = await images(1)
  const { info } = await openDataset(await options(data))
  const { size, mtimeMs } = await stat(join(data, '0000.png'))
  t.is(info.fingerprint, createHash('sha256').update(`0000.png\0${size}\0${mtimeMs}\n`).digest('hex'))
})

test('a run in the folder of its images does not learn from its own pictures', async (t) => {
  const data = await images(3)
  const pixels = new Uint8Array(8 * 8 * 3)
  const run = join(data, 'results', '00000-run')
  await mkdir(run, { recursive: true })
  await writeFile(join(run, 'training_options.json'), '{}')
  await writeFile(join(run, 'reals.png'), await encodePng(pixels, 8, 8, 3))
  await writeFile(join(data, 'grid.png'), await encodeDrawnPng(pixels, 8, 8, 3))
  const cache = join(data, 'results', 'datasets')
  const notes: string[] = []
  for (let time = 0; time < 2; time++) {
    const dataset = await openDataset({ ...(await options(data)), cache, onNote: (line) => notes.push(line) })
    t.is(dataset.info.count, 3)
    t.deepEqual(dataset.info.leftOut, {
      'picture that stylegan drew': 1,
      'picture in a run directory or prepared data set of stylegan': 1,
    })
    t.regex(notes[time]!, /^2 files were left out: 1 × picture that .*; they are listed in .*left-out\.txt$/)
    const list = await readFile(join(dataset.dir, 'left-out.txt'), 'utf8')
    t.regex(list, /grid\.png: picture that stylegan drew\n.*reals\.png: picture in a run directory/)
  }
  t.is((await openDataset(await options(data, { keepDrawn: true }))).info.count, 5)
  await t.throwsAsync(openDataset(await options(run)), { instanceOf: DataError, message: /this is a run directory/ })
})

test('files that are no images are counted by kind without preparing the images again', async (t) => {
  const data = await images(2)
  const prepare = await options(data)
  t.is((await openDataset(prepare)).info.leftOut, undefined)
  await writeFile(join(data, 'a.heic'), Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1', 'latin1'))
  await writeFile(join(data, 'notes'), 'text')
  let steps = 0
  const notes: string[] = []
  const more = { onProgress: () => steps++, onNote: (line: string) => notes.push(line) }
  const { info, dir } = await openDataset({ ...prepare, ...more })
  t.deepEqual([steps, info.leftOut], [0, { HEIC: 1, 'file without suffix': 1 }])
  t.regex(notes[0]!, /^2 files were left out: 1 × HEIC, 1 × file without suffix; .*convert AVIF, HEIC/)
  t.is((await readFile(join(dir, 'left-out.txt'), 'utf8')).split('\n').length, 3)
})

test('links to nothing and names that are not UTF-8 stop a preparation by name, or are left out', async (t) => {
  const data = await images(2)
  await symlink('nowhere', join(data, 'lost.png'))
  await symlink('round.png', join(data, 'round.png'))
  const name = Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0xff, 0x1b]), Buffer.from('.png')])
  // Not every file system takes such names.
  const isNamed = await writeFile(name, await encodePng(new Uint8Array(3), 1, 1, 3)).then(
    () => true,
    () => false,
  )
  const prepare = await options(data)
  const expected = /lost\.png: a link to nowhere, where nothing is; mend or remove it, .*skipBad/
  await t.throwsAsync(openDataset(prepare), { instanceOf: DataError, message: expected })
  const { info } = await openDataset({ ...prepare, skipBad: true })
  t.deepEqual([info.count, info.skipped.length], [2, isNamed ? 3 : 2])
  t.false(info.skipped.join().includes('\x1b'))
})

test('a folder that cannot be read stops a preparation, or is counted as a folder', async (t) => {
  // Root may read every folder.
  const source = await openSource(await images(2), {})
  const leftOut = [{ path: 'data/closed', bad: 'Permission denied', kind: 'folder that cannot be read' }]
  const prepare = await options('data')
  const refused = planSource({ ...source, leftOut }, prepare)
  await t.throwsAsync(refused, { instanceOf: DataError, message: /^data\/closed: Permission denied; / })
  const dir = join(await folder(), 'set')
  await (await planSource({ ...source, leftOut }, { ...prepare, skipBad: true })).prepare(dir)
  const { info } = await openDataset({ ...prepare, data: dir })
  t.is(
    describeLeftOut({ dir, info }, 'list'),
    '1 folder was left out: 1 × folder that cannot be read; they are listed in list',
  )
  t.is(await readFile(join(dir, 'left-out.txt'), 'utf8'), 'data/closed: folder that cannot be read\n')
})

test('an image above the limit is refused unless the limit is raised', async (t) => {
  const data = await folder()
  await writeFile(join(data, 'a.png'), await encodePng(new Uint8Array(1200 * 1000), 1200, 1000, 1))
  const prepare = await options(data)
  await t.throwsAsync(openDataset({ ...prepare, maxMegapixels: 1 }), {
    message: /a\.png: 1200x1000 is 1 megapixels, the limit is 1: .*--max-megapixels 2; mend/,
  })
  t.is((await openDataset({ ...prepare, maxMegapixels: 2 })).info.count, 1)
})
