/** Images that a program has in memory, or gives one after the other: prepared as files are, under a name that is their content's. */
import { createHash, randomUUID, type Hash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolders } from '../files/make-folders.ts'
import { shown, shownValue } from '../files/shown.ts'
import { plural } from '../files/units.ts'
import { classLimit, namedClasses, numberedClasses, type Classes } from './classes.ts'
import { planImages as planKnown, type PreparingOptions, type Plan } from './prepare.ts'
import { labelsNeeded } from './labels.ts'
import { DataError, encodePng, type ImageInput } from '../native/index.ts'

/** Images of one size in memory, such as those that a generator draws. */
export interface ImageArray {
  /** `[count, height, width, channels]`, 0 … 255. */
  readonly pixels: Uint8Array | Uint8ClampedArray
  readonly count: number
  readonly width: number
  readonly height: number
  /** 1 is gray, 3 RGB, 4 RGBA. */
  readonly channels: number
  /** The class of each image, for conditional networks: names, or numbers from 0. */
  readonly labels?: readonly (number | string)[] | undefined
}

/** One image: an image file or its bytes (PNG, JPEG, GIF, WebP, BMP, TIFF), or pixels `[height, width, 1, 3 or 4]`, 0 … 255. */
export type ImageItem = string | Uint8Array | LabelledImage

/** One image with its label, if images have labels. */
export type LabelledImage = (
  | { readonly path: string }
  | { readonly bytes: Uint8Array }
  | { readonly pixels: Uint8Array | Uint8ClampedArray; readonly width: number; readonly height: number }
) & {
  /** Class, for conditional networks: its name, or its number from 0. */
  readonly label?: number | string | undefined
}

/** Images of any size, in the order in which they are numbered. An iterable is read once, to its end, before training begins. */
export type ImageSet = ImageArray | Iterable<ImageItem> | AsyncIterable<ImageItem>

/** Images of which something is known: how many, their classes, and a hash of all of them. */
interface Known {
  readonly count: number
  readonly classes: Classes | undefined
  readonly fingerprint: string
}

/** Whether images can be read twice. */
const isStored = (images: ImageSet): images is ImageArray | ImageItem[] => Array.isArray(images) || isArray(images)
const isArray = (images: ImageSet): images is ImageArray => 'pixels' in images

/** A plan of images in memory, with the name of their data set; `done` removes what was only needed to prepare them. */
export interface MemoryPlan {
  readonly name: string
  readonly plan: Plan
  readonly done: () => Promise<void>
}

/** @throws DataError naming the first image that is none, by its index */
export async function planImages(images: ImageSet, options: PreparingOptions): Promise<MemoryPlan> {
  const { cache, signal } = options
  checkSet(images)
  const files = join(cache, `.images-${randomUUID()}`)
  const done = () => rm(files, { recursive: true, force: true })
  try {
    const known = await readImages(images, isStored(images) ? undefined : files, signal)
    if (options.labels && !known.classes) throw labelsNeeded(noLabels)
    const at = isStored(images) ? inputOf(images) : undefined
    const inputAt = (index: number) =>
      at?.(index) ?? Promise.resolve({ name: place(index), path: fileOf(files, index) })
    const plan = planKnown(options, {
      ...known,
      source: 'images in memory',
      name: 'images',
      images: {
        count: known.count,
        read: (first, count) => Promise.all(Array.from({ length: count }, (_, i) => inputAt(first + i))),
      },
      noLabels: known.classes ? undefined : noLabels,
    })
    return { name: nameOf(known, options), plan, done }
  } catch (error) {
    await done()
    throw error
  }
}

/** @throws DataError unless it can be read as images */
export function checkSet(images: unknown): void {
  const isSet = typeof images === 'object' && images !== null
  if (isSet && ['pixels', Symbol.iterator, Symbol.asyncIterator].some((key) => key in images)) return
  throw new DataError(
    `images: an array or an iterable of images is expected, got ${typeof images === 'string' ? shown(images) : shownValue(images)}; a folder is given as data`,
  )
}

