/** Tape archives (POSIX.1-2017, pax, ustar Interchange Format). */
import type { Bytes } from './file.ts'

const block = 512

/** A file of an archive. */
export interface TarEntry {
  readonly name: string
  readonly at: number
  readonly size: number
}

/** Whether a file begins as an archive. */
export const isTar = (head: Buffer): boolean => head.length >= block && head.toString('latin1', 257, 262) === 'ustar'

/**
 * The plain files of an archive.
 *
 * @throws DataError if it is cut off
 */
export async function* tarEntries(bytes: Bytes): AsyncGenerator<TarEntry, void> {
  for (let at = 0; ;) {
    const header = await bytes.read(at, block)
    if (header[0] === 0) return
    const text = (start: number, length: number) => header.toString('utf8', start, start + length).replace(/\0.*/s, '')
    const size = parseInt(text(124, 12).trim(), 8) || 0
    const prefix = text(345, 155)
    const type = header[156]
    at += block
    if (type === 0 || type === 0x30) yield { name: (prefix && `${prefix}/`) + text(0, 100), at, size }
    at += Math.ceil(size / block) * block
  }
}
