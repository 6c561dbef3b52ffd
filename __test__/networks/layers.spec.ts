import test from 'ava'
import { type Algorithm, Device, grad, Rng, scope, type Tensor } from '../../ts/native/index.ts'
import * as layers from '../../ts/networks/layers.ts'
import { equalised } from '../../ts/networks/params.ts'
import { largestDifference } from '../support/oracle.ts'

const reference = Device.open('reference')
const normal = (seed: number, shape: number[], device = reference) => new Rng(seed).normal(device, shape)
const range = (...shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1)
  return reference.tensor(
    Array.from({ length: size }, (_, i) => i),
    shape,
  )
}
/** f64 sums in another order. */
const rounding = 1e-12

async function same(a: Tensor, b: Tensor): Promise<boolean> {
  return a.shape.join() === b.shape.join() && largestDifference(await a.data(), await b.data()) < rounding
}

for (const [H, W] of [
  [4, 4],
  [5, 7],
  [1, 1],
] as const) {
  test(`a ${H}x${W} up-convolution is a nearest upscale and a convolution, borders included`, async (t) => {
    const x = normal(1, [2, H, W, 3])
    const params = new Map([['up/weight', normal(2, [3, 3, 3, 5])]])
    const composed = layers.conv2d(params, 'up', layers.upscale(x, 2))
    t.true(await same(layers.upConv2d(params, 'up', x, false), composed))
    t.false(await same(layers.upConv2d(params, 'up', x, true), composed))
  })

  test(`a fused ${H}x${W} up-convolution is the unfused one with the filter turned by 180°`, async (t) => {
    const x = normal(1, [2, H, W, 3])
    const weight = normal(2, [3, 3, 3, 5])
    const turned = new Map([['up/weight', weight.flip([0, 1])]])
    const fused = layers.upConv2d(new Map([['up/weight', weight]]), 'up', x, true)
    t.true(await same(fused, layers.upConv2d(turned, 'up', x, false)))
  })
}

test('a down-convolution is a convolution and the mean of 2x2 pixels, borders included', async (t) => {
  const x = normal(1, [2, 6, 4, 3])
  const params = new Map([['down/weight', normal(2, [3, 3, 3, 5])]])
  const composed = layers.downscale(layers.conv2d(params, 'down', x), 2)
  t.true(await same(layers.downConv2d(params, 'down', x), composed))
})

test('blurring a constant image loses a quarter at its edges, since zeros lie outside', async (t) => {
  const rows = await layers.blur(reference.full([1, 4, 4, 1], 1)).data()
  t.deepEqual([...rows.slice(0, 8)], [0.5625, 0.75, 0.75, 0.5625, 0.75, 1, 1, 0.75])
})

test('upscaling repeats pixels', async (t) => {
  t.deepEqual([...(await layers.upscale(range(1, 1, 2, 1), 4).data()).slice(0, 8)], [0, 0, 0, 0, 1, 1, 1, 1])
  const x = range(1, 2, 2, 1)
  t.deepEqual([...(await layers.upscale(x, 2).data())], [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3])
})

test('downscaling takes means, and undoes upscaling', async (t) => {
  t.deepEqual([...(await layers.downscale(range(1, 4, 2, 1), 2).data())], [1.5, 5.5])
  const x = normal(1, [2, 2, 4, 3])
  t.true(await same(layers.downscale(layers.upscale(x, 4), 4), x))
})

test('pixel norm brings each vector to a mean square of 1', async (t) => {
  const norms = await layers
    .pixelNorm(normal(1, [3, 64]))
    .square()
    .mean([1])
    .data()
  // ε = 1e-8 inside of the root, and a mean square near 1 before.
  t.true(norms.every((norm) => Math.abs(norm - 1) < 1e-7))
})

test('an epilogue is noise, bias, leaky ReLU, instance norm, style, in this order', async (t) => {
  const [N, H, W, C, L] = [2, 4, 4, 3, 5]
  const params = new Map([
    ['l/Noise/weight', normal(1, [C])],
    ['l/bias', normal(2, [C])],
    ['l/StyleMod/weight', normal(3, [L, 2 * C])],
    ['l/StyleMod/bias', normal(4, [2 * C])],
  ])
  const [x, noise, w] = [normal(5, [N, H, W, C]), normal(6, [N, H, W, 1]), normal(7, [N, L])]
  const activated = x
    .add(noise.mul(params.get('l/Noise/weight')!))
    .add(params.get('l/bias')!)
    .leakyRelu(0.2)
  const centred = activated.sub(activated.mean([1, 2], true))
  const normalised = centred.mul(centred.square().mean([1, 2], true).add(1e-8).rsqrt())
  const style = w.matmul(equalised(params, 'l/StyleMod', 1)).add(params.get('l/StyleMod/bias')!)
  const [scale, bias] = style.reshape([N, 2, 1, 1, C]).unstack(1)
  t.true(
    await same(
      layers.epilogue(
        params,
        'l',
        () => x,
        () => noise,
        w,
      ),
      normalised.mul(scale!.add(1)).add(bias!),
    ),
  )
})