/**
 * The name under which images will be prepared, without preparing them.
 *
 * @returns undefined for an iterable, which can be read only once
 */
export async function nameOfImages(images: ImageSet, options: PreparingOptions): Promise<string | undefined> {
  return isStored(images) ? nameOf(await readImages(images, undefined), options) : undefined
}

/** Other images have another name, so that a run never goes on with others. */
function nameOf({ fingerprint }: Known, { resolution, channels, maxMegapixels = 0 }: PreparingOptions): string {
  const hash = createHash('sha256').update(`${fingerprint} ${resolution} ${channels} ${maxMegapixels}`)
  return `images-${hash.digest('hex').slice(0, 12)}`
}

const noLabels = 'images has none; give each image as { …, label }'

const place = (index: number) => `images[${index}]`
const fileOf = (folder: string, index: number) => join(folder, String(index))

/** An image of those that can be read twice, as preparing takes it. */
function inputOf(images: ImageArray | ImageItem[]): (index: number) => Promise<ImageInput> {
  const item = isArray(images) ? sliceOf(images) : (index: number) => images[index]
  return async (index) => {
    const { label: _, ...image } = await imageOf(item(index), index)
    return { name: place(index), ...image }
  }
}

/** Reads all images; writes them as files into a folder if one is given. */
async function readImages(images: ImageSet, folder: string | undefined, signal?: AbortSignal): Promise<Known> {
  const hash = createHash('sha256')
  const labels: (number | string | undefined)[] = []
  if (folder !== undefined) await makeFolders(folder, 'outdir')
  for await (const item of stoppable(isArray(images) ? slices(images) : images, signal)) {
    const index = labels.length
    const { label, ...image } = await imageOf(item, index)
    const size = 'pixels' in image ? [image.width, image.height, image.channels] : []
    hashed(hash, JSON.stringify([size, label ?? null]), 'pixels' in image ? image.pixels : image.bytes)
    labels.push(label)
    if (folder === undefined) continue
    const bytes =
      'pixels' in image ? await encodePng(image.pixels, image.width, image.height, image.channels) : image.bytes
    await writeFile(fileOf(folder, index), bytes)
  }
  if (labels.length === 0) throw new DataError('images: one or more are expected, got none; give some')
  return { count: labels.length, classes: classesOf(labels), fingerprint: hash.digest('hex') }
}

/**
 * The items until the signal comes, even while one is waited for. What then waits for ever is told to end, and left.
 *
 * @throws the signal's reason
 */
async function* stoppable<T>(items: Iterable<T> | AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T, void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  const next = async () => iterator.next()
  let isOpen = true
  try {
    for (;;) {
      signal?.throwIfAborted()
      const item = await orAborted(next(), signal)
      isOpen = item.done !== true
      if (item.done === true) return
      yield item.value
    }
  } catch (error) {
    isOpen = signal?.aborted === true
    throw error
  } finally {
    const closed = isOpen ? Promise.resolve(iterator.return?.()) : undefined
    if (!signal?.aborted) await closed
    closed?.catch(() => {}) // the signal's reason is thrown
  }
}

/** What a promise gives, unless the signal comes first. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** Lengths are hashed too: no two lists of images are one text. */
function hashed(hash: Hash, what: string, bytes: Uint8Array): void {
  hash.update(`${what} ${bytes.length}\n`).update(bytes)
}

