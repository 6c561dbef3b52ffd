/** One image file, as data sets prepare theirs. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { whyNoFile } from '../files/kind.ts'
import { DataError, Levels, LevelWriter } from '../native/index.ts'

/**
 * The centre square of an image, resized by Lanczos-3.
 *
 * @returns bytes `[resolution, resolution, channels]`
 * @throws DataError if the file is missing or no image that can be read
 */
export async function readSquare(path: string, resolution: number, channels: number): Promise<Uint8Array> {
  const obstacle = await whyNoFile(path)
  if (obstacle !== undefined) throw new DataError(`${path || "''"}: an image is expected, ${obstacle}`)
  const dir = await mkdtemp(join(tmpdir(), 'stylegan-'))
  try {
    const writer = LevelWriter.create(dir, 1, resolution, channels)
    const { leftOut } = await writer.prepare(0, [path], {})
    if (leftOut[0]) throw new DataError(`${leftOut[0].message}; give another image`)
    await writer.finish(1)
    return await Levels.open(dir).batch(resolution, [0])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
