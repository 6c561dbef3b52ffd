/** Making folders: the one place that does. */
import { access, constants, mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { codeOf, diskError, refusedPlace, type Place } from './write-atomic.ts'

/**
 * Makes a folder, and those above it; one that is there stays as it is. Node's own recursive mkdir never ends where a file system
 * takes no folders, as /proc.
 *
 * @returns whether it was made
 * @throws Error that says why it cannot be made, with the system's code
 */
export async function makeFolders(path: string, place: Place = 'path'): Promise<boolean> {
  try {
    return await make(resolve(path))
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw diskError(path, error, place)
    throw refusedPlace(path, 'folder', error, place)
  }
}

async function make(folder: string): Promise<boolean> {
  try {
    await mkdir(folder)
    return true
  } catch (error) {
    const isMissing = codeOf(error) === 'ENOENT'
    if (!isMissing && (await isFolder(folder))) return false
    if (!isMissing || (await isFolder(dirname(folder)))) throw error
    await make(dirname(folder))
    return make(folder)
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false

/**
 * Makes the folder of all results, before anything is done that would be lost.
 *
 * @throws Error if it cannot be written to
 */
export async function makeOutdir(outdir: string): Promise<void> {
  await makeFolders(outdir, 'outdir')
  try {
    await access(outdir, constants.W_OK)
  } catch (error) {
    throw diskError(outdir, error, 'outdir')
  }
}

/**
 * Finds whether {@link makeOutdir} can succeed, and makes nothing.
 *
 * @throws Error naming the folder that is none or cannot be written to
 */
export async function checkOutdir(outdir: string, place: Place = 'outdir'): Promise<void> {
  try {
    if (!(await stat(outdir)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' })
    await access(outdir, constants.W_OK)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw diskError(outdir, error, place)
    await checkOutdir(dirname(resolve(outdir)), place)
  }
}
