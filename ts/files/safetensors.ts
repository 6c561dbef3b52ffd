/**
 * Safetensors: named arrays behind a JSON header. Nothing in such a file can execute code. What a file of ours holds is checked
 * by its checksums as it is read; a file of others may have none.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { crc32c, type Values } from '../native/index.ts'
import { encodeHeader, type Header, headerLength, parseHeader, type TensorEntry } from './safetensors-header.ts'
import { insteadOfFile } from './kind.ts'
import { shown } from './shown.ts'
import type { Piece } from './write-atomic.ts'

/** An array in host memory. */
export interface HostTensor {
  shape: readonly number[]
  values: Values
}

/** What a safetensors file holds. */
export interface TensorFile {
  tensors: Map<string, HostTensor>
  /** Text by name; ours holds JSON. */
  metadata: Record<string, string>
}

/** A file that is no whole safetensors file; the message names it and what is wrong. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
}

/** What to do about a file that is not whole. */
const anotherCopy = 'copy it again, or take another one'

const elements = { F32: Float32Array, F64: Float64Array, U8: Uint8Array, I32: Int32Array } as const
type Element = keyof typeof elements
const types = { F32: 4, F64: 8, U8: 1, I32: 4 } satisfies Record<Element, number>

const bytesOf = (values: Values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/** The bytes of a safetensors file, in pieces. */
export function* encodeSafetensors({ tensors, metadata }: TensorFile): Generator<Uint8Array> {
  const described = [...tensors].map(([name, { shape, values }]) => {
    return [name, { dtype: elementOf(values), shape, byteLength: values.byteLength }] as const
  })
  const all = [...tensors.values()].map(({ values }) => bytesOf(values))
  const checksums = all.map((bytes) => crc32c(bytes))
  yield encodeHeader(new Map(described), metadata, checksums)
  yield* all
}

/** An array that is read when it is written. */
export interface LazyTensor {
  readonly shape: readonly number[]
  readonly dtype: 'f32' | 'f64'
  read(): Promise<Values>
}

/**
 * The same for arrays that need not be in memory together: a network of 1024² pixels with its optimisers has 700 MB. The last
 * piece puts the checksums into the header.
 */
export async function* streamSafetensors(
  tensors: ReadonlyMap<string, LazyTensor>,
  metadata: Readonly<Record<string, string>>,
): AsyncGenerator<Piece> {
  const described = [...tensors].map(([name, { shape, dtype }]) => {
    const element = dtype === 'f32' ? 'F32' : 'F64'
    const byteLength = shape.reduce((product, axis) => product * axis, types[element])
    return [name, { dtype: element, shape, byteLength }] as const
  })
  const arrays = new Map(described)
  const checksums: number[] = Array<number>(arrays.size).fill(0)
  yield encodeHeader(arrays, metadata, checksums)
  let index = 0
  for await (const values of readAhead([...tensors.values()])) {
    const bytes = bytesOf(values)
    checksums[index++] = crc32c(bytes)
    yield bytes
  }
  yield { at: 0, bytes: encodeHeader(arrays, metadata, checksums) }
}

/** The arrays in order, each read while the one before is written. */
async function* readAhead(tensors: readonly LazyTensor[]): AsyncGenerator<Values> {
  let next = tensors[0]?.read()
  for (let i = 0; next; i++) {
    const values = await next
    next = tensors[i + 1]?.read()
    // Where writing fails nobody waits for it.
    next?.catch(() => {})
    yield values
  }
}

function elementOf(values: Values): Element {
  if (values instanceof Float32Array) return 'F32'
  if (values instanceof Float64Array) return 'F64'
  return values instanceof Int32Array ? 'I32' : 'U8'
}

/** An open file whose header is whole; its arrays are read one by one. */
export class SafetensorsFile {
  readonly path: string
  readonly metadata: Record<string, string>
  readonly tensors: Header['entries']
  readonly #file: FileHandle
  readonly #start: number

  private constructor(path: string, file: FileHandle, header: Header, start: number) {
    this.path = path
    this.metadata = header.metadata
    this.tensors = header.entries
    this.#file = file
    this.#start = start
  }

  /**
   * Opens a file and calls `work` with it.
   *
   * @throws SnapshotError if it is truncated or no safetensors file
   */
  static async use<T>(path: string, work: (file: SafetensorsFile) => T | Promise<T>): Promise<T> {
    const found = await insteadOfFile(path)
    // That nothing is there is told by the system.
    if (found !== undefined && found !== 'nothing') {
      throw new SnapshotError(`${path}: a file is expected, got ${found}; check the path`)
    }
    const file = await open(path, 'r')
    try {
      const { header, start } = await readHeader(file, path)
      return await work(new SafetensorsFile(path, file, header, start))
    } finally {
      await file.close()
    }
  }

  /** @throws SnapshotError if the array is missing or damaged */
  async read(name: string): Promise<HostTensor> {
    const entry = this.tensors.get(name)
    if (entry === undefined) throw this.error(`'${shown(name)}' is expected and missing`)
    const values = await this.#values(entry)
    if (entry.checksum !== undefined && crc32c(bytesOf(values)) !== entry.checksum) {
      throw this.error(`'${shown(name)}' is damaged: its checksum differs; ${anotherCopy}`)
    }
    return { shape: entry.shape, values }
  }

  error(message: string): SnapshotError {
    return new SnapshotError(`${this.path}: ${message}`)
  }

  async #values({ dtype, from, to }: TensorEntry): Promise<Values> {
    const bytes = await readBytes(this.#file, this.path, this.#start + from, to - from)
    return new elements[dtype as Element](bytes.buffer)
  }
}

/**
 * Reads a whole file.
 *
 * @throws SnapshotError if it is truncated, damaged or no safetensors file
 */
export async function readSafetensors(path: string): Promise<TensorFile> {
  return SafetensorsFile.use(path, async (file) => {
    const tensors = new Map<string, HostTensor>()
    for (const name of file.tensors.keys()) tensors.set(name, await file.read(name))
    return { tensors, metadata: file.metadata }
  })
}

/** Reads the metadata alone. */
export async function readMetadata(path: string): Promise<Record<string, string>> {
  return SafetensorsFile.use(path, ({ metadata }) => metadata)
}

async function readHeader(file: FileHandle, path: string): Promise<{ header: Header; start: number }> {
  const { size } = await file.stat()
  const fail = (message: string) => new SnapshotError(`${path}: ${message}`)
  if (size < 8) throw fail(`no safetensors file: ${size} bytes are too few; ${anotherCopy}`)
  try {
    const start = 8 + headerLength(await readBytes(file, path, 0, 8))
    if (start > size) throw fail(`truncated: the header needs ${start} bytes, the file has ${size}; ${anotherCopy}`)
    const header = parseHeader(await readBytes(file, path, 8, start - 8), types)
    const end = start + header.dataBytes
    if (end > size) throw fail(`truncated: ${end} bytes are expected, the file has ${size}; ${anotherCopy}`)
    if (end < size) throw fail(`${end} bytes are expected, the file has ${size}; ${anotherCopy}`)
    return { header, start }
  } catch (error) {
    throw error instanceof RangeError ? fail(error.message) : error
  }
}

/** Bytes in memory of their own, aligned for every type. */
async function readBytes(
  file: FileHandle,
  path: string,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  let done = 0
  // One read returns at most 2 GiB.
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), position + done)
    if (bytesRead === 0)
      throw new SnapshotError(`${path}: the file ended after ${position + done} bytes while it was read`)
    done += bytesRead
  }
  return bytes
}
