/** Takes and releases the lock of a file 200 times, and looks each time whether it is alone. */
import { rmdirSync, mkdirSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { acquireLock, LockedError, type Lock } from '../../ts/files/lock.ts'

const path = workerData as string
let count = 0
while (count < 200) {
  let lock: Lock
  try {
    lock = acquireLock(path, { what: 'a test', advice: 'wait' })
  } catch (error) {
    if (error instanceof LockedError) continue
    throw error
  }
  mkdirSync(`${path}.alone`) // throws if another one has the lock
  rmdirSync(`${path}.alone`)
  lock.release()
  count++
}
parentPort!.postMessage(count)
