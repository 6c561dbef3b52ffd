/** Checksums and locks of files. */
import { call, native, whole } from './addon.ts'

/**
 * CRC-32C (Castagnoli, RFC 3720 B.4).
 *
 * @param before checksum of the bytes that come before these; 0 at the start
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return call(() => native.crc32c(bytes, whole('crc32c: before', before)))
}

/** What became of a try to lock a file. */
export interface FileLock {
  readonly state: 'locked' | 'held' | 'unsupported'
  /** Held: what the holder wrote. Unsupported: the reason. */
  readonly text: string
  release(): void
}

/**
 * Locks a file, which is made where it is missing, until `release` or the end of the process; never waits.
 *
 * @param holder who holds it: text for those who find it locked
 */
export function lockFile(path: string, holder: string): FileLock {
  return call(() => native.NativeLock.acquire(path, holder))
}
