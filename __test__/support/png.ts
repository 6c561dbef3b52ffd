/** The pixels of a PNG file of 8-bit RGB, for comparing pictures whatever way they were compressed. */
import { inflateSync } from 'node:zlib'

export function pngPixels(file: Buffer): Uint8Array {
  const parts: Buffer[] = []
  let [width, height] = [0, 0]
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    const type = file.toString('latin1', at + 4, at + 8)
    const data = file.subarray(at + 8, at + 8 + file.readUInt32BE(at))
    if (type === 'IHDR') [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)]
    if (type === 'IDAT') parts.push(data)
  }
  const [raw, row] = [inflateSync(Buffer.concat(parts)), 3 * width]
  const pixels = new Uint8Array(height * row)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (row + 1)]!
    for (let i = 0; i < row; i++) {
      const left = i < 3 ? 0 : pixels[y * row + i - 3]!
      const up = y === 0 ? 0 : pixels[(y - 1) * row + i]!
      const corner = i < 3 || y === 0 ? 0 : pixels[(y - 1) * row + i - 3]!
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!
      pixels[y * row + i] = raw[y * (row + 1) + 1 + i]! + guess
    }
  }
  return pixels
}

/** The neighbour nearest to left + up − corner (PNG, section 9.4). */
function paeth(left: number, up: number, corner: number): number {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}