/** @throws DataError unless there are as many bytes and labels as the shape has */
function* slices(images: ImageArray): Generator<ImageItem> {
  const { pixels, count, width, height, channels, labels } = images
  const given: Record<string, unknown> = { count, width, height, channels }
  const sizes = Object.entries(given).filter(([, size]) => !Number.isInteger(size))
  if (sizes.length > 0) {
    const found = sizes.map(([key, size]) => (size === undefined ? `no ${key}` : `${key} ${said(size)}`)).join(', ')
    throw new DataError(
      `images: whole numbers count, width, height and channels are expected beside pixels, got ${found}; give all four`,
    )
  }
  if (pixels.length !== count * width * height * channels || (labels && labels.length !== count)) {
    const shape = `[${[count, height, width, channels].join(', ')}]`
    const found =
      labels && labels.length !== count
        ? `${labels.length} ${plural(labels.length, 'label')}`
        : `${pixels.length} bytes`
    throw new DataError(`images: ${shape} are expected, got ${found}; give what belongs to one shape`)
  }
  const slice = sliceOf(images)
  for (let i = 0; i < count; i++) yield slice(i)
}

function sliceOf({ pixels, width, height, channels, labels }: ImageArray): (index: number) => ImageItem {
  const size = width * height * channels
  return (i) => ({ pixels: pixels.subarray(i * size, (i + 1) * size), width, height, label: labels?.[i] })
}

type Read = { label: number | string | undefined } & (
  { bytes: Uint8Array } | { pixels: Uint8Array; width: number; height: number; channels: number }
)

/** An item of any kind, checked: programs without types give what they like. */
async function imageOf(item: unknown, index: number): Promise<Read> {
  const wrong = (expected: string, found: string) =>
    new DataError(`${place(index)}: ${expected} expected, got ${found}; mend it, or leave it out`)
  if (typeof item === 'string') return imageOf({ path: item }, index)
  if (item instanceof Uint8Array) return imageOf({ bytes: item }, index)
  const { path, bytes, pixels, width, height, label } = (item ?? {}) as Record<string, unknown>
  if (label !== undefined && typeof label !== 'string' && !(Number.isInteger(label) && Number(label) >= 0)) {
    throw wrong('a label that is a name or a whole number from 0 is', said(label))
  }
  const own = { label: label as Read['label'] }
  if (typeof path === 'string') {
    const read = await readFile(path).catch((error: unknown) => {
      throw wrong(`the image file ${shown(path)} is`, shown((error as Error).message))
    })
    return { ...own, bytes: read }
  }
  if (bytes instanceof Uint8Array) return { ...own, bytes }
  if (!(pixels instanceof Uint8Array || pixels instanceof Uint8ClampedArray)) {
    if (pixels !== undefined)
      throw wrong('pixels in a Uint8Array or Uint8ClampedArray, 0 … 255, are', shownValue(pixels))
    const kinds = 'a path, the bytes of an image file, or { pixels, width, height } with bytes are'
    throw wrong(kinds, said(item))
  }
  const channels = pixels.length / (Number(width) * Number(height))
  if (![width, height].every((side) => Number.isInteger(side) && Number(side) > 0) || ![1, 3, 4].includes(channels)) {
    throw wrong('[height, width, 1, 3 or 4] pixels are', `${pixels.length} bytes for ${said(height)}x${said(width)}`)
  }
  const raw = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length)
  return { ...own, pixels: raw, width: Number(width), height: Number(height), channels }
}

/** A value in a message. */
function said(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `{ ${shown(Object.keys(value).slice(0, 8).join(', '))} }`
  return typeof value === 'string' ? `'${shown(value)}'` : shown(String(value))
}

function classesOf(labels: readonly (number | string | undefined)[]): Classes | undefined {
  const kind = typeof labels[0]
  const other = labels.findIndex((label) => typeof label !== kind)
  if (other > 0) {
    const said = (label: unknown) => (label === undefined ? 'none' : `a ${typeof label}`)
    throw new DataError(
      `${place(other)}: labels of one kind are expected, got ${said(labels[other])} where images[0] has ${said(labels[0])}; label all images, or none`,
    )
  }
  if (kind === 'undefined') return undefined
  if (kind === 'string') return namedClasses(labels.length, (i) => labels[i] as string)
  const largest = labels.findIndex((label) => Number(label) >= classLimit)
  if (largest >= 0)
    throw new DataError(`${place(largest)}: a label below ${classLimit} is expected, got ${labels[largest]}`)
  return numberedClasses(labels as number[])
}
