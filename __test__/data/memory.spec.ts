/** Images in memory: prepared as files are, in a folder that is named after their content. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset, openImages } from '../../ts/data/dataset.ts'
import { readLabels } from '../../ts/data/labels.ts'
import type { ImageItem, ImageSet } from '../../ts/data/memory.ts'
import type { PreparingOptions } from '../../ts/data/prepare.ts'
import { DataError, encodePng } from '../../ts/native/index.ts'
import { images, options } from '../support/images.ts'

const how = async (more: Partial<PreparingOptions> = {}): Promise<PreparingOptions> => {
  const { data: _, ...rest } = await options('', more)
  return rest
}

const gray = (value: number) => new Uint8Array(8 * 8 * 3).fill(value)
const plain = (value: number) => ({ pixels: gray(value), width: 8, height: 8 })

async function* oneByOne<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item)
}

test('pixels without their sizes are refused by the names of these', async (t) => {
  const set = { pixels: new Uint8Array(4 * 8 * 8 * 3), shape: [4, 8, 8, 3], width: '8' } as unknown as ImageSet
  const found = "no count, width '8', no height, no channels"
  const message = `images: whole numbers count, width, height and channels are expected beside pixels, got ${found}; give all four`
  await t.throwsAsync(openImages(set, await how()), { instanceOf: DataError, message })
})

test('paths, bytes of files and pixels, stored or one after the other, become the same images as a folder', async (t) => {
  const dir = await images(4)
  const names = ['0000.png', 'nested/0001.png', '0002.png', 'nested/0003.png'].map((name) => join(dir, name))
  const bytes = await Promise.all(names.map((name) => readFile(name)))
  const pixels = new Uint8Array(4 * 8 * 8 * 3)
  for (let i = 0; i < 4; i++) pixels.set(gray(i), i * 8 * 8 * 3)
  const sets: ImageSet[] = [
    names,
    bytes,
    new Set(bytes),
    oneByOne(names.map((path) => ({ path }))),
    [plain(0), { bytes: bytes[1]! }, names[2]!, { ...plain(3), pixels: new Uint8ClampedArray(gray(3)) }],
    { pixels, count: 4, width: 8, height: 8, channels: 3 },
  ]
  const { levels } = await openDataset(await options(dir))
  const order = [0, 2, 1, 3] // as a folder sorts them
  for (const set of sets) {
    const dataset = await openImages(set, await how())
    t.is(dataset.info.count, 4)
    for (const side of [4, 8]) {
      const wanted = await levels.batch(
        side,
        order,
        order.map(() => false),
      )
      t.deepEqual(
        await dataset.levels.batch(
          side,
          [0, 1, 2, 3],
          order.map(() => false),
        ),
        wanted,
      )
    }
  }
})

test('images of any size and of other channels are cropped, resized and converted', async (t) => {
  const set = [{ pixels: new Uint8Array(40 * 20).fill(7), width: 40, height: 20 }, plain(9)]
  const { levels } = await openImages(set, await how())
  t.deepEqual([...new Set(await levels.batch(8, [0], [false]))], [7])
})

test('the same images are found again and others are another data set; nothing else stays', async (t) => {
  const options = await how()
  const one = await openImages([plain(1), plain(2)], options)
  const again = await openImages(oneByOne([plain(1), plain(2)]), options)
  t.is(again.dir, one.dir)
  for (const other of [
    [plain(2), plain(1)],
    [plain(1)],
    [
      { ...plain(1), label: 0 },
      { ...plain(2), label: 0 },
    ],
  ]) {
    t.not((await openImages(other, options)).dir, one.dir)
  }
  const visible = (await readdir(options.cache)).filter((name) => !name.endsWith('.lock'))
  t.is(visible.length, 4)
  t.true(visible.every((name) => /^images-[0-9a-f]{12}$/.test(name)))
})

test('labels are names or numbers', async (t) => {
  const named = await openImages(
    [
      { ...plain(1), label: 'dog' },
      { ...plain(2), label: 'cat' },
    ],
    await how(),
  )
  t.deepEqual(await readLabels(named), { names: ['cat', 'dog'], values: Float32Array.of(0, 1, 1, 0) })
  const set = { pixels: new Uint8Array(2 * 64), count: 2, width: 8, height: 8, channels: 1, labels: [2, 0] }
  const numbered = await openImages(set, await how({ labels: true }))
  t.deepEqual(await readLabels(numbered), { names: ['0', '1', '2'], values: Float32Array.of(0, 0, 1, 1, 0, 0) })
})

for (const [what, items, message] of [
  ['bytes of no image', [plain(1), new Uint8Array(9)], /^images\[1\]: .*; mend or remove it, or leave such files out/],
  ['a path without a file', ['no-such.png'], /^images\[0\]: the image file no-such\.png is expected, got ENOENT/],
  [
    'pixels of another size',
    [{ ...plain(1), width: 7 }],
    /^images\[0\]: \[height, width, 1, 3 or 4\] pixels are expected, got 192 bytes for 8x7; /,
  ],
  [
    'something else',
    [plain(1), { image: 1 } as never],
    /^images\[1\]: a path, the bytes .* are expected, got \{ image \}; mend it/,
  ],
  ['undefined', [undefined as never], /^images\[0\]: a path, .* got undefined; /],
  [
    'a label missing',
    [{ ...plain(1), label: 1 }, plain(2)],
    /^images\[1\]: labels of one kind are expected, got none where images\[0\] has a number; /,
  ],
  [
    'a negative label',
    [{ ...plain(1), label: -1 }],
    /^images\[0\]: a label that is a name or a whole number from 0 is expected, got -1; /,
  ],
  ['nothing', [], /^images: one or more are expected, got none; give some$/],
  [
    'a folder',
    '/photos' as never,
    /^images: an array or an iterable of images is expected, got \/photos; a folder is given as data$/,
  ],
] as [string, ImageItem[], RegExp][]) {
  test(`${what} in place of an image is refused, by its index`, async (t) => {
    const options = await how()
    t.regex((await t.throwsAsync(openImages(items, options), { instanceOf: DataError })).message, message)
    t.deepEqual(
      (await readdir(options.cache)).filter((name) => name.startsWith('.images')),
      [],
    )
  })
}

test('images that cannot be read are left out where that is asked for, and listed by their index', async (t) => {
  const { dir, info } = await openImages([plain(1), new Uint8Array(9), plain(2)], await how({ skipBad: true }))
  t.is(info.count, 2)
  t.regex(info.skipped[0]!, /^images\[1\]: /)
  t.regex(await readFile(join(dir, 'left-out.txt'), 'utf8'), /^images\[1\]: /)
})

test('conditional training on images without labels is refused with what to do', async (t) => {
  const error = await t.throwsAsync(openImages([plain(1)], await how({ labels: true })), { instanceOf: DataError })
  t.regex(error.message, /^labels are expected .*, got none: images has none; give each image as \{ …, label \}$/)
})

test('an iterable that throws ends with its error, and leaves nothing', async (t) => {
  const options = await how()
  const broken = async function* (): AsyncGenerator<ImageItem> {
    yield await encodePng(gray(1), 8, 8, 3)
    throw new Error('the camera is off')
  }
  await t.throwsAsync(openImages(broken(), options), { message: 'the camera is off' })
  t.deepEqual(await readdir(options.cache), [])
})

test('a signal ends the wait for an image that never comes, and leaves nothing', async (t) => {
  const stop = new AbortController()
  const options = await how({ signal: stop.signal })
  let told = 0
  const hanging: AsyncIterable<ImageItem> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        setImmediate(() => stop.abort(new Error('enough')))
        return new Promise(() => {})
      },
      return: () => {
        told++
        return new Promise(() => {})
      },
    }),
  }
  await t.throwsAsync(openImages(hanging, options), { message: 'enough' })
  t.is(told, 1)
  t.deepEqual(await readdir(options.cache), [])
})

test('pixels of another type than bytes are named', async (t) => {
  const floats = { pixels: new Float32Array(192), width: 8, height: 8 } as unknown as ImageItem
  await t.throwsAsync(openImages([floats], await how()), {
    message: /^images\[0\]: pixels in a Uint8Array or Uint8ClampedArray, 0 … 255, are expected, got Float32Array; /,
  })
})
