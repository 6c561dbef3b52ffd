/** What a path is, for those who expect a file. */
import type { Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'

/** `file`, `folder`, …: what an entry of the file system is, for messages. */
export function kindOf(entry: Stats): string {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  if (entry.isFIFO()) return 'pipe'
  return entry.isSocket() ? 'socket' : 'device'
}

/** `nothing`, `a pipe`, …: what is there if it is no file. It may not be opened before, since a pipe would wait for a writer. */
export async function insteadOfFile(path: string): Promise<string | undefined> {
  const entry = await stat(path).catch(() => undefined)
  if (entry === undefined) return 'nothing'
  return entry.isFile() ? undefined : `a ${kindOf(entry)}`
}

/** What stands in the way of reading a path as a file, and what to do. */
export async function whyNoFile(path: string): Promise<string | undefined> {
  const found = await insteadOfFile(path)
  return found && `got ${found}; ${found === 'nothing' ? 'check the path' : 'give the path of a file'}`
}

/**
 * Refuses what is there and no file, before it is opened.
 *
 * @throws Error naming what it is
 */
export async function checkFile(path: string): Promise<void> {
  const found = await insteadOfFile(path)
  if (found === undefined || found === 'nothing') return
  throw new Error(`${path}: a file is expected, got ${found}; remove it, or put the file in its place`)
}

/** The bytes of a file that may have been put there by anybody. */
export async function readWhole(path: string): Promise<Buffer> {
  await checkFile(path)
  return readFile(path)
}
