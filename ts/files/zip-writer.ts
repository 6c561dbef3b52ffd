/** Writing zip archives of stored files, of any size (PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12, 4.3.14 to 4.5.3). */
import { crc32 } from 'node:zlib'

/** A file of an archive. */
export interface ZipEntry {
  readonly name: string
  readonly size: number
  readonly crc32: number
}

const [localLength, centralLength] = [30, 46]
/** What does not fit is in the extra field or the record of zip64. */
const [most16, most32] = [0xffff, 0xffffffff]
/** 1980-01-01: the same files give the same archive. */
const date = 0x21

export const zipEntry = (name: string, bytes: Uint8Array): ZipEntry => ({
  name,
  size: bytes.length,
  crc32: crc32(bytes),
})

const nameOf = ({ name }: ZipEntry) => Buffer.from(name, 'utf8')

/** Bytes that an entry takes with its header. */
export const entryLength = (entry: ZipEntry): number => localLength + nameOf(entry).length + entry.size

/** What stands before the bytes of a file. */
export function localHeader(entry: ZipEntry): Uint8Array {
  const name = nameOf(entry)
  const bytes = Buffer.alloc(localLength + name.length)
  bytes.writeUInt32LE(0x04034b50, 0)
  common(bytes, 4, entry, name.length)
  name.copy(bytes, localLength)
  return bytes
}

/** Version, flags (names are UTF-8), method, time and date, checksum, sizes, length of the name. */
function common(bytes: Buffer, at: number, entry: ZipEntry, nameLength: number): void {
  if (entry.size >= most32) throw new RangeError(`${entry.name}: at most 4 GiB are expected, got ${entry.size} bytes`)
  const values = [20, 0x800, 0, 0, date]
  values.forEach((value, i) => bytes.writeUInt16LE(value, at + 2 * i))
  const words = [entry.crc32, entry.size, entry.size]
  words.forEach((value, i) => bytes.writeUInt32LE(value, at + 10 + 4 * i))
  bytes.writeUInt16LE(nameLength, at + 22)
}

/** The end of an archive: where each file stands. */
export function* centralDirectory(entries: Iterable<ZipEntry>): Generator<Uint8Array> {
  let [count, at, length] = [0, 0, 0]
  for (const entry of entries) {
    const header = centralHeader(entry, at)
    yield header
    at += entryLength(entry)
    length += header.length
    count++
  }
  if (count >= most16 || at >= most32 || length >= most32) yield zip64End(count, at, length)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  for (const i of [8, 10]) end.writeUInt16LE(Math.min(count, most16), i)
  end.writeUInt32LE(Math.min(length, most32), 12)
  end.writeUInt32LE(Math.min(at, most32), 16)
  yield end
}

function centralHeader(entry: ZipEntry, at: number): Uint8Array {
  const name = nameOf(entry)
  const isFar = at >= most32
  const bytes = Buffer.alloc(centralLength + name.length + (isFar ? 12 : 0))
  bytes.writeUInt32LE(0x02014b50, 0)
  bytes.writeUInt16LE(isFar ? 45 : 20, 4)
  common(bytes, 6, entry, name.length)
  if (isFar) bytes.writeUInt16LE(45, 6)
  bytes.writeUInt16LE(isFar ? 12 : 0, 30)
  bytes.writeUInt32LE(Math.min(at, most32), 42)
  name.copy(bytes, centralLength)
  if (isFar) {
    const extra = centralLength + name.length
    bytes.writeUInt16LE(1, extra)
    bytes.writeUInt16LE(8, extra + 2)
    bytes.writeBigUInt64LE(BigInt(at), extra + 4)
  }
  return bytes
}

function zip64End(count: number, at: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(56 + 20)
  bytes.writeUInt32LE(0x06064b50, 0)
  bytes.writeBigUInt64LE(44n, 4)
  for (const i of [12, 14]) bytes.writeUInt16LE(45, i)
  for (const i of [24, 32]) bytes.writeBigUInt64LE(BigInt(count), i)
  bytes.writeBigUInt64LE(BigInt(length), 40)
  bytes.writeBigUInt64LE(BigInt(at), 48)
  // Where the record above stands.
  bytes.writeUInt32LE(0x07064b50, 56)
  bytes.writeBigUInt64LE(BigInt(at + length), 64)
  bytes.writeUInt32LE(1, 72)
  return bytes
}
