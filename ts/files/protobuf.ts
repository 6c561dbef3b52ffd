/**
 * Protocol Buffers, as much of them as it takes to write a message and to read one (protobuf.dev/programming-guides/encoding). A
 * message that is written is never whole in memory: its large parts are read when they are written.
 */

/** Bytes that are made when they are written. */
export interface LazyBytes {
  readonly byteLength: number
  read(): Promise<Uint8Array>
}

/** Fields of a message, or a whole one: pieces in their order. */
export interface Fields {
  readonly byteLength: number
  readonly pieces: readonly (Uint8Array | LazyBytes)[]
}

/** How a field's value is laid out; its number and this are its key. */
const wire = { varint: 0, delimited: 2, fixed32: 5 } as const

const fieldsOf = (...pieces: (Uint8Array | LazyBytes)[]): Fields => {
  return { byteLength: pieces.reduce((sum, { byteLength }) => sum + byteLength, 0), pieces }
}

/** Seven bits a byte, the lowest first; negative numbers as 64 bits in two's complement. */
function varint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Uint8Array.from(bytes)
}

const key = (field: number, type: number) => varint(field * 8 + type)

/** A whole number, or a value of an enum. */
export function integer(field: number, value: number): Fields {
  return fieldsOf(key(field, wire.varint), varint(value))
}

export function float(field: number, value: number): Fields {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return fieldsOf(key(field, wire.fixed32), bytes)
}

export function bytes(field: number, value: Uint8Array | LazyBytes): Fields {
  return fieldsOf(key(field, wire.delimited), varint(value.byteLength), value)
}

export function text(field: number, value: string): Fields {
  return bytes(field, Buffer.from(value))
}

/** Fields one after the other: a message, as it stands in a file. */
export function message(...fields: readonly Fields[]): Fields {
  return fieldsOf(...fields.flatMap(({ pieces }) => pieces))
}

/** A message within another one. */
export function nested(field: number, ...fields: readonly Fields[]): Fields {
  const { byteLength, pieces } = message(...fields)
  return fieldsOf(key(field, wire.delimited), varint(byteLength), ...pieces)
}

/** The bytes of a message, piece by piece. */
export async function* streamed({ pieces }: Fields): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield piece instanceof Uint8Array ? piece : await piece.read()
}

const cutOff = () => new RangeError('a message is cut off or damaged')

/** A field as it was read: a number, or bytes that are a view of the message's. */
export interface ReadField {
  readonly field: number
  readonly value: number | Buffer
}

/**
 * The fields of a message in their order; floats and 64-bit numbers of fixed width are passed over.
 *
 * @throws RangeError if it is damaged
 */
export function* readFields(bytes: Buffer): Generator<ReadField> {
  for (let at = 0; at < bytes.length;) {
    const [tag, start] = readVarint(bytes, at)
    const [field, type] = [Math.floor(tag / 8), tag % 8]
    if (type === wire.varint) {
      const [value, next] = readVarint(bytes, start)
      yield { field, value }
      at = next
    } else if (type === wire.delimited) {
      const [length, first] = readVarint(bytes, start)
      at = first + length
      if (at > bytes.length) throw cutOff()
      yield { field, value: bytes.subarray(first, at) }
    } else if (type === wire.fixed32 || type === 1) at = start + (type === 1 ? 8 : 4)
    else throw cutOff()
  }
}

/** A whole number from 0, and where the next byte stands. */
export function readVarint(bytes: Buffer, at: number): [value: number, next: number] {
  let value = 0
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) throw cutOff()
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return [value, at + i + 1]
  }
  throw cutOff()
}
