/** `dataset.json` of a prepared data set. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isRecord } from '../files/json.ts'
import { readWhole } from '../files/kind.ts'
import { checkVersion } from '../files/version.ts'

/** Value of `data` that means the avatar faces that come with the package. */
export const BUILTIN_AVATARS = 'builtin:avatars'

/** Version of what a prepared data set is. */
const formatVersion = 1

/** What `dataset.json` holds. */
export interface DatasetInfo {
  readonly source: string
  /** Of the list of files with their sizes and times: another list is prepared again. */
  readonly fingerprint: string
  readonly count: number
  readonly resolution: number
  readonly channels: number
  readonly transform: string
  /** Images that could not be read and were left out. */
  readonly skipped: readonly string[]
  /** Images that the options left out: those that repeat others, or are too small; why. */
  readonly unused?: readonly string[]
  /** How many files are no images of the data set, by kind; `left-out.txt` lists them. */
  readonly leftOut?: Readonly<Record<string, number>> | undefined
  /** Names of the columns of `labels.npy`. */
  readonly labels?: readonly string[]
  /** Why there are no labels. */
  readonly noLabels?: string | undefined
  /** CRC-32C of each level's file and of `labels.npy`, in hexadecimal; versions before 0.2 wrote none. */
  readonly crc32c?: Readonly<Record<string, string>>
}

/** The file of a prepared data set that holds the images of a side. */
export const levelFile = (side: number): string => `r${String(Math.log2(side)).padStart(2, '0')}.npy`

/** A prepared data set. */
export interface PreparedFolder {
  readonly dir: string
  readonly info: DatasetInfo
}

/** A file beside `dataset.json`: what was left out, and why. */
export const leftOutName = 'left-out.txt'

/** What counts of files call a folder that cannot be listed. */
export const unreadFolder = 'folder that cannot be read'

/** How many files are no images, by kind. */
export function countKinds(leftOut: Iterable<{ readonly kind?: string | undefined }>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { kind } of leftOut) if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** What an image takes on the disk: every level, and a checksum of each. */
export function preparedBytes(resolution: number, channels: number): number {
  let bytes = 0
  for (let side = resolution; side >= 4; side /= 2) bytes += side * side * channels + 4
  return bytes
}

/** What a folder says of itself, if it is a prepared data set. */
export async function readInfo(dir: string): Promise<DatasetInfo | undefined> {
  const path = join(dir, 'dataset.json')
  const info = await readJson<DatasetInfo & { version?: unknown }>(path)
  // StyleGAN2-ADA's and 3's dataset.json holds labels alone.
  if (typeof info?.count !== 'number') return undefined
  checkVersion(path, info.version, formatVersion)
  return isInfo(info) ? info : undefined
}

const isTexts = (value: unknown) => Array.isArray(value) && value.every((text) => typeof text === 'string')

/** Whether a file that anybody may have edited has the parts of a prepared data set. */
function isInfo(info: Readonly<Partial<Record<keyof DatasetInfo, unknown>>>): boolean {
  const { source, fingerprint, transform, count, resolution, channels, skipped } = info
  const { labels, unused, leftOut, noLabels, crc32c } = info
  return (
    [source, fingerprint, transform, noLabels ?? ''].every((text) => typeof text === 'string') &&
    [count, resolution, channels].every(Number.isSafeInteger) &&
    [skipped, unused ?? [], labels ?? []].every(isTexts) &&
    [leftOut ?? {}, crc32c ?? {}].every(isRecord)
  )
}

/** Makes a folder a whole prepared data set. */
export async function writeInfo(dir: string, info: DatasetInfo): Promise<void> {
  await writeJson(join(dir, 'dataset.json'), { version: formatVersion, ...info })
}

export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse((await readWhole(path)).toString('utf8')) as T
  } catch {
    return undefined // not there, or cut off: then the work that it stood for is done again
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.tmp`, JSON.stringify(value, null, 1) + '\n', { flush: true })
  await rename(`${path}.tmp`, path)
}
