/** PNG files without compression, as StyleGAN3's dataset_tool writes them: fast to read, and of one size. */
import { crc32, deflateSync } from 'node:zlib'

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
/** Colour types by the number of channels (PNG, third edition, 11.2.1). */
const colourTypes: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 }

/** @param pixels `[height, width, channels]` */
export function storedPng(pixels: Uint8Array, width: number, height: number, channels: number): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, colourTypes[channels]!], 8)
  const row = width * channels
  // Each row begins with the number of its filter: none.
  const rows = Buffer.alloc(height * (row + 1))
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1)
  const data = deflateSync(rows, { level: 0 })
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

function chunk(name: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length)
  bytes.writeUInt32BE(data.length, 0)
  bytes.write(name, 4, 'latin1')
  bytes.set(data, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length)
  return bytes
}
