/**
 * Safetensors: named arrays behind a JSON header. Nothing in such a file can execute code.
 *
 * Layout: 8 bytes header length (little endian), the header, then the arrays one after the other.
 */
import { open, type FileHandle } from 'node:fs/promises'
import type { Values } from '../native/index.ts'

/** An array in host memory. */
export interface HostTensor {
  shape: readonly number[]
  values: Values
}

export interface TensorFile {
  tensors: Map<string, HostTensor>
  /** Text by name; ours holds JSON. */
  metadata: Record<string, string>
}

/** A file that is no whole safetensors file; the message names it and what is wrong. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
}

const elements = { F32: Float32Array, F64: Float64Array, U8: Uint8Array, I32: Int32Array } as const
type Element = keyof typeof elements

interface Entry {
  dtype: Element
  shape: number[]
  data_offsets: [number, number]
}

/** The header's length must stay within what any real network needs. */
const maxHeaderBytes = 100_000_000

/** The bytes of a safetensors file, in pieces: a network of 1024² pixels with its optimisers has 700 MB. */
export function* encodeSafetensors({ tensors, metadata }: TensorFile): Generator<Uint8Array> {
  const header: Record<string, unknown> = { __metadata__: metadata }
  let end = 0
  for (const [name, { shape, values }] of tensors) {
    const start = end
    end += values.byteLength
    header[name] = { dtype: elementOf(values), shape, data_offsets: [start, end] }
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  // Spaces up to a multiple of 8 keep the arrays aligned for readers that map the file.
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20)
  padded.set(json)
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  yield length
  yield padded
  for (const { values } of tensors.values()) yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function elementOf(values: Values): Element {
  if (values instanceof Float32Array) return 'F32'
  if (values instanceof Float64Array) return 'F64'
  return values instanceof Int32Array ? 'I32' : 'U8'
}

/**
 * Reads a whole file.
 *
 * @throws SnapshotError if it is truncated or no safetensors file
 */
export async function readSafetensors(path: string): Promise<TensorFile> {
  const file = await open(path, 'r')
  try {
    const { header, start } = await readHeader(file, path)
    const tensors = new Map<string, HostTensor>()
    for (const [name, entry] of header.entries) {
      tensors.set(name, { shape: entry.shape, values: await readValues(file, entry, start) })
    }
    return { tensors, metadata: header.metadata }
  } finally {
    await file.close()
  }
}

/** Reads the metadata alone. */
export async function readMetadata(path: string): Promise<Record<string, string>> {
  const file = await open(path, 'r')
  try {
    return (await readHeader(file, path)).header.metadata
  } finally {
    await file.close()
  }
}

async function readHeader(file: FileHandle, path: string) {
  const { size } = await file.stat()
  const fail = (message: string) => new SnapshotError(`${path}: ${message}`)
  if (size < 8) throw fail(`no safetensors file: ${size} bytes are too few`)
  const length = Number((await readBytes(file, 0, 8)).readBigUInt64LE())
  if (length > maxHeaderBytes) throw fail('no safetensors file: it starts with other bytes')
  if (8 + length > size) throw fail(`truncated: the header needs ${8 + length} bytes, the file has ${size}`)
  const start = 8 + length
  const header = parseHeader(await readBytes(file, 8, length), fail)
  const end = Math.max(0, ...header.entries.map(([, entry]) => entry.data_offsets[1]))
  if (start + end > size) throw fail(`truncated: ${start + end} bytes are expected, the file has ${size}`)
  return { header, start }
}

function parseHeader(bytes: Buffer, fail: (message: string) => SnapshotError) {
  let json: Record<string, unknown>
  try {
    json = JSON.parse(bytes.toString('utf8')) as typeof json
  } catch {
    throw fail('no safetensors file: its header is no JSON')
  }
  const { __metadata__: metadata = {}, ...rest } = json
  const entries = Object.entries(rest) as [string, Entry][]
  for (const [name, entry] of entries) {
    const size = Object.hasOwn(elements, entry.dtype) ? elements[entry.dtype].BYTES_PER_ELEMENT : undefined
    if (size === undefined) throw fail(`'${name}' must be F32, F64, U8 or I32, got ${entry.dtype}`)
    const bytes = entry.shape.reduce((product, axis) => product * axis, size)
    const [from, to] = entry.data_offsets
    if (to - from !== bytes) throw fail(`'${name}' [${entry.shape.join(', ')}] needs ${bytes} bytes, got ${to - from}`)
  }
  return { entries, metadata: metadata as Record<string, string> }
}

async function readValues(
  file: FileHandle,
  { dtype, data_offsets: [from, to] }: Entry,
  start: number,
): Promise<Values> {
  const Elements = elements[dtype]
  const values = new Elements((to - from) / Elements.BYTES_PER_ELEMENT)
  const bytes = await readBytes(file, start + from, to - from)
  new Uint8Array(values.buffer).set(bytes)
  return values
}

async function readBytes(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let done = 0
  // One read returns at most 2 GiB.
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), position + done)
    if (bytesRead === 0) throw new SnapshotError(`the file ended after ${position + done} bytes while it was read`)
    done += bytesRead
  }
  return bytes
}
