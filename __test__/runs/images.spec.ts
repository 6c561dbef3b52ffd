/** Training on images that a program has in memory. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { ImageItem, ImageSet } from '../../ts/data/memory.ts'
import { Rng } from '../../ts/native/index.ts'
import { train, type TrainEvent, type TrainHooks } from '../../ts/runs/loop.ts'
import { configFromJson, resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

const rng = new Rng(7)
const count = 20
const array = {
  pixels: Uint8Array.from({ length: count * 8 * 8 * 3 }, () => rng.nextInteger(0, 256)),
  ...{ count, width: 8, height: 8, channels: 3 },
}

async function* stream(): AsyncGenerator<ImageItem> {
  for (let i = 0; i < count; i++) {
    yield await Promise.resolve({ pixels: array.pixels.subarray(i * 192, (i + 1) * 192), width: 8, height: 8 })
  }
}

async function run(
  outdir: string,
  images: ImageSet,
  overrides: ConfigOverrides = {},
  hooks: TrainHooks = {},
  isLast: (event: TrainEvent) => boolean = () => false,
): Promise<TrainEvent[]> {
  const events: TrainEvent[] = []
  const config = resolveConfig('demo', { ...tinyConfig, outdir, ...overrides })
  for await (const event of train(config, { ...hooks, images })) {
    events.push(event)
    if (isLast(event)) break
  }
  return events
}

const startOf = (events: TrainEvent[]) => events.find((event) => event.type === 'start')!
const statsOf = (events: TrainEvent[]) => {
  const { stats } = events.findLast((event) => event.type === 'tick')!
  return Object.fromEntries(Object.entries(stats).filter(([name]) => name.startsWith('Loss/')))
}

test('an array and a stream of the same images are one run, which goes on to the same bits', async (t) => {
  const [whole, parts] = [await folder(), await folder()]
  const expected = statsOf(await run(whole, array))
  await run(parts, stream(), {}, {}, (event) => event.type === 'step' && event.nimg === 40)
  const more = await run(parts, array)
  t.is(startOf(more).nimg, 40)
  t.deepEqual(statsOf(more), expected)
  t.is(startOf(more).count, count)
  // The options of the run name the prepared images, so that the run goes on without the program too.
  const json = await readFile(join(startOf(more).dir, 'training_options.json'), 'utf8')
  const { version: _, ...saved } = JSON.parse(json) as Record<string, unknown>
  for await (const event of train(configFromJson({ ...saved, kimg: 0.128 }))) {
    if (event.type === 'start') t.is(event.nimg, 96)
  }
})

test('other images are another run', async (t) => {
  const outdir = await folder()
  const one = startOf(await run(outdir, array, { kimg: 0.008 }))
  const two = startOf(await run(outdir, { ...array, count: 19, pixels: array.pixels.slice(192) }, { kimg: 0.008 }))
  t.not(one.dir, two.dir)
})

test('labels make a conditional run, and metrics compare with the images', async (t) => {
  const labels = Array.from({ length: count }, (_, i) => ['cat', 'dog'][i % 2]!)
  const options = { cond: true, resolution: 16, metrics: 'swd,ms_ssim', metricsNum: 4 } as const
  const events = await run(await folder(), { ...array, labels }, options)
  const measured = events.filter((event) => event.type === 'metric')
  t.deepEqual(
    measured.flatMap(({ results }) => Object.keys(results ?? {})),
    ['swd', 'swd_16', 'ms_ssim'],
  )
  t.true(Object.values(statsOf(events)).every(Number.isFinite))
})

test('a signal before the start leaves a snapshot of stored images, and nothing of a stream', async (t) => {
  const outdir = await folder()
  const signal = AbortSignal.abort()
  t.deepEqual((await run(outdir, stream(), {}, { signal })).at(-1), { type: 'end', nimg: 0, aborted: true })
  t.deepEqual(await readdir(outdir), ['datasets'])
  const events = await run(outdir, array, {}, { signal })
  t.deepEqual(
    events.map(({ type }) => type),
    ['snapshot', 'end'],
  )
  const more = await run(outdir, array)
  t.regex(startOf(more).snapshot!, /network-snapshot-000000\.safetensors$/)
})

test('a bad image ends the start with its index, before anything of a run is made', async (t) => {
  const outdir = await folder()
  const broken = [join(await tinyDataset(), '0.png'), new Uint8Array(4)]
  await t.throwsAsync(run(outdir, broken), { message: /^images\[1\]: / })
  t.deepEqual(
    (await readdir(outdir)).filter((name) => name !== 'datasets'),
    [],
  )
})

test('images of one colour, which have no sliced Wasserstein distance, do not end training', async (t) => {
  const [side, size] = [16, 16 * 16 * 3]
  const black = { pixels: new Uint8Array(20 * size), count: 20, width: side, height: side, channels: 3 } as const
  const events = await run(await folder(), black, { resolution: side, metrics: 'swd', metricsNum: 20 })
  const warning = events.find((event) => event.type === 'metric')
  t.regex(warning?.line ?? '', /Warning +not measured: sliced Wasserstein distance: channel 0 of the reals is constant/)
  t.is(events.at(-1)!.type, 'end')
})
