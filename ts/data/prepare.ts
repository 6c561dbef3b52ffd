/** Preparing data sets: each image once, into one file a resolution. */
import { createHash } from 'node:crypto'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { attributeTable, avatar } from './avatars.ts'
import { BUILTIN_AVATARS, readInfo, readJson, writeInfo, writeJson, type DatasetInfo } from './info.ts'
import { classesOf, hot, type Classes } from './labels.ts'
import { DataError, LevelWriter, listImages, writeNpy } from '../native/index.ts'

const avatarCount = 4000

export interface PrepareOptions {
  /** Folder of images, prepared dataset, or {@link BUILTIN_AVATARS}. */
  readonly data: string
  /** Where prepared datasets are kept. */
  readonly cache: string
  readonly resolution: number
  readonly channels: number
  /** Leave out files that cannot be decoded instead of stopping at the first. */
  readonly skipBad: boolean
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (done: number, total: number) => void
}

const transform = 'centre square, Lanczos-3 resize, then 2x2 box means a level'

/** How far a preparation has come: everything before is on disk. */
interface Preparing {
  readonly fingerprint: string
  readonly files: number
  readonly written: number
  readonly skipped: readonly string[]
  /** Places of the skipped files in the list. */
  readonly bad: readonly number[]
}

/** Files decoded between two looks at the clock: enough for all cores, little to lose. */
const chunkSize = 64

export async function prepareFolder(dir: string, options: PrepareOptions): Promise<void> {
  const { data, resolution, channels, skipBad } = options
  const files = await listImages(data)
  const classes = await classesOf(data, files)
  const fingerprint = await fingerprintOf(data, files, classes)
  if ((await readInfo(dir))?.fingerprint === fingerprint) return
  const found = await readJson<Preparing>(join(dir, 'preparing.json'))
  // Interrupted while the files were being closed, they are made again.
  const resumed = found?.fingerprint === fingerprint && found.files < files.length
  if (!resumed) await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  let done: Preparing = resumed ? found : { fingerprint, files: 0, written: 0, skipped: [], bad: [] }
  const writer = LevelWriter[resumed ? 'open' : 'create'](dir, files.length, resolution, channels)
  while (done.files < files.length) {
    options.signal?.throwIfAborted()
    const chunk = files.slice(done.files, done.files + chunkSize)
    const { written, bad } = await writer.prepare(done.written, chunk)
    if (bad.length > 0 && !skipBad) {
      throw new DataError(`${bad[0]!.message}; mend or remove it, or leave such files out with --skip-bad`)
    }
    await writer.sync()
    done = {
      fingerprint,
      files: Math.min(done.files + chunkSize, files.length),
      written: done.written + written,
      skipped: [...done.skipped, ...bad.map(({ message }) => message)],
      bad: [...done.bad, ...bad.map(({ path }) => done.files + chunk.indexOf(path))],
    }
    await writeJson(join(dir, 'preparing.json'), done)
    options.onProgress?.(done.files, files.length)
  }
  if (done.written === 0) throw new DataError(`${data}: none of the ${files.length} files could be decoded`)
  await writer.finish(done.written)
  const { written: count, skipped } = done
  const bad = new Set(done.bad)
  const kept = classes?.of.filter((_, file) => !bad.has(file))
  if (classes && kept) await writeNpy(join(dir, 'labels.npy'), [count, classes.names.length], hot(kept, classes.names))
  const labels = classes && { labels: classes.names }
  await finish(dir, { source: resolve(data), fingerprint, count, resolution, channels, transform, skipped, ...labels })
}

export async function prepareAvatars(
  dir: string,
  side: number,
  { channels, signal, onProgress }: PrepareOptions,
): Promise<void> {
  if (channels !== 3) throw new DataError(`${BUILTIN_AVATARS}: 3 channels are expected, got ${channels}`)
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  const writer = LevelWriter.create(dir, avatarCount, side, 3)
  const attributes: Readonly<Record<string, string>>[] = []
  const bytes = side * side * 3
  while (attributes.length < avatarCount) {
    signal?.throwIfAborted()
    const first = attributes.length
    const pixels = new Uint8Array(chunkSize * bytes)
    const count = Math.min(chunkSize, avatarCount - first)
    for (let i = 0; i < count; i++) {
      const face = avatar(first + i, side)
      pixels.set(face.pixels, i * bytes)
      attributes.push(face.attributes)
    }
    await writer.writePixels(first, pixels.subarray(0, count * bytes), count, side)
    onProgress?.(attributes.length, avatarCount)
  }
  await writer.finish(avatarCount)
  const { names, matrix } = attributeTable(attributes)
  await writeNpy(join(dir, 'labels.npy'), [avatarCount, names.length], matrix)
  const info = { source: BUILTIN_AVATARS, fingerprint: '', count: avatarCount, resolution: side, channels: 3 }
  await finish(dir, { ...info, transform: 'rendered', skipped: [], labels: names })
}

async function finish(dir: string, info: DatasetInfo): Promise<void> {
  await writeInfo(dir, info)
  await rm(join(dir, 'preparing.json'), { force: true })
}

async function fingerprintOf(data: string, files: readonly string[], classes: Classes | undefined): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    const { size, mtimeMs } = await stat(file)
    hash.update(`${relative(data, file)}\0${size}\0${mtimeMs}\n`)
  }
  if (classes) hash.update(JSON.stringify(classes))
  return hash.digest('hex')
}
