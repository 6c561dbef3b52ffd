/** Images of one size, one after the other. */
import { readBudget, type Bytes } from './file.ts'
import type { PixelInput } from './source.ts'

/** The size of each image. */
export interface ImageSize {
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** Where the pixels of images are. */
export interface PixelArray extends ImageSize {
  readonly bytes: Bytes
  readonly start: number
}

const bytesOf = ({ height, width, channels }: ImageSize) => height * width * channels

/** How many of `count` images are read at once: one at least. */
export function someOf(count: number, size: ImageSize): number {
  return Math.min(count, Math.max(Math.floor(readBudget / bytesOf(size)), 1))
}

/** Pixels `[N, H, W, C]` image by image. */
export function cut(pixels: Uint8Array, size: ImageSize, name: (index: number) => string): PixelInput[] {
  const { height, width, channels } = size
  const bytes = bytesOf(size)
  return Array.from({ length: pixels.length / bytes }, (_, i) => ({
    name: name(i),
    pixels: pixels.subarray(i * bytes, (i + 1) * bytes),
    width,
    height,
    channels,
  }))
}

/** The images from `first`, with the pixels that `of` makes of theirs. */
export async function readPixels(
  array: PixelArray,
  first: number,
  count: number,
  name: (index: number) => string,
): Promise<PixelInput[]> {
  const size = bytesOf(array)
  const pixels = await array.bytes.read(array.start + first * size, someOf(count, array) * size)
  return cut(pixels, array, (i) => name(first + i))
}

/** The name of an image that has none: that of the official tools. */
export const numbered = (index: number): string => `img${String(index).padStart(8, '0')}`
