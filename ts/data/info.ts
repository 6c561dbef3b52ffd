/** `dataset.json` of a prepared data set. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Value of `data` that means the avatar faces that come with the package. */
export const BUILTIN_AVATARS = 'builtin:avatars'

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

/** What a folder says of itself, if it is a prepared data set. */
export async function readInfo(dir: string): Promise<DatasetInfo | undefined> {
  const info = await readJson<DatasetInfo>(join(dir, 'dataset.json'))
  // StyleGAN2-ADA's and 3's dataset.json holds labels alone.
  return typeof info?.count === 'number' ? info : undefined
}

export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch {
    return undefined // not there, or cut off: then the work that it stood for is done again
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.tmp`, JSON.stringify(value, null, 1) + '\n', { flush: true })
  await rename(`${path}.tmp`, path)
}
