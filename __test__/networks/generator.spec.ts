import test from 'ava'
import { Device, grad, Rng, ShapeError, type Tensor } from '../../ts/native/index.ts'
import { generate, generateForTraining, generatorSpecs, truncate } from '../../ts/networks/generator.ts'
import { drawMixing } from '../../ts/networks/mixing.ts'
import { lerp, upscale } from '../../ts/networks/layers.ts'
import { mapping } from '../../ts/networks/mapping.ts'
import {
  createNetwork,
  frozen,
  get,
  type NetworkOptions,
  numLayers,
  type Params,
  tracked,
} from '../../ts/networks/params.ts'
import { synthesis } from '../../ts/networks/synthesis.ts'
import { tinyNetwork } from '../support/tiny.ts'
import { difference } from '../support/difference.ts'

const device = Device.open('reference')
const options: NetworkOptions = { ...tinyNetwork, resolution: 32, fmapBase: 64, fmapMax: 8 }
const layers = numLayers(options.resolution)

/** A network whose noise strengths and mean of w are not 0, so that they matter. */
function network(of = options) {
  const made = createNetwork(device, generatorSpecs(of), new Rng(1))
  const rng = new Rng(2)
  for (const [name, tensor] of made.params) {
    if (name.endsWith('Noise/weight') || name === 'dlatent_avg')
      tensor.assign(rng.normal(device, tensor.shape).mul(0.5))
  }
  return made
}
const { params } = network()
const z = new Rng(3).normal(device, [4, 8])
const z2 = new Rng(4).normal(device, [4, 8])
const w = mapping(params, z, undefined, options)
const w2 = mapping(params, z2, undefined, options)
const every = (style: Tensor) => Array.from({ length: layers }, () => style)

test('truncation psi 0 on all layers, with fixed noise, gives one image for every z', async (t) => {
  const images = generate(params, z, { truncationPsi: 0, noise: 'const' }, options)
  const [first, ...others] = images.unstack(0)
  for (const other of others) t.is(await difference(first!, other), 0)
  t.true((await difference(first!, generate(params, z, { noise: 'const' }, options).unstack(0)[0]!)) > 0.01)
})

test('truncation psi 1 changes nothing', async (t) => {
  const plain = generate(params, z, { noise: 'const' }, options)
  t.is(
    await difference(generate(params, z, { truncationPsi: 1, truncationCutoff: 3, noise: 'const' }, options), plain),
    0,
  )
})

test('truncation moves w towards its mean in the layers below the cutoff alone', async (t) => {
  const average = get(params, 'dlatent_avg')
  const styles = truncate(params, w, { truncationPsi: 0.7, truncationCutoff: 3 }, options)
  const moved = average.add(w.sub(average).mul(0.7))
  for (const [i, style] of styles.entries()) t.true((await difference(style, i < 3 ? moved : w)) < 1e-12, `layer ${i}`)
  t.is(styles.length, layers)
})

test('mixing at the first layer takes every style but the first from the second latent', async (t) => {
  const mixing = { z2, cutoff: 1 }
  const { images } = generateForTraining(params, z, { mixing, noise: 'const', lod: 0, dlatentAvgBeta: 0.995 }, options)
  const expected = synthesis(params, every(w2).with(0, w), 'const', 0, options)
  t.is(await difference(images, expected), 0)
  t.true((await difference(images, synthesis(params, every(w2), 'const', 0, options))) > 0.01)
})

test('mixing happens with its probability, at a layer of the current lod, never before the second', (t) => {
  const draw = (lod: number, probability: number) => {
    const rng = new Rng(5)
    return Array.from({ length: 1000 }, () => drawMixing(z, rng, probability, lod, 32)?.cutoff)
  }
  const cutoffs = (lod: number) => [...new Set(draw(lod, 1))].sort((a, b) => a! - b!)
  t.deepEqual(cutoffs(0), [1, 2, 3, 4, 5, 6, 7])
  // During a fade the layers of the new resolution count.
  t.deepEqual(cutoffs(1.5), [1, 2, 3, 4, 5])
  t.deepEqual(cutoffs(3), [1])
  t.true(draw(0, 0).every((cutoff) => cutoff === undefined))
  const mixed = draw(0, 0.9).filter((cutoff) => cutoff !== undefined).length
  t.true(Math.abs(mixed - 900) < 50, `${mixed} of 1000: five standard deviations are 47`)
})

test('the fade at lod 6.5 is the mean of the 8x8 and 16x16 images', async (t) => {
  const large = { ...options, resolution: 1024, fmapBase: 1024, fmapMax: 4 }
  const grown = network(large)
  const at = (lod: number) => generate(grown.params, z, { noise: 'const', lod }, large)
  t.true((await difference(at(6.5), lerp(at(6), upscale(at(7), 2), 0.5))) < 1e-12)
  t.true((await difference(at(6), upscale(at(7), 2))) > 0.01)
})

