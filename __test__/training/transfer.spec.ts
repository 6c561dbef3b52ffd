/** A trained network as the beginning of training on other images. */
import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { SafetensorsFile } from '../../ts/files/safetensors.ts'
import { Device } from '../../ts/native/index.ts'
import { discriminator } from '../../ts/networks/discriminator.ts'
import { generate } from '../../ts/networks/generator.ts'
import { train, type TrainEvent } from '../../ts/runs/loop.ts'
import { findSnapshot } from '../../ts/runs/snapshots.ts'
import { resolveConfig, scheduleOptions, type ConfigOverrides } from '../../ts/training/config.ts'
import { progressAt } from '../../ts/training/schedule.ts'
import { encodeState, loadState, type TrainingState } from '../../ts/training/state.ts'
import { trainingStep } from '../../ts/training/step.ts'
import { startFrom } from '../../ts/training/transfer.ts'
import { writeAtomic } from '../../ts/files/write-atomic.ts'
import { folder as checkpoints } from '../support/checkpoints.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

const cpu = Device.open('cpu')
const small = { ...tinyConfig, resolution: 16, lodInitialResolution: 16 } as const

async function run(overrides: ConfigOverrides): Promise<TrainEvent[]> {
  const events: TrainEvent[] = []
  const given = { ...small, data: await tinyDataset(), outdir: await folder(), ...overrides }
  for await (const event of train(resolveConfig('demo', given))) events.push(event)
  return events
}

const snapshotOf = (events: readonly TrainEvent[]) => events.findLast((event) => event.type === 'snapshot')!.path
const noticesOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'notice' ? [event.line] : [])).join('\n')

let trained: Promise<string> | undefined
/** A network of 16×16 images after 96 images, and other images. */
const teacher = () => (trained ??= run({}).then(snapshotOf))
let others: Promise<string> | undefined
const otherImages = () =>
  (others ??= (async () => {
    const data = join(await folder(), 'others')
    for (const name of ['a', 'b']) await cp(await tinyDataset(), join(data, name), { recursive: true })
    return data
  })())

async function transferred(overrides: ConfigOverrides): Promise<TrainingState> {
  const resume = overrides.resume ?? (await teacher())
  const config = resolveConfig('demo', { ...small, data: await otherImages(), ...overrides, resume })
  return startFrom(await findSnapshot(resume), cpu, config)
}

const saved = (path: string, name: string) => SafetensorsFile.use(path, (file) => file.read(name))
const valuesOf = async (state: TrainingState, group: 'G' | 'D' | 'Gs', name: string) =>
  Array.from(await state[group].params.get(name)!.data())

test('on other images training takes the weights alone: kimg, optimisers and random numbers begin anew', async (t) => {
  const [path, state] = [await teacher(), await transferred({})]
  for (const group of ['G', 'D', 'Gs'] as const) {
    for (const name of state[group].params.keys()) {
      const { values } = await saved(path, `${group}/${name}`)
      t.deepEqual(await valuesOf(state, group, name), [...values], `${group}/${name}`)
    }
  }
  t.deepEqual([state.position.nimg, state.position.step, state.position.tick], [0, 0, 0])
  t.true([...(await state.gOptimizer.v.flat.data())].every((value) => value === 0))
  const events = await run({ data: await otherImages(), resume: path, kimg: 0.032 })
  t.is(events.find((event) => event.type === 'start')!.nimg, 0)
  t.regex(noticesOf(events), /Transfer from .* after 0\.096 kimg: training on these images begins at 0 kimg/)
  t.regex(noticesOf(events), /Taken: the weights of G, Gs, D up to 16x16; new: the optimisers$/m)
})

test('on the same images it goes on, and a run that began as a transfer goes on as every run does', async (t) => {
  const path = await teacher()
  const same = await run({ resume: path, kimg: 0.128 })
  t.is(same.find((event) => event.type === 'start')!.nimg, 96)
  const outdir = await folder()
  const overrides = { data: await otherImages(), outdir, resume: path, freezed: 1 }
  await run({ ...overrides, kimg: 0.064 })
  const more = await run({ ...overrides, kimg: 0.096 })
  t.is(more.find((event) => event.type === 'start')!.nimg, 64)
  const whole = await run({ ...overrides, outdir: await folder() })
  const [a, b] = [snapshotOf(more), snapshotOf(whole)]
  for (const name of ['G/G_mapping/Dense0/weight', 'D/4x4/Dense1/weight', 'D/FromRGB_lod0/weight', 'D_adam/state'])
    t.deepEqual((await saved(a, name)).values, (await saved(b, name)).values, name)
})

