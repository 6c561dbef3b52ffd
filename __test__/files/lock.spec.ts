/** Locks between processes: one holder at a time, released by the operating system. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { acquireLock, LockedError } from '../../ts/files/lock.ts'
import { lockFile } from '../../ts/native/index.ts'
import { folder } from '../support/folder.ts'

const request = { what: 'a test of this file', advice: 'wait for it' }
const newPath = async () => join(await folder(), '.lock')
const child = new URL('../support/lock-child.ts', import.meta.url)
const contender = new URL('../support/lock-contender.ts', import.meta.url)

async function holder(path: string): Promise<ChildProcess> {
  const args = ['--import', '@oxc-node/core/register', child.pathname, path]
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(started.stdout, 'data')
  return started
}

test('the second is told in one sentence who holds the lock and since when', async (t) => {
  const path = await newPath()
  const first = acquireLock(path, request)
  t.is(first.warning, undefined)
  const error = t.throws(() => acquireLock(path, request), { instanceOf: LockedError })
  t.regex(
    error.message,
    new RegExp(
      `^a test of this file is under way: process ${process.pid} holds it since \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d; wait for it$`,
    ),
  )
  first.release()
  acquireLock(path, request).release()
  t.false(existsSync(path), 'the file is gone')
})

test('a file that its last holder removed just before it is locked is not taken for the lock', async (t) => {
  const path = await newPath()
  let tries = 0
  const lock = (path: string, holder: string) => {
    const taken = lockFile(path, holder)
    // As if the holder before had removed the file after we opened it.
    if (++tries === 1) rmSync(path)
    return taken
  }
  const { release } = acquireLock(path, { ...request, lock })
  t.is(tries, 2)
  t.throws(() => acquireLock(path, request), { instanceOf: LockedError })
  release()
})

test('of threads that take and release one lock all the time, one has it at any moment', async (t) => {
  const path = await newPath()
  const execArgv = ['--import', '@oxc-node/core/register']
  const workers = [1, 2, 3].map(() => new Worker(contender, { workerData: path, execArgv }))
  const counts = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as number))
  t.deepEqual(counts, [200, 200, 200])
})

test('a lock is released when its process is killed', async (t) => {
  const path = await newPath()
  const process = await holder(path)
  t.regex(t.throws(() => acquireLock(path, request)).message, new RegExp(`process ${process.pid} holds it`))
  process.kill('SIGKILL')
  await once(process, 'exit')
  t.notThrows(() => acquireLock(path, request).release())
})

test('worker threads exclude each other, and a lock is released when its worker is ended', async (t) => {
  const path = await newPath()
  const execArgv = ['--import', '@oxc-node/core/register']
  const worker = new Worker(child, { workerData: path, execArgv })
  await once(worker, 'message')
  t.throws(() => acquireLock(path, request), { instanceOf: LockedError })
  await worker.terminate()
  t.notThrows(() => acquireLock(path, request).release())
})

test('a file system without locks is told, and the work goes on', async (t) => {
  const path = await newPath()
  const lock = () => ({ state: 'unsupported', text: 'No locks available (os error 37)', release() {} }) as const
  const { warning, release } = acquireLock(path, { ...request, lock })
  t.is(
    warning,
    `${path}: this file system has no locks (No locks available (os error 37)); take care that no second command uses this folder`,
  )
  release()
})

test('a holder on another machine is named with it, and what is no holder is not obeyed', async (t) => {
  const found = (text: string) => {
    const lock = () => ({ state: 'held', text, release() {} }) as const
    return t.throws(() => acquireLock('x', { ...request, lock })).message
  }
  const since = new Date(2018, 11, 12, 9, 5).toISOString()
  const there = 'process 7 on there holds it since 2018-12-12 09:05:00'
  t.is(
    found(JSON.stringify({ pid: 7, host: 'there', since })),
    `a test of this file is under way: ${there}; wait for it`,
  )
  t.regex(found(JSON.stringify({ pid: 7, host: hostname(), since })), /: process 7 holds it since/)
  t.regex(found(JSON.stringify({ pid: 7, host: '\u001b[2J', since: 'never' })), /: process 7 on \\u001b\[2J holds it;/)
  for (const text of ['', 'null', '3', '{"pid":', '{"pid":"\u001b"}'])
    t.regex(found(text), /: another process holds it;/)
})

test('a folder that is missing or is a file is named', async (t) => {
  const path = await newPath()
  await writeFile(path, '')
  const message = `${path}: a folder is expected, got a file (ENOTDIR); choose another path`
  t.throws(() => acquireLock(`${path}/x`, request), { message, code: 'ENOTDIR' })
})
