/** Fakes that are nearly copies of training images. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { realsToCompare, shareNearer, shareOfCopies } from '../../ts/metrics/copies.ts'
import { Device, Rng } from '../../ts/native/index.ts'
import { train, type TrainEvent } from '../../ts/runs/loop.ts'
import { copying, isOverfitting } from '../../ts/training/ada.ts'
import { resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { createState } from '../../ts/training/state.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

function vectors(count: number, seed: number): Float32Array[] {
  const rng = new Rng(seed)
  return Array.from({ length: count }, () => Float32Array.from({ length: 40 }, () => rng.nextUniform()))
}
const near = (of: Float32Array[], by: number) =>
  of.map((vector) => vector.map((value, i) => value + (i === 0 ? by : 0)))

test('fakes beside training images are copies, others as different as those are none', (t) => {
  const reals = vectors(200, 1)
  t.is(shareNearer(reals, near(reals.slice(0, 64), 0.01), 200), 1)
  t.true(shareNearer(reals, vectors(640, 2), 200) < 0.03)
  t.is(shareNearer(reals, [...near(reals.slice(0, 16), 0.01), ...near(reals.slice(0, 48), 9)], 200), 0.25)
})

test('a fake that copies a mirrored image is one, and an image is no neighbour of itself mirrored', (t) => {
  const [images, mirrored] = [vectors(100, 1), near(vectors(100, 1), 0.001)]
  const views = [...images, ...mirrored]
  t.is(shareNearer(views, near(mirrored, 0.01), 100), 1)
  t.true(shareNearer(views, vectors(640, 2), 100) < 0.05)
})

test('images that are there twice do not hide copies, and make none', (t) => {
  const reals = [...vectors(20, 1), ...vectors(4, 1)]
  t.is(shareNearer(reals, near(reals, 0.001), 24), 1)
  t.is(
    shareNearer(
      vectors(20, 1).map(() => new Float32Array(40)),
      vectors(8, 2),
      20,
    ),
    0,
  )
})

test('few enough images are compared that it takes a hundredth of training, and none where that says too little', (t) => {
  t.is(realsToCompare(20, 4000), 20)
  t.is(realsToCompare(1000, 40_000), 256)
  t.is(realsToCompare(1000, 8200), 256)
  t.is(realsToCompare(200, 3200), 100)
  t.is(realsToCompare(1000, 4000), 0)
  t.is(realsToCompare(20, 64), 0)
  t.is(realsToCompare(1025, 1e6), 0)
  t.is(realsToCompare(10, 1e6), 0)
})

test('networks that have learned nothing do not copy, and asking changes nothing of them', async (t) => {
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir: await folder() })
  const prepare = { data: config.data, cache: config.outdir, resolution: 8, channels: 3, skipBad: false }
  const { levels: reals } = await openDataset(prepare)
  const { Gs, D, options, rng } = createState(Device.open('cpu'), config)
  const [{ offset }, before] = [rng.state, await D.params.get('FromRGB_lod0/weight')!.data()]
  const what = { Gs, D, options, lod: 0, reals, side: 8, mirror: true, seed: 0 }
  const share = await shareOfCopies(what, 20)
  t.true(share < 0.1, String(share))
  t.is(await shareOfCopies(what, 20), share)
  t.is(rng.state.offset, offset)
  t.deepEqual(await D.params.get('FromRGB_lod0/weight')!.data(), before)
})

async function run(overrides: ConfigOverrides, stopAt = Infinity): Promise<TrainEvent[]> {
  const stop = new AbortController()
  const config = resolveConfig('demo', {
    ...tinyConfig,
    data: await tinyDataset(),
    lodTrainingKimg: 0.08,
    ...overrides,
  })
  const events: TrainEvent[] = []
  for await (const event of train(config, { signal: stop.signal })) {
    if (event.type === 'step' && event.nimg >= stopAt) stop.abort()
    events.push(event)
  }
  return events
}

const lengths = { tick: 0.512, kimg: 1.024, lodInitialResolution: 8 } as const

async function weightsOf(events: readonly TrainEvent[]) {
  const { tensors } = await readSafetensors(events.findLast((event) => event.type === 'snapshot')!.path)
  return new Map([...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer).toString('base64')]))
}

test('the share is in the statistics of snapshots, training is the same bit for bit, and resuming tells the same', async (t) => {
  const shares = (events: readonly TrainEvent[]) =>
    events.flatMap((event) => (event.type === 'tick' ? [event.stats['Progress/copies']] : []))
  const outdir = await folder()
  const each = await run({ ...lengths, snap: 1, outdir })
  t.is(shares(each).length, 2)
  t.true(
    shares(each).every((share) => share! >= 0 && share! <= 1),
    shares(each).join(),
  )
  const rare = await run({ ...lengths, snap: 1, tick: 0.128, outdir: await folder() })
  t.deepEqual(new Set(shares(rare)), new Set([undefined]), 'too few images from one to the next')
  t.deepEqual(await weightsOf(rare), await weightsOf(each))

  const parts = await folder()
  await run({ ...lengths, snap: 1, outdir: parts }, 600)
  await run({ ...lengths, snap: 1, outdir: parts })
  const stats = async (dir: string) => {
    const [name] = (await readdir(dir)).filter((one) => one !== 'datasets')
    const lines = (await readFile(join(dir, name!, 'stats.jsonl'), 'utf8')).trim().split('\n')
    return lines.map((line) => (JSON.parse(line) as Record<string, number>)['Progress/copies'])
  }
  t.deepEqual(await stats(parts), await stats(outdir))
})

test('a quarter of copies is told, with what to do that is not done yet', (t) => {
  const config = resolveConfig('demo', { data: 'x' })
  t.is(copying(0.2, config), undefined)
  const line = copying(0.41, { ...config, aug: 'none', mirror: false })!
  t.regex(line, /^G copies training images: 41 % of its pictures .* more images, --aug ada, --mirror, or --resume/)
  t.regex(copying(1, { ...config, aug: 'ada', mirror: true })!, /train with more images, or --resume/)
  t.true(isOverfitting(line))
  t.false(isOverfitting('tick 1'))
})
