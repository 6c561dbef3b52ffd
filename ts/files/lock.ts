/**
 * Locks between processes and threads. The operating system releases them when a process ends, however it ends.
 *
 * The file of a lock is removed by its holder alone. Somebody else may have opened it before and lock it just after: whoever gets
 * a lock looks whether the path still leads to the file that is locked, and tries again if not.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { namingOptions, type NameOf } from './option-names.ts'
import { type FileLock, lockFile } from '../native/index.ts'
import { shown } from './shown.ts'
import { codeOf, diskError, systemError } from './write-atomic.ts'

/** Another process or thread holds a lock; the message says who, and since when. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
}

export interface LockRequest {
  /** What may happen once at a time, as `a training in results/00000-a`. */
  readonly what: string
  /** What the user can do: `wait for it`, with the names of options where it needs them. */
  readonly advice: string | ((name: NameOf) => string)
  /** How a file is locked: for tests. */
  readonly lock?: typeof lockFile
}

export interface Lock {
  /** One line for the user where the file system has no locks; the work goes on without one. */
  readonly warning: string | undefined
  /** Removes the file, which must happen before the lock ends. */
  readonly release: () => void
}

/** A lock that nothing refers to would be released with its memory. */
const held = new Set<FileLock>()

/**
 * Takes the lock of a file, which is made where it is missing; never waits.
 *
 * @throws LockedError if someone else holds it, Error with the system's code if the file cannot be opened
 */
export function acquireLock(path: string, { what, advice, lock = lockFile }: LockRequest): Lock {
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString(), id: randomUUID() }
  const text = JSON.stringify(holder)
  for (;;) {
    const taken = tryLock(path, text, lock)
    if (taken.state === 'held') {
      throw namingOptions(
        (message) => new LockedError(message),
        (name) =>
          `${what} is under way: ${describe(taken.text)}; ${typeof advice === 'string' ? advice : advice(name)}`,
      )
    }
    if (taken.state === 'unsupported') return { warning: noLocks(path, taken.text), release() {} }
    if (isLocked(path, text)) return keep(path, text, taken)
    taken.release()
  }
}

/** The file of a lock is hidden: an error names its folder. */
function tryLock(path: string, text: string, lock: typeof lockFile): FileLock {
  try {
    return lock(path, text)
  } catch (error) {
    const system = systemError(error)
    throw system ? diskError(dirname(path), system) : error
  }
}

/** Who holds a lock. */
export interface Held {
  readonly pid: number
  /** Whether that process is on this machine. */
  readonly isHere: boolean
}

/**
 * Who holds the lock of a file, without taking it from anybody.
 *
 * @returns undefined where nobody holds it
 */
export function holderOf(path: string, lock = lockFile): Held | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined // no file, or one that Windows lets nobody read
  }
  const { pid, host } = parse(text)
  // Whoever is about to take it has made the file and not yet written its name.
  if (typeof pid !== 'number') return undefined
  const isHere = host === hostname()
  if (isHere && !isAlive(pid)) return undefined
  // A process of that number lives: the file of one that was killed is told by its lock, which can be taken.
  const taken = lock(path, text)
  if (taken.state !== 'locked') return { pid, isHere }
  if (removes) rmSync(path, { force: true })
  taken.release()
  return undefined
}

/** Whether a process of this machine lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

const noLocks = (path: string, reason: string) =>
  `${path}: this file system has no locks (${shown(reason)}); take care that no second command uses this folder`

function keep(path: string, text: string, taken: FileLock): Lock {
  held.add(taken)
  const release = () => {
    if (!held.delete(taken)) return
    if (removes && isLocked(path, text)) rmSync(path, { force: true })
    taken.release()
  }
  return { warning: undefined, release }
}

/** Windows lets nobody read or remove a locked file: there the file stays. */
const removes = process.platform !== 'win32'

/** Whether the path leads to the file in which we wrote. */
function isLocked(path: string, text: string): boolean {
  if (!removes) return true
  try {
    return readFileSync(path, 'utf8') === text
  } catch {
    return false // removed by its last holder
  }
}

interface Holder {
  readonly pid: number
  readonly host: string
  readonly since: string
  /** Tells this lock from every other. */
  readonly id: string
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
