import test from 'ava'
import { discriminatorDistance, lpipsDistance, pixelDistance, sumOf } from '../../ts/metrics/nearness.ts'
import { lpips, lpipsFeatures, type Lpips } from '../../ts/metrics/networks/lpips.ts'
import { vggChannels, vggTrunk } from '../../ts/metrics/networks/vgg.ts'
import { Device, grad, Rng, scope } from '../../ts/native/index.ts'
import { discriminator, discriminatorFeatures, discriminatorSpecs } from '../../ts/networks/discriminator.ts'
import { createNetwork } from '../../ts/networks/params.ts'
import { formulaWeights } from '../support/feature-formula.ts'
import { tinyNetwork } from '../support/tiny.ts'

const device = Device.open('cpu')
const imageOf = (seed: number, side: number, on = device) => new Rng(seed).normal(on, [1, side, side, 3]).mul(0.4)

/** LPIPS with weights of a formula. */
function someLpips(): Lpips {
  const shapes = new Map<string, number[]>()
  let C = 3
  for (const [stage, numbers] of [
    [0, 2],
    [5, 7],
    [10, 12, 14],
    [17, 19, 21],
    [24, 26, 28],
  ].entries()) {
    for (const number of numbers) {
      shapes.set(`features.${number}.weight`, [vggChannels[stage]!, C, 3, 3])
      shapes.set(`features.${number}.bias`, [(C = vggChannels[stage]!)])
    }
  }
  const params = new Map(vggTrunk(device, { weights: formulaWeights(shapes), sha256: '' }, 'formula'))
  vggChannels.forEach((channels, i) => params.set(`lin${i}`, new Rng(i).uniform(device, [channels, 1])))
  return { device, params, sha256: '' }
}

test('squared differences of LPIPS features add up to LPIPS, and the distance to the target is that', async (t) => {
  const net = someLpips()
  const [a, b] = [imageOf(1, 16), imageOf(2, 16)]
  const [bytesA, bytesB] = [a.affine(127.5, 127.5), b.affine(127.5, 127.5)]
  const expected = await lpips(net, bytesA, bytesB).item()
  const sum = await lpipsFeatures(net, bytesA).sub(lpipsFeatures(net, bytesB)).square().sum().item()
  const distance = await lpipsDistance(net, b)(a).item()
  t.true(expected > 0.01)
  // f32 over a few hundred thousand features.
  for (const found of [sum, distance]) t.true(Math.abs(found / expected - 1) < 1e-4, `${found}, ${expected}`)
})

test('LPIPS features of an image in which nothing is active have a finite gradient', async (t) => {
  const net = someLpips()
  const dark = new Map([...net.params].map(([name, x]) => [name, name.endsWith('bias') ? x.mul(0).add(-1e6) : x]))
  const image = imageOf(1, 16).tracked()
  const [gradient] = grad(lpipsDistance({ ...net, params: dark }, imageOf(2, 16))(image), [image])
  t.deepEqual(await gradient!.square().sum().item(), 0)
})

test('the pixel distance is the mean over sizes of mean squared differences', async (t) => {
  const black = device.full([1, 16, 16, 3], -1)
  t.is(await pixelDistance(black)(device.full([1, 16, 16, 3], 1)).item(), 4)
  // A chessboard is gray from the second of three sizes on.
  const board = Array.from({ length: 256 }, (_, i) => ((i + Math.floor(i / 16)) % 2 === 0 ? 1 : -1))
  const image = device.tensor(board, [1, 16, 16, 1])
  t.true(Math.abs((await pixelDistance(device.zeros([1, 16, 16, 1]))(image).item()) - 1 / 3) < 1e-7)
  // The target of a network that has not grown is averaged down.
  t.is(await pixelDistance(image)(device.zeros([1, 8, 8, 1])).item(), 0)
})

test('the features of a discriminator are those of its layers, and only their directions count', async (t) => {
  const reference = Device.open('reference')
  const D = createNetwork(reference, discriminatorSpecs(tinyNetwork), new Rng(1))
  const image = imageOf(1, 8, reference)
  const maps = discriminatorFeatures(D.params, image, 0, tinyNetwork)
  t.deepEqual(
    maps.map(({ shape }) => shape),
    [
      [1, 8, 8, 4],
      [1, 4, 4, 4],
    ],
  )
  const seen: number[][] = []
  const layer = {
    name: 'looks',
    apply: ({ name, x, original }: { name: string; x: typeof image; original: (x: typeof image) => typeof image }) => {
      const y = original(x)
      if (name !== '4x4/Conv') seen.push([...y.shape])
      return y
    },
  }
  discriminator(D.params, image, undefined, 0, { ...tinyNetwork, layer })
  t.deepEqual(
    seen,
    maps.map(({ shape }) => [...shape]),
  )
  const distance = discriminatorDistance(D, tinyNetwork, 0, image)
  t.is(await distance(image).item(), 0)
  const other = await distance(imageOf(2, 8, reference)).item()
  t.true(other > 0.01 && other < 4, String(other))
})

test('gradients of both distances together are those of central differences', async (t) => {
  const reference = Device.open('reference')
  const D = createNetwork(reference, discriminatorSpecs(tinyNetwork), new Rng(1))
  const target = imageOf(1, 8, reference)
  const distance = sumOf([pixelDistance(target), discriminatorDistance(D, tinyNetwork, 0, target)])
  const image = imageOf(2, 8, reference)
  const tracked = image.tracked()
  const [gradient] = grad(distance(tracked), [tracked])
  const direction = new Rng(3).normal(reference, image.shape)
  const at = (by: number) => scope(() => distance(image.add(direction.mul(by)))).item()
  const expected = ((await at(1e-6)) - (await at(-1e-6))) / 2e-6
  const found = await gradient!.mul(direction).sum().item()
  t.true(Math.abs(found / expected - 1) < 1e-6, `${found}, ${expected}`)
})
