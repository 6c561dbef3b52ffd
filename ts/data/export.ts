/** Prepared data sets as StyleGAN2-ADA and StyleGAN3 read theirs: PNG files and `dataset.json`, in a folder or a zip archive. */
import { existsSync } from 'node:fs'
import { open, readdir, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Dataset } from './dataset.ts'
import { checksum, readLabels, type Labels } from './labels.ts'
import { levelFile, readJson, writeJson } from './info.ts'
import { acquireLock } from '../files/lock.ts'
import { makeFolders } from '../files/make-folders.ts'
import { shown, shownLine } from '../files/shown.ts'
import { storedPng } from '../files/stored-png.ts'
import { diskError } from '../files/write-atomic.ts'
import { centralDirectory, entryLength, localHeader, zipEntry, type ZipEntry } from '../files/zip-writer.ts'
import { DataError } from '../native/index.ts'

/** How a data set is written for other programs. */
export interface ExportOptions {
  /** Side of the images; that of the data set by default. */
  readonly resolution?: number | undefined
  /** So many of the first images alone. */
  readonly maxImages?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with images written and images in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  /** A line for the user. */
  readonly onNote?: ((line: string) => void) | undefined
}

/** How far an export has come, beside what is written of it. */
interface Exporting {
  readonly fingerprint: string
  readonly done: number
}

const fourChannels = 'StyleGAN2-ADA and StyleGAN3 take images of 1 or 3 channels, these have 4'

/** Images between two notes of {@link Exporting}. */
const chunkSize = 64

/** `00000/img00000000.png`: a folder for a thousand images, as the official tool names them. */
export const exportedName = (index: number): string => {
  const number = String(index).padStart(8, '0')
  return `${number.slice(0, 5)}/img${number}.png`
}

/**
 * Writes the images of a data set as `00000/img00000000.png` and on, uncompressed, and `dataset.json` with their labels. It is made under
 * another name and renamed when it is whole; run again after an interruption it goes on.
 *
 * @param output a name that ends in `.zip` for an archive of stored files; else a folder
 * @throws DataError if something is there already, or if the data set cannot be read
 */
export async function exportDataset(dataset: Dataset, output: string, options: ExportOptions = {}): Promise<void> {
  await lockedForExport(output, options.onNote, () => writeExport(dataset, output, options))
}

/**
 * Holds the lock of an output while something works for it.
 *
 * @throws LockedError if another process exports there
 */
export async function lockedForExport(
  output: string,
  onNote: ExportOptions['onNote'],
  work: () => Promise<void>,
): Promise<void> {
  const path = resolve(output)
  await makeFolders(dirname(path))
  const lock = acquireLock(join(dirname(path), `.${basename(path)}.lock`), {
    what: `exporting ${path}`,
    advice: 'wait for it, or name another output',
  })
  try {
    if (lock.warning !== undefined) onNote?.(lock.warning)
    await work()
  } finally {
    lock.release()
  }
}

/** {@link exportDataset} for whoever holds the lock. */
export async function writeExport(dataset: Dataset, output: string, options: ExportOptions): Promise<void> {
  const path = resolve(output)
  try {
    await checkFree(path)
    const { resolution = dataset.levels.resolution, maxImages = Infinity } = options
    const images = new ExportedImages(dataset, resolution, Math.min(maxImages, dataset.levels.count))
    if (dataset.levels.channels === 4) options.onNote?.(`${fourChannels}: prepare the images with 1 or 3`)
    const labels = await readLabels(dataset)
    if (labels === undefined) options.onNote?.(`No labels are written: ${whyNot(dataset)}`)
    const json = Buffer.from(labelsJson(labels, images.count))
    const fingerprint = `${await images.fingerprint()} ${checksum(json)}`
    const job = { ...options, images, json, own: `${path}.exporting`, fingerprint }
    await (path.endsWith('.zip') ? exportZip(job) : exportFolder(job))
    await rename(job.own, path)
    await rm(progressPath(job.own), { force: true })
  } catch (error) {
    const kept = existsSync(`${path}.exporting`) ? `${output}.exporting` : undefined
    throw diskError(output, error, 'path', { kept })
  }
}

type Job = ExportOptions & { images: ExportedImages; json: Buffer; own: string; fingerprint: string }

const progressPath = (own: string) => `${own}.json`

/** @throws DataError if something is where an export would go */
export async function checkFree(path: string): Promise<void> {
  const entry = await stat(path).catch(() => undefined)
  if (entry === undefined) return
  const isEmpty = entry.isDirectory() && (await readdir(path)).length === 0
  if (isEmpty && !path.endsWith('.zip')) return
  throw new DataError(
    `${shown(path)}: nothing is expected there yet, got ${entry.isDirectory() ? 'a folder' : 'a file'}; name another output, or remove it`,
  )
}

/** What is exported, as PNG files. */
class ExportedImages {
  readonly count: number
  readonly #dataset: Dataset
  readonly #side: number

  constructor(dataset: Dataset, side: number, count: number) {
    this.count = count
    this.#dataset = dataset
    this.#side = side
  }

