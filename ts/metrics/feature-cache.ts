/**
 * Features on disk: rows of floats (or of bytes, for pixels), added batch by batch, so that an interrupted metric goes on and a data set is looked at
 * once. A file is named by what its rows were computed from.
 */
import { createHash } from 'node:crypto'
import { open, readFile, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { type NameOf } from '../files/option-names.ts'
import { isRecord, parseJson } from '../files/json.ts'
import { anyOf, crc32c, DataError, ofFirst, type Processes } from '../native/index.ts'
import { acquireLock, type Lock, type LockRequest } from '../files/lock.ts'
import { makeFolders } from '../files/make-folders.ts'
import { diskError, writeAtomic } from '../files/write-atomic.ts'
import { checkVersion } from '../files/version.ts'

/** Version of the rows and results on disk, and of how their files are named. */
const formatVersion = 1

/** What features were computed from; everything that changes them. */
export type FeatureKey = Readonly<Record<string, unknown>>

export interface RowsRequest {
  readonly key: FeatureKey
  /** Values of a row. */
  readonly width: number
  readonly type?: 'f32' | 'u8'
  readonly count: number
  /** Rows of a batch; a last batch that gives more than are wanted is cut. */
  readonly batchSize: number
  /** Rows of batch `index`, the same whenever it is asked for. */
  readonly compute: (index: number) => Promise<Float32Array | Uint8Array>
  /** What row `i` is, for the message when it is not finite. */
  readonly describe: (row: number) => string
  /** Other measurements will want these rows too. */
  readonly keep: boolean
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Rows in a file. */
export class Rows {
  readonly path: string
  readonly width: number
  readonly count: number

  constructor(path: string, width: number, count: number) {
    this.path = path
    this.width = width
    this.count = count
  }

  /** All rows, `[count, width]`. */
  async all(): Promise<Float32Array> {
    const values = new Float32Array(this.count * this.width)
    let at = 0
    for await (const block of this.blocks()) {
      values.set(block, at)
      at += block.length
    }
    return values
  }

  /** The rows in order, some megabytes at a time. */
  async *blocks(rows = Math.max(1, Math.floor(2 ** 22 / this.width))): AsyncGenerator<Float32Array> {
    const file = await open(this.path, 'r')
    try {
      for (let first = 0; first < this.count; first += rows) {
        const n = Math.min(rows, this.count - first)
        const block = new Float32Array(n * this.width)
        await readFully(file, new Uint8Array(block.buffer), first * this.width * 4, this.path)
        // What was written was finite.
        if (!block.every(Number.isFinite))
          throw new DataError(`${this.path}: the file is damaged; delete it and run again`)
        yield block
      }
    } finally {
      await file.close()
    }
  }

  /** Rows of bytes, `[n, width]` each but the last. */
  async *byteBlocks(n: number): AsyncGenerator<Uint8Array> {
    const file = await open(this.path, 'r')
    try {
      for (let first = 0; first < this.count; first += n) {
        const block = new Uint8Array(Math.min(n, this.count - first) * this.width)
        await readFully(file, block, first * this.width, this.path)
        yield block
      }
    } finally {
      await file.close()
    }
  }
}

export interface CacheOptions {
  /** Told in one line that the file system has no locks. */
  readonly warn?: ((line: string) => void) | undefined
  /** How a file is locked: for tests. */
  readonly lock?: LockRequest['lock']
  /** Processes that compute batches in turn; the first one alone writes. */
  readonly processes?: Processes | undefined
  /** Stops all of them at the same batch. */
  readonly signal?: AbortSignal | undefined
}

function versionIn(path: string, text: string): unknown {
  try {
    const value = parseJson(text)
    if (isRecord(value)) return value['version']
    throw new SyntaxError('an object with a version is expected')
  } catch (error) {
    throw new DataError(`${path}: ${(error as Error).message}; delete this folder, its features are computed again`)
  }
}

export class FeatureCache {
  readonly dir: string
  /** Files of rows that nobody wants to keep, so far. */
  readonly #temporary = new Set<string>()
  readonly #kept = new Set<string>()
  readonly #locks = new Map<string, Lock>()
  readonly #options: CacheOptions

  constructor(dir: string, options: CacheOptions = {}) {
    this.dir = dir
    this.#options = options
  }

  get #isFirst(): boolean {
    const { processes } = this.#options
    return processes === undefined || processes.rank === 0
  }

  /** Rows of some images, computed as far as they are not there yet. */
  async rows(request: RowsRequest): Promise<Rows> {
    const { key, width, count, onProgress } = request
    await this.#open()
    const path = join(this.dir, `${nameOf(key)}.${request.type ?? 'f32'}`)
    ;(request.keep ? this.#kept : this.#temporary).add(path)
    const { processes } = this.#options
    const isThere = () => ofFirst(processes, async () => (await sizeOf(path)) >= count * rowBytes(request))
    // Rows that will be removed stay locked until then: another command would find them gone.
    if (!request.keep) this.#lock(path)
    if (!(await isThere())) {
      this.#lock(path)
      try {
        // Another command may have added them before the lock was ours.
        if (!(await isThere())) await this.#extend(path, request)
      } finally {
        if (!this.#temporary.has(path)) this.#unlock(path)
      }
    }
    onProgress?.(count, count)
    return new Rows(path, width, count)
  }

  /** Makes the folder with its version, or checks the version of what is there. */
  async #open(): Promise<void> {
    if (!this.#isFirst) return
    await makeFolders(this.dir)
    const path = join(this.dir, 'version.json')
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return writeAtomic(path, JSON.stringify({ version: formatVersion }) + '\n')
    checkVersion(path, versionIn(path, text), formatVersion)
  }

  /** Two commands that add to one file would spoil it. */
  #lock(path: string): void {
    if (!this.#isFirst || this.#locks.has(path)) return
    const { lock, warn } = this.#options
    const what = "another 'stylegan metrics' or training that measures this network or these images"
    const advice = (name: NameOf) => `wait for it, or give another ${name('cache')}`
    const taken = acquireLock(`${path}.lock`, { what, advice, ...(lock && { lock }) })
    if (taken.warning !== undefined && this.#locks.size === 0) warn?.(taken.warning)
    this.#locks.set(path, taken)
  }

  #unlock(path: string): void {
    this.#locks.get(path)?.release()
    this.#locks.delete(path)
  }

  /** Lets other commands add to the files of this one. */
  release(): void {
    for (const path of this.#locks.keys()) this.#unlock(path)
  }

  async #extend(path: string, request: RowsRequest): Promise<void> {
    const { width, count, batchSize, describe, onProgress } = request
    const { processes } = this.#options
    const signal = request.signal ?? this.#options.signal
    const file = this.#isFirst ? await open(path, 'a') : undefined
    try {
      // A batch that was cut off is made again.
      let index = await ofFirst(processes, async () => Math.floor((await sizeOf(path)) / rowBytes(request) / batchSize))
      await file?.truncate(index * batchSize * rowBytes(request))
      while (index * batchSize < count) {
        if (await anyOf(processes, signal?.aborted ?? false)) {
          signal?.throwIfAborted()
          throw new DOMException('another process was stopped', 'AbortError')
        }
        onProgress?.(index * batchSize, count)
        for (const rows of await this.#batches(index, request)) {
          const bad = rows instanceof Float32Array ? rows.findIndex((value) => !Number.isFinite(value)) : -1
          if (bad >= 0) {
            const row = index * batchSize + Math.floor(bad / width)
            throw new RangeError(`${describe(row)}: finite features are expected, got ${rows[bad]}`)
          }
          // In one piece: what is shorter than a batch was cut off.
          const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)
          await file?.appendFile(bytes).catch((error: unknown) => {
            throw diskError(path, error)
          })
          index++
        }
      }
    } finally {
      await file?.close()
    }
    // The others read what the first process has written.
    await anyOf(processes, false)
  }

  /** Rows of the batches from `index` on, of which each process computes one. */
  async #batches(
    index: number,
    { compute, batchSize, count, type }: RowsRequest,
  ): Promise<(Float32Array | Uint8Array)[]> {
    const { processes } = this.#options
    if (processes === undefined) return [await compute(index)]
    const own = index + processes.rank
    const rows = own * batchSize < count ? await compute(own) : new Uint8Array(0)
    const all = await processes.gather(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength))
    const wanted = all.slice(0, Math.ceil(count / batchSize) - index)
    return wanted.map((bytes) => (type === 'u8' ? bytes : new Float32Array(Uint8Array.from(bytes).buffer)))
  }

  /** What was computed from all rows of a key, if it is there, whole and of a version that writes its checksum. */
  async result(key: FeatureKey): Promise<Uint8Array | undefined> {
    await this.#open()
    const { processes } = this.#options
    const read = () => readFile(join(this.dir, `${nameOf(key)}.result`)).catch(() => Buffer.alloc(0))
    const own = this.#isFirst ? await read() : Buffer.alloc(0)
    const file = processes ? Buffer.from((await processes.gather(own))[0]!) : own
    if (file.length < 4) return undefined
    const bytes = file.subarray(0, -4)
    return crc32c(bytes) === file.readUInt32LE(bytes.length) ? bytes : undefined
  }

  async saveResult(key: FeatureKey, bytes: Uint8Array): Promise<void> {
    if (!this.#isFirst) return
    await this.#open()
    const sum = Buffer.alloc(4)
    sum.writeUInt32LE(crc32c(bytes))
    await writeAtomic(join(this.dir, `${nameOf(key)}.result`), [bytes, sum])
  }

  /** Removes the rows that were only needed once; results stay. */
  async removeTemporary(): Promise<void> {
    await anyOf(this.#options.processes, false) // others may still read
    for (const path of this.#temporary) if (!this.#kept.has(path) && this.#isFirst) await rm(path, { force: true })
    this.#temporary.clear()
    this.release()
  }
}

const rowBytes = ({ width, type = 'f32' }: RowsRequest) => width * (type === 'f32' ? 4 : 1)

/** A name that only equal keys have, whatever the order of their parts. */
function nameOf(key: FeatureKey): string {
  const sorted = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, part]) => [name, sorted(part)])
      : value
  return createHash('sha256')
    .update(JSON.stringify(sorted(key)))
    .digest('hex')
    .slice(0, 32)
}

const sizeOf = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0

async function readFully(file: FileHandle, bytes: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done)
    if (bytesRead === 0) throw new Error(`${path}: ${bytes.length} more bytes are expected, the file has ended`)
    done += bytesRead
  }
}
