/** Zip archives (PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 to 4.3.16, 4.5.3), of any size: PyTorch's files, NumPy's `.npz`, images. */
import { crc32, inflateRawSync } from 'node:zlib'

const [localHeader, centralHeader, endRecord] = [0x04034b50, 0x02014b50, 0x06054b50]
const [endRecord64, locator64, extra64] = [0x06064b50, 0x07064b50, 1]
/** Lengths without names and comments. */
export const localLength = 30
export const centralLength = 46
const [endLength, endLength64, locatorLength] = [22, 56, 20]

/** Bytes from the end of an archive in which its end records are: a comment may follow them. */
export const tailLength = endLength64 + locatorLength + endLength + 0xffff

/** Whether a file begins as a zip archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && [localHeader, endRecord].includes(viewOf(bytes).readUInt32LE(0))
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const damaged = () => new RangeError('the zip archive is cut off or damaged')

/** A file of an archive, as the directory describes it. */
export interface ZipEntry {
  readonly isEncrypted: boolean
  /** 0 is stored, 8 deflated. */
  readonly method: number
  readonly checksum: number
  /** Bytes in the archive. */
  readonly packed: number
  readonly size: number
  /** Where its local header begins. */
  readonly header: number
}

/** Where the directory of an archive is. */
interface Directory {
  readonly at: number
  readonly size: number
  readonly count: number
}

/**
 * @param tail the last {@link tailLength} bytes of an archive, or all of it
 * @param tailAt where they begin
 * @throws RangeError if the archive is cut off or damaged
 */
export function findDirectory(tail: Buffer, tailAt: number): Directory {
  const end = endOf(tail)
  let directory = {
    count: tail.readUInt16LE(end + 10),
    size: tail.readUInt32LE(end + 12),
    at: tail.readUInt32LE(end + 16),
  }
  let before = end
  const locator = end - locatorLength
  if (locator >= 0 && tail.readUInt32LE(locator) === locator64) {
    before = Number(tail.readBigUInt64LE(locator + 8)) - tailAt
    if (!(before >= 0 && before + endLength64 <= locator) || tail.readUInt32LE(before) !== endRecord64) throw damaged()
    const [count, size, at] = [32, 40, 48].map((i) => Number(tail.readBigUInt64LE(before + i)))
    directory = { count: count!, size: size!, at: at! }
  }
  const { at, size, count } = directory
  if (at + size > tailAt + before || count * centralLength > size) throw damaged()
  return directory
}

/** The end record is last, but for a comment. */
function endOf(tail: Buffer): number {
  for (let at = tail.length - endLength; at >= Math.max(tail.length - endLength - 0xffff, 0); at--) {
    if (tail.readUInt32LE(at) === endRecord) return at
  }
  throw damaged()
}

/** The bytes of a directory from a place on: at least those of the entry that begins there. */
export type FromPlace = (at: number) => Buffer

/** Where each entry of a directory of `size` bytes begins. */
export function entriesOf(from: FromPlace, size: number, count: number): Uint32Array | Float64Array {
  const places = size < 2 ** 32 ? new Uint32Array(count) : new Float64Array(count)
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + centralLength > size) throw damaged()
    const entry = from(at)
    if (entry.readUInt32LE(0) !== centralHeader) throw damaged()
    places[i] = at
    at += entryLength(entry)
  }
  if (at > size) throw damaged()
  return places
}

/** Bytes of an entry of the directory, of which so many are enough to know. */
export function entryLength(entry: Buffer): number {
  return centralLength + [28, 30, 32].reduce((sum, field) => sum + entry.readUInt16LE(field), 0)
}

/** Where the name of the entry stands that begins at a place. */
export function nameAt(directory: Buffer, at = 0): [start: number, end: number] {
  const start = at + centralLength
  return [start, start + directory.readUInt16LE(at + 28)]
}

/** @param entry the bytes of the directory from the entry on */
export function readEntry(entry: Buffer): ZipEntry {
  const fields = [20, 24, 42].map((i) => entry.readUInt32LE(i))
  // What does not fit into 32 bits stands in an extra field, in this order.
  const wide = extraField(entry)
  let next = 0
  const [size, packed, header] = [1, 0, 2].map((field) => {
    if (fields[field] !== 0xffffffff || wide === undefined) return fields[field]!
    if (next + 8 > wide.length) throw damaged()
    next += 8
    return Number(wide.readBigUInt64LE(next - 8))
  })
  return {
    isEncrypted: (entry.readUInt16LE(8) & 1) === 1,
    method: entry.readUInt16LE(10),
    checksum: entry.readUInt32LE(16),
    packed: packed!,
    size: size!,
    header: header!,
  }
}

function extraField(entry: Buffer): Buffer | undefined {
  let [, start] = nameAt(entry)
  const end = start + entry.readUInt16LE(30)
  while (start + 4 <= end) {
    const length = entry.readUInt16LE(start + 2)
    if (start + 4 + length > end) throw damaged()
    if (entry.readUInt16LE(start) === extra64) return entry.subarray(start + 4, start + 4 + length)
    start += 4 + length
  }
  return undefined
}

/** Where the bytes of a file begin, by its local header. */
export function dataAt({ header }: ZipEntry, local: Buffer): number {
  if (local.length < localLength || local.readUInt32LE(0) !== localHeader) throw damaged()
  return header + localLength + local.readUInt16LE(26) + local.readUInt16LE(28)
}

/** Bytes that so many bytes of an archive may unpack to: a thousandth of them can be enough to hold them. */
export const unpackedLimit = (packed: number): number => 2 ** 28 + 4 * packed

/**
 * The files of an archive in memory by name; a stored one is no copy.
 *
 * @throws RangeError if the archive is cut off or damaged, or unpacks to much more than it has; now, or when a file is read (its
 *   checksum is compared then)
 */
export function readZip(bytes: Uint8Array): Map<string, () => Uint8Array> {
  const view = viewOf(bytes)
  const { at, size, count } = findDirectory(view, 0)
  const from: FromPlace = (place) => view.subarray(at + place, at + size)
  const files = new Map<string, () => Uint8Array>()
  let left = unpackedLimit(bytes.length)
  const take = (size: number) => {
    left -= size
    if (left >= 0) return
    throw new RangeError(
      `the zip archive unpacks to more than ${unpackedLimit(bytes.length)} bytes, from ${bytes.length}`,
    )
  }
  for (const place of entriesOf(from, size, count)) {
    files.set(from(place).toString('utf8', ...nameAt(from(place))), () => {
      const entry = readEntry(from(place))
      const start = dataAt(entry, view.subarray(entry.header))
      if (start + entry.packed > bytes.length) throw damaged()
      if (entry.method !== 0) take(entry.size)
      return unpack(bytes.subarray(start, start + entry.packed), entry)
    })
  }
  return files
}

/** @throws RangeError if the file is damaged, encrypted, or packed in another way */
export function unpack(packed: Uint8Array, { isEncrypted, method, size, checksum }: ZipEntry): Uint8Array {
  if (isEncrypted) throw new RangeError('the zip archive is encrypted; pack it again without a password')
  const file = inflated(packed, method, size)
  if (file.length !== size || crc32(file) !== checksum) throw damaged()
  return file
}

function inflated(packed: Uint8Array, method: number, size: number): Uint8Array {
  if (method === 0) return packed
  if (method !== 8) throw new RangeError(`the zip archive uses method ${method}; stored and deflated files are read`)
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) })
  } catch {
    throw damaged()
  }
}
