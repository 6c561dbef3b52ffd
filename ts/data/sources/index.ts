/** Opening a source: what it is is told by its content, never by its name. */
import { stat } from 'node:fs/promises'
import { openFolder } from './folder.ts'
import type { Source, SourceOptions } from './source.ts'
import { DataError } from '../../native/index.ts'

export type { ImageInput, LeftOut, Source, SourceOptions } from './source.ts'

/** @throws DataError if there is nothing, or nothing that is known, or if it is damaged */
export async function openSource(path: string, options: SourceOptions = {}): Promise<Source> {
  const entry = await stat(path).catch(() => undefined)
  if (entry?.isDirectory()) return openFolder(path, options)
  const found = entry ? 'a file; give its folder' : 'nothing; check the path'
  throw new DataError(`${path}: a folder of images is expected, got ${found}`)
}
