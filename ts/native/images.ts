/** Image files and prepared data sets, on worker threads. */
import { call, native, number, type Shape, sizes, wait, whole, type Native } from './addon.ts'

/** The images of a folder, sorted by path, and its other files. */
export interface Listing {
  readonly count: number
  /** The path of an image below the folder. */
  name(index: number): string
  /** Bytes of each file. */
  readonly sizes: Float64Array
  /** Node's mtimeMs of each file. */
  readonly modifiedMs: Float64Array
  /** Files that are not decoded: their kind, or why they are bad images. */
  readonly leftOut: readonly Native.NativeLeftOut[]
}

/**
 * The files in a folder and the folders in it. Names stay in one block of bytes: a million strings would take five times as much.
 *
 * @param keepDrawn take pictures for images that this program drew, and those in its run directories
 */
export async function listImages(dir: string, keepDrawn: boolean): Promise<Listing> {
  const { names, ends, sizes, modifiedMs, leftOut } = await wait(() => native.listImages(dir, keepDrawn))
  const text = Buffer.from(names.buffer, names.byteOffset, names.length)
  const name = (index: number) => text.toString('utf8', index === 0 ? 0 : ends[index - 1], ends[index])
  return { count: ends.length, name, sizes, modifiedMs, leftOut }
}

/** What is wrong with a text that should be JSON, with line and column. */
export function jsonFault(text: string): string | null {
  return call(() => native.jsonFault(text))
}

/** The RGB pixels `[size, size, 3]` of a square SVG drawing that covers all of it; it needs no fonts. */
export function drawSvg(svg: string, size: number): Uint8Array {
  return call(() => native.drawSvg(svg, whole('drawSvg: size', size, 1)))
}

/** A PNG file of `[height, width, channels]` bytes. */
export function encodePng(pixels: Uint8Array, width: number, height: number, channels: number): Promise<Uint8Array> {
  return png(pixels, [width, height, channels], false)
}

/** {@link encodePng} of a picture that this program drew: a mark in the file says so, and it is never taken for data. */
export function encodeDrawnPng(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: number,
): Promise<Uint8Array> {
  return png(pixels, [width, height, channels], true)
}

/** Bytes from the start of a file that {@link isDrawnPng} needs. */
export const drawnHeadBytes = 128

/** Whether a file that begins so is a picture of {@link encodeDrawnPng}. */
export function isDrawnPng(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('latin1')
  return text.startsWith('\x89PNG') && text.includes('tEXtSoftware\0stylegan')
}

function png(pixels: Uint8Array, size: number[], drawn: boolean): Promise<Uint8Array> {
  return wait(async () => {
    const [width, height, channels] = size.map((value) => whole('encodePng: sizes', value, 1))
    return native.encodePng(pixels, width!, height!, channels!, drawn)
  })
}

export function readNpy(path: string): Promise<{ shape: number[]; values: Float32Array }> {
  return wait(() => native.readNpy(path))
}

export function writeNpy(path: string, shape: Shape, values: Float32Array): Promise<void> {
  return wait(() => native.writeNpy(path, sizes('writeNpy', shape), values))
}

/** An image that is not decoded yet. Messages call it by its name, or by its path if that is all. */
export type ImageInput =
  | string
  /** An image file with another name than its own, or inside a larger file. */
  | {
      readonly name: string
      readonly path: string
      readonly offset?: number | undefined
      readonly length?: number | undefined
    }
  /** The bytes of an image file. */
  | { readonly name: string; readonly bytes: Uint8Array }
  /** Bytes `[height, width, channels]`. */
  | {
      readonly name: string
      readonly pixels: Uint8Array
      readonly width: number
      readonly height: number
      readonly channels: number
    }
  /** None: why it cannot be decoded. */
  | { readonly name: string; readonly bad: string }

function nativeInput(input: ImageInput): Native.NativeInput {
  if (typeof input === 'string') return { path: input }
  if ('path' in input) {
    const { name, path, offset = 0, length } = input
    return { name, path, offset, ...(length === undefined ? {} : { length }) }
  }
  if (!('pixels' in input)) return input
  const { name, pixels: bytes } = input
  const [width, height, channels] = [input.width, input.height, input.channels].map((size) => whole(name, size, 1))
  return { name, bytes, width: width!, height: height!, channels: channels! }
}

/** How an image becomes one of a data set. */
export interface Recipe {
  /** Larger images are refused; 100 by default. */
  readonly maxMegapixels?: number | undefined
  /**
   * Which part of an image is shown: its centre square (default), or as StyleGAN3's `center-crop-wide` so many rows of a square that is
   * black above and below.
   */
  readonly wideHeight?: number | undefined
  /** What images are resized with: Pillow's filter of that name, to the bit; by default a fast Lanczos whose values differ a little. */
  readonly resizeFilter?: ResizeFilter | undefined
  /** `convert` makes sRGB of images with other colour profiles; `ignore`, the default, takes their numbers as they are. */
  readonly colourProfile?: 'convert' | 'ignore' | undefined
  /** The colour under transparency, 0 … 255; white by default. */
  readonly background?: readonly [number, number, number] | undefined
}

/** A filter of Pillow: box averages, bicubic and lanczos keep more of the detail. */
export type ResizeFilter = 'box' | 'lanczos' | 'bicubic'

export const defaultMaxMegapixels = 100

