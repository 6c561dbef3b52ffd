/** One training at a time in a run directory. */
import { join } from 'node:path'
import { acquireLock, holderOf, type Held, type Lock, type LockRequest } from '../files/lock.ts'
import { type NameOf } from '../files/option-names.ts'
import { makeFolders } from '../files/make-folders.ts'

/**
 * Makes the directory of a run and locks it. Whoever has the lock may write there, and remove what a killed process left.
 *
 * @param lock how its file is locked: for tests
 * @throws LockedError if another process or thread trains there
 */
export async function lockRun(dir: string, lock?: LockRequest['lock']): Promise<Lock> {
  await makeFolders(dir, 'outdir')
  const what = `${dir}: another training in this folder`
  const advice = (name: NameOf) => `wait for it or stop it, or give another ${name('outdir')} or ${name('desc')}`
  return acquireLock(join(dir, '.lock'), { what, advice, ...(lock && { lock }) })
}

/** The process that trains in a run directory, undefined if none does. */
export function holderOfRun(dir: string): Held | undefined {
  return holderOf(join(dir, '.lock'))
}
