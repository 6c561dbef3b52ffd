/**
 * TFRecord files of the official StyleGAN: one for each resolution, records of `shape` [C, H, W] and `data`, and labels in a `.npy`
 * file named `.labels` (tensorflow/core/lib/io/record_writer.h, tensorflow/core/example/example.proto).
 */
import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readFields, readVarint } from '../../files/protobuf.ts'
import { shown } from '../../files/shown.ts'
import { noLabelsIn } from '../labels.ts'
import { numbered } from './arrays.ts'
import { DataFile, fileLimit, readBudget } from './file.ts'
import { readNpyLabels } from './numpy.ts'
import type { ImageInput, LeftOut, PixelInput, Source } from './source.ts'
import { crc32c, DataError } from '../../native/index.ts'

/** Length and its checksum before the data, their checksum after them. */
const [headerBytes, footerBytes] = [12, 4]

/** CRC-32C as records hold it, so that a checksum of checksums is none of zeros. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** The length of a record whose header this is; undefined if it is none. */
export function recordLength(header: Buffer): number | undefined {
  if (header.length < headerBytes || header.readUInt32LE(8) !== masked(header.subarray(0, 8))) return undefined
  return Number(header.readBigUInt64LE(0))
}

/** Whether a folder holds such files. */
export const isRecordFile = (name: string): boolean => name.endsWith('.tfrecords')

/** The file of the full resolution in a folder. */
export async function openRecordFolder(dir: string): Promise<Source> {
  const names = (await readdir(dir)).filter(isRecordFile).sort()
  const found: { name: string; pixels: number; size: string }[] = []
  for (const name of names) {
    const file = await DataFile.open(join(dir, name))
    try {
      const { shape } = await firstRecord(file)
      found.push({ name, pixels: shape.reduce((product, axis) => product * axis, 1), size: shape.slice(1).join('x') })
    } finally {
      await file.close()
    }
  }
  const [full, other] = found.sort((a, b) => b.pixels - a.pixels)
  if (other && other.pixels === full!.pixels) {
    const both = `${shown(full!.name)} and ${shown(other.name)}`
    throw new DataError(`${dir}: one file of ${full!.size} is expected, got ${both}; give the one that is meant`)
  }
  return openRecords(await DataFile.open(join(dir, full!.name)), dir)
}

/** @throws DataError if its first record is no image of the official code */
export async function openRecords(file: DataFile, path = file.path): Promise<Source> {
  const { shape, stride } = await firstRecord(file)
  const places = file.size % stride === 0 ? new Strides(file.size / stride, stride) : await walk(file)
  const labelFile = await labelFileOf(file.path)
  const place = (index: number) => `${file.path}: record ${index}`
  return {
    kind: 'TFRecord',
    path,
    count: places.count,
    leftOut: places.leftOut,
    name: numbered,
    hash: () => createHash('sha256').update(file.stamp),
    labels: async () => {
      if (labelFile === undefined) return { noLabels: noLabelsIn(path), isBroken: false }
      const labels = await DataFile.open(labelFile)
      return readNpyLabels(labels, places.count).finally(() => labels.close())
    },
    read: (first, count) => readRecords(file, places, first, count, { shape, place }),
    close: () => file.close(),
  }
}

/** Where records begin. */
interface Places {
  readonly count: number
  readonly leftOut: readonly LeftOut[]
  at(index: number): number
}

/** Records of one length, as the official tool writes them: nothing needs to be read to know where they are. */
class Strides implements Places {
  readonly count: number
  readonly leftOut = []
  readonly #stride: number

  constructor(count: number, stride: number) {
    this.count = count
    this.#stride = stride
  }

  at = (index: number): number => index * this.#stride
}

/** Records of any length, found one after the other; the last one may be cut off. */
async function walk(file: DataFile): Promise<Places> {
  let places = new Float64Array(1024)
  let [count, at] = [0, 0]
  const leftOut: LeftOut[] = []
  while (at < file.size) {
    const length = at + headerBytes > file.size ? undefined : recordLength(await file.read(at, headerBytes))
    if (length === undefined || at + headerBytes + length + footerBytes > file.size) {
      const what = length === undefined ? 'the length of a record is damaged' : 'the record is cut off'
      leftOut.push({ path: `${file.path}: record ${count}`, bad: `${what}, and nothing after it can be read` })
      break
    }
    if (count + 1 >= places.length) places = Float64Array.from({ length: 2 * places.length }, (_, i) => places[i] ?? 0)
    places[count++] = at
    at += headerBytes + length + footerBytes
  }
  places[count] = at
  return { count, leftOut, at: (index) => places[index]! }
}

async function firstRecord(file: DataFile): Promise<{ shape: readonly number[]; stride: number }> {
  const length = recordLength(await file.head(headerBytes))
  if (length === undefined) {
    throw new DataError(`${file.path}: a TFRecord file is expected, got one that begins otherwise; get it again`)
  }
  if (length > fileLimit) throw new DataError(`${file.path}: a record of ${length} bytes is too large`)
  const stride = headerBytes + length + footerBytes
  file.check(stride)
  const record = await file.read(0, stride)
  try {
    return { shape: imageIn(dataOf(record)).shape, stride }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new DataError(`${file.path}: record 0: ${error.message}`)
  }
}