test('a larger resolution adds layers that grow in; a smaller one leaves layers out', async (t) => {
  const path = await teacher()
  const larger = await transferred({ resolution: 32, lodTrainingKimg: 0.03, lodTransitionKimg: 0.03 })
  for (const [ours, theirs] of [
    ['G_synthesis/ToRGB_lod1/weight', 'G_synthesis/ToRGB_lod0/weight'],
    ['G_synthesis/16x16/Conv1/weight', 'G_synthesis/16x16/Conv1/weight'],
    ['G_synthesis/noise5', 'G_synthesis/noise5'],
  ] as const) {
    t.deepEqual(await valuesOf(larger, 'Gs', ours), [...(await saved(path, `Gs/${theirs}`)).values], ours)
  }
  t.regex(larger.notes!.join('\n'), /up to 16x16; new: the layers of 32x32, the optimisers/)
  const smaller = await transferred({ resolution: 8, lodInitialResolution: 8 })
  t.deepEqual(await valuesOf(smaller, 'D', 'FromRGB_lod0/weight'), [
    ...(await saved(path, 'D/FromRGB_lod1/weight')).values,
  ])
  t.regex(smaller.notes!.join('\n'), /up to 8x8; new: the optimisers; left out: the layers of 16x16/)
  const events = await run({ data: await otherImages(), resume: path, resolution: 32 })
  t.is(events.at(-1)!.type, 'end')
})

test('classes go in and out without changing what the network draws and how it judges', async (t) => {
  const data = await otherImages()
  const plain = await transferred({})
  const withClasses = await transferred({ cond: true, labelSize: 2 })
  t.regex(withClasses.notes!.join('\n'), /Classes: the network had no classes, and learns 2 classes/)
  // z is normalised together with the embedding of its class: where both are as long, z is what it was alone.
  const embedding = await valuesOf(withClasses, 'Gs', 'G_mapping/LabelConcat/weight')
  const square = (values: readonly number[]) => values.reduce((sum, value) => sum + value * value, 0)
  const rows = [0, 1].map((row) => {
    const direction = Array.from({ length: 8 }, (_, i) => Math.sin(8 * row + i + 1))
    const length = Math.sqrt(square(embedding.slice(8 * row, 8 * row + 8)) / square(direction))
    return direction.map((value) => value * length)
  })
  const z = cpu.tensor(Float32Array.from(rows.flat()), [2, 8])
  const labels = cpu.tensor([1, 0, 0, 1], [2, 2])
  const draw = (state: TrainingState, given?: typeof labels) =>
    generate(state.Gs.params, z, { noise: 'const', labels: given }, state.options)
  const [before, after] = [await draw(plain).data(), await draw(withClasses, labels).data()]
  const most = Math.max(...Array.from(before, (value, i) => Math.abs(value - after[i]!)))
  t.true(most < 1e-4, `${most}`) // f32
  const images = draw(plain)
  const scores = (state: TrainingState, given?: typeof labels) =>
    discriminator(state.D.params, images, given, 0, state.options)
  const [alone, ofClass] = [await scores(plain).data(), await scores(withClasses, labels).data()]
  const apart = Math.max(...Array.from(alone, (score, i) => Math.abs(score / ofClass[i]! - 1)))
  // Products with one column and with one for each class add up in other orders: some roundings of f32.
  t.true(apart < 1e-6, `${apart}`)

  const events = await run({ data, resume: await teacher(), cond: true, kimg: 0.032 })
  const conditional = snapshotOf(events)
  const without = await transferred({ resume: conditional, data: await tinyDataset() })
  t.is(without.options.labelSize, 0)
  const { values } = await saved(conditional, 'D/4x4/Dense1/bias')
  t.deepEqual(await valuesOf(without, 'D', '4x4/Dense1/bias'), [Math.fround((values[0]! + values[1]!) / 2)])
  t.is(without.G.params.has('G_mapping/LabelConcat/weight'), false)
})

