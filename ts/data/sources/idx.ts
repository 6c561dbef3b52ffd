/** MNIST's idx files, packed by gzip or not (yann.lecun.com): images of uint8 `[N, H, W]`, and labels in a file beside them. */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { numberedClasses, type Labelling } from '../classes.ts'
import { noLabelsIn } from '../labels.ts'
import { numbered, readPixels } from './arrays.ts'
import { DataFile, fileLimit, Stream, type Bytes } from './file.ts'
import type { PixelInput, Source } from './source.ts'
import { DataError } from '../../native/index.ts'

/** The side of MNIST's images, and what the official tool pads them to. */
const [mnist, side] = [28, 32]

/** Two zeros, uint8, and the number of axes. */
export const isIdx = (head: Uint8Array): boolean => head[0] === 0 && head[1] === 0 && head[2] === 8 && head[3] === 3

export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

/** What a file holds, unpacked if it is packed. */
export async function unpacked(file: DataFile): Promise<Bytes> {
  if (!isGzip(await file.head(2))) return file
  return new Stream(file.path, () => file.stream(0, file.size).pipe(createGunzip()))
}

/** @throws DataError if it holds no images, or is cut off */
export async function openIdx(file: DataFile, bytes: Bytes): Promise<Source> {
  const { path } = file
  const header = await bytes.read(0, 16)
  const [count, height, width] = [4, 8, 12].map((at) => header.readUInt32BE(at)) as [number, number, number]
  if (count * height * width === 0 || height * width > fileLimit) {
    throw new DataError(`${path}: uint8 [N, H, W] of images is expected, got [${[count, height, width].join(', ')}]`)
  }
  if (bytes === file) file.check(header.length + count * height * width)
  const pixels = { bytes, start: header.length, height, width, channels: 1 }
  return {
    kind: 'idx',
    path,
    count,
    leftOut: [],
    name: numbered,
    hash: () => createHash('sha256').update(file.stamp),
    labels: () => labelsOf(path, count),
    read: async (first, some) => {
      const images = await readPixels(pixels, first, some, (i) => `${path}[${i}]`)
      return height === mnist && width === mnist ? images.map(padded) : images
    },
    async close() {
      await bytes.close()
      if (bytes !== file) await file.close()
    },
  }
}

/** Black around it, as the official tool does. */
function padded({ name, pixels }: PixelInput): PixelInput {
  const wide = new Uint8Array(side * side)
  const edge = (side - mnist) / 2
  for (let y = 0; y < mnist; y++) {
    wide.set(pixels.subarray(y * mnist, (y + 1) * mnist), (y + edge) * side + edge)
  }
  return { name, pixels: wide, width: side, height: side, channels: 1 }
}

/** The labels in the file beside: `train-labels-idx1-ubyte.gz` of `train-images-idx3-ubyte.gz`. */
async function labelsOf(path: string, count: number): Promise<Labelling> {
  const beside = basename(path).replace('images', 'labels').replace('idx3', 'idx1')
  const names = [beside, beside.endsWith('.gz') ? beside.slice(0, -3) : `${beside}.gz`]
  for (const name of names) {
    const at = join(dirname(path), name)
    if (name === basename(path) || !(await stat(at).catch(() => undefined))?.isFile()) continue
    const file = await DataFile.open(at)
    const bytes = await unpacked(file)
    try {
      const header = await bytes.read(0, 8)
      const found = header.readUInt32BE(4)
      if (header.readUInt32BE(0) !== 0x00000801 || found !== count) {
        const reason = `${at}: ${count} labels of uint8 are expected, one for each image of ${path}, got ${found}`
        return { noLabels: reason, isBroken: true }
      }
      return numberedClasses([...(await bytes.read(header.length, count))])
    } finally {
      await bytes.close()
      if (bytes !== file) await file.close()
    }
  }
  return { noLabels: noLabelsIn(path), isBroken: false }
}
