/** Images and labels at a resolution, as bytes: opening prepared folders, preparing them first if need be. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { checkObject, checkText } from '../files/keys.ts'
import { makeFolders } from '../files/make-folders.ts'
import { namingOptions } from '../files/option-names.ts'
import { shown } from '../files/shown.ts'
import { codeOf, diskError, systemError } from '../files/write-atomic.ts'
import { acquireLock, LockedError, type Lock } from '../files/lock.ts'
import { plural } from '../files/units.ts'
import { BUILTIN_AVATARS, leftOutName, readInfo, unreadFolder, type PreparedFolder } from './info.ts'
import { planImages, type ImageSet } from './memory.ts'
import {
  isPlanned,
  isUpToDate,
  planAvatars,
  planSource,
  update,
  type PreparingOptions,
  type Plan,
  type PrepareOptions,
} from './prepare.ts'
import { requireLabels } from './labels.ts'
import { openSource, refuseEmpty } from './sources/index.ts'
import { DataError, Levels } from '../native/index.ts'

const avatarResolution = 64

/** A prepared data set: its folder, what that says of itself, and its images at every resolution. */
export interface Dataset extends PreparedFolder {
  readonly levels: Levels
}

/**
 * Opens a dataset, preparing it first if need be: each image once, into one file a resolution. An interrupted preparation
 * goes on where it stopped. Of several processes that want the same dataset one prepares it, and the others wait for it.
 *
 * @throws DataError naming the folder or file that cannot be used, and what to do
 */
export async function openDataset(options: PrepareOptions): Promise<Dataset> {
  checkObject(options, 'options', 'an object of options')
  checkText(options.cache, 'cache', 'a folder for what is prepared')
  return openPrepared(await preparedDir(options), options)
}

/**
 * {@link openDataset} for images that are in memory or come one after the other. They are prepared once into a folder whose name
 * is made of their content: the same images are found again, and others are another data set.
 *
 * @throws DataError naming an image that cannot be used by its index
 */
export async function openImages(images: ImageSet, options: PreparingOptions): Promise<Dataset> {
  const { name, plan, done } = await planImages(images, options)
  try {
    const dir = await prepared(name, plan, options)
    return await openPrepared(dir, { ...options, data: dir })
  } finally {
    await done()
  }
}

/**
 * Prepares a dataset into a folder that its user names, which `data` then opens. Run again it goes on, or finds it whole.
 *
 * @throws DataError if something else is in the folder; as {@link openDataset}
 */
export async function prepareDataset(output: string, given: Omit<PrepareOptions, 'cache'>): Promise<Dataset> {
  const dir = resolve(output)
  const { data } = given
  const options = { ...given, cache: dirname(dir), called: output }
  const isAvatars = data === BUILTIN_AVATARS
  if (!isAvatars) await checkData(data)
  await checkOutputFolder(dir, isAvatars ? data : resolve(data))
  if (!isAvatars) await checkOutside(dir, data)
  const source = isAvatars ? undefined : await openSource(data, options)
  try {
    const plan = source ? await planSource(source, options) : planAvatars(options.resolution, options)
    await checkFinished(dir, plan, options)
    await prepared(basename(dir), plan, options)
  } finally {
    await source?.close()
  }
  return openPrepared(dir, { ...options, data: dir })
}

/** @throws DataError if an output would be among the images that it is made of */
export async function checkOutside(output: string, source: string): Promise<void> {
  const folder = await realpath(source).catch(() => undefined)
  if (folder === undefined) return
  // Of what is not there yet, the first folder above that is.
  for (let above = resolve(output); ; above = dirname(above)) {
    const found = await realpath(above).catch(() => undefined)
    if (found === undefined && above !== dirname(above)) continue
    if (found !== folder && !found?.startsWith(folder + sep)) return
    throw new DataError(
      `${shown(output)}: a place outside of the images is expected, got one in ${shown(source)}; name another output`,
    )
  }
}

/** @throws DataError unless a data set of this source may be written to the folder */
async function checkOutputFolder(dir: string, source: string): Promise<void> {
  if (dir === source || source.startsWith(dir + sep)) {
    throw new DataError(`${dir}: a folder outside of the images is expected, got one that holds them; name another`)
  }
  const entries = await readdir(dir).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw diskError(dir, error)
  })
  if (entries.length === 0) return
  const info = await readInfo(dir)
  if (info?.source === source) return
  const found = info ? `one of ${shown(info.source)}` : `${shown(entries[0]!)}${entries.length > 1 ? ' and more' : ''}`
  throw new DataError(
    `${dir}: an empty folder, or a prepared dataset of ${shown(source)}, is expected, got ${found}; name another folder`,
  )
}