/** The data of a whole record. */
function dataOf(record: Buffer): Buffer {
  if (recordLength(record) !== record.length - headerBytes - footerBytes) {
    throw new RangeError('records of one length are expected, got another one, or a damaged one (CRC-32C)')
  }
  const data = record.subarray(headerBytes, -footerBytes)
  if (masked(data) !== record.readUInt32LE(record.length - footerBytes)) {
    throw new RangeError('the record is damaged: it does not have its checksum (CRC-32C)')
  }
  return data
}

async function readRecords(
  file: DataFile,
  places: Places,
  first: number,
  count: number,
  { shape, place }: { shape: readonly number[]; place: (index: number) => string },
): Promise<ImageInput[]> {
  let some = 1
  while (some < count && places.at(first + some + 1) - places.at(first) <= readBudget) some++
  const start = places.at(first)
  const bytes = await file.read(start, places.at(first + some) - start)
  return Array.from({ length: some }, (_, i) => {
    const [at, end] = [i, i + 1].map((i) => places.at(first + i) - start)
    const name = place(first + i)
    try {
      const image = imageIn(dataOf(bytes.subarray(at, end)))
      if (image.shape.join() !== shape.join()) {
        throw new RangeError(
          `[${shape.join(', ')}] is expected as in the first record, got [${image.shape.join(', ')}]`,
        )
      }
      return pixelsOf(name, image)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return { name, bad: error.message }
    }
  })
}

interface Image {
  readonly shape: readonly number[]
  readonly data: Buffer
}

/**
 * The image of a `tf.train.Example`.
 *
 * @throws RangeError if it is none of the official code
 */
function imageIn(example: Buffer): Image {
  const [shape, data]: [number[], Buffer[]] = [[], []]
  const names: string[] = []
  for (const entry of fieldsOf(example, 1).flatMap((features) => fieldsOf(features, 1))) {
    const name = fieldsOf(entry, 1)[0]?.toString() ?? ''
    const values = fieldsOf(entry, 2)
    names.push(name)
    if (name === 'shape') shape.push(...values.flatMap((feature) => fieldsOf(feature, 3)).flatMap(integers))
    if (name === 'data')
      data.push(...values.flatMap((feature) => fieldsOf(feature, 1)).flatMap((list) => fieldsOf(list, 1)))
  }
  const bytes = data[0]
  const [channels = 0, height = 0, width = 0] = shape
  if (bytes === undefined || shape.length !== 3 || ![1, 3, 4].includes(channels)) {
    const found = shape.length > 0 ? `the shape [${shape.join(', ')}]` : shown(names.join(', ')) || 'nothing'
    throw new RangeError(
      `"shape" [C, H, W] and "data" are expected, as the official dataset_tool writes them, got ${found}`,
    )
  }
  if (bytes.length === 0 || bytes.length !== channels * height * width) {
    const expected = `${channels * height * width} bytes of uint8`
    throw new RangeError(`${expected} are expected for [${shape.join(', ')}], got ${bytes.length}`)
  }
  return { shape, data: bytes }
}

/** The messages, texts or bytes of a field. */
function fieldsOf(message: Buffer, wanted: number): Buffer[] {
  return [...readFields(message)].flatMap(({ field, value }) =>
    field === wanted && typeof value !== 'number' ? [value] : [],
  )
}

/** An `Int64List`, packed or not; a shape has a few. */
function integers(list: Buffer): number[] {
  const found: number[] = []
  for (const { value } of readFields(list)) {
    if (typeof value === 'number') found.push(value)
    else
      for (let at = 0; at < value.length && found.length < 8;) {
        const [integer, next] = readVarint(value, at)
        found.push(integer)
        at = next
      }
  }
  return found
}

/** Channels last. */
function pixelsOf(name: string, { shape, data }: Image): PixelInput {
  const [channels, height, width] = shape as [number, number, number]
  const size = height * width
  const pixels = new Uint8Array(data.length)
  for (let channel = 0; channel < channels; channel++) {
    const plane = data.subarray(channel * size, (channel + 1) * size)
    for (let i = 0, at = channel; i < size; i++, at += channels) pixels[at] = plane[i]!
  }
  return { name, pixels, width, height, channels }
}

/** `<name>-rxx.labels` beside the records. */
async function labelFileOf(path: string): Promise<string | undefined> {
  const own = basename(path).replace(/-r\d+\.tfrecords$/, '')
  const named = join(dirname(path), `${own}-rxx.labels`)
  if ((await stat(named).catch(() => undefined))?.isFile()) return named
  const others = (await readdir(dirname(path))).filter((name) => name.endsWith('.labels')).sort()
  return others.length === 1 ? join(dirname(path), others[0]!) : undefined
}
