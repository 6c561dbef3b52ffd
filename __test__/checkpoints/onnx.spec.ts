/** Generators as ONNX: another program draws the same picture. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isCheckpoint, openCheckpoint } from '../../ts/checkpoints/index.ts'
import { onnxGenerator } from '../../ts/checkpoints/onnx.ts'
import { toBytes } from '../../ts/data/pixels.ts'
import { Device, Rng, scope, type Tensor } from '../../ts/native/index.ts'
import { draw, generate, generatorSpecs, type Sampling } from '../../ts/networks/generator.ts'
import { upscale } from '../../ts/networks/layers.ts'
import { createNetwork, numLayers, type NetworkOptions } from '../../ts/networks/params.ts'
import { folder } from '../support/checkpoints.ts'
import {
  bytesOfModel,
  differenceOf,
  drawOnnx,
  importedGenerator,
  plainChoices,
  type Drawn,
  type Generator,
} from '../support/onnx.ts'
import { tinyNetwork } from '../support/tiny.ts'

const cpu = Device.open('cpu')
const normal = (seed: number, shape: readonly number[]) => new Rng(seed).normal(cpu, [...shape])

/** As if trained: what starts as 0 or 1 has other values, and no layer normalises a constant. */
function trained(more: Partial<NetworkOptions>, lod = 0): Generator {
  const options: NetworkOptions = { ...tinyNetwork, resolution: 16, fmapBase: 32, fmapMax: 8, ...more }
  const Gs = createNetwork(cpu, generatorSpecs(options), new Rng(3))
  let seed = 10
  for (const [name, value] of Gs.params) {
    if (/(bias|const|avg|Noise\/weight)$/.test(name)) scope(() => value.assign(normal(seed++, value.shape).mul(0.3)))
  }
  return { Gs, options, lod }
}

const ours = ({ Gs, options, lod }: Generator, z: Tensor, sampling: Sampling): Tensor =>
  scope(() => {
    const images = generate(Gs.params, z, { lod, ...sampling }, options)
    return upscale(images, options.resolution / images.dims4()[1])
  })

async function same(t: ExecutionContext, drawn: Drawn, expected: Tensor): Promise<void> {
  const most = expected.dtype === 'u8' ? 1 : 1e-4
  const difference = await differenceOf(drawn, expected)
  t.true(difference <= most, `differs by ${difference}`)
  t.log(`differs by ${difference.toExponential(1)}`)
}

for (const config of ['A', 'B', 'C', 'D', 'E', 'F'] as const) {
  test(`configuration ${config} draws the same images from its graph, truncated where it can be`, async (t) => {
    const generator = trained({ config, ...(config === 'A' ? { mappingLayers: 0 } : {}) })
    const z = normal(1, [2, 8])
    const psi = config === 'A' ? 1 : 0.6
    const expected = ours(generator, z, { noise: 'const', truncationPsi: psi, truncationCutoff: 3 })
    await same(t, await drawOnnx(generator, { psi, cutoff: 3 }, { z }), expected)
  })
}

const imported = [
  ...['genforce/labels16/network.pth', 'huangzh13/linear32/GAN_GEN_SHADOW_3_7.pth'],
  ...['lernapparat/for-g-all-64/random-64x64.for_g_all.pt', 'rosinality/train-step/010000.model'],
  ...['rosinality/no-activate/train_step-4.model', 'siskonemilia/trained/trained.pth', 'nvlabs/config-b16/network.pkl'],
  ...['nvlabs/config-d16/network.pkl', 'nvlabs/fading32/network.pkl', 'nvlabs/fused16/network.pkl'],
  ...['nvlabs/labels16/network.pkl', 'nvlabs/progan-v2/network.pkl', 'nvlabs/serialisations/p4.pkl'],
]
for (const file of imported) {
  test(`${file} draws the same images from its graph, with what it has of its own`, async (t) => {
    const generator = await importedGenerator(new URL(file, folder).pathname, cpu)
    const { latentSize, labelSize, config, resolution } = generator.options
    // One of 1024², where sums over all pixels are long, is enough.
    const N = resolution > 256 ? 1 : 2
    const z = normal(1, [N, latentSize])
    const one = Array.from({ length: N * labelSize }, (_, i) => (i === 1 || i === labelSize ? 1 : 0))
    const labels = labelSize > 0 ? cpu.tensor(one, [N, labelSize]) : undefined
    const psi = config === 'A' ? 1 : 0.7
    const expected = ours(generator, z, { labels, noise: 'const', truncationPsi: psi })
    await same(t, await drawOnnx(generator, { psi, cutoff: 99 }, { z, ...(labels ? { labels } : {}) }), expected)
  })
}

test('psi and cutoff as inputs are those of each call', async (t) => {
  const generator = trained({})
  const z = normal(1, [2, 8])
  for (const [psi, cutoff] of [
    [0.5, 2],
    [-1, 6],
  ] as const) {
    const expected = ours(generator, z, { noise: 'const', truncationPsi: psi, truncationCutoff: cutoff })
    const drawn = await drawOnnx(generator, { psi: 'input', cutoff: 'input' }, { z, psi, cutoff: BigInt(cutoff) })
    await same(t, drawn, expected)
  }
})

