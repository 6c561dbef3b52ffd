/** Configurations A to F and the variants of Table 4: sizes, and what each row changes. */
import test from 'ava'
import { Device, grad, Rng } from '../../ts/native/index.ts'
import { configurations, type ConfigurationName } from '../../ts/networks/configurations.ts'
import { discriminator, discriminatorSpecs } from '../../ts/networks/discriminator.ts'
import { generate, generatorSpecs } from '../../ts/networks/generator.ts'
import { lerp, upscale } from '../../ts/networks/layers.ts'
import { countParams, createNetwork, get, type NetworkOptions, type Params, tracked } from '../../ts/networks/params.ts'
import { difference } from '../support/difference.ts'

const device = Device.open('reference')
const names = Object.keys(configurations) as ConfigurationName[]

const official = (config: ConfigurationName, mappingLayers = configurations[config].mappingLayers): NetworkOptions => ({
  config,
  resolution: 1024,
  numChannels: 3,
  fmapBase: 8192,
  fmapDecay: 1,
  fmapMax: 512,
  latentSize: 512,
  dlatentSize: 512,
  mappingLayers,
  mappingFmaps: 512,
  mappingLrmul: 0.01,
  labelSize: 0,
  mbstdGroup: 4,
  fusedScale: config === 'A' ? true : 'auto',
})
const small = (config: ConfigurationName): NetworkOptions => ({
  ...official(config),
  resolution: 16,
  fmapBase: 32,
  fmapMax: 4,
  latentSize: 6,
  dlatentSize: 6,
  mappingLayers: Math.min(configurations[config].mappingLayers, 2),
  mappingFmaps: 6,
})

// StyleGAN, Table 1 and Table 4 (23.1M and 26.2M there); exactly, as the official networks count them.
for (const [row, options, count] of [
  // A has the layers of B: a dense layer of z, the same convolutions, the same ToRGB.
  ['A', official('A'), 23_079_115],
  ['B', official('B'), 23_079_115],
  ['C', official('C'), 30_400_651],
  ['D', official('D'), 26_214_539],
  ['E', official('E'), 26_219_627],
  ['F', official('F'), 26_219_627],
  ['traditional 8', official('B', 8), 25_180_363],
  ['style-based 0', official('F', 0), 24_118_379],
  ['style-based 1', official('F', 1), 24_381_035],
  ['style-based 2', official('F', 2), 24_643_691],
] as const) {
  test(`the generator of ${row} has ${count} parameters at 1024x1024`, (t) => {
    t.is(countParams(generatorSpecs(options)), count)
    t.is(countParams(discriminatorSpecs(options)), 23_087_249)
  })
}

const z = new Rng(3).normal(device, [3, 6])
const make = (of: NetworkOptions) => createNetwork(device, generatorSpecs(of), new Rng(1))
/** The same values under the names of another configuration. */
const renamed = (params: Params, from: string, to: string): Params =>
  new Map([...params].map(([name, tensor]) => [name.replace(from, to), tensor]))

for (const config of names) {
  test(`${config} draws images of every level of detail, and a fade is the blend of two of them`, async (t) => {
    const options = small(config)
    const { params } = make(options)
    const at = (lod: number) => generate(params, z, { noise: 'const', lod }, options)
    for (const lod of [0, 1, 2]) t.deepEqual([...at(lod).shape], [3, 16 / 2 ** lod, 16 / 2 ** lod, 3])
    // Both sides are f64 sums of the same terms.
    t.true((await difference(at(0.25), lerp(at(0), upscale(at(1), 2), 0.25))) < 1e-12)
  })

  test(`every variable of ${config} has the gradient that central differences give`, async (t) => {
    const options = small(config)
    const G = make(options)
    const D = createNetwork(device, discriminatorSpecs(options), new Rng(2))
    const rng = new Rng(9)
    // Off the initial constants: layer 0 of D to F would normalise a constant, which leaves rounding alone.
    G.flat.assign(G.flat.add(rng.normal(device, G.flat.shape).mul(0.3)))
    const score = (params: Params) =>
      discriminator(D.params, generate(params, z, { noise: 'const', lod: 0.5 }, options), undefined, 0.5, options).sum()
    const { params, inputs } = tracked(G)
    const gradients = grad(score(params), inputs)
    const h = 1e-6
    for (const [i, name] of G.trainable.entries()) {
      const v = rng.normal(device, inputs[i]!.shape)
      const moved = (step: number) => score(new Map([...G.params, [name, get(G.params, name).add(v.mul(step))]])).item()
      const slope = ((await moved(h)) - (await moved(-h))) / (2 * h)
      const found = await gradients[i]!.mul(v).sum().item()
      // A leaky ReLU may change sides within h; rounding is of order 1e-16 / h.
      t.true(Math.abs(found - slope) <= 1e-5 * Math.abs(slope) + 1e-7, `${name}: ${found}, differences ${slope}`)
    }
  })
}

