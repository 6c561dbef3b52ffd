/** Files that are whole at every moment: written beside their place, synced and renamed. */
import { randomUUID } from 'node:crypto'
import { lstat, open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { kindOf } from './kind.ts'

/** The steps of {@link writeAtomic}. */
export type WriteStep = 'open' | 'write' | 'sync' | 'rename' | 'sync-dir'
/** Called before each step; what it throws is treated as a failure of that step. */
export type OnStep = (step: WriteStep) => void | Promise<void>

/** The next bytes of a file, or bytes in place of some that were written before. */
export type Piece = Uint8Array | { readonly at: number; readonly bytes: Uint8Array }

/** Ends the name of a file that is not yet whole. */
export const TEMPORARY = '.tmp'

/**
 * The file that a write to this path replaces: of a link, what it leads to.
 *
 * @throws Error if anything but a regular file is there, which a rename would destroy
 */
export async function placeToWrite(path: string): Promise<string> {
  // What cannot be looked at cannot be written either, and opening it says why.
  if ((await lstat(path).catch(() => undefined)) === undefined) return path
  const entry = await stat(path).catch(() => undefined)
  if (entry?.isFile()) return realpath(path)
  const found = entry ? `a ${kindOf(entry)}` : 'a link to nothing'
  throw new Error(`${path}: a file is expected to write to, found ${found}; give another path`)
}

/**
 * Write a file so that at every moment, a loss of power included, either the old or the new content is there, whole.
 * A link stays: what it leads to is written.
 *
 * @param data all of the content, or its pieces in order
 * @throws Error if the disk is full or refuses, or if no regular file is there; the previous file is untouched and no temporary file stays
 */
export async function writeAtomic(
  path: string,
  data: Uint8Array | string | Iterable<Piece> | AsyncIterable<Piece>,
  onStep: OnStep = () => {},
  place: Place = 'path',
): Promise<void> {
  const target = await placeToWrite(path)
  const folder = dirname(target)
  // In the same folder, since a rename is atomic within one file system only; of a name that no other thread or process takes.
  const temporary = join(folder, `.${basename(target)}.${randomUUID()}${TEMPORARY}`)
  try {
    await onStep('open')
    const file = await open(temporary, 'w')
    try {
      await onStep('write')
      if (typeof data === 'string' || data instanceof Uint8Array) await file.writeFile(data)
      else for await (const piece of data) await writePiece(file, piece)
      await onStep('sync')
      await file.sync()
    } finally {
      await file.close()
    }
    await onStep('rename')
    await rename(temporary, target)
    await onStep('sync-dir')
    await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true })
    throw diskError(path, error, place)
  }
}

async function writePiece(file: FileHandle, piece: Piece): Promise<void> {
  if (piece instanceof Uint8Array) await file.writeFile(piece)
  else await file.write(piece.bytes, 0, piece.bytes.length, piece.at)
}

/** Without this a rename may be lost with the power. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // folders cannot be opened there
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `ENOENT`, `ENOSPC`, … of an error of the file system. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** What another one of is advised: the option behind a path, where that is known. */
type Place = 'path' | 'outdir'

/** An error of the file system that says what to do; any other stays as it is. */
export function diskError(path: string, error: unknown, place: Place = 'path'): unknown {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Error(
      `${path}: expected room on the disk, found it full (${code}); free some space and run the same command again`,
      { cause: error },
    )
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new Error(`${path}: expected a place to write, found no permission (${code}); choose another ${place}`, {
      cause: error,
    })
  }
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    return new Error(`${path}: expected a folder, found a file (${code}); choose another ${place}`, { cause: error })
  }
  if (code === 'ENOENT') {
    return new Error(`${path}: expected a file or a folder, found nothing (${code}); check the path`, { cause: error })
  }
  if (code === 'EISDIR')
    return new Error(`${path}: expected a file, found a folder (${code}); check the path`, { cause: error })
  if (code === 'EMFILE' || code === 'ENFILE') {
    return new Error(`${path}: expected a free file handle, found none (${code}); allow more with ulimit -n`, {
      cause: error,
    })
  }
  return error
}