/** @throws DataError if a set that was prepared in another way is in the folder: it may be in use, and took its time */
async function checkFinished(dir: string, plan: Plan, { resolution, channels }: PreparingOptions): Promise<void> {
  const info = await readInfo(dir)
  if (!info || (isPlanned(info, plan) && info.resolution === resolution && info.channels === channels)) return
  const isSame = info.resolution === resolution && info.channels === channels
  throw namingOptions(
    (message) => new DataError(message),
    (name) =>
      `${dir}: the set of these options is expected, got one that was prepared ${isSame ? 'from other files or ' : ''}with other options (resolution ${info.resolution}, channels ${info.channels}, ${shown(info.transform)}); give another ${name('outdir')} or remove it`,
  )
}

async function openPrepared(dir: string, options: PrepareOptions): Promise<Dataset> {
  const { data, resolution, channels } = options
  const info = await readInfo(dir)
  if (info === undefined) throw new DataError(`${dir}: dataset.json is missing; remove the folder and run again`)
  const levels = Levels.open(dir)
  if (levels.count !== info.count || (info.crc32c && !levels.hasChecksums)) {
    const found = levels.count === info.count ? 'no crc32c.npy' : `${levels.count}`
    throw new DataError(
      `${dir}: ${info.count} ${plural(info.count, 'image')} with checksums ${plural(info.count, 'is', 'are')} expected, got ${found}; delete the folder and prepare its images again`,
    )
  }
  if (levels.resolution < resolution) {
    const side = levels.resolution
    throw namingOptions(
      (message) => new DataError(message),
      (name) =>
        `${data}: images of at least ${resolution}x${resolution} are expected, got a prepared dataset of ${side}x${side}; lower ${name('resolution')}, or prepare the images again`,
    )
  }
  if (levels.channels !== channels) {
    throw namingOptions(
      (message) => new DataError(message),
      (name) =>
        `${data}: ${channels} channels are expected, got a prepared dataset of ${levels.channels}; set ${name('numChannels')} to it, or prepare the images again`,
    )
  }
  const dataset = { dir, info, levels }
  const leftOut = describeLeftOut(dataset, options.leftOutList)
  if (leftOut) options.onNote?.(leftOut)
  if (options.verify) {
    const verified = await verify(dataset, options.signal)
    options.onNote?.(verified)
  }
  return dataset
}

/** What is no image of the data set, in one line; undefined if nothing was left out. */
export function describeLeftOut({ dir, info }: PreparedFolder, list = join(dir, leftOutName)): string | undefined {
  const { skipped, unused = [], leftOut = {} } = info
  const kinds = Object.entries({
    ...(skipped.length > 0 ? { 'image that cannot be read': skipped.length } : {}),
    ...(unused.length > 0 ? { 'image that is too small or repeats another': unused.length } : {}),
    ...leftOut,
  })
  if (kinds.length === 0) return undefined
  const total = kinds.reduce((sum, [, count]) => sum + count, 0)
  const unread = leftOut[unreadFolder] ?? 0
  const what = unread === 0 ? 'file' : unread === total ? 'folder' : 'file or folder'
  const files = `${total} ${plural(total, `${what} was`, `${what.replaceAll(/file|folder/g, '$&s')} were`)}`
  const remedy = ['AVIF', 'HEIC', 'JPEG XL'].some((kind) => kind in leftOut)
    ? '; convert AVIF, HEIC and JPEG XL to PNG or JPEG, for example with ImageMagick: magick input.heic output.png'
    : ''
  const found = kinds.map(([kind, count]) => `${count} × ${kind}`).join(', ')
  return `${files} left out: ${found}; they are listed in ${list}${remedy}`
}

/** Images that are compared with their checksums between two looks at the signal. */
const verifyChunk = 1024

async function verify({ dir, info, levels }: Dataset, signal: AbortSignal | undefined): Promise<string> {
  if (info.crc32c === undefined) {
    throw namingOptions(
      (message) => new DataError(message),
      (name) =>
        `${dir}: checksums are expected with ${name('verify')}, got a folder of an older version without; delete the folder and prepare its images again`,
    )
  }
  for (const [name, sum] of Object.entries(await levels.checksums())) {
    const expected = info.crc32c[name]
    if (sum === expected) continue
    throw new DataError(
      `${join(dir, name)}: the checksum ${expected ?? 'none'} of dataset.json is expected, got ${sum} from those of its images in crc32c.npy; delete the folder ${dir} and prepare its images again`,
    )
  }
  for (let first = 0; first < levels.count; first += verifyChunk) {
    signal?.throwIfAborted()
    await levels.check(first, Math.min(verifyChunk, levels.count - first))
  }
  return `${levels.count} ${plural(levels.count, 'image has its', 'images have their')} checksums at every resolution`
}

