import test from 'ava'
import { Device, Rng, scope, type Tensor } from '../../ts/native/index.ts'
import { discriminatorSpecs } from '../../ts/networks/discriminator.ts'
import { copyNetwork, createNetwork, get, type Network, type NetworkOptions } from '../../ts/networks/params.ts'
import { createOptimizer, optimizerTensors, reset, scalingOf, step } from '../../ts/training/optimizer.ts'
import { tinyNetwork } from '../support/tiny.ts'

const device = Device.open('reference')
const options: NetworkOptions = tinyNetwork
const create = () => createNetwork(device, discriminatorSpecs(options), new Rng(1))
const gradientsOf = ({ params, trainable }: Network, seed: number): Tensor[] => {
  const rng = new Rng(seed)
  return trainable.map((name) => rng.normal(device, get(params, name).shape))
}
const copyOf = async (x: Tensor) => [...(await x.data())]

test('the first step moves each parameter by nearly the learning rate, against its gradient', async (t) => {
  const network = create()
  const before = await Promise.all(network.trainable.map((name) => copyOf(get(network.params, name))))
  const gradients = gradientsOf(network, 2)
  step(createOptimizer(network), gradients, { rate: 0.01 })
  for (const [i, name] of network.trainable.entries()) {
    const [after, g] = [await copyOf(get(network.params, name)), await copyOf(gradients[i]!)]
    // β1 = 0: m = g, v = 0.01 g², and the rate is corrected by √0.01.
    const expected = g.map((value, k) => before[i]![k]! - (0.01 * 0.1 * value) / (Math.sqrt(0.01 * value ** 2) + 1e-8))
    t.true(
      after.every((value, k) => Math.abs(value - expected[k]!) < 1e-12),
      name,
    )
  }
})

test('variables that are not trained stay as they are', async (t) => {
  const network = create()
  get(network.params, 'lod').assign(device.scalar(3))
  step(createOptimizer(network), gradientsOf(network, 2), { rate: 0.01 })
  t.is(await get(network.params, 'lod').item(), 3)
})

test('a step with a gradient that is not finite is not taken but counted, and the average averages all the same', async (t) => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    const network = create()
    const average = copyNetwork(network)
    const optimizer = createOptimizer(network, average)
    step(optimizer, gradientsOf(network, 2), { rate: 0.01, averageBeta: 0.5 })
    const before = [await copyOf(network.flat), await copyOf(optimizer.m.flat), await copyOf(optimizer.v.flat)]
    const averaged = await copyOf(average.flat)
    const gradients = gradientsOf(network, 3)
    gradients[5] = gradients[5]!.add(bad)
    step(optimizer, gradients, { rate: 0.01, averageBeta: 0.5 })
    t.deepEqual([await copyOf(network.flat), await copyOf(optimizer.m.flat), await copyOf(optimizer.v.flat)], before)
    t.deepEqual(await copyOf(optimizer.state), [1, 1])
    // The official loop runs the averaging with the discriminator's step, before it knows the generator's gradients.
    const expected = averaged.map((value, i) => (value + before[0]![i]!) / 2)
    t.true((await copyOf(average.flat)).every((value, i) => Math.abs(value - expected[i]!) < 1e-12))
    t.notDeepEqual(averaged, before[0])
  }
})

test('the average takes in the parameters as they were before the step', async (t) => {
  const network = create()
  const average = copyNetwork(network)
  const optimizer = createOptimizer(network, average)
  const first = await copyOf(network.flat)
  step(optimizer, gradientsOf(network, 2), { rate: 0.01, averageBeta: 0.75 })
  t.deepEqual(await copyOf(average.flat), first)
  const second = await copyOf(network.flat)
  step(optimizer, gradientsOf(network, 3), { rate: 0.01, averageBeta: 0.75 })
  const averaged = await copyOf(average.flat)
  t.true(averaged.every((value, i) => Math.abs(value - (0.75 * first[i]! + 0.25 * second[i]!)) < 1e-12))
  t.notDeepEqual(averaged, first)
})