for (const [lod, side] of [
  [0, 32],
  [0.4, 32],
  [1, 16],
  [1.9, 16],
  [3, 4],
] as const) {
  test(`at lod ${lod} images have ${side}x${side} pixels, and layers beyond get no gradient`, async (t) => {
    const { params, inputs } = tracked(network())
    const images = generate(params, z, { noise: 'const', lod }, options)
    t.deepEqual([...images.shape], [4, side, side, 3])
    const gradients = grad(images, inputs)
    for (const [i, name] of network().trainable.entries()) {
      const block = /(\d+)x\d+\//.exec(name)
      if (block && Number(block[1]) > side)
        t.true(
          (await gradients[i]!.data()).every((value) => value === 0),
          name,
        )
    }
  })
}

test('a fade begins with the smaller images and ends with the larger ones', async (t) => {
  const at = (lod: number) => generate(params, z, { noise: 'const', lod }, options)
  t.true((await difference(at(1 - 1e-9), upscale(at(1), 2))) < 1e-6)
  t.true((await difference(at(1e-9), at(0))) < 1e-6)
})

test('a training pass moves the mean of w by a little, before mixing, and without history', async (t) => {
  const { params, inputs } = tracked(network())
  const pass = { mixing: { z2, cutoff: 2 }, noise: new Rng(6), lod: 0, dlatentAvgBeta: 0.995 }
  const { dlatentAvg } = generateForTraining(params, z, pass, options)
  const expected = get(params, 'dlatent_avg')
    .mul(0.995)
    .add(w.mean([0]).mul(0.005))
  t.true((await difference(dlatentAvg!, expected)) < 1e-12)
  for (const gradient of grad(dlatentAvg!, inputs)) t.true((await gradient.data()).every((value) => value === 0))
})

test('fresh noise is the same for the same generator state, and differs between images', async (t) => {
  const same = z.slice([0, 0], [1, 8]).broadcastTo([2, 8])
  const render = (seed: number) => generate(params, same, { noise: new Rng(seed) }, options)
  t.is(await difference(render(7), render(7)), 0)
  t.true((await difference(render(7), render(8))) > 0.01)
  const [a, b] = render(7).unstack(0)
  t.true((await difference(a!, b!)) > 0.01)
})

test('the noise buffers are the same for every image', async (t) => {
  const [a, b] = generate(params, z.slice([0, 0], [1, 8]).broadcastTo([2, 8]), { noise: 'const' }, options).unstack(0)
  t.is(await difference(a!, b!), 0)
})

test('no noise is noise of zeros', async (t) => {
  const zeros = Array.from({ length: layers }, (_, i) => {
    const side = 2 ** (Math.floor(i / 2) + 2)
    return device.zeros([1, side, side, 1])
  })
  const silent = generate(params, z, { noise: 'none' }, options)
  t.is(await difference(silent, generate(params, z, { noise: zeros }, options)), 0)
  t.true((await difference(silent, generate(params, z, { noise: 'const' }, options))) > 0.01)
})

test('w depends on the direction of z alone', async (t) => {
  // ε = 1e-8 of the pixel norm makes the difference.
  t.true((await difference(mapping(params, z.mul(10), undefined, options), w)) < 1e-6)
})

test('w depends on the label', async (t) => {
  const conditional = { ...options, labelSize: 2 }
  const { params } = network(conditional)
  const label = (one: number) => device.tensor([1 - one, one], [1, 2]).broadcastTo([4, 2])
  const of = (one: number) => mapping(params, z, label(one), conditional)
  t.true((await difference(of(0), of(1))) > 0.01)
})

test('a conditional network refuses missing labels and labels of another width', (t) => {
  const conditional = { ...options, labelSize: 2 }
  const { params } = network(conditional)
  const message = /labels must be \[4, 2\] for this network, got/
  t.throws(() => generate(params, z, { noise: 'none' }, conditional), { instanceOf: ShapeError, message })
  const labels = device.zeros([4, 3])
  t.throws(() => generate(params, z, { noise: 'none', labels }, conditional), { instanceOf: ShapeError, message })
})

test('a wrong lod, number of styles or number of noise images is refused', (t) => {
  t.throws(() => generate(params, z, { noise: 'none', lod: 3.5 }, options), { instanceOf: RangeError })
  t.throws(() => synthesis(params, [w], 'none', 0, options), { instanceOf: ShapeError, message: /8 dlatents/ })
  t.throws(() => synthesis(params, every(w), [], 0, options), {
    instanceOf: ShapeError,
    message: /layer 0 needs noise/,
  })
})

for (const config of ['A', 'F'] as const) {
  test(`a frozen generator of configuration ${config} draws the same bits, again and again`, async (t) => {
    // Wide enough for Winograd's convolution, whose transformed weights are kept.
    const wide = { ...options, config, fmapBase: 512, fmapMax: 32, ...(config === 'A' && { mappingLayers: 0 }) }
    const cpu = Device.open('cpu')
    const { params } = createNetwork(cpu, generatorSpecs(wide), new Rng(3))
    const latents = new Rng(4).normal(cpu, [2, wide.latentSize])
    const truncationPsi = config === 'A' ? 1 : 0.7
    const draw = async (of: Params) =>
      Array.from(await generate(of, latents, { truncationPsi, noise: 'const' }, wide).data())
    const expected = await draw(params)
    const kept = frozen(params)
    t.deepEqual(await draw(kept), expected)
    t.deepEqual(await draw(kept), expected)
  })
}