/** @throws DataError if there is nothing to prepare images from */
export async function checkData(data: string): Promise<void> {
  refuseEmpty(data)
  if (data === BUILTIN_AVATARS || (await stat(data).catch(() => undefined))) return
  const remedy = data.startsWith('builtin:') ? `did you mean ${BUILTIN_AVATARS}?` : 'check the path'
  throw new DataError(`${data}: a folder of images is expected, got nothing; ${remedy}`)
}

/** @throws DataError if there is nothing, or a prepared data set that is not whole */
async function isPrepared(data: string): Promise<boolean> {
  await checkData(data)
  if ((await readInfo(data)) !== undefined) return true
  if ((await stat(join(data, 'r02.npy')).catch(() => undefined)) === undefined) return false
  throw new DataError(
    `${data}: a whole prepared data set is expected, its dataset.json is missing or damaged; delete the folder and prepare its images again`,
  )
}

/**
 * Finds what {@link openDataset} would refuse before it prepares images, such as labels that are needed and cannot be used. Nothing
 * is written.
 *
 * @throws DataError as it
 */
export async function checkDataset(options: PrepareOptions): Promise<void> {
  const { data } = options
  if (data === BUILTIN_AVATARS) return
  if (await isPrepared(data)) {
    const dataset = await openPrepared(data, { ...options, verify: false })
    if (options.labels === true) await requireLabels(dataset)
    return
  }
  const source = await openSource(data, options)
  try {
    await planSource(source, options)
  } finally {
    await source.close()
  }
}

async function preparedDir(options: PrepareOptions): Promise<string> {
  const { data, resolution, channels } = options
  if (data === BUILTIN_AVATARS) {
    const side = Math.max(avatarResolution, resolution)
    return prepared(`avatars-${side}px`, planAvatars(side, options), options)
  }
  if (await isPrepared(data)) return data
  const key = createHash('sha256').update(resolve(data)).digest('hex').slice(0, 8)
  const drawn = options.keepDrawn ? '-drawn' : ''
  const name = `${basename(resolve(data))}-${resolution}px-${channels}ch${drawn}-${key}`
  const source = await openSource(data, options)
  try {
    return await prepared(name, await planSource(source, options), options)
  } finally {
    await source.close()
  }
}

/** The folder of a prepared dataset. It is made under another name, and renamed when it is whole. */
async function prepared(name: string, plan: Plan, options: PreparingOptions): Promise<string> {
  const dir = join(options.cache, name)
  const before = await readInfo(dir)
  if (isPlanned(before, plan) && isUpToDate(before, plan)) return dir
  try {
    return await preparedUnderLock(name, plan, options)
  } catch (error) {
    throw preparingError(error, dir, options.called)
  }
}

async function preparedUnderLock(name: string, plan: Plan, options: PreparingOptions): Promise<string> {
  const { cache, onNote } = options
  const dir = join(cache, name)
  await makeFolders(cache, 'outdir')
  // Hidden, so that no one takes it for a file of the data.
  const lock = await waitForLock(join(cache, `.${name}.lock`), dir, options)
  try {
    if (lock.warning !== undefined) onNote?.(lock.warning)
    const found = await readInfo(dir)
    if (isPlanned(found, plan)) {
      if (!isUpToDate(found, plan)) await update(dir, found, plan)
      return dir
    }
    const own = `${dir}.preparing`
    if (!isPlanned(await readInfo(own), plan)) await plan.prepare(own)
    // Whoever reads the old files goes on reading them.
    await rm(dir, { recursive: true, force: true })
    await rename(own, dir)
    return dir
  } finally {
    lock.release()
  }
}

/** The disk refuses to write: whatever was read before, it is where the data set goes. */
const ofWriting = ['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG']

/**
 * An error of the disk where a data set is prepared, which names its folder and not the files on the way there; any other stays as
 * it is.
 *
 * @param called the folder as its user named it
 */
export function preparingError(error: unknown, dir: string, called = dir): unknown {
  const system = systemError(error)
  if (system === undefined) return error
  const ways = [`${dir}${sep}`, `${dir}.preparing`, join(dirname(dir), `.${basename(dir)}.lock`)]
  const isOwn = ofWriting.includes(system.code) || ways.some((way) => system.path?.startsWith(way))
  if (!isOwn) return system.path === undefined ? error : diskError(system.path, system)
  const kept = existsSync(`${dir}.preparing`) ? 'what is prepared' : undefined
  return diskError(called, system, 'outdir', { kept })
}

/** Milliseconds between two tries. */
const retryMs = 200

async function waitForLock(path: string, dir: string, { signal, onNote }: PreparingOptions): Promise<Lock> {
  for (let told = false; ; told = true) {
    try {
      return acquireLock(path, { what: `preparing ${dir}`, advice: 'waiting for it' })
    } catch (error) {
      if (!(error instanceof LockedError)) throw error
      if (!told) onNote?.(error.message)
    }
    signal?.throwIfAborted()
    await setTimeout(retryMs)
  }
}
