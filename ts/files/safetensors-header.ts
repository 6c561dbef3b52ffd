/**
 * The header of a safetensors file, whoever wrote it: everything that stands there is checked before anything is allocated.
 *
 * Layout of the file: 8 bytes length of the header (little endian), the header in JSON, then the arrays one after the other.
 *
 * Files of ours hold checksums in their metadata, CRC-32C in 8 hexadecimal digits each: `crc32c` has one of each array, in the
 * order of their data; `header_crc32c` is that of the header, with zeros in its own place. The digits have a fixed width, so
 * that a header can be written before its arrays and put right after them.
 */
import { crc32c } from '../native/index.ts'
import { isRecord, parseJson } from './json.ts'
import { shown } from './shown.ts'

/** A file that is something else. */
export class NoSafetensorsError extends RangeError {
  constructor(found: string) {
    super(`no safetensors file: ${found}`)
  }
}

/** Bytes of an element by the names of safetensors. */
export type ElementTypes = Readonly<Record<string, number>>

export interface TensorEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  /** Where its bytes are, from the end of the header. */
  readonly from: number
  readonly to: number
  /** CRC-32C of its bytes; files of others have none. */
  readonly checksum: number | undefined
}

export interface Header {
  /** In the order of their data. */
  readonly entries: ReadonlyMap<string, TensorEntry>
  readonly metadata: Record<string, string>
  /** Bytes of all arrays. */
  readonly dataBytes: number
}

/** What no real network needs: one of 1024² pixels with its optimisers has 900 tensors and a header of 100 kB. */
const limits = { headerBytes: 2 ** 23, tensors: 20_000, axes: 16 }

/**
 * The length of the header.
 *
 * @param start the first 8 bytes of the file
 * @throws NoSafetensorsError or RangeError if no header is that long
 */
export function headerLength(start: Uint8Array): number {
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true))
  // The published limit: beyond it, these bytes are something else.
  if (length > 100_000_000) throw new NoSafetensorsError('it starts with other bytes')
  if (length > limits.headerBytes) {
    throw new RangeError(`its header has ${length} bytes; at most ${limits.headerBytes} are expected`)
  }
  return length
}

/**
 * Parses and checks a header.
 *
 * @param types what the caller can read
 * @throws NoSafetensorsError if it is something else, RangeError saying what is wrong
 */
export function parseHeader(bytes: Uint8Array, types: ElementTypes): Header {
  const { __metadata__: given = {}, ...rest } = parseObject(bytes)
  const metadata = texts(given)
  checkHeaderSum(bytes, metadata['header_crc32c'])
  const names = Object.keys(rest)
  if (names.length > limits.tensors) {
    throw new RangeError(`it holds ${names.length} tensors; at most ${limits.tensors} are expected`)
  }
  const entries = names.map((name) => [name, parseEntry(name, rest[name], types)] as const)
  entries.sort(([, a], [, b]) => a.from - b.from || a.to - b.to)
  let end = 0
  for (const [name, { from, to }] of entries) {
    if (from !== end) throw new RangeError(`'${shown(name)}' must begin at byte ${end} of the data, got ${from}`)
    end = to
  }
  const sums = parseSums(metadata['crc32c'], entries.length)
  const others = Object.fromEntries(Object.entries(metadata).filter(([name]) => !sumNames.includes(name)))
  const checked = entries.map(([name, entry], i) => [name, { ...entry, checksum: sums?.[i] }] as const)
  return { entries: new Map(checked), metadata: others, dataBytes: end }
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let json: unknown
  try {
    json = parseJson(new TextDecoder('utf8', { fatal: true }).decode(bytes))
  } catch {
    throw new NoSafetensorsError('its header is no JSON')
  }
  if (!isRecord(json)) throw new NoSafetensorsError('its header is no JSON object')
  return json
}

function texts(given: unknown): Record<string, string> {
  if (!isRecord(given) || !Object.values(given).every((value) => typeof value === 'string')) {
    throw new RangeError('its metadata must be texts by name')
  }
  return given as Record<string, string>
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function parseEntry(name: string, entry: unknown, types: ElementTypes): Omit<TensorEntry, 'checksum'> {
  const what = `'${shown(name)}'`
  if (!isRecord(entry)) throw new RangeError(`${what} must have dtype, shape and data_offsets`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string') throw new RangeError(`${what} must have dtype, shape and data_offsets`)
  if (!Object.hasOwn(types, dtype)) {
    const known = Object.keys(types)
    throw new RangeError(`${what} must be ${known.slice(0, -1).join(', ')} or ${known.at(-1)}, got ${shown(dtype)}`)
  }
  if (!Array.isArray(shape) || shape.length > limits.axes || !shape.every(isSize)) {
    throw new RangeError(`${what} must have a shape of at most ${limits.axes} whole numbers from 0`)
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw new RangeError(`${what} must have two data_offsets, whole numbers from 0`)
  }
  const [from, to] = offsets as [number, number]
  const needed = shape.reduce((product, axis) => product * axis, types[dtype]!)
  if (to - from !== needed) {
    throw new RangeError(`${what} [${shape.join(', ')}] needs ${needed} bytes, has ${to - from}`)
  }
  return { dtype, shape, from, to }
}

const sumNames = ['crc32c', 'header_crc32c']
const sumPlace = Buffer.from('"header_crc32c":"')
const zeroSum = '0'.repeat(8)

function checkHeaderSum(header: Uint8Array, expected: string | undefined): void {
  if (expected === undefined) return
  const zeroed = Buffer.from(header)
  const place = zeroed.indexOf(sumPlace)
  if (place >= 0) zeroed.write(zeroSum, place + sumPlace.length, 'latin1')
  if (hex(crc32c(zeroed)) !== expected) {
    throw new RangeError(
      "its header is damaged: its checksum differs; a program that changes such a file must leave 'crc32c' and 'header_crc32c' out of its metadata",
    )
  }
}

function parseSums(text: string | undefined, count: number): number[] | undefined {
  if (text === undefined) return undefined
  const sums = text.match(/[0-9a-f]{8}/g) ?? []
  if (text.length !== 8 * count || sums.length !== count) {
    throw new RangeError(`its metadata must hold ${count} checksums in 'crc32c', one of each tensor`)
  }
  return sums.map((digits) => parseInt(digits, 16))
}

const hex = (sum: number) => sum.toString(16).padStart(8, '0')

/** What is known of an array before its bytes are. */
export interface Described {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly byteLength: number
}

/**
 * The length and the header of a file; equally long for all checksums.
 *
 * @param checksums of the arrays, in their order
 */
export function encodeHeader(
  arrays: ReadonlyMap<string, Described>,
  metadata: Readonly<Record<string, string>>,
  checksums: readonly number[],
): Uint8Array {
  const sums = { header_crc32c: zeroSum, crc32c: checksums.map(hex).join('') }
  const header: Record<string, unknown> = { __metadata__: { ...sums, ...metadata } }
  let end = 0
  for (const [name, { dtype, shape, byteLength }] of arrays) {
    header[name] = { dtype, shape, data_offsets: [end, end + byteLength] }
    end += byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  // Spaces up to a multiple of 8 keep the arrays aligned for readers that map the file.
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8))
  bytes.set(json, 8)
  const whole = bytes.subarray(8)
  whole.write(hex(crc32c(whole)), whole.indexOf(sumPlace) + sumPlace.length, 'latin1')
  return bytes
}
