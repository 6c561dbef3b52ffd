/** Files that are whole at every moment: written beside their place, synced and renamed. */
import { randomUUID } from 'node:crypto'
import { statfsSync } from 'node:fs'
import { lstat, open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { kindOf } from './kind.ts'
import { namingOptions } from './option-names.ts'
import { formatBytes } from './units.ts'
import { DataError } from '../native/index.ts'

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
  throw new Error(`${path}: a file is expected to write to, got ${found}; give another path`)
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
  let needed = typeof data === 'string' || data instanceof Uint8Array ? data.length : 0
  // In the same folder, since a rename is atomic within one file system only; of a name that no other thread or process takes.
  const temporary = join(folder, `.${basename(target)}.${randomUUID()}${TEMPORARY}`)
  try {
    await onStep('open')
    const file = await open(temporary, 'w').catch(async (error: unknown) => {
      const isThere = (await stat(folder).catch(() => undefined))?.isDirectory()
      throw isThere && codeOf(error) === 'ENOENT' ? refusedPlace(path, 'file', error, place) : error
    })
    try {
      await onStep('write')
      if (typeof data === 'string' || data instanceof Uint8Array) await file.writeFile(data)
      else {
        for await (const piece of data) {
          needed += piece instanceof Uint8Array ? piece.length : 0
          await writePiece(file, piece)
        }
      }
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
    throw diskError(path, error, place, { needed })
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

/** An error of the file system. */
export interface SystemError extends Error {
  /** `ENOENT`, `ENOSPC`, … */
  readonly code: string
  readonly path?: string
}

/**
 * An error of the file system as Node.js gave it, or as the addon said it: `a.npy: No space left on device (ENOSPC)`.
 *
 * @returns undefined for any other error
 */
export function systemError(error: unknown): SystemError | undefined {
  if (error instanceof DataError) {
    const [, path, code] = /^(.*): .* \((E[A-Z0-9]+)\)$/s.exec(error.message) ?? []
    return code === undefined
      ? undefined
      : Object.assign(new Error(error.message, { cause: error }), { code, path: path! })
  }
  const code = codeOf(error)
  if (!(error instanceof Error) || !/^E(?!RR_)/.test(code ?? '')) return undefined
  return (codeOf(error.cause) === code ? error.cause : error) as SystemError
}

/** What another one of is advised: the option behind a path, where that is known. */
export type Place = 'path' | 'outdir'

/** What stands in the way, and what to do, by the code of an error of the file system. */
const disk: Readonly<Record<string, (other: string) => string>> = {
  EACCES: (other) => `the permission is missing; change it, or choose another ${other}`,
  EPERM: (other) => `the permission is missing; change it, or choose another ${other}`,
  EROFS: (other) => `the disk can only be read; choose another ${other}`,
  EEXIST: (other) => `a folder is expected, got a file; choose another ${other}`,
  ENOTDIR: (other) => `a folder is expected, got a file; choose another ${other}`,
  ENOENT: () => 'a file or a folder is expected, got nothing; check the path',
  EISDIR: () => 'a file is expected, got a folder; check the path',
  ENAMETOOLONG: () => 'the name is too long; choose a shorter one',
  EMFILE: () => 'too many files are open; allow more with ulimit -n',
  ENFILE: () => 'too many files are open; allow more with ulimit -n',
  EFBIG: () => 'files may not be so large; allow larger ones with ulimit -f',
  EIO: () => 'the disk does not read or write; check it, and use a copy of the file',
}

/** The error of a file system that takes nothing new, as /proc: it says that the place is not there. */
export function refusedPlace(path: string, what: 'file' | 'folder', cause: unknown, place: Place): Error {
  return namingOptions(
    (message) => Object.assign(new Error(message, { cause }), { code: 'ENOENT' }),
    (name) =>
      `${path}: no ${what} can be made there (ENOENT); choose another ${place === 'path' ? place : name(place)}`,
  )
}

/**
 * An error of the file system that says what to do; any other stays as it is.
 *
 * @param room what is known of a file that found no room
 */
export function diskError(path: string, error: unknown, place: Place = 'path', room: Room = {}): unknown {
  const code = codeOf(error)
  if (error instanceof Error && code !== undefined && codeOf(error.cause) === code) return error // told already
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return Object.assign(new Error(fullDisk(path, code, room), { cause: error }), { code })
  }
  const told = code === undefined ? undefined : disk[code]
  if (told === undefined) return error
  return namingOptions(
    (message) => Object.assign(new Error(message, { cause: error }), { code }),
    (name) => `${path}: ${told(place === 'path' ? 'path' : name(place)).replace(';', ` (${code});`)}`,
  )
}

/** What is known of a file that found no room. */
interface Room {
  /** Bytes that were to be written. */
  readonly needed?: number
  /** What is left on purpose: the same command goes on from there. */
  readonly kept?: string | undefined
}

function fullDisk(path: string, code: string, { needed = 0, kept }: Room): string {
  const free = freeBytes(dirname(path))
  // In whole MiB, two sizes that differ may read the same, and small ones as 0 or 1.
  const isClose = free !== undefined && (Math.max(free, needed) < 2 ** 20 || formatBytes(free) === formatBytes(needed))
  const size = (bytes: number) => (isClose ? `${bytes.toLocaleString('en')} bytes` : formatBytes(bytes))
  const need = needed > 0 ? `${size(needed)} are needed for ${path}` : `no room is left for ${path}`
  const goesOn = kept === undefined ? '' : `, which goes on from ${kept}`
  return `the disk is full (${code}): ${need}${free === undefined ? '' : `, ${size(free)} are free`}; free some space and run the same command again${goesOn}`
}

/** What a user may still write to the disk of a folder. */
function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return undefined
  }
}