test('without noise an epilogue is one with noise of zeros', async (t) => {
  const params = new Map([
    ['l/Noise/weight', normal(1, [3])],
    ['l/bias', normal(2, [3])],
    ['l/StyleMod/weight', normal(3, [5, 6])],
    ['l/StyleMod/bias', normal(4, [6])],
  ])
  const [x, w] = [normal(5, [2, 4, 4, 3]), normal(7, [2, 5])]
  const silent = layers.epilogue(
    params,
    'l',
    () => x,
    () => undefined,
    w,
  )
  const zeros = reference.zeros([2, 4, 4, 1])
  const noisy = layers.epilogue(
    params,
    'l',
    () => x,
    () => zeros,
    w,
  )
  t.true(await same(silent, noisy))
})

test('images i and i + M share a group of the minibatch deviation', async (t) => {
  // Images 0 and 2 are equal, 1 and 3 differ by 2 in every value.
  const x = reference.tensor([5, -1, 5, 1], [4, 1, 1, 1])
  const channel = layers.withMinibatchStddev(x, 2).slice([0, 0, 0, 1], [4, 1, 1, 1])
  const [equal, different] = [Math.sqrt(1e-8), Math.sqrt(1 + 1e-8)]
  t.deepEqual([...(await channel.data())], [equal, different, equal, different])
})

test('a single image has a minibatch deviation of √ε', async (t) => {
  const y = layers.withMinibatchStddev(normal(1, [1, 2, 2, 3]), 4)
  t.deepEqual([...y.shape], [1, 2, 2, 4])
  t.true(Math.abs((await y.data())[3]! - Math.sqrt(1e-8)) < rounding)
})

test('a minibatch that is no multiple of the group is refused', (t) => {
  t.throws(() => layers.withMinibatchStddev(normal(1, [6, 2, 2, 3]), 4), {
    instanceOf: RangeError,
    message: /multiple of mbstdGroup, 4, got 6/,
  })
})

test('a dense layer with lrmul scales weight and bias alike', async (t) => {
  const x = normal(1, [2, 3])
  const params = new Map([
    ['d/weight', normal(2, [3, 4])],
    ['d/bias', normal(3, [4])],
  ])
  const y = layers.dense(params, 'd', x, { lrmul: 0.01 })
  t.true(await same(y, layers.dense(params, 'd', x).mul(0.01)))
})

// Wide enough for every vectorised path; sums of 9 · 64 products in f32.
for (const algorithm of ['auto', 'im2col', 'shifted', 'direct', 'winograd'] satisfies Algorithm[]) {
  for (const kind of ['conv2d', 'upConv2d', 'downConv2d'] as const) {
    test(`${kind} with 64 and 96 channels on cpu with ${algorithm} agrees with reference, gradients included`, async (t) => {
      const run = (device: Device) =>
        scope(() => {
          // Values that f32 holds exactly, on both devices.
          const draw = (seed: number, shape: number[]) => new Rng(seed).uniform(device, shape).sub(0.5)
          const x = draw(1, [2, 8, 8, 64]).tracked()
          const weight = draw(2, [3, 3, 64, 96]).tracked()
          const params = new Map([['c/weight', weight]])
          const y = kind === 'upConv2d' ? layers.upConv2d(params, 'c', x, false) : layers[kind](params, 'c', x)
          const gradients = grad(y.mul(draw(3, [...y.shape])), [x, weight], { createGraph: true })
          // The second order: how the weight's gradient depends on x.
          return [y, ...gradients, ...grad(gradients[1]!.mul(draw(4, [3, 3, 64, 96])), [x])]
        })
      const [expected, found] = [run(reference), run(Device.open('cpu', { algorithm }))]
      for (const [i, tensor] of expected.entries()) {
        const values = await tensor.data()
        const largest = Math.max(...Array.from(values, Math.abs))
        t.true(largestDifference(await found[i]!.data(), values) / largest < 1e-5, `result ${i}`)
      }
    })
  }
}
