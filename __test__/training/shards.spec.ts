import test, { type ExecutionContext } from 'ava'
import { Device, Rng, scope, type Tensor } from '../../ts/native/index.ts'
import { resolveConfig, scheduleOptions, type ConfigOverrides, type TrainConfig } from '../../ts/training/config.ts'
import { progressAt } from '../../ts/training/schedule.ts'
import { fewestShards, rngOfImage, sharesOf, treeSum, arenaOf, type Share } from '../../ts/training/shards.ts'
import { createState, type TrainingState } from '../../ts/training/state.ts'
import { statNames, trainingStep, trainingStepTogether } from '../../ts/training/step.ts'
import { tinyConfig } from '../support/tiny.ts'

const device = Device.open('cpu')

test('each process has a whole subtree of shards, and the first has no more than others', (t) => {
  t.deepEqual(sharesOf(1, 4), [{ first: 0, count: 4 }])
  const counts = (processes: number, shards: 1 | 2 | 4 | 8) => sharesOf(processes, shards).map(({ count }) => count)
  t.deepEqual(counts(2, 4), [2, 2])
  t.deepEqual(counts(3, 4), [1, 1, 2])
  t.deepEqual(counts(4, 4), [1, 1, 1, 1])
  t.deepEqual(counts(5, 8), [1, 1, 2, 2, 2])
  for (let processes = 1; processes <= 8; processes++) {
    let next = 0
    for (const { first, count } of sharesOf(processes, 8)) {
      t.is(first, next)
      t.is(first % count, 0, 'a subtree begins at a multiple of its size')
      next += count
    }
    t.is(next, 8)
  }
  t.throws(() => sharesOf(3, 2), { message: /at most 2 processes are expected, got 3/ })
})

test('as many shards as processes, or the next power of two, up to eight', (t) => {
  t.deepEqual([1, 2, 3, 4, 5, 8, 9].map(fewestShards), [1, 2, 4, 4, 8, 8, undefined])
})

test('parts are added as a binary tree adds them', async (t) => {
  // In f32, (1 + 2⁻²⁴) + (2⁻²⁴ + 2⁻²⁴) is 1 + 2⁻²³; from left to right it would be 1.
  const tiny = 2 ** -24
  const sum = treeSum([1, tiny, tiny, tiny], (value) => arenaOf([device.scalar(value)]))
  t.is(await sum.tensors[0]!.item(), 1 + 2 ** -23)
})

test('random numbers of a shard belong to its first image', (t) => {
  const draw = (image: number) => rngOfImage(3, image).nextUniform()
  t.is(draw(1000), draw(1000))
  t.is(new Set([0, 1, 8, 1000].map(draw)).size, 4)
  t.not(draw(1), new Rng(3, 1).nextUniform())
})

const configOf = (overrides: ConfigOverrides): TrainConfig =>
  resolveConfig('demo', { ...tinyConfig, data: 'x', batch: 16, mixingProb: 0.5, ...overrides })

const steps = 3
const bytesOf = (step: number) => new Rng(9, step).permutation(16 * 8 * 8 * 3).map((value) => value % 256)
const imagesOf = (step: number, { first, count }: Share, shards: number): Tensor => {
  const size = (16 / shards) * 8 * 8 * 3
  const bytes = Uint8Array.from(bytesOf(step).slice(first * size, (first + count) * size))
  return device.tensor(bytes, [(16 / shards) * count, 8, 8, 3])
}
const labelsOf = (table: Tensor | undefined, { first, count }: Share, shards: number) =>
  table && { table, indices: Array.from({ length: (16 / shards) * count }, (_, i) => (first * (16 / shards) + i) % 3) }

const progressOf = (config: TrainConfig) => progressAt(100, scheduleOptions({ ...config, lodInitialResolution: 8 }))

async function bitsOf({ G, D, Gs, gOptimizer, dOptimizer }: TrainingState, stats: readonly number[][]) {
  const tensors = [G.flat, D.flat, Gs.flat, gOptimizer.v.flat, dOptimizer.v.flat, G.params.get('dlatent_avg')!]
  return { stats, bits: await Promise.all(tensors.map(async (tensor) => [...(await tensor.data())])) }
}