test('noise is an input of each layer where that is chosen: one map for all images, or one for each; or there is none', async (t) => {
  const generator = trained({})
  const z = normal(1, [2, 8])
  for (const N of [1, 2]) {
    const layers = Array.from({ length: numLayers(16) }, (_, i) => 2 ** (Math.floor(i / 2) + 2))
    const noise = layers.map((side, i) => normal(20 + i, [N, side, side, 1]))
    const given = noise.map((maps, i) => [`noise${i}`, maps.reshape([N, 1, layers[i]!, layers[i]!])] as const)
    const drawn = await drawOnnx(generator, { noise: 'input' }, { z, ...Object.fromEntries(given) })
    await same(t, drawn, ours(generator, z, { noise }))
  }
  await same(t, await drawOnnx(generator, { noise: 'none' }, { z }), ours(generator, z, { noise: 'none' }))
})

test('a w for each layer is an input in place of z, and is truncated where that is chosen', async (t) => {
  for (const config of ['B', 'F'] as const) {
    const generator = trained({ config })
    const w = normal(5, [2, numLayers(16), 8])
    const styles = (all: Tensor) => all.unstack(1)
    const { Gs, options } = generator
    const mean = Gs.params.get('dlatent_avg')!
    const expected = scope(() => draw(Gs.params, styles(mean.add(w.sub(mean).mul(0.5))), 'const', 0, options))
    await same(t, await drawOnnx(generator, { input: 'w', psi: 0.5, cutoff: 99 }, { w }), expected)
    await same(
      t,
      await drawOnnx(generator, { input: 'w' }, { w }),
      scope(() => draw(Gs.params, styles(w), 'const', 0, options)),
    )
  }
})

test('bytes are at most 1 apart, channels last, gray too', async (t) => {
  for (const numChannels of [1, 3]) {
    const generator = trained({ numChannels })
    const z = normal(1, [2, 8])
    const images = ours(generator, z, { noise: 'const' })
    await same(
      t,
      await drawOnnx(generator, { pixels: 'bytes' }, { z }),
      scope(() => toBytes(images)),
    )
  }
})

test('a level of detail that fades in is drawn so, at full size', async (t) => {
  for (const lod of [0.4, 1, 1.75]) {
    const generator = trained({}, lod)
    const z = normal(1, [1, 8])
    await same(t, await drawOnnx(generator, {}, { z }), ours(generator, z, { noise: 'const' }))
  }
})

test('a choice that a network has no use for is refused', (t) => {
  const refusal = (more: Partial<NetworkOptions>, choices: object) => {
    const { Gs, options } = trained(more)
    const metadata = { what: '', licence: '', options }
    return t.throws(() => onnxGenerator(Gs.params, metadata, { ...plainChoices, ...choices })).message
  }
  const A = { config: 'A', mappingLayers: 0 } as const
  t.is(refusal(A, { input: 'w' }), 'input: z is expected, since configuration A has no w, got w; leave it out')
  t.regex(
    refusal(A, { psi: 0.7 }),
    /^psi: 1 is expected, since configuration A has no truncation, got 0.7; leave it out$/,
  )
  t.regex(refusal({ config: 'D' }, { noise: 'input' }), /^noise: .*configuration D has no noise, got input; /)
})

test('the file says what it holds: licence, origin, options, ops, and what was chosen', async (t) => {
  const { Gs, options } = trained({})
  const metadata = { what: 'a network of somebody', licence: 'CC BY-NC 4.0', options, classes: ['cat'] }
  const model = onnxGenerator(Gs.params, metadata, plainChoices)
  t.like(model.metadata, { format: 'stylegan-onnx-1', licence: 'CC BY-NC 4.0', opset: '17', psi: '1', noise: 'const' })
  const text = Buffer.from(await bytesOfModel(model)).toString('latin1')
  for (const part of ['CC BY-NC 4.0', 'a network of somebody', '["cat"]', '"resolution":16'])
    t.true(text.includes(part))
})

test('an exported graph is no network to open, and is told as one', async (t) => {
  const { Gs, options } = trained({})
  const path = join(await mkdtemp(join(tmpdir(), 'stylegan-onnx-')), 'network.onnx')
  await writeFile(path, await bytesOfModel(onnxGenerator(Gs.params, { what: '', licence: '', options }, plainChoices)))
  t.true(await isCheckpoint(path))
  await t.throwsAsync(openCheckpoint([path]), {
    message: `${path}: it is an ONNX file, which cannot be read back: give the network that it was exported from`,
  })
})

test('weights are made one at a time, when the file is written', async (t) => {
  const { Gs, options } = trained({})
  const { weights } = onnxGenerator(Gs.params, { what: '', licence: '', options }, plainChoices)
  const lazy = weights.filter(({ data }) => !(data instanceof Uint8Array))
  const bytes = (list: typeof weights) => list.reduce((sum, { data }) => sum + data.byteLength, 0)
  t.true(bytes(lazy) > 0.8 * bytes(weights))
})
