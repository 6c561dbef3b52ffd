/** Training as a whole, on tiny networks: events, files, resuming bit for bit, interruptions, divergence. */
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { losses, type LossName } from '../../ts/training/losses.ts'
import { Device, DeviceError } from '../../ts/native/index.ts'
import { configurations } from '../../ts/networks/configurations.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { DivergedError, train, type TrainEvent, type TrainHooks } from '../../ts/runs/loop.ts'
import { readGenerator } from '../../ts/training/state.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

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
  t.is((await readGenerator(path, Device.open('cpu'))).options.labelSize, 3)
  const more = await run(outdir, { data, cond: true })
  t.is(more.find((event) => event.type === 'start')!.nimg, 64)
  await t.throwsAsync(run(await folder(), { data, cond: true, labelSize: 2 }), {
    message: /labelSize 2 is expected, got .*3 classes/,
  })
  await t.throwsAsync(run(await folder(), { cond: true }), {
    message: /labels are expected for a training with classes/,
  })
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

/** Lines of notices. */
const notices = (events: TrainEvent[]) => events.flatMap((event) => (event.type === 'notice' ? [event.line] : []))

/** All files below a folder that are not temporary, with their bytes. */
async function contents(dir: string): Promise<Map<string, string>> {
  const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const paths = files.map((file) => join(file.parentPath, file.name)).sort()
  return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(path, 'base64')] as const)))
}

test('a damaged newest snapshot is told on the screen and in the log', async (t) => {
  const outdir = await folder()
  const first = await run(outdir, { kimg: 1.1, tick: 0.5, batch: 64 })
  const snapshots = first.filter((event) => event.type === 'snapshot').map((event) => event.path)
  await truncate(snapshots.at(-1)!, 1000)
  const again = await run(outdir, { kimg: 1.1, tick: 0.5, batch: 64 })
  const [notice] = notices(again)
  t.regex(notice!, /network-snapshot-000001\.safetensors: .*; going on from .*network-snapshot-000000\.safetensors$/)
  const { dir } = again.find((event) => event.type === 'start')!
  t.true((await readFile(join(dir, 'log.txt'), 'utf8')).includes(notice!))
})