function nativeRecipe(recipe: Recipe): Native.NativeRecipe {
  const { maxMegapixels = defaultMaxMegapixels, wideHeight, resizeFilter, background = white } = recipe
  return {
    maxMegapixels: number('maxMegapixels', maxMegapixels),
    ...(wideHeight === undefined ? {} : { wideHeight: whole('wideHeight', wideHeight, 1) }),
    ...(resizeFilter === undefined ? {} : { filter: resizeFilter }),
    convertProfiles: recipe.colourProfile === 'convert',
    background: background.map((value) => whole('background', value)),
  }
}

const white = [255, 255, 255] as const

/** Images that were met, to find those that repeat them; a new one remembers nothing. */
export class SeenImages {
  readonly #native: Native.NativeSeen

  constructor(rows: Uint8Array = new Uint8Array()) {
    this.#native = call(() => native.NativeSeen.restore(rows))
    natives.set(this, this.#native)
  }

  /** Bytes of an image in {@link rows}. */
  static get rowBytes(): number {
    return native.NativeSeen.rowBytes()
  }

  /** The images from the one that was remembered as number `first`, for another `SeenImages`. */
  rows(first: number): Uint8Array {
    return call(() => this.#native.rows(whole('SeenImages: first', first)))
  }
}

const natives = new WeakMap<SeenImages, Native.NativeSeen>()
const seenBy = (seen: SeenImages | undefined) => seen && natives.get(seen)

/** How images that repeat others are left out. */
export interface Dedupe {
  readonly seen: SeenImages
  readonly number: number
  /** Those that only look the same are left out too. */
  readonly near: boolean
}

/** What images are; `number` is the first one's in `seen`. Those that cannot be decoded have `bad`. */
export function inspectImages(
  images: readonly ImageInput[],
  number: number,
  recipe: Recipe,
  seen: SeenImages,
): Promise<Native.NativeFacts[]> {
  return wait(async () =>
    native.inspectImages(
      images.map(nativeInput),
      whole('inspectImages: number', number),
      nativeRecipe(recipe),
      seenBy(seen)!,
    ),
  )
}

/** Writes the levels of a prepared dataset: one `.npy` file a resolution, each box-filtered from the one above. */
export class LevelWriter {
  readonly #native: Native.NativeWriter

  private constructor(writer: Native.NativeWriter) {
    this.#native = writer
  }

  /** New files for `count` images. */
  static create(dir: string, count: number, resolution: number, channels: number): LevelWriter {
    const size = [count, resolution, channels].map((value) => whole('LevelWriter: sizes', value, 1))
    return new LevelWriter(call(() => native.NativeWriter.create(dir, size[0]!, size[1]!, size[2]!)))
  }

  /** The files that an interrupted preparation left. */
  static open(dir: string, count: number, resolution: number, channels: number): LevelWriter {
    const size = [count, resolution, channels].map((value) => whole('LevelWriter: sizes', value, 1))
    return new LevelWriter(call(() => native.NativeWriter.open(dir, size[0]!, size[1]!, size[2]!)))
  }

  /**
   * Decodes, crops and resizes images on all cores; the good ones take consecutive places from `first`.
   *
   * @param dedupe leaves out those that were seen; `number` is that of the chunk's first image in the source
   */
  prepare(
    first: number,
    images: readonly ImageInput[],
    recipe: Recipe,
    dedupe?: Dedupe,
  ): Promise<Native.NativePrepared> {
    return wait(async () => {
      const [place, number] = [first, dedupe?.number ?? 0].map((value) => whole('LevelWriter: first and number', value))
      const inputs = images.map(nativeInput)
      return this.#native.prepareChunk(
        place!,
        inputs,
        nativeRecipe(recipe),
        seenBy(dedupe?.seen),
        number!,
        dedupe?.near ?? false,
      )
    })
  }

  /** Images that are in memory: `[count, width, width, channels]`. */
  writePixels(first: number, pixels: Uint8Array, count: number, width: number): Promise<void> {
    return wait(async () => {
      const [f, n, w] = [first, count, width].map((value) => whole('LevelWriter: first, count and width', value))
      return this.#native.writePixels(f!, pixels, n!, w!)
    })
  }

  sync(): Promise<void> {
    return wait(() => this.#native.sync())
  }

  /** Fixes the number of images. */
  finish(count: number): Promise<void> {
    return wait(async () => this.#native.finish(whole('LevelWriter: count', count)))
  }
}

/** The levels of a prepared dataset, mapped into memory. */
export class Levels {
  readonly count: number
  readonly resolution: number
  readonly channels: number
  /** Images are compared with their checksums when they are read. */
  readonly hasChecksums: boolean
  readonly #native: Native.NativeDataset

  private constructor(levels: Native.NativeDataset) {
    this.#native = levels
    this.count = levels.count
    this.resolution = levels.resolution
    this.channels = levels.channels
    this.hasChecksums = levels.hasChecksums
  }

  static open(dir: string): Levels {
    return new Levels(call(() => native.NativeDataset.open(dir)))
  }

  /** The CRC-32C that each level's file should have, in hexadecimal, by its name. */
  checksums(): Promise<Record<string, string>> {
    return wait(() => this.#native.checksums())
  }

  /** Compares images with their checksums at every level. */
  check(first: number, count: number): Promise<void> {
    return wait(async () => this.#native.check(whole('Levels: first', first), whole('Levels: count', count)))
  }

  /** Images `[indices.length, resolution, resolution, channels]`, left and right swapped where `mirror` says: none by default. */
  batch(resolution: number, indices: number[], mirror?: boolean[]): Promise<Uint8Array> {
    return wait(async () => {
      const [side, rows] = [whole('Levels: resolution', resolution), sizes('Levels: indices', indices)]
      return this.#native.batch(side, rows, mirror ?? rows.map(() => false))
    })
  }
}
