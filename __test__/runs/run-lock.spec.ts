/** One training at a time in a run directory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { LockedError } from '../../ts/files/lock.ts'
import { train, type TrainEvent, type TrainHooks } from '../../ts/runs/loop.ts'
import { resolveConfig, type TrainConfig } from '../../ts/training/config.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

async function newConfig(): Promise<TrainConfig> {
  const outdir = await folder()
  return resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir })
}

async function events(config: TrainConfig, hooks: TrainHooks = {}): Promise<TrainEvent[]> {
  const seen: TrainEvent[] = []
  for await (const event of train(config, hooks)) seen.push(event)
  return seen
}

/** Another process that has begun to train and has stopped in the middle of a snapshot. */
async function trainingProcess(config: TrainConfig): Promise<ChildProcess> {
  const child = new URL('../support/train-until.ts', import.meta.url).pathname
  const args = ['--import', '@oxc-node/core/register', child, JSON.stringify(config)]
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(started.stdout, 'data')
  return started
}

test('a second training in one folder is told who trains there, and touches nothing; a killed one holds nothing', async (t) => {
  const config = await newConfig()
  const first = await trainingProcess(config)
  const [name] = (await readdir(config.outdir)).filter((name) => name !== 'datasets')
  const run = join(config.outdir, name!)
  const before = (await readdir(run)).sort()
  t.true(
    before.some((file) => file.endsWith('.tmp')),
    'the first is writing a file',
  )
  const error = await t.throwsAsync(events(config), { instanceOf: LockedError })
  t.regex(
    error.message,
    new RegExp(
      `^${run}: another training in this folder is under way: process ${first.pid} holds it since \\d{4}-[-\\d]+ [:\\d]+; wait for it`,
    ),
  )
  t.deepEqual((await readdir(run)).sort(), before, 'the file that the first is writing is still there')

  first.kill('SIGKILL')
  await once(first, 'exit')
  const seen = await events(config)
  t.like(seen.at(-1), { type: 'end', aborted: false })
  t.false(
    (await readdir(run)).some((file) => file.startsWith('.')),
    'what the killed process left is gone, and the lock too',
  )
})

test('a file system without locks is told on the screen and in the log, and training goes on', async (t) => {
  const config = await newConfig()
  const lock = () => ({ state: 'unsupported', text: 'No locks available (os error 37)', release() {} }) as const
  const seen = await events(config, { lock })
  t.like(seen.at(-1), { type: 'end', aborted: false })
  t.true(seen.some((event) => event.type === 'notice' && event.line.includes('has no locks')))
  const { dir } = seen.find((event) => event.type === 'start')!
  t.regex(await readFile(join(dir, 'log.txt'), 'utf8'), /this file system has no locks \(No locks available/)
})

test('a training that was refused, failed or was left by its caller lets the next one train', async (t) => {
  const config = await newConfig()
  const onWrite = () => {
    throw new Error('a failure')
  }
  await t.throwsAsync(events(config, { onWrite }), { message: 'a failure' })
  for await (const event of train(config)) if (event.type === 'step') break
  const { dir } = (await events(config)).find((event) => event.type === 'start')!
  await writeFile(join(dir, '.lock'), '{"pid":1}')
  t.like((await events(config)).at(-1), { type: 'end' }, 'a file that nobody has locked is no lock')
})
