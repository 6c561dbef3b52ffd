/** Losses and layers of a program's own, inside `train`. */
import test from 'ava'
import type { Tensor } from '../../ts/native/index.ts'
import { weight, type CustomLayer, type LayerCall } from '../../ts/networks/params.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { train, type TrainEvent, type TrainHooks } from '../../ts/runs/loop.ts'
import { resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { losses, type CustomLoss } from '../../ts/training/losses.ts'
import { stylegan } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

async function run(outdir: string, overrides: ConfigOverrides, hooks: TrainHooks = {}): Promise<TrainEvent[]> {
  const data = await tinyDataset()
  const events: TrainEvent[] = []
  const config = resolveConfig('demo', { ...tinyConfig, data, outdir, kimg: 0.032, ...overrides })
  for await (const event of train(config, hooks)) events.push(event)
  return events
}

const lossesOf = (events: TrainEvent[]) => {
  const { stats } = events.findLast((event) => event.type === 'tick')!
  return Object.fromEntries(Object.entries(stats).filter(([name]) => name.startsWith('Loss/')))
}
const snapshotOf = (events: TrainEvent[]) => events.findLast((event) => event.type === 'snapshot')!.path

/** Least squares (Mao et al. 2017). */
const leastSquares: CustomLoss = {
  name: 'lsgan',
  G: (fakes) => fakes.sub(1).square().mean(),
  D: (critic, reals, fakes) => {
    const [realScores, fakeScores] = [critic(reals), critic(fakes)]
    return { loss: realScores.sub(1).square().add(fakeScores.square()).mean(), realScores, fakeScores }
  },
}

test('a loss of a program trains, goes on, and is named in the options and in the folder of the run', async (t) => {
  const outdir = await folder()
  const events = await run(outdir, {}, { loss: leastSquares })
  t.true(Object.values(lossesOf(events)).every(Number.isFinite))
  const { dir } = events.find((event) => event.type === 'start')!
  t.regex(dir, /-lsgan-seed0$/)
  const more = await run(outdir, { kimg: 0.064 }, { loss: leastSquares })
  t.is(more.find((event) => event.type === 'start')!.nimg, 32)
  // Drawing needs no loss.
  t.is((await (await loadGenerator(dir)).images({ seeds: 1 })).count, 1)
})

test('a loss of a program that gives what an official one gives trains the same bits', async (t) => {
  const own = await run(await folder(), {}, { loss: { ...losses.logistic, name: 'mine' } })
  t.deepEqual(lossesOf(own), lossesOf(await run(await folder(), {})))
})

test('options that name a loss or a layer of a program are refused without it', async (t) => {
  const outdir = await folder()
  const loss = await t.throwsAsync(run(outdir, { loss: 'custom:lsgan' }), { instanceOf: RangeError })
  const found = "the function 'lsgan' of the program that began this run is expected, got none"
  t.is(loss.message, `loss: ${found}; give it to train as hooks.loss`)
  const layer = await t.throwsAsync(run(outdir, { layer: 'squeeze' }), { instanceOf: RangeError })
  t.regex(layer.message, /^layer: the function 'squeeze' of the program .* is expected, got none; give it to train/)
  await t.throwsAsync(run(outdir, {}, { loss: { ...leastSquares, name: 'a/b' } }), { message: /^loss: .*custom:a\/b/ })
})

/** Feature maps are weighted by what their means say (Hu et al. 2018), in both networks at 8×8. */
const squeeze: CustomLayer = {
  name: 'squeeze',
  G: () => [weight('G_synthesis/8x8/Squeeze', [4, 4])],
  D: () => [weight('8x8/Squeeze', [4, 4])],
  apply: ({ name, params, x, original }) => {
    const y = original(x)
    if (!name.endsWith('8x8/Conv1') && !name.endsWith('8x8/Conv0')) return y
    const matrix = params.get(name.replace(/Conv.$/, 'Squeeze/weight'))!
    return y.mul(gates(y, matrix))
  },
}

function gates(y: Tensor, matrix: Tensor): Tensor {
  const [N, , , C] = y.dims4()
  return y.mean([1, 2]).matmul(matrix).sigmoid().reshape([N, 1, 1, C])
}

const small = { fmapMax: 8, fmapBase: 16 } as const

test('a layer with weights of its own trains them, goes on, and draws where it is given', async (t) => {
  const outdir = await folder()
  const events = await run(outdir, small, { layer: squeeze })
  const path = snapshotOf(events)
  t.true(Object.values(lossesOf(events)).every(Number.isFinite))
  const G = await loadGenerator(path, { layer: squeeze })
  const before = await G.Gs.params.get('G_synthesis/8x8/Squeeze/weight')!.data()
  t.is((await G.images({ seeds: '0-1' })).count, 2)
  // 8×8 fades in after 64 images.
  const more = await run(outdir, { ...small, kimg: 0.128 }, { layer: squeeze })
  t.is(more.find((event) => event.type === 'start')!.nimg, 32)
  const after = await loadGenerator(snapshotOf(more), { layer: squeeze })
  t.notDeepEqual(await after.Gs.params.get('G_synthesis/8x8/Squeeze/weight')!.data(), before)
})

test('networks with a layer of a program are refused without it, and with another one', async (t) => {
  const outdir = await folder()
  const path = snapshotOf(await run(outdir, small, { layer: squeeze }))
  const none = await t.throwsAsync(loadGenerator(path), { instanceOf: RangeError })
  t.regex(none.message, /layer: the function 'squeeze' .* is expected, got none; give it .*loadGenerator as layer$/)
  await t.throwsAsync(loadGenerator(path, { layer: { ...squeeze, name: 'other' } }), {
    message: /layer: networks with layer 'other' are expected, got 'squeeze'; leave layer out/,
  })
  await t.throwsAsync(run(await folder(), { ...small, resume: path }), {
    message: /networks with layer none are expected, the snapshot has layer squeeze; give the same options/,
  })
  const { code, err } = await stylegan(['generate', '--network', path, '--seeds', '0', '--outdir', outdir])
  t.is(code, 1)
  t.regex(err, /the function 'squeeze' of the program that trained this network is expected/)
})

test('a layer that only calls the original trains the same bits', async (t) => {
  const own = await run(await folder(), {}, { layer: { name: 'same', apply: ({ x, original }) => original(x) } })
  t.deepEqual(lossesOf(own), lossesOf(await run(await folder(), {})))
})

test('a loss that gives something else than its tensors is named, with what is expected', async (t) => {
  const D = leastSquares.D
  const wrong: readonly (readonly [loss: object, message: RegExp])[] = [
    [
      { G: async () => {} },
      /^loss 'lsgan': a scalar tensor, such as a mean, is expected as what G returns, got Promise; /,
    ],
    [{ G: (scores: Tensor) => scores }, /^loss 'lsgan': a scalar .* what G returns, got \[8, 1\]; /],
    [{ D: async () => ({}) }, /^loss 'lsgan': an object .* is expected from D, got Promise; /],
    [{ D: () => ({}) }, /^loss 'lsgan': a scalar .* is expected as D's loss, got nothing; /],
    [
      { D: (...given: Parameters<typeof D>) => ({ ...D(...given), realScores: D(...given).realScores.mean() }) },
      /^loss 'lsgan': a tensor \[8, 1\], as the critic gives, is expected as D's realScores, got \[\]; /,
    ],
    [
      { G: (scores: Tensor) => scores.detach().mean() },
      /^loss 'lsgan': a loss computed from the scores .* expected from G, got one without a path to G's weights; /,
    ],
    [
      { D: (...given: Parameters<typeof D>) => ({ ...D(...given), loss: given[1].mean() }) },
      /^loss 'lsgan': a loss computed from the critic's scores .* got one without a path to D's weights; /,
    ],
  ]
  for (const [loss, message] of wrong) {
    const given = { ...leastSquares, ...loss }
    await t.throwsAsync(run(await folder(), {}, { loss: given }), { instanceOf: RangeError, message })
  }
})

test('a layer that gives no feature maps, or two parameters of one name, is named', async (t) => {
  const wrong: readonly (readonly [layer: object, message: RegExp])[] = [
    [{ apply: () => {} }, /^layer 'squeeze' at \S+: a tensor \[\d+, H, W, C\] is expected, .* got nothing$/],
    [
      { apply: ({ x, original }: LayerCall) => original(x).mean() },
      /^layer 'squeeze' at \S+: a tensor \[\d+, 4, 4, \d+\] is expected, as original gives, got \[\]$/,
    ],
    [{ G: () => [weight('same', [4]), weight('same', [4])] }, /^parameter 'same\/weight': one of this name .* got two/],
  ]
  for (const [layer, message] of wrong) {
    const given = { ...squeeze, ...layer }
    await t.throwsAsync(run(await folder(), small, { layer: given }), { instanceOf: RangeError, message })
  }
})
