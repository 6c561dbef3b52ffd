import test from 'ava'
import { Device, grad, Rng, ShapeError, type Tensor } from '../../ts/native/index.ts'
import { discriminator, discriminatorSpecs } from '../../ts/networks/discriminator.ts'
import { downscale, upscale } from '../../ts/networks/layers.ts'
import { createNetwork, type NetworkOptions, tracked } from '../../ts/networks/params.ts'
import { tinyNetwork } from '../support/tiny.ts'
import { difference } from '../support/difference.ts'

const device = Device.open('reference')
const options: NetworkOptions = { ...tinyNetwork, resolution: 16, fmapBase: 64, fmapMax: 8 }
const network = (of = options) => createNetwork(device, discriminatorSpecs(of), new Rng(1))
const { params } = network()
const images = new Rng(2).normal(device, [8, 16, 16, 3])
const score = (x: Tensor, lod = 0) => discriminator(params, x, undefined, lod, options)

test('images of full size are averaged down to the size of the lod', async (t) => {
  t.deepEqual([...score(images).shape], [8, 1])
  for (const lod of [1, 1.5, 2]) {
    t.true((await difference(score(images, lod), score(downscale(images, 2 ** Math.floor(lod)), lod))) < 1e-12)
  }
})

test('a fade begins with the scores of the smaller images and ends with those of the larger ones', async (t) => {
  t.true((await difference(score(images, 1 - 1e-9), score(downscale(images, 2), 1))) < 1e-6)
  t.true((await difference(score(images, 1e-9), score(images, 0))) < 1e-6)
  t.true((await difference(score(images, 0), score(downscale(images, 2), 1))) > 1e-3)
})

test('at lod 2 the layers of larger images get no gradient', async (t) => {
  const net = network()
  const { params, inputs } = tracked(net)
  const gradients = grad(discriminator(params, downscale(images, 4), undefined, 2, options), inputs)
  for (const [i, name] of net.trainable.entries()) {
    const used = name.startsWith('4x4') || name.startsWith('FromRGB_lod2')
    t.is(
      (await gradients[i]!.data()).some((value) => value !== 0),
      used,
      name,
    )
  }
})

test('a score depends on the other images of its group, and on no others', async (t) => {
  // Groups of 4 of 8 images: even ones, odd ones.
  const scale = device.tensor([1, 1, 3, 1, 1, 1, 1, 1], [8, 1, 1, 1])
  const [before, after] = [await score(images).data(), await score(images.mul(scale)).data()]
  const changed = [...before].map((value, i) => value !== after[i])
  t.deepEqual(changed, [true, false, true, false, true, false, true, false])
})

test('a group of 1 leaves the deviation and its weights out', async (t) => {
  const alone = { ...options, mbstdGroup: 1 }
  const { params } = network(alone)
  t.deepEqual([...params.get('4x4/Conv/weight')!.shape], [3, 3, 8, 8])
  const together = await discriminator(params, images, undefined, 0, alone).data()
  const single = await discriminator(params, images.slice([3, 0, 0, 0], [1, 16, 16, 3]), undefined, 0, alone).data()
  t.true(Math.abs(together[3]! - single[0]!) < 1e-12)
})

test("the score of a labelled image is its own class's logit", async (t) => {
  const conditional = { ...options, labelSize: 3 }
  const { params } = network(conditional)
  const oneHot = (k: number) => device.tensor([0, 0, 0].with(k, 1), [1, 3]).broadcastTo([8, 3])
  const all = [0, 1, 2].map((k) => discriminator(params, images, oneHot(k), 0, conditional))
  const mixed = device.tensor(
    Array.from({ length: 24 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 3)),
    [8, 3],
  )
  const scores = await discriminator(params, images, mixed, 0, conditional).data()
  const logits = await Promise.all(all.map((column) => column.data()))
  t.deepEqual(
    [...scores],
    [...scores].map((_, i) => logits[i % 3]![i]!),
  )
  t.true((await difference(all[0]!, all[1]!)) > 1e-3)
})

test('images of another size, channels, or lod are refused, and so are missing labels', (t) => {
  const message = /images must be \[N, 8, 8, 3\], got/
  t.throws(() => score(device.zeros([4, 4, 4, 3]), 1), { instanceOf: ShapeError, message })
  t.throws(() => score(device.zeros([4, 8, 8, 1]), 1), { instanceOf: ShapeError, message })
  t.throws(() => score(device.zeros([4, 8, 16, 3]), 1), { instanceOf: ShapeError, message })
  t.throws(() => score(images, 3), { instanceOf: RangeError })
  t.throws(() => discriminator(params, upscale(images, 1), undefined, 0, { ...options, labelSize: 2 }), {
    instanceOf: ShapeError,
    message: /labels must be \[8, 2\]/,
  })
})
