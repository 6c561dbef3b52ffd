import test from 'ava'
import { Device, grad, Rng } from '../../ts/native/index.ts'
import { discriminatorSpecs } from '../../ts/networks/discriminator.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import { mappingSpecs } from '../../ts/networks/mapping.ts'
import {
  copyNetwork,
  countParams,
  createNetwork,
  equalised,
  featureMaps,
  get,
  growth,
  type NetworkOptions,
  tracked,
} from '../../ts/networks/params.ts'
import { synthesisSpecs } from '../../ts/networks/synthesis.ts'

/** Configuration F as published. */
const official = (resolution: number): NetworkOptions => ({
  resolution,
  numChannels: 3,
  fmapBase: 8192,
  fmapDecay: 1,
  fmapMax: 512,
  latentSize: 512,
  dlatentSize: 512,
  mappingLayers: 8,
  mappingFmaps: 512,
  mappingLrmul: 0.01,
  labelSize: 0,
  mbstdGroup: 4,
  fusedScale: 'auto',
})
const small: NetworkOptions = {
  ...official(16),
  fmapMax: 8,
  latentSize: 16,
  dlatentSize: 16,
  mappingFmaps: 16,
  mappingLayers: 2,
}

// The official README (1024² G: 26.2M), and the sizes that follow from the official networks_stylegan.py.
for (const [resolution, G, synthesis, D] of [
  [1024, 26_219_627, 24_118_379, 23_087_249],
  [512, 26_179_768, 24_078_520, 23_080_225],
  [256, 26_086_229, 23_984_981, 23_052_353],
  [128, 25_843_858, 23_742_610, 22_941_313],
  [64, 25_137_935, 23_036_687, 22_498_049],
  [32, 22_841_356, 20_740_108, 20_726_785],
] as const) {
  test(`networks of ${resolution}x${resolution} have the official number of parameters`, (t) => {
    const options = official(resolution)
    t.is(countParams(generatorSpecs(options)), G)
    t.is(countParams(synthesisSpecs(options)), synthesis)
    t.is(countParams(discriminatorSpecs(options)), D)
    t.is(countParams(mappingSpecs(options)), 2_101_248)
  })
}

test('each layer of the 1024x1024 synthesis network has the official number of parameters', (t) => {
  const specs = generatorSpecs(official(1024))
  const under = (name: string) => countParams(specs.filter((spec) => spec.name.startsWith(`G_synthesis/${name}/`)))
  t.is(under('4x4/Const'), 534_528)
  for (const layer of ['4x4/Conv', '8x8/Conv0_up', '8x8/Conv1', '16x16/Conv0_up', '32x32/Conv1'])
    t.is(under(layer), 2_885_632)
  const blocks = [
    [64, 1_442_816, 852_992],
    [128, 426_496, 279_040],
    [256, 139_520, 102_656],
    [512, 51_328, 42_112],
    [1024, 21_056, 18_752],
  ] as const
  for (const [side, up, conv] of blocks) {
    t.is(under(`${side}x${side}/Conv0_up`), up)
    t.is(under(`${side}x${side}/Conv1`), conv)
  }
  const rgb = Array.from({ length: 9 }, (_, lod) => under(`ToRGB_lod${lod}`))
  t.deepEqual(rgb, [51, 99, 195, 387, 771, 1539, 1539, 1539, 1539])
})

test('labels add their embedding, wider first weights and a logit for each class', (t) => {
  const conditional = { ...small, labelSize: 5 }
  t.is(countParams(generatorSpecs(conditional)) - countParams(generatorSpecs(small)), 5 * 16 + 16 * 16)
  t.is(countParams(discriminatorSpecs(conditional)) - countParams(discriminatorSpecs(small)), 4 * (8 + 1))
})

test('feature maps halve with each stage from fmapBase on, and are at most fmapMax', (t) => {
  t.deepEqual(
    Array.from({ length: 10 }, (_, stage) => featureMaps(official(1024), stage)),
    [512, 512, 512, 512, 512, 256, 128, 64, 32, 16],
  )
})

