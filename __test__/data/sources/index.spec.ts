/** Every form of data that people have, as the programs that write it wrote the same images. */
import { readFileSync } from 'node:fs'
import { copyFile, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import test from 'ava'
import { openDataset } from '../../../ts/data/dataset.ts'
import { exportDataset } from '../../../ts/data/export.ts'
import { readLabels } from '../../../ts/data/labels.ts'
import { openSource } from '../../../ts/data/sources/index.ts'
import { DataError } from '../../../ts/native/index.ts'
import { folder, options } from '../../support/images.ts'
import { classNames, classOf, count, fixture, pixelsOf } from '../../support/sources.ts'

const numbers = ['0', '1', '2', '3']
const forms: readonly (readonly [name: string, kind: string, labels: readonly string[] | undefined])[] = [
  ['stylegan3.zip', 'zip', numbers],
  ['one-hot.zip', 'zip', numbers],
  ['csv.zip', 'zip', classNames],
  ['zip64.zip', 'zip', numbers],
  ['tfrecord', 'TFRecord', numbers],
  ['tfrecord/pets-r05.tfrecords', 'TFRecord', numbers],
  ['tensorflow', 'TFRecord', numbers],
  ['images.npy', 'NumPy array', undefined],
  ['images.npz', 'NumPy array', numbers],
  ['packed.npz', 'NumPy array', numbers],
  ['cifar-10-python.tar.gz', 'CIFAR', classNames],
  ['cifar-10-binary.tar.gz', 'CIFAR', classNames],
  ['cifar-100-python.tar.gz', 'CIFAR', classNames],
  ['cifar-100-binary.tar.gz', 'CIFAR', classNames],
  ['parquet', 'Parquet', classNames],
  ['parquet/data/train-00000-of-00002.parquet', 'Parquet', classNames],
  ['gzip.parquet', 'Parquet', classNames],
  ['brotli.parquet', 'Parquet', classNames],
  ['none.parquet', 'Parquet', classNames],
]

for (const [name, kind, labels] of forms) {
  test(`${name} holds the images and classes that were written`, async (t) => {
    const source = await openSource(fixture(name))
    t.is(source.kind, kind)
    await source.close()
    const dataset = await openDataset(await options(fixture(name), { resolution: 32 }))
    const some = name.includes('00000') ? count / 2 : count
    t.is(dataset.info.count, some)
    for (let i = 0; i < some; i++) t.deepEqual(await dataset.levels.batch(32, [i], [false]), pixelsOf(i), `image ${i}`)
    const read = await readLabels(dataset)
    t.deepEqual(read?.names, labels)
    if (!read) return
    for (let i = 0; i < some; i++) {
      const row = read.values.subarray(i * read.names.length, (i + 1) * read.names.length)
      t.deepEqual(
        [...row],
        [0, 1, 2, 3].map((column) => Number(column === classOf[i])),
      )
    }
  })
}

for (const writer of ['tfrecord', 'tensorflow']) {
  test(`the levels of TFRecords of ${writer} are the bytes that the official rule gives`, async (t) => {
    const { levels } = await openDataset(await options(fixture(writer), { resolution: 32 }))
    for (const [log2, side] of [
      [4, 16],
      [3, 8],
      [2, 4],
    ] as const) {
      const level = await openSource(fixture(`${writer}/pets-r0${log2}.tfrecords`))
      const images = await level.read(0, count)
      for (const [i, image] of images.entries()) {
        t.deepEqual(await levels.batch(side, [i], [false]), new Uint8Array((image as { pixels: Uint8Array }).pixels))
      }
      await level.close()
    }
  })
}

test('images of 28x28 are padded to 32x32 with black, as the official tool does', async (t) => {
  const prepare = await options(fixture('train-images-idx3-ubyte.gz'), { resolution: 32, channels: 1 })
  const dataset = await openDataset(prepare)
  for (let i = 0; i < count; i++) {
    const found = await dataset.levels.batch(32, [i], [false])
    const digit = pixelsOf(i, 28, 1)
    const expected = new Uint8Array(32 * 32)
    for (let y = 0; y < 28; y++) expected.set(digit.subarray(28 * y, 28 * y + 28), 32 * (y + 2) + 2)
    t.deepEqual(found, expected)
  }
  const { names, values } = (await readLabels(dataset))!
  t.deepEqual([names, values.indexOf(1, 4)], [numbers, 4 + classOf[1]!])
})

const vision = JSON.parse(readFileSync(fixture('vision.json'), 'utf8')) as Record<
  string,
  { names: string[]; labels: number[]; crc32: number[] }
>

for (const name of ['cifar-10-python.tar.gz', 'train-images-idx3-ubyte.gz', 'torchvision']) {
  test(`${name} has the images and classes that torchvision finds in it`, async (t) => {
    const channels = name.startsWith('train') ? 1 : 3
    const dataset = await openDataset(await options(fixture(name), { resolution: 32, channels }))
    const { names, values } = (await readLabels(dataset))!
    const indices = Array.from({ length: dataset.info.count }, (_, i) => i)
    const labels = indices.map((i) => values.indexOf(1, i * names.length) - i * names.length)
    const images = await Promise.all(indices.map((i) => dataset.levels.batch(32, [i], [false])))
    t.deepEqual({ names, labels, crc32: images.map((image) => crc32(image)) }, vision[name]!)
  })
}

test('LSUN has its images in the order of their keys, and no labels', async (t) => {
  const source = await openSource(fixture('lsun_lmdb'))
  t.deepEqual([source.kind, source.count], ['LMDB', count])
  const names = Array.from({ length: count }, (_, i) => source.name(i))
  t.deepEqual(names, [...names].sort())
  await source.close()
  const { levels, info } = await openDataset(await options(fixture('lsun_lmdb'), { resolution: 32 }))
  t.is(info.count, count)
  t.regex(info.noLabels!, / has none; /)
  // WebP loses a little: each image is nearest to its own.
  const key = (i: number) => ((i * 2654435761) % 2 ** 32).toString(16).padStart(8, '0').repeat(5)
  for (let i = 0; i < count; i++) {
    const image = await levels.batch(32, [names.indexOf(key(i))], [false])
    const expected = pixelsOf(i)
    const off = image.reduce((sum, byte, at) => sum + Math.abs(byte - expected[at]!), 0) / image.length
    t.true(off < 12, `image ${i} differs by ${off}`)
  }
})

test('values of many pages, and keys of many, are found in LMDB; what is no image is left out', async (t) => {
  const source = await openSource(fixture('large_lmdb'))
  t.is(source.count, 61)
  t.deepEqual(
    source.leftOut.map(({ kind }) => kind),
    ['entry that is no image'],
  )
  await source.close()
  const { levels } = await openDataset(await options(fixture('large_lmdb'), { resolution: 32 }))
  t.deepEqual(await levels.batch(32, [60], [false]), pixelsOf(59 % count))
})

test('a zip of a folder has the classes of the folders in it, and what macOS adds is no data', async (t) => {
  const dataset = await openDataset(await options(fixture('folders.zip'), { resolution: 32 }))
  t.deepEqual(dataset.info.labels, classNames)
  t.deepEqual(dataset.info.leftOut, { '.txt': 1 })
})

test('attributes without names are numbered', async (t) => {
  const { names, values } = (await readLabels(
    await openDataset(await options(fixture('attributes.zip'), { resolution: 32 })),
  ))!
  t.deepEqual(names, ['0', '1'])
  t.deepEqual([...values.subarray(0, 8)], [0, 0, 1, 1, 0, 1, 1, 0])
})

test('a prepared data set is a source of its own images and labels', async (t) => {
  const { dir } = await openDataset(await options(fixture('images.npz'), { resolution: 32 }))
  const source = await openSource(dir)
  t.is(source.kind, 'prepared data set')
  const [first] = await source.read(5, 1)
  t.deepEqual((first as { pixels: Uint8Array }).pixels, pixelsOf(5))
  t.deepEqual(await source.labels(), { names: numbers, of: classOf })
  await source.close()
})

test('a source that changes is prepared again, and one that does not is found', async (t) => {
  const data = join(await folder(), 'data.any')
  await copyFile(fixture('images.npy'), data)
  const prepare = await options(data, { resolution: 32 })
  let steps = 0
  const onProgress = () => steps++
  await openDataset({ ...prepare, onProgress })
  const once = steps
  await openDataset({ ...prepare, onProgress })
  t.is(steps, once)
  await copyFile(fixture('cifar-10-binary.tar.gz'), data)
  await utimes(data, 1, 1)
  await openDataset({ ...prepare, onProgress })
  t.true(steps > once)
})

test('what is no data set is refused by what it is', async (t) => {
  await t.throwsAsync(openSource(fixture('make.py')), {
    instanceOf: DataError,
    message: /make\.py: a folder of images is expected, got a file of another kind; give a folder of images, a zip/,
  })
  await t.throwsAsync(openSource(fixture('gone')), { instanceOf: DataError, message: /got nothing; check the path/ })
})

test('a zip of ours and one by the rules of StyleGAN3 have the same names, pixels and labels', async (t) => {
  const ours = join(await folder(), 'ours.zip')
  const given = await openDataset(await options(fixture('stylegan3.zip'), { resolution: 32 }))
  await exportDataset(given, ours)
  const [a, b] = await Promise.all([openSource(ours), openSource(fixture('stylegan3.zip'))])
  t.deepEqual(
    Array.from({ length: count }, (_, i) => a.name(i)),
    Array.from({ length: count }, (_, i) => b.name(i)),
  )
  t.deepEqual(await a.labels(), await b.labels())
  await Promise.all([a.close(), b.close()])
  const { levels } = await openDataset(await options(ours, { resolution: 32 }))
  for (let i = 0; i < count; i++) t.deepEqual(await levels.batch(32, [i], [false]), pixelsOf(i))
})

test('the page on data sets has a row for each kind of source', async (t) => {
  const page = await readFile(new URL('../../../docs/data-sets.md', import.meta.url), 'utf8')
  const rows = [...page.split('## Labels')[0]!.matchAll(/^\| ([\w ]+) \|/gm)].map(([, kind]) => kind!).slice(1)
  const kinds = ['folder', 'LMDB', 'idx', 'prepared data set', ...forms.map(([, kind]) => kind)]
  t.deepEqual([...new Set(kinds)].sort(), rows.sort())
})
