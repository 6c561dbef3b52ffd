/** Ways to stop a training: a signal before or during it, and leaving the loop. All leave a snapshot of where it stands. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { train, type TrainEvent, type TrainHooks } from '../../ts/runs/loop.ts'
import { resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { trainingMetadata } from '../../ts/training/snapshot-metadata.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

const configOf = async (outdir: string, overrides: ConfigOverrides = {}) =>
  resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, ...overrides })

/** Trains until an event is the last one that somebody wants to see. */
async function until(
  outdir: string,
  isLast: (event: TrainEvent) => boolean,
  hooks: TrainHooks = {},
): Promise<TrainEvent[]> {
  const events: TrainEvent[] = []
  for await (const event of train(await configOf(outdir), hooks)) {
    events.push(event)
    if (isLast(event)) break
  }
  return events
}

/** The newest snapshot of the only run. */
async function newest(outdir: string): Promise<string> {
  const run = (await readdir(outdir)).find((name) => name.startsWith('demo'))!
  const names = (await readdir(join(outdir, run))).filter((name) => name.endsWith('.safetensors')).sort()
  return join(outdir, run, names[0]!)
}

async function tensors(path: string): Promise<Map<string, string>> {
  const file = await readSafetensors(path)
  return new Map([...file.tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer).toString('base64')]))
}

const nimgOf = async (path: string) => trainingMetadata(path, await readSafetensors(path)).position.nimg

let expected: Promise<Map<string, string>> | undefined
/** What a run that nobody stopped ends with. */
const whole = () =>
  (expected ??= (async () => {
    const outdir = await folder()
    await until(outdir, () => false)
    return tensors(await newest(outdir))
  })())

for (const [what, isLast, nimg] of [
  ['the first event', () => true, 0],
  ['the start', (event) => event.type === 'start', 0],
  ['the first pictures', (event) => event.type === 'images', 0],
  ['a step', (event) => event.type === 'step' && event.nimg === 16, 16],
  ['a tick', (event) => event.type === 'tick', 32],
  ['a snapshot', (event) => event.type === 'snapshot', 32],
] as [string, (event: TrainEvent) => boolean, number][]) {
  test(`break at ${what} leaves a snapshot, and the same program goes on to the same bits`, async (t) => {
    const outdir = await folder()
    await until(outdir, isLast)
    t.is(await nimgOf(await newest(outdir)), nimg)
    t.is((await (await loadGenerator(outdir)).images({ seeds: 0 })).count, 1)
    const more = await until(outdir, () => false)
    t.is(more.find((event) => event.type === 'start')!.nimg, nimg)
    t.deepEqual(await tensors(await newest(outdir)), await whole())
  })
}

test('an error of the program that reads events leaves a snapshot too', async (t) => {
  const outdir = await folder()
  const stop = new Error('enough')
  const reading = until(outdir, (event) => {
    if (event.type === 'step' && event.nimg === 24) throw stop
    return false
  })
  t.is(await t.throwsAsync(reading), stop)
  t.is(await nimgOf(await newest(outdir)), 24)
})

test('a signal before the start leaves a snapshot, with and without prepared images', async (t) => {
  const outdir = await folder()
  for (const isPrepared of [false, true]) {
    const events = await until(outdir, () => false, { signal: AbortSignal.abort() })
    t.deepEqual(events.at(-1), { type: 'end', nimg: 0, aborted: true })
    t.is(events.filter((event) => event.type === 'snapshot').length, isPrepared ? 0 : 1)
    t.is(await nimgOf(await newest(outdir)), 0)
    await until(outdir, (event) => event.type === 'start')
  }
  await until(outdir, () => false)
  t.deepEqual(await tensors(await newest(outdir)), await whole())
})

test('a signal and break at the same step leave the same bits', async (t) => {
  const [one, two] = [await folder(), await folder()]
  const stop = new AbortController()
  await until(
    one,
    (event) => {
      if (event.type === 'step' && event.nimg === 40) stop.abort()
      return false
    },
    { signal: stop.signal },
  )
  await until(two, (event) => event.type === 'step' && event.nimg === 40)
  t.deepEqual(await tensors(await newest(two)), await tensors(await newest(one)))
})

test('a signal while images are prepared ends the events, with a snapshot', async (t) => {
  const outdir = await folder()
  const stop = new AbortController()
  const events: TrainEvent[] = []
  const config = await configOf(outdir, { data: 'builtin:avatars' })
  for await (const event of train(config, { signal: stop.signal })) {
    events.push(event)
    stop.abort()
  }
  t.is(events[0]!.type, 'prepare')
  t.deepEqual(
    events.slice(-2).map(({ type }) => type),
    ['snapshot', 'end'],
  )
  t.is(await nimgOf(await newest(outdir)), 0)
})

test('break while images are prepared stops preparing, and the folder is free for the next start', async (t) => {
  const outdir = await folder()
  const config = await configOf(outdir, { data: 'builtin:avatars' })
  for await (const event of train(config)) if (event.type === 'prepare') break
  t.is(await nimgOf(await newest(outdir)), 0)
  const prepared = (await readdir(join(outdir, 'datasets'))).filter((name) => !name.startsWith('.'))
  t.deepEqual(prepared, ['avatars-64px.preparing'])
})
