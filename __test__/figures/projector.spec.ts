import test from 'ava'
import {
  createProjector,
  drawProjected,
  likenessOfNeighbours,
  noiseAt,
  project,
  projectionLoss,
  rateAt,
} from '../../ts/figures/projector.ts'
import { pixelDistance } from '../../ts/metrics/nearness.ts'
import { Device, grad, Rng, scope, type Tensor } from '../../ts/native/index.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import { mapping } from '../../ts/networks/mapping.ts'
import { createNetwork, get, type NetworkOptions } from '../../ts/networks/params.ts'
import { synthesis } from '../../ts/networks/synthesis.ts'
import { streams } from '../../ts/data/sampler.ts'
import { tinyNetwork } from '../support/tiny.ts'

/** An untrained network with what training would give it: a constant that is not one number, and some noise. */
function networkOf(name: string, options: NetworkOptions, noise = 0.05) {
  const rng = new Rng(1)
  const Gs = createNetwork(Device.open(name), generatorSpecs(options), rng)
  for (const [name, tensor] of Gs.params) {
    if (name.endsWith('Noise/weight')) scope(() => tensor.assign(Gs.device.full(tensor.shape, noise)))
    if (name.endsWith('Const/const')) scope(() => tensor.assign(rng.normal(Gs.device, tensor.shape)))
  }
  return { Gs, options }
}

const small: NetworkOptions = {
  ...tinyNetwork,
  resolution: 16,
  fmapBase: 128,
  fmapMax: 16,
  latentSize: 16,
  dlatentSize: 16,
}

/** The picture of a seed with the network's own noise. */
function pictureOf({ Gs, options }: ReturnType<typeof networkOf>, seed: number): Tensor {
  return scope(() => {
    const w = mapping(
      Gs.params,
      new Rng(seed, streams.grid).normal(Gs.device, [1, options.latentSize]),
      undefined,
      options,
    )
    return synthesis(
      Gs.params,
      Array.from({ length: 2 * Math.log2(options.resolution) - 2 }, () => w),
      'const',
      0,
      options,
    )
  })
}

const errorOf = async (a: Tensor, b: Tensor): Promise<number> => scope(() => a.sub(b).square().mean()).item()

test('pictures that the network drew come back with at most 1/20 of the error of the mean image', async (t) => {
  const generator = networkOf('cpu', small)
  const ratios: number[] = []
  for (let seed = 0; seed < 10; seed++) {
    const target = pictureOf(generator, seed)
    const distance = pixelDistance(target)
    const projector = await createProjector(generator, { space: 'w', seed: 303 })
    const { params } = projector.variables
    const before = await errorOf(drawProjected(generator, params), target)
    for (let i = 0; i < 300; i++) await project(projector, i, 300, distance)
    ratios.push((await errorOf(drawProjected(generator, params), target)) / before)
  }
  t.log(ratios.map((ratio) => ratio.toFixed(4)).join(' '))
  t.true(ratios.filter((ratio) => ratio <= 1 / 20).length >= 9, ratios.join(' '))
})

for (const space of ['w', 'w+'] as const) {
  test(`gradients towards ${space} and noise are those of central differences`, async (t) => {
    const generator = networkOf('reference', tinyNetwork)
    const { device } = generator.Gs
    const distance = pixelDistance(pictureOf(generator, 5))
    const { variables } = await createProjector(generator, { space, seed: 303 })
    const params = new Map([...variables.params].map(([name, tensor]) => [name, tensor.tracked()]))
    const names = [...params.keys()]
    t.deepEqual(names, ['w', 'noise0', 'noise1', 'noise2', 'noise3'])
    // The noise regularisation is far larger than the distance, so that each is looked at.
    for (const part of ['loss', 'distance'] as const) {
      const valueAt = (at: typeof params) => projectionLoss(generator, at, get(at, 'w'), distance)[part]
      const gradients = grad(valueAt(params), [...params.values()])
      for (const [k, name] of names.entries()) {
        const value = get(params, name).detach()
        const direction = new Rng(k).normal(device, value.shape)
        const epsilon = 1e-6
        const [after, before] = await Promise.all(
          [epsilon, -epsilon].map((by) => valueAt(new Map(params).set(name, value.add(direction.mul(by)))).item()),
        )
        const found = await gradients[k]!.mul(direction).sum().item()
        const expected = (after! - before!) / (2 * epsilon)
        t.not(expected, 0)
        // Values have 1e-16 of themselves as rounding, here over 2e-6.
        const rounding = (Math.abs(before!) * 1e-15) / epsilon
        t.true(
          Math.abs(found - expected) <= 1e-6 * Math.abs(expected) + rounding,
          `${part}, ${name}: ${found}, ${expected}`,
        )
      }
    }
  })
}

