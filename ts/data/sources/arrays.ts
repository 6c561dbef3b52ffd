/** Images of one size, one after the other. */
import { readBudget, type Bytes } from './file.ts'
import type { PixelInput } from './source.ts'

/** Where the pixels of images are. */
export interface PixelArray {
  readonly bytes: Bytes
  readonly start: number
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** The images from `first`, with the pixels that `of` makes of theirs. */
export async function readPixels(
  { bytes, start, height, width, channels }: PixelArray,
  first: number,
  count: number,
  name: (index: number) => string,
): Promise<PixelInput[]> {
  const size = height * width * channels
  const some = Math.min(count, Math.max(Math.floor(readBudget / size), 1))
  const pixels = await bytes.read(start + first * size, some * size)
  return Array.from({ length: some }, (_, i) => ({
    name: name(first + i),
    pixels: pixels.subarray(i * size, (i + 1) * size),
    width,
    height,
    channels,
  }))
}

/** The name of an image that has none: that of the official tools. */
export const numbered = (index: number): string => `img${String(index).padStart(8, '0')}`
