/** Images and labels at a resolution, as bytes: opening prepared folders, preparing them first if need be. */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { BUILTIN_AVATARS, readInfo, type DatasetInfo } from './info.ts'
import { prepareAvatars, prepareFolder, type PrepareOptions } from './prepare.ts'
import { DataError, Levels } from '../native/index.ts'

const avatarResolution = 64

export interface Dataset {
  readonly dir: string
  readonly info: DatasetInfo
  readonly levels: Levels
}

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