test('it starts at the mean of W, and the deviation of W is the root of the mean squared distance to it', async (t) => {
  const generator = networkOf('reference', tinyNetwork)
  const { Gs, options } = generator
  const { variables, deviation } = await createProjector(generator, { space: 'w+', seed: 7 })
  const w = mapping(Gs.params, new Rng(99).normal(Gs.device, [10_000, options.latentSize]), undefined, options)
  const mean = w.mean([0], true)
  const start = get(variables.params, 'w')
  t.deepEqual(start.shape, [4, options.dlatentSize])
  // Means of 10,000 other latents: √2 hundredths of a deviation apart, here three times as much is allowed.
  t.true((await start.sub(mean).square().sum([1]).max().sqrt().item()) < 0.05 * deviation)
  const expected = await w.sub(mean).square().sum([1]).mean().sqrt().item()
  t.true(Math.abs(deviation / expected - 1) < 0.05)
})

test('the learning rate rises in a twentieth and falls in the last quarter; noise ends after three quarters', (t) => {
  t.is(rateAt(0), 0)
  t.is(rateAt(0.025), 0.05)
  for (const between of [0.05, 0.4, 0.75]) t.is(rateAt(between), 0.1)
  t.true(Math.abs(rateAt(0.875) - 0.05) < 1e-15)
  t.is(noiseAt(0), 0.05)
  t.true(Math.abs(noiseAt(0.375) - 0.0125) < 1e-15)
  t.is(noiseAt(0.75), 0)
  t.is(noiseAt(0.9), 0)
})

test('noise that repeats itself is like its neighbours at every size, a chessboard only at its own', async (t) => {
  const device = Device.open('reference')
  const board = Array.from({ length: 256 }, (_, i) => ((i + Math.floor(i / 16)) % 2 === 0 ? 1 : -1))
  // Products with the neighbours are all −1; the mean of 2×2 fields is 0.
  t.is(await likenessOfNeighbours([device.tensor(board, [1, 16, 16, 1])]).item(), 2)
  t.is(await likenessOfNeighbours([device.full([1, 16, 16, 1], 1)]).item(), 4)
  t.is(await likenessOfNeighbours([device.full([1, 4, 4, 1], 1), device.full([1, 8, 8, 1], 2)]).item(), 2 + 32)
})

test('after a step each noise map has mean 0 and variance 1', async (t) => {
  const generator = networkOf('reference', tinyNetwork)
  const projector = await createProjector(generator, { space: 'w', seed: 303 })
  const distance = pixelDistance(pictureOf(generator, 5))
  for (let i = 10; i < 13; i++) await project(projector, i, 20, distance)
  for (const [name, map] of projector.variables.params) {
    if (name === 'w') continue
    t.true(Math.abs(await map.mean().item()) < 1e-12, name)
    t.true(Math.abs((await map.square().mean().item()) - 1) < 1e-12, name)
  }
})

test('networks of C and D, which have no noise, are projected into by w alone', async (t) => {
  const generator = networkOf('cpu', { ...tinyNetwork, config: 'D' })
  const projector = await createProjector(generator, { space: 'w', seed: 303 })
  t.deepEqual([...projector.variables.params.keys()], ['w'])
  t.true(Number.isFinite(await project(projector, 0, 10, pixelDistance(pictureOf(generator, 5)))))
})

test('networks without styles, and conditional ones without a class, are refused', async (t) => {
  const options = { ...tinyNetwork, config: 'B' as const, mappingLayers: 0 }
  await t.throwsAsync(createProjector(networkOf('cpu', options), { space: 'w', seed: 1 }), {
    message: 'project: a network with styles is expected, got configuration B, which has none; use one of C to F',
  })
  const conditional = networkOf('cpu', { ...tinyNetwork, labelSize: 3 })
  await t.throwsAsync(createProjector(conditional, { space: 'w', seed: 1 }), { message: /^class: .*0 to 2/ })
  await t.notThrowsAsync(createProjector(conditional, { space: 'w', seed: 1, classes: [2] }))
})
