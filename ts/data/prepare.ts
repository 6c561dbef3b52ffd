/** Preparing data sets: each image once, into one file a resolution. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { namingOptions } from '../files/option-names.ts'
import { shownLine } from '../files/shown.ts'
import { BUILTIN_AVATARS, leftOutName, readJson, writeInfo, writeJson, type DatasetInfo } from './info.ts'
import { checksum, hot, type Classes } from './labels.ts'
import type { Source } from './sources/index.ts'
import { DataError, Levels, LevelWriter, writeNpy } from '../native/index.ts'

export const avatarCount = 4000

/** How images become a prepared data set. */
export interface PreparingOptions {
  /** Where prepared datasets are kept. */
  readonly cache: string
  readonly resolution: number
  readonly channels: number
  /** Leave out images that cannot be read instead of stopping at the first. */
  readonly skipBad: boolean
  /** Larger images are refused; 100 by default. */
  readonly maxMegapixels?: number | undefined
  /** Labels are needed: a data set without them is refused before it is prepared. */
  readonly labels?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with images done and images in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  /** A line for the user: what was left out, what is waited for. */
  readonly onNote?: ((line: string) => void) | undefined
}

export interface PrepareOptions extends PreparingOptions {
  /** A `Source`, a prepared dataset, or `builtin:avatars`. */
  readonly data: string
  /** Take pictures for images that this program drew; they are left out by default. */
  readonly keepDrawn?: boolean | undefined
  /** Compare every image of the prepared dataset with its checksum. */
  readonly verify?: boolean | undefined
}

