/** Runs with augmentation: what they report, that they resume, and when it is on by default. */
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { train, type TrainEvent } from '../../ts/runs/loop.ts'
import { resolveConfig, type ConfigOverrides, type PresetName } from '../../ts/training/config.ts'
import { losses, type LossName } from '../../ts/training/losses.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

async function run(overrides: ConfigOverrides, stopAt = Infinity, preset: PresetName = 'demo'): Promise<TrainEvent[]> {
  const stop = new AbortController()
  const config = resolveConfig(preset, { ...tinyConfig, data: await tinyDataset(), ...overrides })
  const events: TrainEvent[] = []
  for await (const event of train(config, { signal: stop.signal })) {
    if (event.type === 'step' && event.nimg >= stopAt) stop.abort()
    events.push(event)
  }
  return events
}

const ticks = (events: readonly TrainEvent[]) => events.flatMap((event) => (event.type === 'tick' ? [event.stats] : []))

async function lastSnapshot(events: readonly TrainEvent[]) {
  const { tensors, metadata } = await readSafetensors(events.findLast((event) => event.type === 'snapshot')!.path)
  const bits = [...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer).toString('base64')] as const)
  const { augment, nimg } = JSON.parse(metadata['position']!) as { augment?: { p: number }; nimg: number }
  return { bits: new Map(bits), augment, nimg }
}

const ada = { aug: 'ada', p: 0.5, target: 0, augpipe: 'bgcfnc', resolution: 16, lodTransitionKimg: 0.064 } as const

test('an interrupted run with ada, resumed, ends with the bits and the p of an uninterrupted one', async (t) => {
  const [whole, parts] = [await folder(), await folder()]
  const expected = await lastSnapshot(await run({ ...ada, outdir: whole, kimg: 0.16 }))
  // Within a tick, at its end, and within a window of four steps.
  for (const stopAt of [24, 64, 104]) await run({ ...ada, outdir: parts, kimg: 0.16 }, stopAt)
  const found = await lastSnapshot(await run({ ...ada, outdir: parts, kimg: 0.16 }))
  t.deepEqual(found.augment, expected.augment)
  t.not(found.augment!.p, 0.5, 'p has moved')
  t.deepEqual(found.bits, expected.bits)
})

test('p and r_t are in the statistics of augmented runs, and in no others', async (t) => {
  const stats = ticks(await run({ ...ada, outdir: await folder() }))
  t.true(stats.every((tick) => Math.abs(tick['Loss/signs/real']!) <= 1 && tick['Progress/augment']! > 0))
  const [plain] = ticks(await run({ outdir: await folder() }))
  t.false('Loss/signs/real' in plain! || 'Progress/augment' in plain!)
})

for (const loss of Object.keys(losses) as LossName[]) {
  test(`loss ${loss} trains with augmentation to finite values`, async (t) => {
    const stats = ticks(await run({ ...ada, loss, kimg: 0.064, outdir: await folder() }))
    t.true(stats.every((tick) => Object.values(tick).every(Number.isFinite)))
  })
}

for (const numChannels of [1, 4]) {
  test(`images of ${numChannels} channels with classes train with augmentation`, async (t) => {
    const [data, plain] = [await folder(), await tinyDataset()]
    for (const name of ['a', 'b']) await cp(plain, join(data, name), { recursive: true })
    const stats = ticks(await run({ ...ada, data, numChannels, cond: true, kimg: 0.064, outdir: await folder() }))
    t.true(stats.every((tick) => Object.values(tick).every(Number.isFinite)))
  })
}

test('a few images of one’s own are augmented by default, with the reason; the run keeps what it began with', async (t) => {
  const outdir = await folder()
  const begun = await run({ outdir, kimg: 0.064 }, Infinity, 'stylegan')
  const reason = begun.find((event) => event.type === 'notice' && event.line.startsWith('augmentation (ada)'))
  t.truthy(reason)
  const start = begun.find((event) => event.type === 'start')!
  const saved = async () => {
    return JSON.parse(await readFile(join(start.dir, 'training_options.json'), 'utf8')) as Record<string, unknown>
  }
  t.is((await saved())['aug'], 'ada')
  const more = await run({ outdir, kimg: 0.096 }, Infinity, 'stylegan')
  t.is(more.find((event) => event.type === 'start')!.nimg, 64)
  t.is((await saved())['aug'], 'ada')
  await t.throwsAsync(run({ outdir, kimg: 0.128, aug: 'none' }, Infinity, 'stylegan'), {
    message: /aug "ada" there, "none" here/,
  })
})

test('a run that began without augmentation goes on without', async (t) => {
  const outdir = await folder()
  await run({ outdir, kimg: 0.064, aug: 'none' }, Infinity, 'stylegan')
  const more = await run({ outdir, kimg: 0.096 }, Infinity, 'stylegan')
  t.false('Progress/augment' in ticks(more)[0]!)
  t.is((await readdir(outdir)).filter((name) => name.startsWith('stylegan')).length, 1)
})

test('overfitting is told once, when three ticks in a row show it, on the screen and in the log', async (t) => {
  // A generator that stands still, and a discriminator that may learn what it wants.
  const still = { aug: 'fixed', p: 0.01, glr: 1e-9, dlr: 0.01, gamma: 0, mirror: false, kimg: 1.28 } as const
  const events = await run({ ...still, outdir: await folder() })
  const told = events.filter((event) => event.type === 'notice' && event.line.startsWith('D knows'))
  t.is(told.length, 1)
  const { dir } = events.find((event) => event.type === 'start')!
  t.regex(await readFile(join(dir, 'log.txt'), 'utf8'), /^D knows the training images by heart: r_t /m)
  const known = ticks(events).map((tick) => tick['Loss/signs/real']! > 0.9)
  const first = events.filter((event) => event.type === 'tick' || event === told[0]).indexOf(told[0]!)
  t.deepEqual(known.slice(first - 3, first), [true, true, true])
})
