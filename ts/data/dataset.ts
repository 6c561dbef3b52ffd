/** Images and labels at a resolution, as bytes: prepared folders, preparing them, and the order in which images are shown. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { attributeTable, avatar } from './avatars.ts'
import { DataError, Levels, LevelWriter, listImages, readNpy, Rng, writeNpy } from '../native/index.ts'

/** Value of `data` that means the avatar faces that come with the package. */
export const BUILTIN_AVATARS = 'builtin:avatars'
const avatarCount = 4000
const avatarResolution = 64

/** What `dataset.json` holds. */
export interface DatasetInfo {
  readonly source: string
  /** Of the list of files with their sizes and times: another list is prepared again. */
  readonly fingerprint: string
  readonly count: number
  readonly resolution: number
  readonly channels: number
  readonly transform: string
  /** Files that could not be decoded and were left out. */
  readonly skipped: readonly string[]
  /** Names of the columns of `labels.npy`. */
  readonly labels?: readonly string[]
}

export interface Dataset {
  readonly dir: string
  readonly info: DatasetInfo
  readonly levels: Levels
}

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

/**
 * Opens a dataset, preparing it first if need be: each image once, into one file a resolution. An interrupted preparation
 * goes on where it stopped.
 *
 * @throws DataError naming the folder or file that cannot be used, and what to do
 */
export async function openDataset(options: PrepareOptions): Promise<Dataset> {
  const { data, resolution, channels } = options
  const dir = await preparedDir(options)
  const info = await readInfo(dir)
  if (info === undefined) throw new DataError(`${dir}: dataset.json is missing; remove the folder and run again`)
  const levels = Levels.open(dir)
  if (levels.resolution < resolution) {
    throw new DataError(
      `${data}: images of at least ${resolution}x${resolution} are expected, the prepared dataset has ${levels.resolution}x${levels.resolution}; lower --resolution or prepare the images again`,
    )
  }
  if (levels.channels !== channels) {
    throw new DataError(`${data}: ${channels} channels are expected, the prepared dataset has ${levels.channels}`)
  }
  return { dir, info, levels }
}

/** Labels `[count, names]`, if the dataset has them. */
export async function readLabels({
  dir,
  info,
}: Dataset): Promise<{ names: readonly string[]; values: Float32Array } | undefined> {
  if (info.labels === undefined) return undefined
  const { shape, values } = await readNpy(join(dir, 'labels.npy'))
  if (shape[0] !== info.count || shape[1] !== info.labels.length) {
    throw new DataError(
      `${dir}/labels.npy: [${info.count}, ${info.labels.length}] is expected, got [${shape.join(', ')}]`,
    )
  }
  return { names: info.labels, values }
}

/** Which images are shown, in random order without repetition within an epoch, as a function of how many were shown. */
export class Sampler {
  readonly #seed: number
  readonly #count: number
  readonly #mirror: boolean
  #epoch = -1
  #order: number[] = []

  constructor(seed: number, count: number, mirror: boolean) {
    this.#seed = seed
    this.#count = count
    this.#mirror = mirror
  }