/** What is to be in a prepared dataset, and how it is made in a private folder, going on where an interruption left it. */
export interface Plan {
  /** {@link DatasetInfo.fingerprint} */
  readonly fingerprint: string
  /** What may change without preparing images again. */
  readonly details: Required<Pick<DatasetInfo, 'leftOut' | 'noLabels'>>
  /** Writes the list of what was left out. */
  list(dir: string, skipped: readonly string[]): Promise<void>
  prepare(dir: string): Promise<void>
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

/** @throws DataError if it has no images, or one that cannot be read, or no labels where they are needed */
export async function planSource(source: Source, options: PreparingOptions): Promise<Plan> {
  const { path: name, leftOut } = source
  const { skipBad } = options
  const bad = leftOut.flatMap(({ path, bad }) => (bad === undefined ? [] : [shownLine(`${path}: ${bad}`)]))
  if (bad.length > 0 && !skipBad) throw refusal(bad[0]!)
  if (source.count === 0) throw new DataError(`${name}: none of the ${bad.length} images can be read`)
  const labelling = await source.labels()
  const classes = 'names' in labelling ? labelling : undefined
  const noLabels = 'names' in labelling ? undefined : labelling.noLabels
  if (noLabels !== undefined && options.labels) throw new DataError(noLabels)
  if ('isBroken' in labelling && labelling.isBroken) options.onNote?.(`Labels are not used: ${labelling.noLabels}`)
  const hash = source.hash()
  if (classes) hash.update(JSON.stringify(classes))
  if (bad.length > 0) hash.update(JSON.stringify(bad))
  if (skipBad && options.maxMegapixels !== undefined) hash.update(`${options.maxMegapixels} megapixels`)
  const fingerprint = hash.digest('hex')
  const counts: Record<string, number> = {}
  for (const { kind } of leftOut) if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1
  const kinds = leftOut.flatMap(({ path, kind }) => (kind === undefined ? [] : [shownLine(`${path}: ${kind}`)]))
  const left = { bad, kinds, leftOut: Object.keys(counts).length > 0 ? counts : undefined }
  return planImages(options, { source: resolve(name), name, images: source, classes, fingerprint, noLabels, ...left })
}

/** What is to become a prepared data set. */
interface Given {
  readonly source: string
  /** What messages call it. */
  readonly name: string
  readonly images: Pick<Source, 'count' | 'read'>
  readonly classes: Classes | undefined
  readonly fingerprint: string
  readonly noLabels: string | undefined
  readonly leftOut?: DatasetInfo['leftOut']
  /** Messages about images that were found bad before. */
  readonly bad?: readonly string[]
  /** Lines about files that are no images of the data set. */
  readonly kinds?: readonly string[]
  /** Called before the images are read. */
  readonly ready?: () => Promise<void>
  /** A message in which a file has the name that its user knows. */
  readonly named?: (message: string) => string
}

/** The plan of images whose classes and fingerprint are known. */
export function planImages(options: PreparingOptions, given: Given): Plan {
  const { source, fingerprint, noLabels, leftOut, kinds = [], classes } = given
  const details = { leftOut, noLabels }
  const list = async (dir: string, skipped: readonly string[]) => {
    const path = join(dir, leftOutName)
    if (kinds.length + skipped.length === 0) await rm(path, { force: true })
    else await writeFile(path, [...kinds, ...skipped].map((line) => `${line}\n`).join(''))
  }
  const prepare = async (dir: string) => {
    await given.ready?.()
    const { count, skipped } = await prepareImages(dir, { named: (message) => message, bad: [], ...given, ...options })
    await list(dir, skipped)
    const { resolution, channels } = options
    const labels = classes && { labels: classes.names }
    const info = { source, fingerprint, count, resolution, channels, transform, skipped }
    await finish(dir, { ...info, ...details, ...labels })
  }
  return { fingerprint, details, list, prepare }
}

const refusal = (message: string) =>
  namingOptions(
    (text) => new DataError(text),
    (name) => `${message}; mend or remove it, or leave such files out with ${name('skipBad')}`,
  )

type Images = PreparingOptions & Given & Required<Pick<Given, 'bad' | 'named'>>

/** The levels and labels of the images in a folder. */
async function prepareImages(dir: string, options: Images): Promise<{ count: number; skipped: readonly string[] }> {
  const { name, images, classes, fingerprint, resolution, channels, skipBad, named } = options
  const found = await readJson<Preparing>(join(dir, 'preparing.json'))
  // Interrupted while the files were being closed, they are made again.
  const resumed = found?.fingerprint === fingerprint && found.files < images.count
  if (!resumed) await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  let done: Preparing = resumed ? found : { fingerprint, files: 0, written: 0, skipped: options.bad, bad: [] }
  const writer = LevelWriter[resumed ? 'open' : 'create'](dir, images.count, resolution, channels)
  while (done.files < images.count) {
    options.signal?.throwIfAborted()
    const chunk = await images.read(done.files, Math.min(chunkSize, images.count - done.files))
    const { written, leftOut } = await writer.prepare(done.written, chunk, options)
    const bad = leftOut.find(({ isBad }) => isBad)
    if (bad && !skipBad) throw refusal(shownLine(named(bad.message)))
    await writer.sync()
    done = {
      fingerprint,
      files: done.files + chunk.length,
      written: done.written + written,
      skipped: [...done.skipped, ...leftOut.map(({ message }) => shownLine(named(message)))],
      bad: [...done.bad, ...leftOut.map(({ place }) => done.files + place)],
    }
    await writeJson(join(dir, 'preparing.json'), done)
    options.onProgress?.(done.files, images.count)
  }
  if (done.written === 0) throw new DataError(`${name}: none of the ${images.count} files could be decoded`)
  await writer.finish(done.written)
  const bad = new Set(done.bad)
  const kept = classes?.of.filter((_, file) => !bad.has(file))
  if (classes && kept) {
    await writeNpy(join(dir, 'labels.npy'), [done.written, classes.names.length], hot(kept, classes.names))
  }
  return { count: done.written, skipped: done.skipped }
}

/** The built-in avatars, at `side` pixels. */
export function planAvatars(side: number, { channels, signal, onProgress }: PrepareOptions): Plan {
  if (channels !== 3) throw new DataError(`${BUILTIN_AVATARS}: 3 channels are expected, got ${channels}`)
  const prepare = async (dir: string) => {
    await rm(dir, { recursive: true, force: true })
    await mkdir(dir, { recursive: true })
    const { attributeTable, avatar } = await import('./avatars.ts')
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
  return { fingerprint: '', details: { leftOut: undefined, noLabels: undefined }, list: async () => {}, prepare }
}

/** Adds the checksums; from then on the folder is whole. */
async function finish(dir: string, info: DatasetInfo): Promise<void> {
  const sums = await Levels.open(dir).checksums()
  if (info.labels) sums['labels.npy'] = checksum(await readFile(join(dir, 'labels.npy')))
  const sorted = Object.fromEntries(Object.entries(sums).sort())
  await writeInfo(dir, { ...info, crc32c: sorted })
  await rm(join(dir, 'preparing.json'), { force: true })
}

/** Whether a folder with this `dataset.json` holds the images and labels that are planned. */
export function isPlanned(info: DatasetInfo | undefined, { fingerprint }: Plan): info is DatasetInfo {
  return info?.fingerprint === fingerprint
}

/** Whether it also says what is planned of files that are left out, and of labels that are not there. */
export function isUpToDate({ leftOut, noLabels }: DatasetInfo, { details }: Plan): boolean {
  // Sets of older versions say nothing.
  return JSON.stringify([leftOut, noLabels]) === JSON.stringify([details.leftOut, details.noLabels])
}

/** Writes what may change without preparing images again. */
export async function update(dir: string, info: DatasetInfo, plan: Plan): Promise<void> {
  await plan.list(dir, info.skipped)
  await writeInfo(dir, { ...info, ...plan.details })
}
