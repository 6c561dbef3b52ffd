/** What `dataset prepare` can choose. */
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset, prepareDataset } from '../../ts/data/dataset.ts'
import { readLabels } from '../../ts/data/labels.ts'
import type { PreparingOptions } from '../../ts/data/prepare.ts'
import { DataError, encodePng } from '../../ts/native/index.ts'
import { classFolders, folder, images, options } from '../support/images.ts'

const how = { resolution: 8, channels: 3, skipBad: false }

/** The bytes of the first image at 8x8. */
async function prepared(data: string, more: Partial<PreparingOptions>): Promise<Uint8Array> {
  const { levels } = await prepareDataset(join(await folder(), 'set'), { data, ...how, ...more })
  return levels.batch(8, [0], [false])
}

test('a set that is prepared by hand has the bytes of one that training prepares, and opens as data', async (t) => {
  const data = await images(3)
  const output = join(await folder(), 'set')
  const by = await prepareDataset(output, { data, ...how })
  const own = await openDataset(await options(data))
  for (const file of ['r02.npy', 'r03.npy', 'crc32c.npy', 'dataset.json']) {
    t.deepEqual(await readFile(join(by.dir, file)), await readFile(join(own.dir, file)), file)
  }
  t.is((await openDataset(await options(output))).dir, output)
})

test('each option changes the pixels, and the set is another one', async (t) => {
  const data = await folder()
  const pixels = Uint8Array.from({ length: 64 * 48 * 4 }, (_, i) => (i * 7919) % 256)
  await writeFile(join(data, 'a.png'), await encodePng(pixels, 64, 48, 4))
  const plain = await prepared(data, {})
  const ways: Partial<PreparingOptions>[] = [
    { resizeFilter: 'box' },
    { resizeFilter: 'bicubic' },
    { background: [0, 0, 0] },
    { wideHeight: 6 },
  ]
  const found = await Promise.all(ways.map((way) => prepared(data, way)))
  for (const [i, bytes] of found.entries()) t.notDeepEqual(bytes, plain, JSON.stringify(ways[i]))
  t.true(
    found[3]!.subarray(0, 24).every((value) => value === 0),
    'the first row is black',
  )
  const { info } = await prepareDataset(join(await folder(), 'set'), { data, ...how, resizeFilter: 'box' })
  t.is(info.transform, "centre square, Pillow's box resize, then 2x2 box means a level")
})

test('a finished set is kept from a command with other options, and found again by the same', async (t) => {
  const data = await images(2)
  const output = join(await folder(), 'set')
  const first = await prepareDataset(output, { data, ...how })
  const others: Partial<PreparingOptions>[] = [{ resolution: 4 }, { resolution: 16 }, { channels: 1 }, { maxImages: 1 }]
  for (const other of [...others, { resizeFilter: 'box' } as const]) {
    const error = await t.throwsAsync(prepareDataset(output, { data, ...how, ...other }), { instanceOf: DataError })
    t.regex(error.message, /other options \(resolution 8, channels 3, .*\); give another outdir or remove it$/)
  }
  t.is((await prepareDataset(output, { data, ...how })).info.fingerprint, first.info.fingerprint)
})

test('an interrupted preparation is not mixed with images of another resolution', async (t) => {
  const data = await images(150)
  const [output, stop] = [join(await folder(), 'set'), new AbortController()]
  const cut = { data, ...how, signal: stop.signal, onProgress: () => stop.abort() }
  await t.throwsAsync(prepareDataset(output, cut), { any: true })
  const { levels } = await prepareDataset(output, { data, ...how, resolution: 16 })
  t.deepEqual([levels.count, levels.resolution], [150, 16])
})

test('the first images alone are taken, with their labels', async (t) => {
  const data = await classFolders()
  const dataset = await prepareDataset(join(await folder(), 'set'), { data, ...how, maxImages: 1 })
  t.is(dataset.levels.count, 1)
  t.deepEqual((await readLabels(dataset))?.values, Float32Array.of(1, 0))
})

