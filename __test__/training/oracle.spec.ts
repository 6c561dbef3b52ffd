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
  within,
} from '../support/oracle.ts'

// The expected values are rounded to f32: 6e-8 of a tensor's largest value.
const f64 = 1e-7

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