async function alone(config: TrainConfig, classes?: Tensor) {
  const state = createState(device, config)
  const stats: number[][] = []
  for (let step = 0; step < steps; step++) {
    const whole = { first: 0, count: config.gpus }
    const values = scope(() => {
      const labels = labelsOf(classes, whole, config.gpus)
      return trainingStep(state, imagesOf(step, whole, config.gpus), progressOf(config), config, labels)
    })
    stats.push([...(await values.data())])
  }
  checkPosition(state, config)
  return bitsOf(state, stats)
}

const checkPosition = ({ position }: TrainingState, config: TrainConfig) => {
  if (position.nimg !== steps * 16) throw new Error(`${position.nimg} images of ${JSON.stringify(config)}`)
}

/** As many processes as shares in one: their sums are made here. */
async function together(t: ExecutionContext, processes: number, config: TrainConfig, classes?: Tensor) {
  const shares = sharesOf(processes, config.gpus)
  const waiting: { flat: Tensor; done: () => void }[] = []
  const add = (flats: readonly Tensor[], first: number, count: number): Tensor => {
    const own = shares.findIndex((share) => share.first === first && share.count === count)
    if (own >= 0) return flats[own]!
    return add(flats, first, count / 2).add(add(flats, first + count / 2, count / 2))
  }
  const states = shares.map(() => createState(device, config))
  const results = states.map(async (state, rank) => {
    const share = shares[rank]!
    const stats: number[][] = []
    const sum = (flat: Tensor) =>
      new Promise<void>((done) => {
        waiting[rank] = { flat, done }
        if (shares.some((_, i) => waiting[i] === undefined)) return
        const all = waiting.splice(0)
        scope(() => {
          const total = add(
            all.map((one) => one.flat.mul(1)),
            0,
            config.gpus,
          )
          for (const one of all) one.flat.assign(total)
        })
        for (const one of all) one.done()
      })
    for (let step = 0; step < steps; step++) {
      const images = imagesOf(step, share, config.gpus)
      const labels = labelsOf(classes, share, config.gpus)
      const values = await trainingStepTogether({ share, sum }, state, images, progressOf(config), config, labels)
      stats.push([...(await values.data())])
    }
    checkPosition(state, config)
    return bitsOf(state, stats)
  })
  const all = await Promise.all(results)
  for (const one of all) t.deepEqual(one, all[0])
  return all[0]!
}

test('four shards give the same bits from one, two, three and four processes', async (t) => {
  const config = configOf({ gpus: 4, aug: 'fixed', p: 0.5 })
  const expected = await alone(config)
  t.is(expected.stats[0]!.length, statNames(createState(device, config)).length)
  for (const processes of [1, 2, 3, 4]) t.deepEqual(await together(t, processes, config), expected, `${processes}`)
})

test('so do conditional networks with another loss', async (t) => {
  const classes = device.tensor([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3])
  const config = configOf({ gpus: 2, loss: 'wgan-gp', cond: true, labelSize: 3 })
  t.deepEqual(await together(t, 2, config, classes), await alone(config, classes))
})

test('a step whose gradient is not finite in one shard is skipped by all', async (t) => {
  const config = configOf({ gpus: 2 })
  const shares = sharesOf(2, 2)
  const state = createState(device, config)
  const before = [...(await state.D.flat.data())]
  const share = shares[0]!
  let network = 0
  const sum = async (flat: Tensor) => {
    if (network++ === 0) flat.assign(flat.mul(NaN))
  }
  await trainingStepTogether({ share, sum }, state, imagesOf(0, share, 2), progressOf(config), config)
  t.deepEqual([...(await state.D.flat.data())], before)
  t.deepEqual([...(await state.dOptimizer.state.data())], [0, 1])
})

test('shards see other random numbers than an undivided minibatch, and learn about as much', async (t) => {
  const [one, four] = [await alone(configOf({})), await alone(configOf({ gpus: 4 }))]
  t.notDeepEqual(one.bits, four.bits)
  const loss = ({ stats }: typeof one) => stats[0]![0]!
  t.true(Math.abs(loss(one) - loss(four)) < 1)
})
