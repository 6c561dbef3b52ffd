/** Pictures that are wholly described: mixed styles, noise of some strength, moments of a walk. */
import test from 'ava'
import { ImageGenerator } from '../../ts/figures/generator.ts'
import { drawLook, type Look } from '../../ts/figures/look.ts'
import { frames } from '../../ts/figures/video.ts'
import { Device, Rng, scope } from '../../ts/native/index.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import { createNetwork, frozen, type NetworkOptions } from '../../ts/networks/params.ts'
import { tinyNetwork } from '../support/tiny.ts'

function open(): ImageGenerator {
  const device = Device.open('cpu')
  const options: NetworkOptions = { ...tinyNetwork, config: 'F', resolution: 16, fmapBase: 64 }
  const network = createNetwork(device, generatorSpecs(options), new Rng(1))
  const rng = new Rng(2)
  for (const [name, tensor] of network.params) {
    if (/Noise\/weight|dlatent_avg|noise\d/.test(name)) scope(() => tensor.assign(rng.normal(device, tensor.shape)))
  }
  const Gs = { ...network, params: frozen(network.params) }
  return new ImageGenerator('made', { Gs, options, classes: [], height: options.resolution, nimg: 0 })
}
const G = open()
const pixels = async (look: Look) => (await drawLook(G, look)).pixels

test('a look of a seed alone is its image', async (t) => {
  t.deepEqual(await pixels({ seed: 3 }), (await G.images({ seeds: 3 })).pixels)
  const random = (await G.images({ seeds: 3, noise: 'random', noiseSeeds: 9 })).pixels
  t.deepEqual(await pixels({ seed: 3, noise: 'random', noiseSeed: 9 }), random)
  t.deepEqual(await pixels({ seed: 3, noiseSeed: 9 }), await pixels({ seed: 3 }))
})

test('a look takes styles of other seeds in their layers, truncated as its own', async (t) => {
  const [a, b, c] = await Promise.all([1, 2, 3].map((seeds) => G.mapping({ seeds, psi: 0.5, cutoff: 4 })))
  const mixed = await G.synthesis(a!.mix(b!, [0, 1]).mix(c!, [1, 5]))
  const mix = [
    { seed: 2, layers: [0, 1] },
    { seed: 3, layers: [1, 5] },
  ]
  t.deepEqual(await pixels({ seed: 1, psi: 0.5, cutoff: 4, mix }), mixed.pixels)
})

test('noise of strength 0 is none, of strength 1 all of it, and each layer has its own', async (t) => {
  const none = await pixels({ seed: 1, noise: 'none' })
  for (const noise of ['const', 'random'] as const) {
    const full = await pixels({ seed: 1, noise })
    t.notDeepEqual(full, none)
    t.deepEqual(await pixels({ seed: 1, noise, noiseStrength: 0 }), none)
    t.deepEqual(await pixels({ seed: 1, noise, noiseStrength: 1 }), full)
    // In f32 this is 1; the noise of each layer is drawn apart.
    t.deepEqual(await pixels({ seed: 1, noise, noiseStrength: 1 + 1e-9 }), full)
    const coarse = await pixels({ seed: 1, noise, noiseStrength: [1, 1, 0, 0, 0, 0] })
    t.notDeepEqual(coarse, none)
    t.notDeepEqual(coarse, full)
  }
})

test('strengths for another number of layers are refused', async (t) => {
  const message = 'noiseStrength: one number or 6, one a layer, are expected, got [1, 2]'
  await t.throwsAsync(pixels({ seed: 1, noiseStrength: [1, 2] }), { instanceOf: RangeError, message })
})

test('a walk through Z or W passes its key frames, and goes other ways between them', async (t) => {
  const walk = { seeds: [4, 5, 6], columns: 1, rows: 1, framesPerKey: 2, easing: 'linear', truncationPsi: 0.7 } as const
  const [w, z] = (['w', 'z'] as const).map((space) => frames(G, { ...walk, space, truncationCutoff: 8 }))
  for (const [key, seed] of walk.seeds.entries()) {
    const image = (await G.images({ seeds: seed })).pixels
    t.deepEqual((await w!(key)).pixels, image)
    t.deepEqual((await z!(key)).pixels, image)
  }
  t.notDeepEqual((await z!(0.5)).pixels, (await w!(0.5)).pixels)
})