test('after a reset a step is a first step again, and the count of skipped ones stays', async (t) => {
  const network = create()
  const optimizer = createOptimizer(network)
  const fresh = create()
  step(optimizer, gradientsOf(network, 2), { rate: 0.01 })
  step(optimizer, gradientsOf(network, 2).with(0, get(network.params, network.trainable[0]!).mul(NaN)), { rate: 0.01 })
  reset(optimizer)
  t.deepEqual(await copyOf(optimizer.state), [0, 1])
  fresh.flat.assign(network.flat)
  step(optimizer, gradientsOf(network, 3), { rate: 0.01 })
  step(createOptimizer(fresh), gradientsOf(network, 3), { rate: 0.01 })
  t.deepEqual(await copyOf(network.flat), await copyOf(fresh.flat))
})

test('restored tensors continue bit for bit', async (t) => {
  const network = create()
  const optimizer = createOptimizer(network)
  step(optimizer, gradientsOf(network, 2), { rate: 0.01 })
  const resumed = copyNetwork(network)
  const restored = createOptimizer(resumed)
  const saved = optimizerTensors(optimizer)
  for (const [name, tensor] of optimizerTensors(restored)) tensor.assign(get(saved, name))
  for (const [of, to] of [
    [optimizer, network],
    [restored, resumed],
  ] as const) {
    step(of, gradientsOf(to, 3), { rate: 0.01 })
  }
  t.deepEqual(await copyOf(resumed.flat), await copyOf(network.flat))
  t.deepEqual(
    [...saved.keys()].sort(),
    ['state', ...network.trainable.flatMap((name) => [`m/${name}`, `v/${name}`])].sort(),
  )
})

test('a wrong number of gradients is refused before anything changes', async (t) => {
  const network = create()
  const before = await copyOf(network.flat)
  const few = gradientsOf(network, 2).slice(1)
  t.throws(() => step(createOptimizer(network), few, { rate: 0.01 }), {
    instanceOf: RangeError,
    message: /gradients are expected, got/,
  })
  t.deepEqual(await copyOf(network.flat), before)
})

test('steady steps on the cpu take no new memory from the system', async (t) => {
  const cpu = Device.open('cpu')
  const network = createNetwork(cpu, discriminatorSpecs(options), new Rng(1))
  const optimizer = createOptimizer(network)
  const once = async () => {
    scope(() => {
      const gradients = network.trainable.map((name) => new Rng(2).normal(cpu, get(network.params, name).shape))
      step(optimizer, gradients, { rate: 0.01 })
    })
    await cpu.synchronize()
  }
  for (let i = 0; i < 3; i++) await once()
  const { allocations } = cpu.memory()
  for (let i = 0; i < 5; i++) await once()
  t.is(cpu.memory().allocations, allocations)
})

test('loss scaling takes the same steps as none, rises with each and falls by half where a gradient overflows', async (t) => {
  const [plain, scaled] = [createOptimizer(create()), createOptimizer(create(), undefined, { scalesLoss: true })]
  t.is(await scaled.lossScale!.item(), 16)
  const expected = [16.0005, 16.001, 15.001, 15.0015]
  for (const [i, scale] of expected.entries()) {
    const gradients = gradientsOf(plain.network, i)
    const overflows = i === 2
    if (!overflows) step(plain, gradients, { rate: 0.01 })
    const brought = gradients.map((gradient) => scalingOf(scaled).up(gradient))
    if (overflows) brought[3] = brought[3]!.add(Infinity)
    step(scaled, brought, { rate: 0.01 })
    t.true(Math.abs((await scaled.lossScale!.item()) - scale) < 1e-9)
  }
  const [a, b] = [await copyOf(plain.network.flat), await copyOf(scaled.network.flat)]
  t.true(a.every((value, i) => Math.abs(value - b[i]!) < 1e-9))
  t.deepEqual(
    [await copyOf(plain.state), await copyOf(scaled.state)],
    [
      [3, 0],
      [3, 1],
    ],
  )
  t.deepEqual([...optimizerTensors(scaled).keys()].at(-1), 'loss_scale')
  t.false(optimizerTensors(plain).has('loss_scale'))
})
