/** Preparing data sets: each image once, into one file a resolution. */
import { createHash } from 'node:crypto'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { makeFolders } from '../files/make-folders.ts'
import { namingOptions, optionError } from '../files/option-names.ts'
import { shownLine } from '../files/shown.ts'
import { plural } from '../files/units.ts'
import { BUILTIN_AVATARS, countKinds, leftOutName, readJson, writeInfo, writeJson, type DatasetInfo } from './info.ts'
import type { Classes } from './classes.ts'
import { checksum, hot, labelsNeeded } from './labels.ts'
import type { Source } from './sources/index.ts'
import { DataError, Levels, LevelWriter, SeenImages, writeNpy, type Recipe } from '../native/index.ts'

export const avatarCount = 4000

/** How images become a prepared data set. */
export interface PreparingOptions extends Recipe {
  /** Where prepared datasets are kept. */
  readonly cache: string
  /** What errors of the disk call the folder of the data set, if not by its path. */
  readonly called?: string | undefined
  readonly resolution: number
  readonly channels: number
  /** Leave out images that cannot be read instead of stopping at the first. */
  readonly skipBad: boolean
  /** So many of the first images alone. */
  readonly maxImages?: number | undefined
  /** Leaves out images that repeat others: the same file, or `near`: one that also looks the same. */
  readonly dedupe?: 'exact' | 'near' | undefined
  /**
   * Labels are needed, and a data set without them is refused before it is prepared; `sound`: labels that are there and cannot be used are
   * refused; `none`: they are left out.
   */
  readonly labels?: boolean | 'sound' | 'none' | undefined
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
  /** Where the list of what was left out will be, if not in the folder of the data set. */
  readonly leftOutList?: string | undefined
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

/** What becomes of an image, as dataset.json says it. */
function transformOf({ wideHeight, resizeFilter, resolution, colourProfile, background }: PreparingOptions): string {
  const part = wideHeight === undefined ? 'centre square' : `centre rows on black ${resolution}x${wideHeight}`
  const filter = resizeFilter === undefined ? 'Lanczos-3' : `Pillow's ${resizeFilter}`
  const colours = [
    ...(colourProfile === 'convert' ? ['colour profiles to sRGB'] : []),
    ...(background ? [`background ${background.join(' ')}`] : []),
  ]
  return [...colours, part, `${filter} resize`, 'then 2x2 box means a level'].join(', ')
}

/** The fingerprint of images that are prepared in a certain way; sets of versions before had one way. */
function fingerprintOf(images: string, options: PreparingOptions): string {
  const { wideHeight, resizeFilter, background, maxImages, dedupe } = options
  const colourProfile = options.colourProfile === 'convert' ? 'convert' : undefined
  const way = JSON.stringify({ wideHeight, resizeFilter, colourProfile, background, maxImages, dedupe })
  return way === '{}' ? images : createHash('sha256').update(`${images} ${way}`).digest('hex')
}

/** How far a preparation has come: everything before is on disk. */
interface Preparing {
  readonly fingerprint: string
  /** Of the images; not there before folders could be named. */
  readonly resolution?: number
  readonly channels?: number
  readonly files: number
  readonly written: number
  readonly skipped: string[]
  /** Messages about images that the options leave out; not there before there were such options. */
  readonly unused?: string[]
  /** Places of all of these in the source. */
  readonly bad: number[]
}

/** Files decoded between two looks at the clock: enough for all cores, little to lose. */
const chunkSize = 64

/** @throws DataError if it has no images, or one that cannot be read, or no labels where they are needed */
export async function planSource(source: Source, options: PreparingOptions): Promise<Plan> {
  const { path: name, leftOut } = source
  const { skipBad } = options
  const unread = leftOut.filter(({ bad }) => bad !== undefined)
  const bad = unread.map(({ path, bad }) => shownLine(`${path}: ${bad}`))
  if (bad.length > 0 && !skipBad) throw refusal(bad[0]!)
  if (source.count === 0)
    throw new DataError(
      `${name}: ${plural(bad.length, 'the only image cannot', `none of the ${bad.length} images can`)} be read`,
    )
  const labelling = options.labels === 'none' ? { noLabels: 'they were left out' } : await source.labels()
  const count = Math.min(source.count, options.maxImages ?? Infinity)
  const images = { count, read: source.read.bind(source), name: source.name.bind(source) }
  const classes = 'names' in labelling ? { ...labelling, of: labelling.of.slice(0, count) } : undefined
  const noLabels = 'names' in labelling ? undefined : labelling.noLabels
  const isBroken = 'isBroken' in labelling && labelling.isBroken
  if (noLabels !== undefined && options.labels === true) {
    throw isBroken ? new DataError(noLabels) : labelsNeeded(noLabels)
  }
  if (isBroken && options.labels === 'sound') {
    throw new DataError(`${noLabels}; mend them, or leave labels out with --no-labels`)
  }
  if (isBroken) options.onNote?.(`Labels are not used: ${noLabels}`)
  const hash = source.hash()
  if (classes) hash.update(JSON.stringify(classes))
  if (bad.length > 0) hash.update(JSON.stringify(bad))
  if (skipBad && options.maxMegapixels !== undefined) hash.update(`${options.maxMegapixels} megapixels`)
  const fingerprint = hash.digest('hex')
  const kinds = leftOut.flatMap(({ path, kind }) => (kind === undefined ? [] : [shownLine(`${path}: ${kind}`)]))
  const counts = countKinds(leftOut)
  const left = {
    bad: bad.filter((_, i) => unread[i]!.kind === undefined),
    kinds,
    leftOut: counts.size > 0 ? Object.fromEntries(counts) : undefined,
  }
  return planImages(options, { source: resolve(name), name, images, classes, fingerprint, noLabels, ...left })
}

/** What is to become a prepared data set. */
interface Given {
  readonly source: string
  /** What messages call it. */
  readonly name: string
  readonly images: Pick<Source, 'count' | 'read'> & Partial<Pick<Source, 'name'>>
  readonly classes: Classes | undefined
  readonly fingerprint: string
  readonly noLabels: string | undefined
  readonly leftOut?: DatasetInfo['leftOut']
  /** Messages about images that were found bad before. */
  readonly bad?: readonly string[]
  /** Lines about files that are no images of the data set. */
  readonly kinds?: readonly string[]
}

/** The plan of images whose classes and fingerprint are known. */
export function planImages(options: PreparingOptions, given: Given): Plan {
  checkOptions(options)
  const { source, noLabels, leftOut, kinds = [], classes } = given
  const fingerprint = fingerprintOf(given.fingerprint, options)
  const details = { leftOut, noLabels }
  const list = async (dir: string, skipped: readonly string[]) => {
    const path = join(dir, leftOutName)
    if (kinds.length + skipped.length === 0) await rm(path, { force: true })
    else await writeFile(path, [...kinds, ...skipped].map((line) => `${line}\n`).join(''))
  }
  const prepare = async (dir: string) => {
    const { unused, ...made } = await prepareImages(dir, {
      bad: [],
      ...given,
      ...options,
      fingerprint,
    })
    await list(dir, [...made.skipped, ...unused])
    const { resolution, channels } = options
    const labels = classes && { labels: classes.names }
    const transform = transformOf(options)
    const info = { source, fingerprint, resolution, channels, transform, ...made }
    await finish(dir, { ...info, ...details, ...labels, ...(unused.length > 0 ? { unused } : {}) })
  }
  return { fingerprint, details, list, prepare }
}

/** @throws RangeError for values that programs without types give, or that flags cannot check alone */
function checkOptions({ maxMegapixels, maxImages, wideHeight, resolution }: PreparingOptions): void {
  const refuse = (key: string, expected: string, value: number) =>
    optionError((name) => `${name(key)}: ${expected} is expected, got ${value}`)
  if (maxMegapixels !== undefined && !(maxMegapixels > 0)) {
    throw refuse('maxMegapixels', 'a number above 0', maxMegapixels)
  }
  if (maxImages !== undefined && !(Number.isSafeInteger(maxImages) && maxImages > 0)) {
    throw refuse('maxImages', 'a whole number from 1', maxImages)
  }
  if (wideHeight !== undefined && !(Number.isSafeInteger(wideHeight) && wideHeight > 0 && wideHeight <= resolution)) {
    throw refuse('wideHeight', `a whole number from 1 to the resolution, ${resolution},`, wideHeight)
  }
}

const refusal = (message: string) =>
  namingOptions(
    (text) => new DataError(text),
    (name) => `${message}; mend or remove it, or leave such files out with ${name('skipBad')}`,
  )

type Images = PreparingOptions & Given & Required<Pick<Given, 'bad'>>

/** The levels and labels of the images in a folder. */
async function prepareImages(dir: string, options: Images): Promise<Made> {
  const { name, images, fingerprint, resolution, channels, dedupe } = options
  const found = await readJson<Preparing>(join(dir, 'preparing.json'))
  const keys = keysPath(dir)
  // Interrupted while the files were being closed, they are made again.
  const isSame = (found?.resolution ?? resolution) === resolution && (found?.channels ?? channels) === channels
  const resumed = found?.fingerprint === fingerprint && isSame && found.files < images.count
  if (!resumed) await rm(dir, { recursive: true, force: true })
  await makeFolders(dir, 'outdir')
  let done: Preparing = resumed ? found : { fingerprint, files: 0, written: 0, skipped: [...options.bad], bad: [] }
  const seen = dedupe && new SeenImages(resumed ? await keysOf(keys, done.written) : undefined)
  const writer = LevelWriter[resumed ? 'open' : 'create'](dir, images.count, resolution, channels)
  const progress = new SavedProgress(dir, done, writer, seen)
  try {
    while (done.files < images.count) {
      options.signal?.throwIfAborted()
      const chunk = await images.read(done.files, Math.min(chunkSize, images.count - done.files))
      const repeats = seen && { seen, number: done.files, near: dedupe === 'near' }
      const { written, leftOut } = await writer.prepare(done.written, chunk, options, repeats)
      done = withChunk(done, chunk.length, written, leftOut, options)
      await progress.at(done)
      options.onProgress?.(done.files, images.count)
    }
  } finally {
    await progress.end()
  }
  if (done.written === 0) {
    const why = done.unused?.[0] ? `; the options leave them out: ${done.unused[0]}` : ''
    throw new DataError(
      `${name}: ${plural(images.count, 'the only file could not', `none of the ${images.count} files could`)} be ${why ? 'used' : 'decoded'}${why}`,
    )
  }
  await writer.finish(done.written)
  await rm(keys, { force: true })
  await writeLabels(dir, options.classes, done)
  return { count: done.written, skipped: done.skipped, unused: done.unused ?? [] }
}

/** @throws DataError for an image that cannot be read, unless such images are left out */
function withChunk(
  done: Preparing,
  files: number,
  written: number,
  leftOut: Awaited<ReturnType<LevelWriter['prepare']>>['leftOut'],
  { images, fingerprint, resolution, channels, skipBad }: Images,
): Preparing {
  const bad = leftOut.find(({ isBad }) => isBad)
  if (bad && !skipBad) throw refusal(shownLine(bad.message))
  const original = (index: number) => images.name?.(index) ?? `images[${index}]`
  // These lists grow and are not copied: there may be hundreds of thousands of duplicates.
  const { skipped, unused = [], bad: places } = done
  const lines = leftOut.map(({ message, sameAs }) =>
    shownLine(sameAs === undefined ? message : `${message} ${original(sameAs)}`),
  )
  for (const [i, { place, isBad }] of leftOut.entries()) {
    ;(isBad ? skipped : unused).push(lines[i]!)
    places.push(done.files + place)
  }
  const counts = { files: done.files + files, written: done.written + written }
  const more = unused.length > 0 ? { unused } : {}
  return { fingerprint, resolution, channels, ...counts, skipped, ...more, bad: places }
}

/** Milliseconds between two notes of how far a preparation has come: little to lose, and little to wait for the disk. */
const saveMs = 1000
/** So many images that are left out make it rarer by as much again: each has a line in the note. */
const saveLines = 50_000

/** Notes how far a preparation has come, when what it says is on the disk; meanwhile the next images are decoded. */
class SavedProgress {
  readonly #dir: string
  readonly #writer: LevelWriter
  readonly #seen: SeenImages | undefined
  #done: Preparing
  /** What is noted, or being noted. */
  #noted: Preparing
  #pending: Promise<void> = Promise.resolve()
  #next = performance.now() + saveMs

