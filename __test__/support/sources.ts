/** The images of `fixtures/sources`, by the formula of their script. */
import { fileURLToPath } from 'node:url'

export const count = 12
export const classNames = ['ant', 'bee', 'cat', 'dog']
/** The class of each image. */
export const classOf = Array.from({ length: count }, (_, i) => (i * 7) % 4)

export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/sources/${name}`, import.meta.url))

/** `[side, side, channels]` of one image. */
export function pixelsOf(i: number, side = 32, channels = 3): Uint8Array {
  const pixels = new Uint8Array(side * side * channels)
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      for (let c = 0; c < channels; c++) pixels[at++] = i * 19 + y * 5 + x * 3 + c * 70 + Math.floor((x * y) / 8)
    }
  }
  return pixels
}
