import test, { type ExecutionContext } from 'ava'
import { Device, scope } from '../../ts/native/index.ts'
import { copyNetwork, type Params } from '../../ts/networks/params.ts'
import { createOptimizer, step } from '../../ts/training/optimizer.ts'
import {
  type Case,
  cases,
  differences,
  everyAlgorithmAgrees,
  expectedAt,
  f32,
  latents,
  lodResults,
  openCase,
  type Results,
  within,
} from '../support/oracle.ts'

// The expected values are rounded to f32: 6e-8 of a tensor's largest value.
const f64 = 1e-7

const inBf16 = Device.open('cpu').multipliesBf16 ? test : test.skip

for (const name of cases) {
  test(`${name} on reference: latents, truncation, images, scores, losses and all gradients are the expected ones`, async (t) => {
    const oracle = await openCase(name, Device.open('reference'))
    within(t, await differences(t, latents(oracle), oracle.expected), f64)
    for (const lod of oracle.config.lods) {
      const results = lodResults(oracle, lod)
      const expected = expectedAt(oracle, lod)
      t.true([...expected.keys()].every((key) => results.has(key)))
      within(t, await differences(t, results, expected), f64)
    }
  })

  test(`${name} on cpu: every convolution algorithm gives the expected numbers`, async (t) => {
    await everyAlgorithmAgrees(t, name, 'cpu')
  })

  for (const device of ['reference', 'cpu'] as const) {
    test(`${name} on ${device}: three steps of Adam and the running average give the expected parameters`, async (t) => {
      const oracle = await openCase(name, Device.open(device))
      for (const network of ['G', 'D'] as const) await checkAdam(t, oracle, network, device === 'cpu' ? f32 : f64)
    })
  }
}

// A product of bf16 is off by 1.2e-2 of the results' size (crates/cpu-kernels/tests/bf16.rs). Pictures, scores and losses were measured
// at most 3.7e-2 off, and gradients 0.31, because leaky ReLUs near zero take their other slope: a random hundredth of every weight
// changes the gradients of f32 by 0.2 to 0.54.
const [bf16, bf16Gradient] = [5e-2, 0.4]

// Of the others no convolution has so many maps and pixels that it is multiplied in bf16.
for (const name of ['rgb-16', 'rgb-32'] as const) {
  inBf16(`${name} on cpu: products of bf16 give the expected numbers up to their roundings`, async (t) => {
    const oracle = await openCase(name, Device.open('cpu', { algorithm: 'bf16' }))
    const found = [await sizesApart(latents(oracle), oracle.expected)]
    for (const lod of oracle.config.lods) {
      found.push(await sizesApart(lodResults(oracle, lod), expectedAt(oracle, lod)))
    }
    for (const [key, apart] of found.flatMap((sizes) => [...sizes])) {
      t.true(apart < (/\bgrad(_reals)?$/.test(key) ? bf16Gradient : bf16), `${key} is ${apart} of its size off`)
    }
    t.true(found[1]!.get('image')! > 1e-3, 'products were not of bf16')
  })
}

/** The size of the difference to what is expected, of the expected size; all gradients of a loss are one vector. */
async function sizesApart(results: Results, expected: Case['expected']): Promise<Map<string, number>> {
  const sums = new Map<string, [off: number, all: number]>()
  for (const [name, tensor] of results) {
    const wanted = expected.get(name)?.values
    const values = await tensor.data()
    const key = name.replace(/\/grad\/.*/, '/grad')
    const [off, all] = sums.get(key) ?? [0, 0]
    const square = (of: (value: number, i: number) => number) =>
      Array.from(values, of).reduce((sum, value) => sum + value ** 2, 0)
    sums.set(key, [off + square((value, i) => value - (wanted?.[i] ?? 0)), all + square((_, i) => wanted?.[i] ?? 0)])
  }
  return new Map([...sums].map(([key, [off, all]]) => [key, Math.sqrt(off / all)]))
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
  const check = async (prefix: string, params: Params) => {
    const wanted = network.trainable.filter((key) => expected.has(prefix + key))
    t.true(wanted.length > 0)
    const changed = new Map(wanted.map((key) => [prefix + key, params.get(key)!]))
    within(t, await differences(t, changed, expected), tolerance)
  }
  for (const [i, factor] of factors.entries()) {
    scope(() => step(optimizer, gradients(factor), { rate, averageBeta: 1 }))
    if (i !== 1) await check(`adam${i + 1}/${name}/`, network.params)
  }
  if (average === undefined) return
  // The average takes in the parameters as they are before a step: a fourth step averages those after the third.
  scope(() => step(optimizer, gradients(1), { rate, averageBeta: config.ema_beta }))
  await check('ema/', average.params)
}
