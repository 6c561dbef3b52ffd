/** Training as a whole, on tiny networks: events, files, resuming bit for bit, interruptions, divergence. */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { losses, type LossName } from '../../ts/training/losses.ts'
import { Device, DeviceError } from '../../ts/native/index.ts'
import { configurations } from '../../ts/networks/configurations.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { DivergedError, train, type TrainEvent, type TrainHooks } from '../../ts/runs/loop.ts'
import { loadGenerator } from '../../ts/training/state.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

const folder = async () => mkdtemp(join(tmpdir(), 'stylegan-'))

async function run(outdir: string, overrides: ConfigOverrides, hooks: TrainHooks = {}): Promise<TrainEvent[]> {
  const data = await tinyDataset()
  const events: TrainEvent[] = []
  for await (const event of train(resolveConfig('demo', { ...tinyConfig, data, outdir, ...overrides }), hooks)) {
    events.push(event)
  }
  return events
}

async function finalTensors(outdir: string): Promise<Map<string, string>> {
  const dir = join(
    outdir,
    (await readdir(outdir)).find((name) => name.startsWith('demo'))!,
  )
  const last = (await readdir(dir))
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .at(-1)!
  const { tensors } = await readSafetensors(join(dir, last))
  return new Map([...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer).toString('base64')]))
}