test('--freezed keeps the layers of D next to the image, also while a larger resolution grows in', async (t) => {
  const path = await teacher()
  const overrides = { resume: path, freezed: 2, resolution: 32, lodTrainingKimg: 0.03, lodTransitionKimg: 0.03 }
  const events = await run({ ...overrides, data: await otherImages(), kimg: 0.096 })
  t.regex(noticesOf(events), /Frozen: the discriminator's layers of 8x8, 16x16/)
  const after = snapshotOf(events)
  const unchanged = async (ours: string, theirs: string) => {
    const [a, b] = [await saved(after, `D/${ours}`), await saved(path, `D/${theirs}`)]
    return Buffer.compare(Buffer.from(a.values.buffer), Buffer.from(b.values.buffer)) === 0
  }
  for (const part of ['weight', 'bias']) {
    for (const [ours, theirs] of [
      ...['16x16/Conv0', '16x16/Conv1_down', '8x8/Conv0', '8x8/Conv1_down'].map((name) => [name, name] as const),
      ['FromRGB_lod1', 'FromRGB_lod0'] as const,
      ['FromRGB_lod2', 'FromRGB_lod1'] as const,
    ]) {
      t.true(await unchanged(`${ours}/${part}`, `${theirs}/${part}`), `${ours}/${part}`)
    }
    t.false(await unchanged(`4x4/Conv/${part}`, `4x4/Conv/${part}`), part)
  }
})

test('what cannot be frozen or taken is refused before anything is written', async (t) => {
  const [resume, data, outdir] = [await teacher(), await otherImages(), join(await folder(), 'new')]
  await t.throwsAsync(run({ data, outdir, resume, freezed: 3 }), {
    message: /^freezed: at most 2, the resolutions above 4x4 .* trained to 16x16, is expected, got 3; lower it$/,
  })
  await t.throwsAsync(run({ data, outdir, freezed: 1 }), { message: /freezed and resume: .* got 1 and null/ })
  await t.throwsAsync(run({ data, outdir, resume, latentSize: 12, fmapMax: 4 }), {
    message: /with fmapMax 4, latentSize 12.* are expected, the snapshot has fmapMax 8, latentSize 8/,
  })
  await t.throwsAsync(readdir(outdir), { code: 'ENOENT' })
})

test('a generator of another code base without a discriminator is a start for other sizes too', async (t) => {
  const avatars = { resolution: 64, fmapBase: 1024, fmapMax: 64, latentSize: 128, mappingLayers: 4 } as const
  const file = new URL('lernapparat/for-g-all-64/random-64x64.for_g_all.pt', checkpoints).pathname
  await t.throwsAsync(transferred({ resume: 'avatars', freezed: 1, ...avatars }), {
    message:
      /^freezed: a file with a discriminator is expected, got .*avatars.safetensors, which has none; leave it out$/,
  })
  const wide = { fmapBase: 384, fmapMax: 12, latentSize: 20, mappingLayers: 8, batch: 4 } as const
  const state = await transferred({ ...wide, resume: file, resolution: 32, lodInitialResolution: 32 })
  t.regex(state.notes!.join('\n'), /Taken: the weights of G, Gs up to 32x32; new: the discriminator, the optimisers/)
  const config = resolveConfig('demo', { ...small, ...wide, data: 'x', resolution: 32, lodInitialResolution: 32 })
  const reals = cpu.tensor(new Uint8Array(4 * 32 * 32 * 3), [4, 32, 32, 3])
  const stats = trainingStep(state, reals, progressAt(0, scheduleOptions(config)), config)
  t.true([...(await stats.data())].every(Number.isFinite))
  const snapshot = join(await folder(), 'network-snapshot-000000.safetensors')
  await writeAtomic(snapshot, encodeState(state, config))
  const again = await loadState(snapshot, cpu, config)
  t.is(again.options.semantics?.epsilon, 1e-5)
})
