/**
 * Locks between processes and threads. The operating system releases them when a process ends, however it ends. The file of a
 * lock stays: removing it could take it from under another process that has just locked it.
 */
import { hostname } from 'node:os'
import { type FileLock, lockFile } from '../native/index.ts'
import { shown } from './shown.ts'

/** Another process or thread holds a lock; the message says who, and since when. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
}

export interface LockRequest {
  /** What may happen once at a time, as `a training in results/00000-a`. */
  readonly what: string
  /** What the user can do: `wait for it, or give another --outdir`. */
  readonly advice: string
  /** How a file is locked: for tests. */
  readonly lock?: typeof lockFile
}

export interface Lock {
  /** One line for the user where the file system has no locks; the work goes on without one. */
  readonly warning: string | undefined
  readonly release: () => void
}

/** A lock that nothing refers to would be released with its memory. */
const held = new Set<FileLock>()

/**
 * Takes the lock of a file, which is made where it is missing; never waits.
 *
 * @throws LockedError if someone else holds it, DataError if the file cannot be opened
 */
export function acquireLock(path: string, { what, advice, lock = lockFile }: LockRequest): Lock {
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() }
  const taken = lock(path, JSON.stringify(holder))
  if (taken.state === 'held') throw new LockedError(`${what} is under way: ${describe(taken.text)}; ${advice}`)
  const warning =
    taken.state === 'unsupported'
      ? `${path}: this file system has no locks (${shown(taken.text)}); take care that no second command uses this folder`
      : undefined
  held.add(taken)
  const release = () => {
    held.delete(taken)
    taken.release()
  }
  return { warning, release }
}

interface Holder {
  readonly pid: number
  readonly host: string
  readonly since: string
}

function describe(text: string): string {
  const { pid, host, since } = parse(text)
  // A holder that has just begun has not written its name yet.
  if (typeof pid !== 'number') return 'another process holds it'
  const machine = host === hostname() || typeof host !== 'string' ? '' : ` on ${shown(host)}`
  const time = new Date(String(since))
  return `process ${pid}${machine} holds it${isNaN(time.getTime()) ? '' : ` since ${localTime(time)}`}`
}

function parse(text: string): Partial<Record<keyof Holder, unknown>> {
  try {
    return (JSON.parse(text) as Partial<Holder> | null) ?? {}
  } catch {
    return {}
  }
}

/** 2018-12-12 09:05:00, in the time of this machine. */
function localTime(time: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`
}
