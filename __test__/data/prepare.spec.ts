/** Preparing folders of images, and resuming that. */
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { DataError } from '../../ts/native/index.ts'
import { images, options } from '../support/images.ts'

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
  t.regex(error.message, /nested\/0001\.png: .*; mend or remove it, or leave such files out with --skip-bad/)
  const { levels, info } = await openDataset({ ...prepare, skipBad: true })
  t.is(levels.count, 3)
  t.is(info.skipped.length, 2)
  t.regex(info.skipped[1]!, /zero\.jpg: the file is empty \(0 bytes\)/)
})
