/** Each file format carries the number of its version, so that an older program says what is wrong instead of misreading a newer file. */

/** Of the files that training saves, without the version. */
export const trainingFormat = 'stylegan-training'

/** A file of a newer version of its format. It is whole: nothing may replace it or fall back to an older one. */
export class VersionError extends Error {
  override readonly name = 'VersionError'
}

/**
 * @param found version that the file names; a file without one is of version 1
 * @param newest version that this program writes
 * @throws VersionError if the file is newer
 */
export function checkVersion(path: string, found: unknown, newest: number): void {
  if (found === undefined || Number(found) <= newest) return
  throw new VersionError(
    `${path}: version ${newest} of its format or an older one is expected, got ${JSON.stringify(found)}; install the stylegan that wrote it, or a newer one`,
  )
}

/**
 * {@link checkVersion} of a format that is named `<name>-<version>`.
 *
 * @returns whether the format has this name
 */
export function isFormat(path: string, found: string | undefined, name: string, newest: number): boolean {
  const version = found?.startsWith(`${name}-`) ? Number(found.slice(name.length + 1)) : NaN
  if (!Number.isInteger(version)) return false
  checkVersion(path, version, newest)
  return true
}