test('with no whole snapshot, training stops and touches nothing', async (t) => {
  const outdir = await folder()
  const first = await run(outdir, {})
  await truncate(first.findLast((event) => event.type === 'snapshot')!.path, 1000)
  const before = await contents(outdir)
  const error = await t.throwsAsync(run(outdir, { kimg: 0.2 }))
  t.regex(error.message, /a whole snapshot to go on from is expected, got none \(.*; put back a copy, or remove/)
  t.deepEqual(await contents(outdir), before)
})

test('--resume takes a folder, and a file that is not there is found before anything is written', async (t) => {
  const [one, two] = [await folder(), join(await folder(), 'new')]
  await run(one, { kimg: 0.032 })
  const missing = await t.throwsAsync(run(two, { resume: 'typo.safetensors' }))
  t.regex(missing.message, /typo\.safetensors: a snapshot or a folder with one is expected, got nothing/)
  await t.throwsAsync(run(two, { data: 'no-such-folder' }), {
    message: /no-such-folder: a folder of images is expected/,
  })
  await t.throwsAsync(readdir(two), { code: 'ENOENT' })
  const events = await run(two, { resume: one })
  t.regex(events.find((event) => event.type === 'start')!.snapshot!, /network-snapshot-000000\.safetensors$/)
})

test('a start that failed before its first snapshot does not bind the corrected command', async (t) => {
  const outdir = await folder()
  const other = await run(await folder(), { kimg: 0.008 })
  const snapshot = other.findLast((event) => event.type === 'snapshot')!.path
  await t.throwsAsync(run(outdir, { resume: snapshot, latentSize: 12 }))
  t.is((await run(outdir, {})).at(-1)!.type, 'end')
})

test('after a divergence that names its snapshot, lower learning rates go on from there', async (t) => {
  const outdir = await folder()
  const wild = { glr: 1e38, dlr: 1e38 }
  const start = await run(await folder(), { kimg: 0.032 })
  const { path } = start.findLast((event) => event.type === 'snapshot')!
  const resumed = await t.throwsAsync(run(outdir, { ...wild, resume: path }), { instanceOf: DivergedError })
  t.true(resumed.message.includes(`the last good snapshot is ${path}`), resumed.message)
  t.is((await run(outdir, { resume: path, kimg: 0.04 })).at(-1)!.type, 'end')
})

test('a --kimg that is reached is told, and nothing is trained', async (t) => {
  const outdir = await folder()
  await run(outdir, {})
  const events = await run(outdir, { kimg: 0.05 })
  t.deepEqual(notices(events), ['kimg 0.05 is already reached, the snapshot has 0.096; a larger kimg trains on'])
  t.false(events.some((event) => event.type === 'step' || event.type === 'snapshot'))
})

test('a --kimg that the snapshot of --resume has reached is refused before anything is written', async (t) => {
  const [one, two] = [await folder(), join(await folder(), 'new')]
  await run(one, {})
  const error = await t.throwsAsync(run(two, { resume: one, kimg: 0.05 }))
  t.regex(error.message, /\.safetensors: kimg above 0\.096, which .*, is expected, got 0\.05; give a larger one$/)
  await t.throwsAsync(readdir(two), { code: 'ENOENT' })
})

test('where training_options.json is missing, the options inside the newest whole snapshot bind', async (t) => {
  const outdir = await folder()
  const { dir } = (await run(outdir, { kimg: 0.032 })).find((event) => event.type === 'start')!
  await rm(join(dir, 'training_options.json'))
  await writeFile(join(dir, 'network-snapshot-000009.safetensors'), 'cut off')
  const before = await contents(outdir)
  const error = await t.throwsAsync(run(outdir, { glr: 0.01 }))
  t.regex(error.message, /got glr 0\.003 there, 0\.01 here \(training_options\.json is missing, its options are read/)
  t.deepEqual(await contents(outdir), before)
  const [notice] = notices(await run(outdir, {}))
  t.regex(notice!, /^training_options\.json is missing, .*network-snapshot-000000\.safetensors; it is written again$/)
  t.true((await readdir(dir)).includes('training_options.json'))
})

test('data that have changed since the run began are told each time', async (t) => {
  const [outdir, data] = [await folder(), await folder()]
  await cp(await tinyDataset(), data, { recursive: true })
  await run(outdir, { data, kimg: 0.032 })
  t.deepEqual(notices(await run(outdir, { data, kimg: 0.04 })), [])
  await cp(join(data, '1.png'), join(data, 'more.png'))
  for (const kimg of [0.048, 0.056]) {
    t.deepEqual(notices(await run(outdir, { data, kimg })), ['21 images, 20 when this run began'])
  }
  await rm(join(data, '1.png'))
  const [line] = notices(await run(outdir, { data, kimg: 0.064 }))
  t.regex(line!, /^the images are not those that this run began with/)
})

test('a snapshot of Ctrl-C leaves the one that a metric speaks of, and gives way to the next tick', async (t) => {
  const outdir = await folder()
  const options = { resolution: 16, metrics: 'ms_ssim', metricsNum: 4, lodTransitionKimg: 0.064 } as const
  const stop = new AbortController()
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, ...options })
  let dir = ''
  let measured: Buffer | undefined
  for await (const event of train(config, { signal: stop.signal })) {
    if (event.type === 'start') dir = event.dir
    if (event.type === 'snapshot') measured ??= await readFile(event.path)
    if (event.type === 'step' && event.nimg === 48) stop.abort()
  }
  const snapshots = async () => (await readdir(dir)).filter((name) => name.endsWith('.safetensors')).sort()
  t.deepEqual(await snapshots(), [
    'network-snapshot-000000-interrupted.safetensors',
    'network-snapshot-000000.safetensors',
  ])
  t.deepEqual(await readFile(join(dir, 'network-snapshot-000000.safetensors')), measured)
  const more = await run(outdir, options)
  t.is(more.find((event) => event.type === 'start')!.nimg, 48)
  t.deepEqual(await snapshots(), ['network-snapshot-000000.safetensors'])
})

test('full snapshots that --keep gives up are removed and told', async (t) => {
  const outdir = await folder()
  const options = { kimg: 5.1, tick: 1, batch: 64, lodInitialResolution: 8 } as const
  const events = await run(outdir, { ...options, keep: 2 })
  const { dir } = events.find((event) => event.type === 'start')!
  const kept = (await readdir(dir)).filter((name) => name.endsWith('.safetensors')).sort()
  t.deepEqual(kept, ['network-snapshot-000004.safetensors', 'network-snapshot-000005.safetensors'])
  t.is(notices(events).length, 3)
  t.regex(notices(events)[0]!, /^removed .*network-snapshot-000001\.safetensors; --keep all keeps every snapshot$/)
})

test('a run directory with other options is refused', async (t) => {
  const outdir = await folder()
  await run(outdir, { mixingProb: 0.5, kimg: 0.008 })
  const error = await t.throwsAsync(run(outdir, { mixingProb: 0.9 }))
  t.regex(error.message, /mixingProb 0.5 there, 0.9 here/)
  t.like(error, { code: 'ERR_OTHER_RUN' })
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
