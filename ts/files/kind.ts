/** What a path is, for those who expect a file. */
import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'

/** `file`, `folder`, …: what an entry of the file system is, for messages. */
export function kindOf(entry: Stats): string {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  if (entry.isFIFO()) return 'pipe'
  return entry.isSocket() ? 'socket' : 'device'
}

/** What stands in the way of reading a path as a file, and what to do: nothing may be opened before, since a pipe would wait for a writer. */
export async function whyNoFile(path: string): Promise<string | undefined> {
  const entry = await stat(path).catch(() => undefined)
  if (entry === undefined) return 'got nothing; check the path'
  return entry.isFile() ? undefined : `got a ${kindOf(entry)}; give the path of a file`
}
