import test, { type ExecutionContext } from 'ava'
import { type Algorithm, Device, scope } from '../ts/native.ts'
import { mapping } from '../ts/networks/mapping.ts'
import { copyNetwork } from '../ts/networks/params.ts'
import { createOptimizer, step } from '../ts/optimizer.ts'
import { type Case, cases, compare, expectedAt, latentResults, lodResults, openCase, type Results } from './oracle.ts'

// The expected values are rounded to f32, 6e-8 of the largest value of a tensor; f32 arithmetic sums thousands of products.
const devices = [
  { device: 'reference', tolerance: 1e-7 },
  { device: 'cpu', tolerance: 1e-4 },
] as const

for (const { device, tolerance } of devices) {
  for (const name of cases) {
    test(`${name} on ${device}: latents, truncation, images, scores, losses and all gradients are the expected ones`, async (t) => {
      await checkAll(t, await openCase(name, Device.open(device)), tolerance)
    })

    test(`${name} on ${device}: three steps of Adam and the running average give the expected parameters`, async (t) => {
      const oracle = await openCase(name, Device.open(device))
      for (const network of ['G', 'D'] as const) await checkAdam(t, oracle, network, tolerance)
    })
  }
}

for (const algorithm of ['im2col', 'shifted', 'direct'] satisfies Algorithm[]) {
  test(`gray-fused-16 on cpu with ${algorithm} convolutions gives the same numbers`, async (t) => {
    await checkAll(t, await openCase('gray-fused-16', Device.open('cpu', { algorithm })), 1e-4)
  })
}

async function checkAll(t: ExecutionContext, oracle: Case, tolerance: number): Promise<void> {
  const { G, options, labels, expected, config } = oracle
  const latents = scope(() => latentResults(oracle, (z) => mapping(G.params, z, labels, options)))
  let worst = await compare(t, latents, expected, tolerance)
  for (const lod of config.lods) {
    const results = lodResults(oracle, lod)
    const wanted = expectedAt(oracle, lod)
    t.deepEqual(
      [...wanted.keys()].filter((name) => !results.has(name)),
      [],
      'every expected number is computed',
    )
    worst = Math.max(worst, await compare(t, results, wanted, tolerance))
    results.forEach((tensor) => tensor.dispose())
  }
  t.log(`largest difference: ${worst.toExponential(1)} of a tensor's largest value`)
}

async function checkAdam(t: ExecutionContext, oracle: Case, name: 'G' | 'D', tolerance: number): Promise<void> {
  const { device, expected, config } = oracle
  const network = oracle[name]
  const average = name === 'G' ? copyNetwork(network) : undefined
  const optimizer = createOptimizer(network, average)
  const { lr: rate, grad_factors: factors } = config.adam
  const loss = name === 'G' ? 'lod0/g_nonsat' : 'lod0/d_r1'
  // Given gradients: with β1 = 0 a first step is nearly the sign of the gradient, and would amplify rounding.
  const gradients = (factor: number) =>
    network.trainable.map((key) => {
      const given = expected.get(`${loss}/grad/${key}`)
      return given ? device.tensor(given.values, given.shape).mul(factor) : device.zeros(network.params.get(key)!.shape)
    })
  const under = (
    prefix: string,
    params: ReadonlyMap<string, Results extends Map<string, infer T> ? T : never>,
  ): Results =>
    new Map(network.trainable.flatMap((key) => (expected.has(prefix + key) ? [[prefix + key, params.get(key)!]] : [])))
  for (const [i, factor] of factors.entries()) {
    scope(() => step(optimizer, gradients(factor), { rate, averageBeta: 1 }))
    if (i === 0 || i === 2) {
      const changed = under(`adam${i + 1}/${name}/`, network.params)
      t.true(changed.size > 0)
      await compare(t, changed, expected, tolerance)
    }
  }
  if (average === undefined) return
  // The average takes in the parameters as they are before a step: a fourth step averages those after the third.
  scope(() => step(optimizer, gradients(1), { rate, averageBeta: config.ema_beta }))
  const averaged = under('ema/', average.params)
  t.true(averaged.size > 0)
  await compare(t, averaged, expected, tolerance)
}