  /** The next `n` images after `shown`. */
  at(shown: number, n: number): { indices: number[]; mirror: boolean[] } {
    const positions = Array.from({ length: n }, (_, i) => shown + i)
    return {
      indices: positions.map((position) => this.#index(position)),
      mirror: positions.map(
        (position) => this.#mirror && new Rng(this.#seed, streams.mirror, 4 * position).nextUniform() <= 0.5,
      ),
    }
  }

  #index(position: number): number {
    const epoch = Math.floor(position / this.#count)
    if (epoch !== this.#epoch) {
      this.#order = new Rng(this.#seed, streams.shuffle, 4 * epoch * this.#count).permutation(this.#count)
      this.#epoch = epoch
    }
    return this.#order[position % this.#count]!
  }
}

/** Random sequences of one seed that have nothing to do with each other. */
export const streams = {
  weights: 0,
  training: 1,
  shuffle: 2,
  mirror: 3,
  grid: 4,
  noise: 5,
  classifier: 6,
  metrics: 7,
} as const

async function preparedDir(options: PrepareOptions): Promise<string> {
  const { data, cache, resolution, channels } = options
  if (data === BUILTIN_AVATARS) {
    const side = Math.max(avatarResolution, resolution)
    const dir = join(cache, `avatars-${side}px`)
    if ((await readInfo(dir)) === undefined) await prepareAvatars(dir, side, options)
    return dir
  }
  const entry = await stat(data).catch(() => undefined)
  if (!entry?.isDirectory()) {
    throw new DataError(`${data}: a folder of images is expected, ${entry ? 'this is a file' : 'there is nothing'}`)
  }
  if ((await readInfo(data)) !== undefined) return data
  const key = createHash('sha256').update(resolve(data)).digest('hex').slice(0, 8)
  const dir = join(cache, `${basename(resolve(data))}-${resolution}px-${channels}ch-${key}`)
  await prepareFolder(dir, options)
  return dir
}

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

async function prepareFolder(dir: string, options: PrepareOptions): Promise<void> {
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

/** What the files of a folder show: the numbers of each one's classes; one, or any number of attributes. */
interface Classes {
  readonly names: readonly string[]
  readonly of: readonly (number | readonly number[])[]
}

/** `dataset.json` beside the images. */
interface Listed {
  readonly labels?: readonly [file: string, label: number | readonly number[]][] | null
  /** Names of the attributes, where labels are lists of 0 and 1. */
  readonly attributes?: readonly string[]
}

/**
 * Classes from `dataset.json`, as StyleGAN2-ADA and StyleGAN3 write it: `{"labels": [["a/b.png", 6], …]}`; or attributes, of which
 * an image has any number: `{"attributes": ["smiling", "hat"], "labels": [["a/b.png", [0, 1]], …]}`; else classes from folders, if
 * there are at least two and every file lies in one.
 */
async function classesOf(data: string, files: readonly string[]): Promise<Classes | undefined> {
  const paths = files.map((file) => relative(data, file).split(sep))
  const json = join(data, 'dataset.json')
  const { labels, attributes } = (await readJson<Listed>(json)) ?? {}
  if (labels && attributes) return listedAttributes(json, new Map(labels), attributes, paths)
  if (labels) return listedClasses(json, new Map(labels), paths)
  if (paths.some((path) => path.length < 2)) return undefined
  const names = [...new Set(paths.map(([folder]) => folder!))].sort()
  if (names.length < 2) return undefined
  const number = new Map(names.map((name, i) => [name, i]))
  return { names, of: paths.map(([folder]) => number.get(folder!)!) }
}

type Labels = ReadonlyMap<string, number | readonly number[]>

function listedClasses(json: string, labels: Labels, paths: readonly string[][]): Classes {
  const of = paths.map((path) => {
    const [file, label] = [path.join('/'), labels.get(path.join('/'))]
    if (label === undefined) throw new DataError(`${json}: a label for each image is expected, ${file} has none`)
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0) {
      throw new DataError(`${json}: the label of ${file} must be a whole number from 0, got ${JSON.stringify(label)}`)
    }
    return label
  })
  const count = of.reduce((most, label) => Math.max(most, label), 0) + 1
  if (count > 16_384) throw new DataError(`${json}: at most 16384 classes are expected, got label ${count - 1}`)
  return { names: Array.from({ length: count }, (_, i) => String(i)), of }
}

function listedAttributes(json: string, labels: Labels, names: readonly string[], paths: readonly string[][]): Classes {
  const of = paths.map((path) => {
    const [file, label] = [path.join('/'), labels.get(path.join('/'))]
    if (!Array.isArray(label) || label.length !== names.length || label.some((value) => value !== 0 && value !== 1)) {
      throw new DataError(
        `${json}: the label of ${file} must be ${names.length} times 0 or 1, one for each attribute, got ${JSON.stringify(label)}`,
      )
    }
    return names.flatMap((_, column) => (label[column] === 1 ? [column] : []))
  })
  return { names, of }
}

/** `[classes, names]`: 1 in each column that an image has. */
function hot(classes: Classes['of'], { length }: readonly string[]): Float32Array {
  const values = new Float32Array(classes.length * length)
  classes.forEach((label, row) => {
    for (const column of [label].flat()) values[row * length + column] = 1
  })
  return values
}

async function prepareAvatars(
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
  await writeJson(join(dir, 'dataset.json'), info)
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

async function readInfo(dir: string): Promise<DatasetInfo | undefined> {
  const info = await readJson<DatasetInfo>(join(dir, 'dataset.json'))
  // StyleGAN2-ADA's and 3's dataset.json holds labels alone.
  return typeof info?.count === 'number' ? info : undefined
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch {
    return undefined // not there, or cut off: then the work that it stood for is done again
  }
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.tmp`, JSON.stringify(value, null, 1) + '\n', { flush: true })
  await rename(`${path}.tmp`, path)
}
