/** Options that follow from hours and a measurement, or from the network of --resume: chosen once, then saved with the run. */
import { cp, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { chooseConfig } from '../../ts/runs/choose.ts'
import { train, type TrainEvent } from '../../ts/runs/loop.ts'
import { formatTime } from '../../ts/files/units.ts'
import { RunDir } from '../../ts/runs/run-dir.ts'
import { checkFiles } from '../../ts/runs/resume.ts'
import { resolveConfig, runName, type ConfigOverrides, type TrainConfig } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

/** A run of seconds. */
const brief = { hours: 0.0005, resolution: 8, fmapBase: 64, fmapMax: 8, batch: 8, metrics: 'none' } as const

async function trained(config: TrainConfig): Promise<TrainEvent[]> {
  const events: TrainEvent[] = []
  for await (const event of train(config)) events.push(event)
  return events
}

const lineOf = (lines: readonly string[], title: string) => lines.find((line) => line.startsWith(title))!

test('hours choose the options once: the same options find the run, go on, and measure nothing', async (t) => {
  const [outdir, data] = [await folder(), await tinyDataset()]
  let measured = 0
  const hooks = { onMeasuring: () => measured++ }
  const first = await chooseConfig({ ...brief, data, outdir }, hooks)
  t.deepEqual(
    first.lines.map((line) => line.split(' ')[0]),
    ['Chosen', 'Length', 'Settings', 'Output'],
  )
  t.like(first.config, { resolution: 8, fmapMax: 8, batch: 8, gamma: 5, metrics: 'none', hours: 0.0005 })
  t.is(measured, 1)
  const events = await trained({ ...first.config, kimg: Math.min(first.config.kimg, 0.2) })
  const again = await chooseConfig({ ...brief, data: `${data}/`, outdir }, hooks)
  t.is(measured, 1)
  // What auto augmentation came to is saved, too.
  t.deepEqual({ ...again.config, kimg: 0, aug: 'auto' }, { ...first.config, kimg: 0 })
  t.regex(again.lines.join(), /^Chosen +when this run began, in .*; nothing is measured again$/)
  const more = await trained(again.config)
  const end = events.at(-1) as { nimg: number }
  t.is(more.find((event) => event.type === 'start')!.nimg, end.nimg)
  const longer = await chooseConfig({ ...brief, data, outdir, kimg: 9, tick: 3 }, hooks)
  t.deepEqual([longer.config.kimg, longer.config.tick, measured], [9, 3, 1])
  t.is(longer.config.chosenFor, first.config.chosenFor)
  // Without its options file the newest snapshot tells them.
  await rm(join(more.find((event) => event.type === 'start')!.dir, 'training_options.json'))
  t.is((await chooseConfig({ ...brief, data, outdir }, hooks)).config.lodTrainingKimg, first.config.lodTrainingKimg)
  await chooseConfig({ ...brief, data, outdir, seed: 1 }, hooks)
  t.is(measured, 2)
})

test('the chosen size is measured at its own resolution, however short the run is', async (t) => {
  const given = { ...brief, resolution: 16, data: await tinyDataset(), outdir: await folder() }
  const { estimate, lines } = await chooseConfig(given)
  t.like(estimate!.costs.at(-1), { resolution: 16 })
  t.true(estimate!.costs.at(-1)!.measuredImages >= 1)
  t.true(lineOf(lines, 'Length').includes(`: ${formatTime(estimate!.totalSeconds)} as measured`))
})

test('other options, or another desc, are not the run that was chosen; who would share its folder is told before measuring', async (t) => {
  const given = { ...brief, data: await tinyDataset(), outdir: await folder() }
  let measured = 0
  const hooks = { onMeasuring: () => measured++ }
  const { config } = await chooseConfig(given, hooks)
  await trained({ ...config, kimg: 0.032 })
  await t.throwsAsync(chooseConfig({ ...given, glr: 0.001 }, hooks), {
    message:
      /: the options that this run began with are expected, got glr not given there, 0.001 here; give the same options, or another desc or outdir for another run$/,
  })
  t.is(measured, 1)
  const other = await chooseConfig({ ...given, glr: 0.001, desc: 'slow' }, hooks)
  t.like(other.config, { glr: 0.001, desc: 'slow' })
  t.is((await chooseConfig({ ...given, desc: 'same' }, hooks)).config.desc, 'same')
  t.is(measured, 3)
})

for (const [title, wrong, message] of [
  ['p without augmentation', { aug: 'none', p: 0.2 }, /^p and aug: /],
  ['a minibatch of no whole groups', { batch: 6 }, /batch: /],
] as const) {
  test(`${title} is refused before anything is measured`, async (t) => {
    const given = { ...brief, ...wrong, data: await tinyDataset(), outdir: await folder() }
    const onMeasuring = () => t.fail()
    await t.throwsAsync(chooseConfig(given, { onMeasuring }), { message })
  })
}

test('an option that is given wins, and the run has no other length than --kimg', async (t) => {
  const given = { ...brief, data: await tinyDataset(), outdir: await folder(), gamma: 3, kimg: 0.5, snap: 2 }
  t.like((await chooseConfig(given)).config, { gamma: 3, kimg: 0.5, snap: 2, resolution: 8 })
})

test('--data alone is planned for 8 hours; with --kimg or --preset the options are the preset’s', async (t) => {
  const [outdir, data] = [await folder(), await tinyDataset()]
  const small = { data, outdir, resolution: 8, fmapBase: 64, fmapMax: 8 } as const
  const { config } = await chooseConfig(small)
  t.is(config.hours, 8)
  t.true(config.kimg > 100)
  t.is((await chooseConfig({ ...small, kimg: 7 })).config.hours, null)
  // A larger --kimg trains on what 8 hours were planned for.
  await RunDir.create(outdir, runName(config), config)
  t.deepEqual((await chooseConfig({ ...small, kimg: 7 })).config, { ...config, kimg: 7 })
  t.is((await chooseConfig({ preset: 'demo', outdir })).config.kimg, 126)
  t.like((await chooseConfig({ preset: 'demo', outdir })).config, resolveConfig('demo', { outdir }))
})

test('hours that are none, beside a preset, or without a choice are refused before anything is written', async (t) => {
  const [outdir, data] = [join(await folder(), 'new'), await tinyDataset()]
  await t.throwsAsync(chooseConfig({ data, outdir, hours: 0 }), {
    message: /^hours: a number above 0.* is expected, got 0/,
  })
  await t.throwsAsync(chooseConfig({ preset: 'demo', outdir, hours: 1 }), {
    message: /hours and preset: one of them is expected/,
  })
  await t.throwsAsync(chooseConfig({ hours: 1 }), { message: /^data: / })
  await t.throwsAsync(chooseConfig({ data: 'no-such', hours: 1 }), {
    message: /no-such: a folder of images is expected/,
  })
  await t.throwsAsync(checkFiles(resolveConfig('stylegan', { data, hours: 1 })), { message: /chooseConfig$/ })
  await t.throwsAsync(readdir(outdir), { code: 'ENOENT' })
})

test('--resume gives the networks of its file; those given that contradict are named', async (t) => {
  const [outdir, data] = [await folder(), await tinyDataset()]
  const other = join(await folder(), 'other')
  await mkdir(other)
  await cp(data, other, { recursive: true })
  await trained(resolveConfig('demo', { ...tinyConfig, data, outdir, lodInitialResolution: 8 }))
  const base: ConfigOverrides = { data: other, outdir: await folder(), resume: outdir, metrics: 'none' }
  const { config, lines } = await chooseConfig({ ...base, hours: 0.0005 })
  const { fmapBase, fmapMax, latentSize, mappingLayers } = tinyConfig
  t.like(config, { fmapBase, fmapMax, latentSize, mappingLayers, resolution: 8, lodInitialResolution: 8 })
  const onMeasuring = () => t.fail()
  await t.throwsAsync(chooseConfig({ ...base, hours: 0.0005, fmapMax: 4 }, { onMeasuring }), {
    message: /with fmapMax 4 are expected, the snapshot has fmapMax 8; give the same options, or leave them out/,
  })
  t.regex(lineOf(lines, 'Chosen'), /8x8 images with 8 feature maps.*: the size of the given network/)
  const events = await trained({ ...config, kimg: 0.064 })
  t.is(events.find((event) => event.type === 'start')!.nimg, 0)
  // The file may be gone: the run knows what it began with.
  await rm(outdir, { recursive: true })
  t.is((await chooseConfig({ ...base, hours: 0.0005 })).config.lodTrainingKimg, config.lodTrainingKimg)

  const resume = events.findLast((event) => event.type === 'snapshot')!.path
  const wrong = await chooseConfig({ ...base, resume, latentSize: 12, fmapMax: 4, kimg: 1, outdir: await folder() })
  await t.throwsAsync(checkFiles(wrong.config), {
    message: /with fmapMax 4, latentSize 12.* are expected, the snapshot has fmapMax 8, latentSize 8/,
  })
})

test('on the same images --resume takes all options of the snapshot, and goes on at its length', async (t) => {
  const [outdir, data] = [await folder(), await tinyDataset()]
  await trained(resolveConfig('demo', { ...tinyConfig, data, outdir, gamma: 4 }))
  const { config } = await chooseConfig({ data, outdir, resume: outdir, desc: 'more', kimg: 0.128 })
  t.like(config, { gamma: 4, batch: 8, lodTrainingKimg: tinyConfig.lodTrainingKimg, kimg: 0.128, hours: null })
  const events = await trained({ ...config, metrics: 'none' })
  t.is(events.find((event) => event.type === 'start')!.nimg, 96)
  const reached = await chooseConfig({ data, outdir, resume: outdir, desc: 'again' })
  await t.throwsAsync(checkFiles({ ...reached.config, kimg: 0.05 }), {
    message: /kimg above 0.128, which this snapshot has/,
  })
  await t.throwsAsync(chooseConfig({ data, outdir, resume: outdir, hours: 1, desc: 'hours' }), {
    message: /^hours and resume: /,
  })
})

for (const count of [1, 7, 8]) {
  test(`${count} images train, ${count < 8 ? 'and what to expect is told' : 'and nothing is told'}`, async (t) => {
    const data = await folder()
    for (let i = 0; i < count; i++) await cp(join(await tinyDataset(), `${i}.png`), join(data, `${i}.png`))
    const events = await trained(resolveConfig('demo', { ...tinyConfig, data, outdir: await folder(), kimg: 0.032 }))
    const told = events.flatMap((event) => (event.type === 'notice' ? [event.line] : []))
    t.is(
      told.some((line) => line.includes('expect copies of')),
      count < 8,
    )
    t.is(events.at(-1)!.type, 'end')
  })
}