test('images that repeat others are left out with their labels, and named', async (t) => {
  const data = await classFolders()
  await copyFile(join(data, 'a', 'x.png'), join(data, 'b', 'copy.png'))
  const dataset = await prepareDataset(join(await folder(), 'set'), { data, ...how, dedupe: 'exact' })
  t.is(dataset.levels.count, 2)
  t.regex(dataset.info.unused![0]!, /b\/copy\.png: the same file as a\/x\.png$/)
  t.deepEqual((await readLabels(dataset))?.values, Float32Array.of(1, 0, 0, 1))
  t.regex(await readFile(join(dataset.dir, 'left-out.txt'), 'utf8'), /copy\.png: the same file as/)
})

test('images are told to repeat others across an interruption', async (t) => {
  const data = await images(150)
  await copyFile(join(data, '0000.png'), join(data, 'zz.png'))
  const whole = await prepareDataset(join(await folder(), 'set'), { data, ...how, dedupe: 'exact' })
  const [output, stop] = [join(await folder(), 'set'), new AbortController()]
  const cut = { data, ...how, dedupe: 'exact', signal: stop.signal, onProgress: () => stop.abort() } as const
  await t.throwsAsync(prepareDataset(output, cut), { any: true })
  const again = await prepareDataset(output, { data, ...how, dedupe: 'exact' })
  t.is(again.levels.count, 150)
  t.deepEqual(await readFile(join(again.dir, 'dataset.json')), await readFile(join(whole.dir, 'dataset.json')))
  t.false((await readdir(again.dir)).some((name) => name.startsWith('preparing')))
})

test('images that are too small for center-crop-wide are left out without a word about damage', async (t) => {
  const data = await images(2)
  await writeFile(join(data, 'small.png'), await encodePng(new Uint8Array(4 * 4 * 3), 4, 4, 3))
  const { info, levels } = await prepareDataset(join(await folder(), 'set'), { data, ...how, wideHeight: 6 })
  t.deepEqual([levels.count, info.skipped], [2, []])
  t.regex(info.unused![0]!, /small\.png: 4x4 is too small or too flat for center-crop-wide to 8x6$/)
})

test('a folder with anything else than a set of the same source is not written to', async (t) => {
  const data = await images(1)
  const mine = await folder()
  await writeFile(join(mine, 'letter.txt'), '')
  const refused = await t.throwsAsync(prepareDataset(mine, { data, ...how }), { instanceOf: DataError })
  t.regex(
    refused.message,
    /an empty folder, or a prepared dataset of .*, is expected, got letter\.txt; name another folder$/,
  )
  const inside = await t.throwsAsync(prepareDataset(data, { data, ...how }), { instanceOf: DataError })
  t.regex(inside.message, /a folder outside of the images is expected/)
  await symlink(data, join(mine, 'link'))
  for (const below of [join(data, 'prepared'), join(mine, 'link', 'new', 'set')]) {
    const among = await t.throwsAsync(prepareDataset(below, { data, ...how }), { instanceOf: DataError })
    t.is(among.message, `${below}: a place outside of the images is expected, got one in ${data}; name another output`)
  }
  await mkdir(join(mine, 'empty'))
  t.is((await prepareDataset(join(mine, 'empty'), { data, ...how })).levels.count, 1)
})

test('numbers that are none are refused before anything is read', async (t) => {
  const data = await images(1)
  for (const [more, message] of [
    [{ maxMegapixels: NaN }, 'maxMegapixels: a number above 0 is expected, got NaN'],
    [{ maxImages: 0 }, 'maxImages: a whole number from 1 is expected, got 0'],
    [{ wideHeight: 9 }, 'wideHeight: a whole number from 1 to the resolution, 8, is expected, got 9'],
  ] as const) {
    await t.throwsAsync(openDataset(await options(data, more)), { instanceOf: RangeError, message })
  }
})
