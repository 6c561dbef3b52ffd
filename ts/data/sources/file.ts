/** Files of a source, read in pieces. */
import { createReadStream, readSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { shown } from '../../files/shown.ts'
import { DataError } from '../../native/index.ts'

/** Bytes that images in one answer may take together: a few large images, or thousands of small ones. */
export const readBudget = 2 ** 26

/** The most bytes of one image file, as in a folder. */
export const fileLimit = 2 ** 30

/** Bytes that can be read anywhere; from the start to the end is the fastest. */
export interface Bytes {
  /** @throws DataError if there are fewer */
  read(at: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

export class DataFile implements Bytes {
  readonly path: string
  readonly size: number
  /** What tells the file from another one, as of the files in a folder. */
  readonly stamp: string
  readonly #file: FileHandle

  private constructor(path: string, file: FileHandle, { size, mtimeMs }: { size: number; mtimeMs: number }) {
    this.path = path
    this.size = size
    this.stamp = `${basename(path)}\0${size}\0${mtimeMs}\n`
    this.#file = file
  }

  static async open(path: string): Promise<DataFile> {
    try {
      const file = await open(path, 'r')
      return new DataFile(path, file, await file.stat())
    } catch (error) {
      throw new DataError(`${path}: ${shown((error as Error).message)}`)
    }
  }

  async read(at: number, length: number): Promise<Buffer> {
    // Before memory is taken: a length may come from a damaged file.
    this.check(at + length)
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, at + done)
      if (bytesRead === 0) throw this.cutOff(at + length)
      done += bytesRead
    }
    return bytes
  }

  /** Fills `into`, without leaving the thread to others: for some kilobytes. */
  readNow(at: number, into: Buffer): void {
    for (let done = 0; done < into.length;) {
      const bytesRead = readSync(this.#file.fd, into, done, into.length - done, at + done)
      if (bytesRead === 0) throw this.cutOff(at + into.length)
      done += bytesRead
    }
  }

  /** @throws DataError if it has fewer bytes */
  check(size: number): void {
    if (!(size <= this.size)) throw this.cutOff(size)
  }

  /** The first bytes, or as many as there are. */
  head(length: number): Promise<Buffer> {
    return this.read(0, Math.min(length, this.size))
  }

  /** The bytes of a part, one after the other. */
  stream(at: number, length: number): Readable {
    if (length === 0) return Readable.from([])
    return createReadStream(this.path, { start: at, end: at + length - 1 })
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  private cutOff(end: number): DataError {
    return new DataError(
      `${this.path}: the file is cut off or damaged: ${end} bytes are expected, it has ${this.size}; get it again`,
    )
  }
}

/** Bytes that come one after the other, such as those of a packed file: to go back is to start again. */
export class Stream implements Bytes {
  readonly #path: string
  readonly #start: () => AsyncIterable<Uint8Array>
  #chunks: AsyncIterator<Uint8Array, unknown> | undefined
  /** What was unpacked and not read, and where it begins. */
  #rest: Uint8Array = new Uint8Array()
  #at = 0

  constructor(path: string, start: () => AsyncIterable<Uint8Array>) {
    this.#path = path
    this.#start = start
  }

  async read(at: number, length: number): Promise<Buffer> {
    if (at < this.#at) await this.close()
    await this.#take(at - this.#at, () => {})
    const pieces: Uint8Array[] = []
    await this.#take(length, (piece) => pieces.push(piece))
    return Buffer.concat(pieces)
  }

  async close(): Promise<void> {
    await this.#chunks?.return?.()
    this.#chunks = undefined
    this.#rest = new Uint8Array()
    this.#at = 0
  }

  async #next(): Promise<Uint8Array | undefined> {
    this.#chunks ??= this.#start()[Symbol.asyncIterator]()
    try {
      const next = await this.#chunks.next()
      return next.done === true ? undefined : next.value
    } catch (error) {
      throw new DataError(
        `${this.#path}: the file is cut off or damaged (${shown((error as Error).message)}); get it again`,
      )
    }
  }

  async #take(length: number, to: (piece: Uint8Array) => void): Promise<void> {
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#next()
        if (next === undefined) {
          const found = `${left} more bytes are expected after ${this.#at}, it has no more`
          throw new DataError(`${this.#path}: the file is cut off or damaged: ${found}; get it again`)
        }
        this.#rest = next
      }
      const piece = this.#rest.subarray(0, left)
      to(piece)
      this.#rest = this.#rest.subarray(piece.length)
      this.#at += piece.length
      left -= piece.length
    }
  }
}