test('A is B without the low-pass filter: equal at 4x4, where nothing is resampled, and different above', async (t) => {
  const [a, b] = [{ ...small('A'), fusedScale: 'auto' as const }, small('B')]
  const B = make(b)
  const A = renamed(B.params, 'G_synthesis/', '')
  const draw = (params: Params, of: NetworkOptions, lod: number) => generate(params, z, { noise: 'none', lod }, of)
  t.is(await difference(draw(A, a, 2), draw(B.params, b, 2)), 0)
  t.true((await difference(draw(A, a, 1), draw(B.params, b, 1))) > 0.01)
  const D = createNetwork(device, discriminatorSpecs(b), new Rng(2)).params
  const image = new Rng(4).normal(device, [4, 16, 16, 3])
  const score = (of: NetworkOptions, lod: number) => discriminator(D, image, undefined, lod, of)
  t.is(await difference(score(a, 2), score(b, 2)), 0)
  t.true((await difference(score(a, 1), score(b, 1))) > 1e-3)
})

test('the first layer of B is z of mean square 1 through a dense layer with a quarter of the usual gain', async (t) => {
  const options = { ...small('B'), resolution: 4 }
  const { params } = make(options)
  // With the 3x3 filter an identity at its centre and ToRGB a selection, the image is the normalised first layer, normalised again.
  const kernel = device.tensor(
    Array.from({ length: 9 * 16 }, (_, i) => (i >= 64 && i < 80 && (i - 64) % 5 === 0 ? Math.sqrt(18) : 0)),
    [3, 3, 4, 4],
  )
  get(params, 'G_synthesis/4x4/Conv/weight').assign(kernel)
  get(params, 'G_synthesis/ToRGB_lod0/weight').assign(
    device.tensor(
      Array.from({ length: 12 }, (_, i) => (i % 3 === Math.floor(i / 3) ? 2 : 0)),
      [1, 1, 4, 3],
    ),
  )
  const found = await generate(params, z, { noise: 'none' }, options).data()
  const latent = Array.from(await z.slice([0, 0], [1, 6]).data())
  const weights = Array.from(await get(params, 'G_synthesis/4x4/Dense/weight').data())
  const length = Math.sqrt(latent.reduce((sum, x) => sum + x * x, 0) / 6 + 1e-8)
  const norm = (x: number[]) => x.map((v) => v / Math.sqrt(x.reduce((sum, u) => sum + u * u, 0) / x.length + 1e-8))
  const lrelu = (x: number[]) => x.map((v) => Math.max(v, 0.2 * v))
  for (let pixel = 0; pixel < 16; pixel++) {
    // Columns are ordered (channel, y, x).
    const maps = [0, 1, 2, 3].map(
      (channel) =>
        (latent.reduce((sum, x, i) => sum + x * weights[i * 64 + channel * 16 + pixel]!, 0) / length) *
        (Math.SQRT2 / 4 / Math.sqrt(6)),
    )
    const expected = norm(lrelu(norm(lrelu(maps)))).slice(0, 3)
    expected.forEach((value, c) => t.true(Math.abs(value - found[pixel * 3 + c]!) < 1e-9, `pixel ${pixel}`))
  }
})

test('C starts from w where D starts from a constant', async (t) => {
  const [c, d] = [small('C'), small('D')]
  const [C, D] = [make(c).params, make(d).params]
  t.true(C.has('G_synthesis/4x4/Dense/weight') && !C.has('G_synthesis/4x4/Const/const'))
  t.true(D.has('G_synthesis/4x4/Const/const') && !D.has('G_synthesis/4x4/Dense/weight'))
})

test('D is E without noise', async (t) => {
  const E = make(small('E')).params
  const draw = (config: ConfigurationName) => generate(E, z, { noise: 'const' }, small(config))
  for (const [name, tensor] of E) {
    if (name.endsWith('Noise/weight')) tensor.assign(device.full(tensor.shape, 0.5))
  }
  t.is(await difference(draw('D'), generate(E, z, { noise: 'none' }, small('E'))), 0)
  t.true((await difference(draw('D'), draw('E'))) > 0.01)
  t.false([...make(small('D')).params.keys()].some((name) => /noise/i.test(name)))
})

test('what the networks of a configuration cannot do is refused by name', (t) => {
  const refuses = (options: Partial<NetworkOptions>, message: RegExp) =>
    t.throws(() => generatorSpecs({ ...small('B'), ...options }), { instanceOf: RangeError, message })
  refuses({ config: 'A', mappingLayers: 8 }, /configuration A has no mapping network, got mappingLayers 8/)
  refuses({ labelSize: 3 }, /configuration B needs mappingLayers above 0 to learn 3 classes/)
  refuses({ dlatentSize: 5 }, /needs equal latentSize and dlatentSize, got 6 and 5/)
  const a = small('A')
  t.throws(() => generate(make(a).params, z, { noise: 'none', truncationPsi: 0.7 }, a), {
    message: /configuration A has no truncation, got psi 0.7/,
  })
})
