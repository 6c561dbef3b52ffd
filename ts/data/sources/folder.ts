/** A folder of image files, with all folders in it. */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { LeftOut, Source, SourceOptions } from './source.ts'
import { readWhole } from '../../files/kind.ts'
import { unreadFolder } from '../info.ts'
import { labelFiles, labelsIn } from '../labels.ts'
import { DataError, listImages } from '../../native/index.ts'

/** @throws DataError if it holds no image, or cannot be read */
export async function openFolder(path: string, { keepDrawn = false }: SourceOptions): Promise<Source> {
  const { sizes, modifiedMs, leftOut: others, ...images } = await listImages(path, keepDrawn)
  const beside = new Set(labelFiles.map((name) => join(path, name)))
  const leftOut: LeftOut[] = []
  for (const file of others) {
    if (!beside.has(file.path)) leftOut.push(file.bad === undefined ? file : await withFolder(file))
  }
  const names = { count: images.count, name: (index: number) => images.name(index).replaceAll(sep, '/') }
  return {
    kind: 'folder',
    path,
    leftOut,
    ...names,
    hash: () => {
      const hash = createHash('sha256')
      for (let i = 0; i < images.count; i++) hash.update(`${images.name(i)}\0${sizes[i]}\0${modifiedMs[i]}\n`)
      return hash
    },
    labels: () =>
      labelsIn(path, names, {
        place: (name) => join(path, name),
        read: (name) => readWhole(join(path, name)).catch(unlessMissing),
      }),
    read: (first, count) =>
      Promise.resolve(Array.from({ length: count }, (_, i) => join(path, images.name(first + i)))),
    close: () => Promise.resolve(),
  }
}

/** What cannot be read may be a folder, with any number of images. */
async function withFolder(file: LeftOut): Promise<LeftOut> {
  const found = await stat(file.path).catch(() => undefined)
  return found?.isDirectory() ? { ...file, kind: unreadFolder } : file
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw new DataError(error.message)
}
