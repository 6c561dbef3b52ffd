/** Zip archives in memory (PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12, 4.3.16): PyTorch's files, NumPy's `.npz`. */
import { crc32, inflateRawSync } from 'node:zlib'

const [localHeader, centralHeader, endRecord] = [0x04034b50, 0x02014b50, 0x06054b50]
/** Lengths without names and comments. */
const [localLength, centralLength, endLength] = [30, 46, 22]

/** Whether a file begins as a zip archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === localHeader
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const damaged = () => new RangeError('the zip archive is cut off or damaged')

/** Bytes that an archive may unpack to: a thousandth of them can be enough to hold them. */
const unpackedLimit = (bytes: Uint8Array) => 2 ** 28 + 4 * bytes.length

/**
 * The files of an archive by name; a stored one is no copy.
 *
 * @throws RangeError if the archive is cut off or damaged, or unpacks to much more than it has; now, or when a file is read (its
 *   checksum is compared then)
 */
export function readZip(bytes: Uint8Array): Map<string, () => Uint8Array> {
  const view = viewOf(bytes)
  const end = endOf(view)
  const files = new Map<string, () => Uint8Array>()
  let left = unpackedLimit(bytes)
  const take = (size: number) => {
    left -= size
    if (left >= 0) return
    throw new RangeError(`the zip archive unpacks to more than ${unpackedLimit(bytes)} bytes, from ${bytes.length}`)
  }
  let at = view.getUint32(end + 16, true)
  for (let count = view.getUint16(end + 10, true); count > 0; count--) {
    if (at + centralLength > end || view.getUint32(at, true) !== centralHeader) throw damaged()
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((i) => view.getUint16(at + i, true))
    const name = Buffer.from(bytes.subarray(at + centralLength, at + centralLength + nameLength!)).toString('utf8')
    const entry = at
    files.set(name, () => readEntry(bytes, view, entry, take))
    at += centralLength + nameLength! + extraLength! + commentLength!
  }
  return files
}

/** The end record is last, but for a comment. */
function endOf(view: DataView): number {
  const first = Math.max(view.byteLength - endLength - 0xffff, 0)
  for (let at = view.byteLength - endLength; at >= first; at--) {
    if (view.getUint32(at, true) === endRecord) return at
  }
  throw damaged()
}

function readEntry(bytes: Uint8Array, view: DataView, entry: number, take: (size: number) => void): Uint8Array {
  const [method, checksum] = [view.getUint16(entry + 10, true), view.getUint32(entry + 16, true)]
  const [packed, size, header] = [20, 24, 42].map((i) => view.getUint32(entry + i, true)) as [number, number, number]
  if (header + localLength > bytes.length || view.getUint32(header, true) !== localHeader) throw damaged()
  const start = header + localLength + view.getUint16(header + 26, true) + view.getUint16(header + 28, true)
  if (start + packed > bytes.length) throw damaged()
  if (method !== 0) take(size)
  const file = unpack(bytes.subarray(start, start + packed), method, size)
  if (file.length !== size || crc32(file) !== checksum) throw damaged()
  return file
}

function unpack(packed: Uint8Array, method: number, size: number): Uint8Array {
  if (method === 0) return packed
  if (method !== 8) throw new RangeError(`the zip archive uses method ${method}; stored and deflated files are read`)
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) })
  } catch {
    throw damaged()
  }
}