  constructor(dir: string, done: Preparing, writer: LevelWriter, seen: SeenImages | undefined) {
    this.#dir = dir
    this.#writer = writer
    this.#seen = seen
    this.#done = this.#noted = done
  }

  async at(done: Preparing): Promise<void> {
    this.#done = done
    if (performance.now() < this.#next) return
    await this.#pending
    this.#pending = this.#save()
    // An error is seen when it is waited for.
    this.#pending.catch(() => {})
  }

  /** Notes the last images, whatever ended the preparation. */
  async end(): Promise<void> {
    await this.#pending
    if (this.#noted !== this.#done) await this.#save()
  }

  async #save(): Promise<void> {
    const [before, done] = [this.#noted, this.#done]
    this.#noted = done
    this.#next = performance.now() + saveMs * (1 + done.bad.length / saveLines)
    // Taken now: the next images come while this waits.
    const note = { ...done, skipped: done.skipped.slice(), unused: done.unused?.slice(), bad: done.bad.slice() }
    const rows = this.#seen?.rows(before.written)
    await this.#writer.sync()
    if (rows) await writeKeys(keysPath(this.#dir), before.written, rows)
    await writeJson(join(this.#dir, 'preparing.json'), note)
  }
}

interface Made {
  readonly count: number
  readonly skipped: readonly string[]
  readonly unused: readonly string[]
}

async function writeLabels(dir: string, classes: Classes | undefined, { written, bad }: Preparing): Promise<void> {
  if (classes === undefined) return
  const left = new Set(bad)
  const kept = classes.of.filter((_, file) => !left.has(file))
  await writeNpy(join(dir, 'labels.npy'), [written, classes.names.length], hot(kept, classes.names))
}

const keysPath = (dir: string): string => join(dir, 'preparing.keys')

/** Appends the keys of the images from number `first` on. */
async function writeKeys(path: string, first: number, rows: Uint8Array): Promise<void> {
  const file = await open(path, first === 0 ? 'w' : 'r+')
  try {
    await file.write(rows, 0, rows.length, first * SeenImages.rowBytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Keys of the images that are written; those of a chunk that was not are cut off. */
async function keysOf(path: string, count: number): Promise<Uint8Array> {
  const rows = await readFile(path).catch(() => new Uint8Array())
  if (rows.length < count * SeenImages.rowBytes) {
    throw new DataError(
      `${path}: ${count * SeenImages.rowBytes} bytes are expected, got ${rows.length}; delete its folder`,
    )
  }
  return rows.subarray(0, count * SeenImages.rowBytes)
}

/** The built-in avatars, at `side` pixels. */
export function planAvatars(side: number, { channels, signal, onProgress }: PrepareOptions): Plan {
  if (channels !== 3) throw new DataError(`${BUILTIN_AVATARS}: 3 channels are expected, got ${channels}`)
  const prepare = async (dir: string) => {
    await rm(dir, { recursive: true, force: true })
    await makeFolders(dir, 'outdir')
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
  await plan.list(dir, [...info.skipped, ...(info.unused ?? [])])
  await writeInfo(dir, { ...info, ...plan.details })
}
