/**
 * TensorBoard's event files: TFRecord frames (TensorFlow, core/lib/io/record_writer.h) of `Event` messages
 * (TensorBoard, compat/proto/event.proto), written out by hand since four fields are needed.
 */

/** What an event says, beside when. */
export type EventContent =
  /** The first of a file. */
  | { readonly fileVersion: 'brain.Event:2' }
  /** Training starts again: readers forget what they have of this step and later ones (SessionLog.START). */
  | { readonly restartAt: number }
  | { readonly step: number; readonly scalars: readonly (readonly [tag: string, value: number])[] }

/**
 * One framed event: length, its check, the message, its check.
 *
 * @param wallTime seconds since 1970
 */
export function encodeEvent(wallTime: number, content: EventContent): Buffer {
  const message = Buffer.concat([double(1, wallTime), ...fieldsOf(content)])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(message.length))
  return Buffer.concat([length, check(length), message, check(message)])
}

/** Length of the whole events at the start of a file: what follows was cut off, by a kill or a loss of power. */
export function wholeLength(file: Buffer): number {
  let whole = 0
  while (whole + 12 <= file.length) {
    const length = file.subarray(whole, whole + 8)
    if (!check(length).equals(file.subarray(whole + 8, whole + 12))) break
    const end = whole + 12 + Number(length.readBigUInt64LE())
    if (end + 4 > file.length || !check(file.subarray(whole + 12, end)).equals(file.subarray(end, end + 4))) break
    whole = end + 4
  }
  return whole
}

/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as TFRecord's checks use it; zlib has another polynomial. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 0xff]!
  return ~crc >>> 0
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  return crc
})

/** A masked CRC: a CRC of bytes that hold CRCs would be weak (TensorFlow, core/lib/hash/crc32c.h). */
function check(bytes: Uint8Array): Buffer {
  const crc = crc32c(bytes)
  const masked = Buffer.alloc(4)
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0)
  return masked
}

function fieldsOf(content: EventContent): Buffer[] {
  if ('fileVersion' in content) return [bytes(3, Buffer.from(content.fileVersion))]
  // SessionLog's field 1 is its status, START = 1.
  if ('restartAt' in content) return [int(2, content.restartAt), bytes(7, int(1, 1))]
  const values = content.scalars.map(([tag, value]) =>
    bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
  )
  return [int(2, content.step), bytes(5, Buffer.concat(values))]
}

// Protocol buffers: a field is its number and wire type, then its value (0 varint, 1 64 bits, 2 length and bytes, 5 32 bits).

/** A field of 0 is left out. */
function int(field: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.concat([varint(field << 3), varint(value)])
}

function double(field: number, value: number): Buffer {
  const number = Buffer.alloc(8)
  number.writeDoubleLE(value)
  return Buffer.concat([varint((field << 3) | 1), number])
}

function float(field: number, value: number): Buffer {
  const number = Buffer.alloc(4)
  number.writeFloatLE(value)
  return Buffer.concat([varint((field << 3) | 5), number])
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(value.length), value])
}

/** Seven bits a byte, the lowest first. */
function varint(value: number): Buffer {
  const groups: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) groups.push((rest % 128) | 128)
  return Buffer.from([...groups, rest])
}