  /** What tells them from others. */
  async fingerprint(): Promise<string> {
    const sums = await this.#dataset.levels.checksums()
    return `${this.count} ${this.#side} ${sums[levelFile(this.#side)] ?? this.#dataset.info.fingerprint}`
  }

  async at(first: number, count: number): Promise<Uint8Array[]> {
    const { levels } = this.#dataset
    const [side, channels] = [this.#side, levels.channels]
    const indices = Array.from({ length: count }, (_, i) => first + i)
    const batch = await levels.batch(side, indices)
    const size = side * side * channels
    return indices.map((_, i) => storedPng(batch.subarray(i * size, (i + 1) * size), side, side, channels))
  }

  /** All from `first`, in chunks. */
  async *from(first: number): AsyncGenerator<{ first: number; files: Uint8Array[] }> {
    // Large images are few at once.
    const most = Math.max(1, Math.min(chunkSize, Math.floor(2 ** 26 / this.#side ** 2)))
    for (let at = first; at < this.count; at += most) {
      yield { first: at, files: await this.at(at, Math.min(most, this.count - at)) }
    }
  }
}

async function startOf({ own, fingerprint }: Job): Promise<number> {
  const found = await readJson<Exporting>(progressPath(own))
  return found?.fingerprint === fingerprint && (await stat(own).catch(() => undefined)) ? found.done : 0
}

async function exportFolder(job: Job): Promise<void> {
  const { images, own, fingerprint, signal, onProgress } = job
  const start = await startOf(job)
  if (start === 0) await rm(own, { recursive: true, force: true })
  await makeFolders(own)
  for await (const { first, files } of images.from(start)) {
    signal?.throwIfAborted()
    await Promise.all(
      [...new Set(files.map((_, i) => dirname(exportedName(first + i))))].map((folder) =>
        makeFolders(join(own, folder)),
      ),
    )
    await Promise.all(files.map((bytes, i) => writeFile(join(own, exportedName(first + i)), bytes, { flush: true })))
    await writeJson(progressPath(own), { fingerprint, done: first + files.length } satisfies Exporting)
    onProgress?.(first + files.length, images.count)
  }
  await writeFile(join(own, 'dataset.json'), job.json, { flush: true })
}

async function exportZip(job: Job): Promise<void> {
  const { images, own, fingerprint, signal, onProgress, json } = job
  const start = await startOf(job)
  const [size] = (await images.at(0, 1)).map((file) => file.length)
  const sums = new Uint32Array(images.count)
  const entry = (index: number): ZipEntry => ({ name: exportedName(index), size: size!, crc32: sums[index]! })
  const place = entryLength(entry(0)) // all have it: uncompressed, and names of one length
  // What was written before is not read again: the same images give the same bytes.
  for await (const { first, files } of images.from(0)) {
    if (first >= start) break
    files.forEach((bytes, i) => (sums[first + i] = crc32(bytes)))
  }
  const file = await open(own, start === 0 ? 'w' : 'r+')
  try {
    for await (const { first, files } of images.from(start)) {
      signal?.throwIfAborted()
      const pieces = files.flatMap((bytes, i) => {
        sums[first + i] = crc32(bytes)
        return [localHeader(entry(first + i)), bytes]
      })
      await writeAt(file, pieces, first * place)
      await file.sync()
      await writeJson(progressPath(own), { fingerprint, done: first + files.length } satisfies Exporting)
      onProgress?.(first + files.length, images.count)
    }
    const labels = zipEntry('dataset.json', json)
    const all = function* () {
      for (let i = 0; i < images.count; i++) yield entry(i)
      yield labels
    }
    let at = await writeAt(file, [localHeader(labels), json], images.count * place)
    let pending: Uint8Array[] = []
    for (const piece of centralDirectory(all())) {
      if (pending.push(piece) < 1024) continue
      at = await writeAt(file, pending, at)
      pending = []
    }
    await file.truncate(await writeAt(file, pending, at))
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Where the pieces end. */
async function writeAt(file: FileHandle, pieces: readonly Uint8Array[], at: number): Promise<number> {
  const bytes = Buffer.concat(pieces)
  for (let written = 0; written < bytes.length;) {
    written += (await file.write(bytes, written, bytes.length - written, at + written)).bytesWritten
  }
  return at + bytes.length
}

/** Classes as numbers; where images have several, or none, as lists of 0 and 1 that `attributes` names. */
function labelsJson(labels: Labels | undefined, count: number): string {
  if (labels === undefined) return '{"labels": null}\n'
  const rows = Array.from({ length: count }, (_, i) => rowOf(labels, i))
  const isClasses = rows.every((row) => row.reduce((sum, value) => sum + value, 0) === 1)
  const lines = rows.map((row, i) => JSON.stringify([exportedName(i), isClasses ? row.indexOf(1) : row]))
  const names = JSON.stringify(labels.names)
  return `{"${isClasses ? 'classes' : 'attributes'}": ${names},\n"labels": [\n${lines.join(',\n')}\n]}\n`
}

const whyNot = ({ dir, info }: Dataset): string => shownLine(info.noLabels ?? `${dir}: it was prepared without any`)

const rowOf = ({ names, values }: Labels, image: number): number[] =>
  Array.from(values.subarray(image * names.length, (image + 1) * names.length))
