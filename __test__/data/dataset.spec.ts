/** Preparing folders of images, resuming that, and the order in which images are shown. */
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { openDataset, readLabels, Sampler, type PrepareOptions } from '../../ts/data/dataset.ts'
import { DataError, encodePng } from '../../ts/native/index.ts'

const folder = () => mkdtemp(join(tmpdir(), 'stylegan-data-'))

/** PNG files of one colour each, named 0.png … */
async function images(count: number, size = 8): Promise<string> {
  const dir = await folder()
  await mkdir(join(dir, 'nested'))
  for (let i = 0; i < count; i++) {
    const pixels = new Uint8Array(size * size * 3).fill(i)
    const name = `${String(i).padStart(4, '0')}.png`
    await writeFile(join(dir, i % 2 ? 'nested' : '.', name), await encodePng(pixels, size, size, 3))
  }
  return dir
}

async function options(data: string, more: Partial<PrepareOptions> = {}): Promise<PrepareOptions> {
  return { data, cache: await folder(), resolution: 8, channels: 3, skipBad: false, ...more }
}

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

test('a prepared dataset can be named itself', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  t.is((await openDataset(await options(dir))).levels.count, 3)
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
  t.regex(error.message, /nested\/0001\.png: .*; mend or remove it, or leave such files out with --skip-bad/)
  const { levels, info } = await openDataset({ ...prepare, skipBad: true })
  t.is(levels.count, 3)
  t.is(info.skipped.length, 2)
  t.regex(info.skipped[1]!, /zero\.jpg: the file is empty \(0 bytes\)/)
})

test('a folder that is missing, a file, or empty is refused by name', async (t) => {
  const dir = await folder()
  await writeFile(join(dir, 'file'), '')
  const open = async (data: string) => openDataset(await options(data))
  await t.throwsAsync(open(join(dir, 'gone')), { message: /gone: a folder of images is expected, there is nothing/ })
  await t.throwsAsync(open(join(dir, 'file')), { message: /file: a folder of images is expected, this is a file/ })
  await t.throwsAsync(open(dir), { message: /no image|images/ })
})

test('a prepared dataset that is too small is refused', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  const error = await t.throwsAsync(openDataset(await options(dir, { resolution: 16 })))
  t.regex(error.message, /at least 16x16 are expected, the prepared dataset has 8x8/)
})

test('the built-in avatars have labels that stand for what is drawn', async (t) => {
  const dataset = await openDataset(await options('builtin:avatars', { resolution: 32 }))
  t.deepEqual([dataset.levels.count, dataset.levels.resolution], [4000, 64])
  const labels = (await readLabels(dataset))!
  t.is(labels.values.length, 4000 * labels.names.length)
  const tops = labels.names.flatMap((name, column) => (name.startsWith('top=') ? [column] : []))
  t.true(tops.length > 10)
  // Every face has one top.
  for (const row of [0, 1234, 3999]) {
    t.is(
      tops.reduce((sum, column) => sum + labels.values[row * labels.names.length + column]!, 0),
      1,
    )
  }
})

test('an epoch shows every image once, the next in another order, and any position can be asked for', (t) => {
  const sampler = new Sampler(1, 10, false)
  const first = sampler.at(0, 10).indices
  const second = sampler.at(10, 10).indices
  t.deepEqual([...first].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.notDeepEqual(first, second)
  t.deepEqual(new Sampler(1, 10, false).at(8, 4).indices, [...first.slice(8), ...second.slice(0, 2)])
})

test('about half of the images are mirrored, none without mirroring', (t) => {
  const count = (mirror: boolean) => new Sampler(1, 100, mirror).at(0, 1000).mirror.filter(Boolean).length
  t.is(count(false), 0)
  // Standard deviation 16.
  t.true(Math.abs(count(true) - 500) < 64, `${count(true)}`)
})

/** Folders a and b with one image each. */
async function classFolders(): Promise<string> {
  const data = await folder()
  for (const [i, name] of ['a', 'b'].entries()) {
    await mkdir(join(data, name))
    await writeFile(join(data, name, 'x.png'), await encodePng(new Uint8Array(8 * 8 * 3).fill(i), 8, 8, 3))
  }
  return data
}

test('folders are classes where every image lies in one, and a bad file leaves no label behind', async (t) => {
  const data = await classFolders()
  await writeFile(join(data, 'a', 'bad.png'), 'no image')
  const labels = (await readLabels(await openDataset(await options(data, { skipBad: true }))))!
  t.deepEqual(labels.names, ['a', 'b'])
  t.deepEqual([...labels.values], [1, 0, 0, 1])
  t.is(await readLabels(await openDataset(await options(await images(2)))), undefined)
})

test('labels come from dataset.json as StyleGAN3 writes it, and each image needs one', async (t) => {
  const data = await classFolders()
  await writeFile(join(data, 'dataset.json'), '{"labels": [["a/x.png", 2], ["b/x.png", 0]]}')
  const labels = (await readLabels(await openDataset(await options(data))))!
  t.deepEqual(labels.names, ['0', '1', '2'])
  t.deepEqual([...labels.values], [0, 0, 1, 1, 0, 0])
  await writeFile(join(data, 'dataset.json'), '{"labels": [["a/x.png", 2]]}')
  const prepare = await options(data)
  await t.throwsAsync(openDataset(prepare), {
    instanceOf: DataError,
    message: /a label for each image .*b\/x\.png has none/,
  })
})