test('a frozen generator holds no copies of large weights but those of its upscales, and draws the same', async (t) => {
  const wide = { ...tinyNetwork, resolution: 8, fmapBase: 1024, fmapMax: 128, mappingFmaps: 256 }
  const large = { ...wide, latentSize: 256, dlatentSize: 256, mappingLayers: 4 }
  const own = Device.open('cpu')
  const { params, flat } = createNetwork(own, generatorSpecs(large), new Rng(1))
  const latents = new Rng(3).normal(own, [2, 256])
  const draw = (of: Params) => generate(of, latents, { noise: 'const' }, large)
  const expected = draw(params)
  await own.synchronize()
  const { live } = own.memory()
  const found = draw(frozen(params))
  await own.synchronize()
  const upscale = 4 * 16 * 128 * 128
  t.true(own.memory().live - live < upscale + (4 * flat.size) / 20)
  const largest = Math.max(...(await expected.data()).map(Math.abs))
  t.true((await difference(found, expected)) < 1e-5 * largest)
})

test('drawing holds the feature maps of two layers at a time, not of all', async (t) => {
  const own = Device.open('reference')
  const { params } = createNetwork(own, generatorSpecs(options), new Rng(1))
  const [N, side, C, bytes] = [64, 32, 4, 8]
  await own.synchronize()
  const { live } = own.memory()
  const images = generate(params, new Rng(3).normal(own, [N, 8]), { noise: 'const' }, options)
  await own.synchronize()
  // Half as much is what the first was made of, and blocks may be larger than the requests that they serve.
  t.true(own.memory().peak - live < 3 * N * side * side * C * bytes)
  images.dispose()
})

test('images with large maps are drawn one at a time, and are the same', async (t) => {
  const large = { ...tinyNetwork, resolution: 128, fmapBase: 8192, fmapMax: 128 }
  const peaks: number[] = []
  const drawn = async (freeze: boolean, lod: number) => {
    const own = Device.open('cpu')
    const { params } = createNetwork(own, generatorSpecs(large), new Rng(1))
    for (const [name, tensor] of params) if (name.endsWith('Noise/weight')) tensor.assign(own.full(tensor.shape, 0.5))
    const z = new Rng(3).normal(own, [3, 8])
    const images = generate(freeze ? frozen(params) : params, z, { noise: new Rng(4), lod }, large)
    const values = await images.data()
    peaks.push(own.memory().peak)
    return values
  }
  for (const lod of [0, 0.5]) {
    const [together, singly] = [await drawn(false, lod), await drawn(true, lod)]
    let [worst, largest] = [0, 0]
    for (const [i, x] of together.entries()) {
      worst = Math.max(worst, Math.abs(x - singly[i]!))
      largest = Math.max(largest, Math.abs(x))
    }
    // Rounding, as of a convolution in Winograd's form.
    t.true(worst < 1e-5 * largest, `${worst} of ${largest}`)
    t.true(peaks.pop()! < 0.8 * peaks.pop()!)
  }
})

test('where nothing is recorded, layers as one op draw the images of separate ops', async (t) => {
  const own = Device.open('cpu')
  const plain: NetworkOptions = { ...tinyNetwork, resolution: 64, fmapBase: 1024, fmapMax: 32 }
  const cases: readonly [of: NetworkOptions, lods: readonly number[], noise?: 'none'][] = [
    [plain, [0, 0.3, 1, 2.5, 4]],
    [{ ...plain, fusedScale: true }, [0]],
    [{ ...plain, semantics: { sharpG: true } }, [0]],
    [plain, [0], 'none'],
    [{ ...plain, config: 'D' }, [0, 0.5]],
  ]
  for (const [of, lods, silent] of cases) {
    const { params } = createNetwork(own, generatorSpecs(of), new Rng(1))
    for (const [name, tensor] of params) if (name.endsWith('Noise/weight')) tensor.assign(own.full(tensor.shape, 0.5))
    const w = mapping(params, new Rng(3).normal(own, [2, 8]), undefined, of)
    const styles = (w: Tensor) => Array.from({ length: numLayers(64) }, () => w)
    for (const lod of lods) {
      const drawn = (params: Params, w: Tensor) => synthesis(params, styles(w), silent ?? new Rng(4), lod, of)
      const expected = drawn(params, w.tracked())
      const largest = Math.max(...(await expected.data()).map(Math.abs))
      // What frozen parameters keep for one kind must not serve the other one.
      const [early, late] = [frozen(params), frozen(params)]
      drawn(late, w.tracked())
      const images = [drawn(params, w), drawn(early, w), drawn(early, w.tracked()), drawn(late, w)]
      for (const [i, image] of images.entries()) {
        // Results are scaled in place of weights, and kernels of upscales have other sums.
        const worst = await difference(image, expected)
        t.true(worst < 6e-6 * largest, `lod ${lod}, ${i}: ${worst} of ${largest}`)
      }
    }
  }
})