test('a lod says which resolution is on top and how much of the next smaller one shows', (t) => {
  t.deepEqual(growth(0, 1024), { top: 10, fade: 0 })
  t.deepEqual(growth(6.5, 1024), { top: 4, fade: 0.5 })
  t.deepEqual(growth(8, 1024), { top: 2, fade: 0 })
  t.throws(() => growth(8.1, 1024), { instanceOf: RangeError, message: 'lod must be between 0 and 8, got 8.1' })
  t.throws(() => growth(-0.1, 1024), { instanceOf: RangeError })
  t.throws(() => growth(NaN, 1024), { instanceOf: RangeError })
})

test('weights start as N(0, 1), those of the mapping as N(0, 100²), biases and noise strengths as 0, the constant as 1', async (t) => {
  const { params } = createNetwork(Device.open('cpu'), generatorSpecs({ ...official(8), fmapMax: 64 }), new Rng(1))
  const deviation = async (name: string) => {
    const values = Array.from(await get(params, name).data())
    return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)
  }
  // 1 % is ten standard errors or more for these numbers of values.
  t.true(Math.abs((await deviation('G_mapping/Dense0/weight')) / 100 - 1) < 0.02)
  t.true(Math.abs((await deviation('G_synthesis/8x8/Conv1/weight')) - 1) < 0.02)
  t.true(Math.abs((await deviation('G_synthesis/8x8/Conv1/StyleMod/weight')) - 1) < 0.02)
  for (const name of [
    'G_mapping/Dense0/bias',
    'G_synthesis/4x4/Const/Noise/weight',
    'G_synthesis/ToRGB_lod0/bias',
    'lod',
  ]) {
    t.is(await deviation(name), 0, name)
  }
  t.true((await get(params, 'G_synthesis/4x4/Const/const').data()).every((value) => value === 1))
})

test('one seed gives one network', async (t) => {
  const device = Device.open('cpu')
  const flat = async (seed: number) => await createNetwork(device, generatorSpecs(small), new Rng(seed)).flat.data()
  t.deepEqual(await flat(1), await flat(1))
  t.notDeepEqual(await flat(1), await flat(2))
})

test('the trainable parameters are slices of one tensor', async (t) => {
  const network = createNetwork(Device.open('reference'), discriminatorSpecs(small), new Rng(1))
  network.flat.assign(network.device.full(network.flat.shape, 7))
  for (const name of network.trainable)
    t.true(
      (await get(network.params, name).data()).every((value) => value === 7),
      name,
    )
  t.is(await get(network.params, 'lod').item(), 0)
})

test('a copied network has the same values, and keeps them when the first one changes', async (t) => {
  const network = createNetwork(Device.open('reference'), generatorSpecs(small), new Rng(1))
  const before = await network.flat.data()
  const noise = await get(network.params, 'G_synthesis/noise3').data()
  const copy = copyNetwork(network)
  network.flat.assign(network.device.zeros(network.flat.shape))
  t.deepEqual(await copy.flat.data(), before)
  t.deepEqual(await get(copy.params, 'G_synthesis/noise3').data(), noise)
  t.deepEqual(copy.trainable, network.trainable)
})

test('a weight is used at 1/√fan-in times its gain and lrmul, and its gradient is scaled alike', async (t) => {
  const device = Device.open('reference')
  const network = createNetwork(device, discriminatorSpecs(small), new Rng(1))
  const { params, inputs } = tracked(network)
  const used = equalised(params, '8x8/Conv0', Math.SQRT2, 0.5)
  const scale = (Math.SQRT2 / Math.sqrt(9 * 8)) * 0.5
  const raw = await get(params, '8x8/Conv0/weight').data()
  t.true((await used.data()).every((value, i) => Math.abs(value - raw[i]! * scale) < 1e-15))
  const gradient = grad(used, inputs)[network.trainable.indexOf('8x8/Conv0/weight')]!
  t.true((await gradient.data()).every((value) => value === scale))
})

test('a variable that the network does not have is named', (t) => {
  const { params } = createNetwork(Device.open('reference'), discriminatorSpecs(small), new Rng(1))
  t.throws(() => get(params, '32x32/Conv0/weight'), { instanceOf: TypeError, message: /32x32\/Conv0\/weight/ })
})