test('a run directory holds what users of the official code know', async (t) => {
  const outdir = await folder()
  const events = await run(outdir, {})
  const start = events.find((event) => event.type === 'start')!
  const files = (await readdir(start.dir)).sort()
  t.deepEqual(
    files
      .filter((name) => !name.startsWith('fakes') && !name.startsWith('network'))
      .map((name) => name.replace(/(tfevents)\..*/, '$1')),
    ['events.out.tfevents', 'log.txt', 'reals.png', 'stats.jsonl', 'training_options.json'],
  )
  t.true(files.includes('fakes000000.png'))
  t.true(files.some((name) => /^network-snapshot-\d{6}\.safetensors$/.test(name)))
  const stats = (await readFile(join(start.dir, 'stats.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>)
  t.is(stats.length, 3)
  for (const name of ['Loss/D', 'Loss/G', 'Loss/r1_penalty', 'Loss/scores/real', 'Progress/lod']) {
    t.true(Number.isFinite(stats[0]![name]), name)
  }
  t.true(stats[0]!['Timing/data_wait_share']! >= 0 && stats[0]!['Timing/data_wait_share']! < 1)
  t.deepEqual(events.at(-1), { type: 'end', nimg: 96, aborted: false })
})

for (const config of ['A', 'B', 'C', 'D', 'E', 'F'] as const) {
  test(`configuration ${config} trains through a fade, with finite losses, and resumes`, async (t) => {
    const outdir = await folder()
    const mappingLayers = configurations[config].mappingLayers === 0 ? 0 : 2
    const overrides = { config, mappingLayers, resolution: 16, lodTransitionKimg: 0.064 } as const
    const first = await run(outdir, overrides)
    const last = first.findLast((event) => event.type === 'tick')!
    t.true(Object.values(last.stats).every(Number.isFinite))
    t.is('Loss/gradient_penalty' in last.stats, config === 'A')
    const more = await run(outdir, { ...overrides, kimg: 0.16 })
    t.is(more.find((event) => event.type === 'start')!.nimg, 96)
    t.is(more.at(-1)!.type, 'end')
  })
}

test('a conditional network trains on folders as classes, resumes, and refuses a wrong number of classes', async (t) => {
  const [outdir, data, plain] = [await folder(), await folder(), await tinyDataset()]
  for (const name of ['a', 'b', 'c']) await cp(plain, join(data, name), { recursive: true })
  const events = await run(outdir, { data, cond: true, kimg: 0.064 })
  const { stats } = events.findLast((event) => event.type === 'tick')!
  t.true(Object.values(stats).every(Number.isFinite))
  const path = events.findLast((event) => event.type === 'snapshot')!.path
  t.is((await loadGenerator(path, Device.open('cpu'))).options.labelSize, 3)
  const more = await run(outdir, { data, cond: true })
  t.is(more.find((event) => event.type === 'start')!.nimg, 64)
  await t.throwsAsync(run(await folder(), { data, cond: true, labelSize: 2 }), {
    message: /labelSize 2 .*has 3 classes/,
  })
  await t.throwsAsync(run(await folder(), { cond: true }), { message: /labels are expected with --cond/ })
})

for (const loss of Object.keys(losses) as LossName[]) {
  test(`loss ${loss} trains with finite values`, async (t) => {
    const events = await run(await folder(), { loss, kimg: 0.064 })
    const { stats } = events.findLast((event) => event.type === 'tick')!
    t.true(Object.values(stats).every(Number.isFinite))
    t.is(stats[`Loss/${losses[loss].penalty}`] !== 0, !['wgan', 'hinge'].includes(loss))
  })
}

for (const device of ['cpu', 'test']) {
  test(`an interrupted run on '${device}', resumed, ends with the bits of an uninterrupted one`, async (t) => {
    const [whole, parts] = [await folder(), await folder()]
    await run(whole, { device })
    for (const stopAt of [16, 40, 72]) {
      const stop = new AbortController()
      const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir: parts, device })
      for await (const event of train(config, { signal: stop.signal })) {
        if (event.type === 'step' && event.nimg >= stopAt) stop.abort()
      }
    }
    await run(parts, { device })
    t.deepEqual(await finalTensors(parts), await finalTensors(whole))
  })
}

test('resuming cuts the log and the statistics back, so that each tick stands there once', async (t) => {
  const outdir = await folder()
  const stop = new AbortController()
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir })
  let dir = ''
  for await (const event of train(config, { signal: stop.signal })) {
    if (event.type === 'start') dir = event.dir
    if (event.type === 'tick') stop.abort()
  }
  await run(outdir, {})
  const ticks = (await readFile(join(dir, 'stats.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as Record<string, number>)['Progress/tick'])
  t.deepEqual(ticks, [1, 2, 3])
})

test('a truncated newest snapshot is passed over for the one before', async (t) => {
  const outdir = await folder()
  const first = await run(outdir, { kimg: 1.1, tick: 0.5, batch: 64 })
  const snapshots = first.filter((event) => event.type === 'snapshot').map((event) => event.path)
  t.true(new Set(snapshots).size > 1)
  await truncate(snapshots.at(-1)!, 1000)
  const again = await run(outdir, { kimg: 1.1, tick: 0.5, batch: 64 })
  const start = again.find((event) => event.type === 'start')!
  t.true(start.nimg > 0 && start.nimg < 1100)
})

test('a run directory with other options is refused', async (t) => {
  const outdir = await folder()
  await run(outdir, { mixingProb: 0.5, kimg: 0.008 })
  const error = await t.throwsAsync(run(outdir, { mixingProb: 0.9 }))
  t.regex(error.message, /mixingProb 0.5 there, 0.9 here/)
})

test('the snapshot of another network is refused with what differs', async (t) => {
  const [one, two] = [await folder(), await folder()]
  const events = await run(one, {})
  const snapshot = events.findLast((event) => event.type === 'snapshot')!
  const error = await t.throwsAsync(run(two, { resume: snapshot.path, latentSize: 12 }))
  t.regex(error.message, /latentSize 12 are expected, the snapshot has latentSize 8/)
})

test('something else than a snapshot is refused by name', async (t) => {
  const outdir = await folder()
  const path = join(outdir, 'no.safetensors')
  await writeFile(path, 'this is not a snapshot at all')
  const error = await t.throwsAsync(run(outdir, { resume: path }))
  t.regex(error.message, /no\.safetensors: no safetensors file/)
})

test('a loss that stops being finite ends training, names itself and the last good snapshot', async (t) => {
  const outdir = await folder()
  const error = await t.throwsAsync(run(outdir, { gamma: 1e38, glr: 1e38, dlr: 1e38, device: 'cpu' }), {
    instanceOf: DivergedError,
  })
  t.regex(error.message, /training diverged after .* kimg: .* is (NaN|-?Infinity); .* snapshot/)
})

test('the loop runs two steps ahead of a held device and no further, and JavaScript stays live', async (t) => {
  const outdir = await folder()
  const device = Device.open('test')
  await run(outdir, { kimg: 0.016 }, { device })
  device.hold(true)
  let steps = 0
  const rest = (async () => {
    const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir })
    for await (const event of train(config, { device })) if (event.type === 'step') steps++
  })()
  // Timers fire while the device is held: without them this loop would not end.
  while (steps < 2) await new Promise((resolve) => setTimeout(resolve, 20))
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.is(steps, 2)
  device.hold(false)
  await rest
  t.is(steps, 10)
})

test('a device that fails ends training with its first error', async (t) => {
  const outdir = await folder()
  const device = Device.open('test')
  device.injectFault(5000)
  const error = await t.throwsAsync(run(outdir, {}, { device }), { instanceOf: DeviceError })
  t.regex(error.message, /the device failed: injected fault/)
  const again = await t.throwsAsync(device.synchronize(), { instanceOf: DeviceError })
  t.is(again.message, error.message)
})

test('live bytes are flat over 200 training steps, and a steady step takes no memory from the system', async (t) => {
  const outdir = await folder()
  const device = Device.open('cpu')
  const memory: ReturnType<Device['memory']>[] = []
  const overrides = { kimg: 1.7, tick: 10, lodInitialResolution: 8 }
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, ...overrides })
  for await (const event of train(config, { device })) if (event.type === 'step') memory.push(device.memory())
  t.true(memory.length > 200)
  const [early, late] = [memory[10]!, memory[205]!]
  t.is(late.live, early.live)
  t.is(late.allocations, early.allocations)
})

test.after.always(async () => {
  await rm(await tinyDataset(), { recursive: true, force: true })
})
