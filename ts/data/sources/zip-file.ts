/** A zip archive on disk: its directory and its files are read when they are asked for. */
import { crc32, createInflateRaw } from 'node:zlib'
import {
  centralLength,
  dataAt,
  entriesOf,
  entryLength,
  findDirectory,
  localLength,
  nameAt,
  readEntry,
  tailLength,
  unpack,
  unpackedLimit,
  type ZipEntry,
} from '../../files/zip.ts'
import { shown } from '../../files/shown.ts'
import { DataFile, fileLimit, Stream, type Bytes } from './file.ts'
import { DataError } from '../../native/index.ts'

/** Bytes of a directory that are held: some hundred entries. */
const windowLength = 16_384

/** The directory of an archive, of which a window is held: of a million files it would take more than all that is kept of them. */
class Directory {
  readonly #file: DataFile
  readonly #at: number
  readonly size: number
  readonly #window = Buffer.allocUnsafe(windowLength)
  /** What is held, and where in the directory it begins. */
  #held = Buffer.alloc(0)
  #start = 0

  constructor(file: DataFile, at: number, size: number) {
    this.#file = file
    this.#at = at
    this.size = size
  }

  /** The bytes from a place on, at least those of the entry that begins there; they are there until others are asked for. */
  from(at: number): Buffer {
    return this.#part(at, entryLength(this.#part(at, centralLength)))
  }

  #part(at: number, length: number): Buffer {
    const start = at - this.#start
    if (start < 0 || start + length > this.#held.length) {
      const size = Math.min(Math.max(length, windowLength), this.size - at)
      const into = size <= windowLength ? this.#window.subarray(0, size) : Buffer.allocUnsafe(size)
      this.#file.readNow(this.#at + at, into)
      this.#held = into
      this.#start = at
    }
    return this.#held.subarray(at - this.#start)
  }
}

export class ZipFile {
  readonly file: DataFile
  readonly count: number
  readonly #directory: Directory
  readonly #places: Uint32Array | Float64Array

  private constructor(file: DataFile, directory: Directory, places: Uint32Array | Float64Array) {
    this.file = file
    this.count = places.length
    this.#directory = directory
    this.#places = places
  }

  /** @throws DataError if it is cut off or damaged */
  static async open(file: DataFile): Promise<ZipFile> {
    const tailAt = Math.max(file.size - tailLength, 0)
    const tail = await file.read(tailAt, file.size - tailAt)
    return inFile(file, () => {
      const { at, size, count } = findDirectory(tail, tailAt)
      const directory = new Directory(file, at, size)
      return new ZipFile(
        file,
        directory,
        entriesOf((place) => directory.from(place), size, count),
      )
    })
  }

  /** @throws DataError if it leads out of the archive */
  name(index: number): string {
    const name = this.#name(index, 'utf8').replaceAll('\\', '/')
    if (/^(?:\/|[a-z]:)|(?:^|\/)\.\.(?:\/|$)/i.test(name)) {
      throw new DataError(
        `${this.file.path}: names of files within the archive are expected, got ${shown(name)}; pack it again from its folder`,
      )
    }
    return name
  }

  #name(index: number, encoding: 'utf8' | 'latin1'): string {
    const entry = this.#directory.from(this.#places[index]!)
    return entry.toString(encoding, ...nameAt(entry))
  }

  /** The name as it stands, a character for each byte: names are in the order of their bytes, as Python sorts them. */
  key(index: number): string {
    return this.#name(index, 'latin1')
  }

  /** The order of two names, by {@link key}. To sort many, all of them are held. */
  comparing(): (a: number, b: number) => number {
    const names = Buffer.allocUnsafe(this.#directory.size)
    const ends = new Float64Array(this.count)
    let end = 0
    for (let i = 0; i < this.count; i++) ends[i] = end += names.write(this.key(i), end, 'latin1')
    const start = (index: number) => (index === 0 ? 0 : ends[index - 1])
    return (a, b) => names.compare(names, start(b), ends[b], start(a), ends[a])
  }

  entry(index: number): ZipEntry {
    return inFile(this.file, () => readEntry(this.#directory.from(this.#places[index]!)))
  }

  /**
   * The whole content of a file.
   *
   * @throws RangeError if it is damaged or too large
   */
  async content(index: number): Promise<Uint8Array> {
    const entry = this.entry(index)
    const most = Math.max(entry.size, entry.packed)
    // A few bytes can hold a thousand times as many, which no image does.
    const limit = entry.method === 0 ? fileLimit : Math.min(fileLimit, unpackedLimit(entry.packed))
    if (most > limit) throw new RangeError(`a file of ${most} bytes is too large, the limit is ${limit}`)
    const at = await this.#dataAt(entry)
    if (at + entry.packed > this.file.size) throw new RangeError('the zip archive is cut off or damaged')
    return unpack(await this.file.read(at, entry.packed), entry)
  }

  /** The content of a file of any size, and where in it the first byte is. */
  async bytes(index: number): Promise<{ bytes: Bytes; start: number; size: number }> {
    const entry = this.entry(index)
    const { size, packed, method, isEncrypted } = entry
    if (isEncrypted || (method !== 0 && method !== 8)) inFile(this.file, () => unpack(new Uint8Array(), entry))
    const at = await this.#dataAt(entry)
    if (method === 0) return { bytes: this.file, start: at, size }
    const start = () => this.file.stream(at, packed).pipe(createInflateRaw())
    return { bytes: new Stream(this.file.path, start), start: 0, size }
  }

  /**
   * Reads a file of any size once, to compare it with its checksum.
   *
   * @throws DataError if it has another one
   */
  async check(index: number): Promise<void> {
    const { size, packed, method, checksum } = this.entry(index)
    const at = await this.#dataAt(this.entry(index))
    const stored = this.file.stream(at, packed)
    let [sum, found] = [0, 0]
    try {
      for await (const chunk of method === 0 ? stored : stored.pipe(createInflateRaw())) {
        sum = crc32(chunk as Uint8Array, sum)
        found += (chunk as Uint8Array).length
        if (found > size) break
      }
    } catch {
      found = -1 // it cannot be unpacked
    } finally {
      stored.destroy()
    }
    if (found === size && sum === checksum) return
    throw new DataError(
      `${this.file.path}: ${shown(this.name(index))} is damaged: it does not have its checksum (CRC-32); get it again`,
    )
  }

  async #dataAt(entry: ZipEntry): Promise<number> {
    const local = await this.file.read(entry.header, localLength)
    return inFile(this.file, () => dataAt(entry, local))
  }
}

/** An error of a format, with the file and what to do. */
function inFile<T>({ path }: DataFile, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new DataError(`${path}: ${error.message}${error.message.includes(';') ? '' : '; get it again'}`)
  }
}
