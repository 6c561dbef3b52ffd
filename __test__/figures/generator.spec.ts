/** A trained network for programs: images of seeds, and w of any origin. */
import test from 'ava'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { streams } from '../../ts/data/sampler.ts'
import { ImageGenerator } from '../../ts/figures/generator.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { bytesOf, renderStyles, stylesOf } from '../../ts/figures/render.ts'
import { Styles } from '../../ts/figures/styles.ts'
import { Device, DisposedError, Rng, scope } from '../../ts/native/index.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import { hashNetwork } from '../../ts/networks/hash.ts'
import { createNetwork, frozen, type NetworkOptions } from '../../ts/networks/params.ts'
import { tinyNetwork } from '../support/tiny.ts'

function open(device = Device.open('cpu'), more: Partial<NetworkOptions> = {}): ImageGenerator {
  const options: NetworkOptions = { ...tinyNetwork, config: 'F', resolution: 64, fmapBase: 64, ...more }
  const network = createNetwork(device, generatorSpecs(options), new Rng(1))
  const rng = new Rng(2)
  for (const [name, tensor] of network.params) {
    if (name.endsWith('Noise/weight') || name === 'dlatent_avg')
      scope(() => tensor.assign(rng.normal(device, tensor.shape)))
  }
  const Gs = { ...network, params: frozen(network.params) }
  return new ImageGenerator('made', { Gs, options, classes: ['cat', 'dog'], height: options.resolution, nimg: 0 })
}
const G = open()

const drawn = (seed: number, psi: number, cutoff: number, noise: Rng | 'const') =>
  bytesOf(scope(() => renderStyles(G, stylesOf(G, seed, { truncationPsi: psi, truncationCutoff: cutoff }), noise)))

test('images of seeds are those of the figures, truncated to 0.7 up to layer 8', async (t) => {
  const images = await G.images({ seeds: '3,5-6' })
  t.deepEqual([images.count, images.height, images.width, images.channels], [3, 64, 64, 3])
  for (const [i, seed] of [3, 5, 6].entries()) t.deepEqual(images.at(i), await drawn(seed, 0.7, 8, 'const'))
  t.notDeepEqual(images.at(0), await drawn(3, 0.7, 10, 'const'), 'the network is deep enough for the cutoff to matter')
})

test('psi, cutoff and noise of each seed reach the image', async (t) => {
  const images = await G.images({ seeds: [7, 4], psi: -0.5, cutoff: 3, noise: 'random' })
  t.deepEqual(images.at(1), await drawn(4, -0.5, 3, new Rng(4, streams.noise)))
})

test('images show the rows that are asked for', async (t) => {
  const [all, middle] = [await G.images({ seeds: 1 }), await G.images({ seeds: 1, height: 48 })]
  t.deepEqual(middle.pixels, all.pixels.slice(8 * 64 * 3, 56 * 64 * 3))
  t.is(middle.height, 48)
})

test('an image is a PNG file, and an RGB picture', async (t) => {
  const gray = await open(undefined, { numChannels: 1 }).images({ seeds: 0 })
  t.deepEqual([...(await gray.png(0)).subarray(1, 4)], [...Buffer.from('PNG')])
  t.is(gray.picture(0).pixels.length, 3 * gray.pixels.length)
  t.throws(() => gray.at(1), { instanceOf: RangeError, message: 'Images: an image from 0 to 0 is expected, got 1' })
})

test('synthesis of the w of seeds gives their images, on devices of f32 and of f64', async (t) => {
  for (const device of ['cpu', 'reference']) {
    const generator = open(Device.open(device), { resolution: 8 })
    const w = await generator.mapping({ seeds: [1, 2], psi: 0.5, cutoff: 2 })
    t.deepEqual([w.count, w.layers, w.width], [2, 4, 8])
    t.deepEqual(await generator.synthesis(w), await generator.images({ seeds: [1, 2], psi: 0.5, cutoff: 2 }))
  }
})

test('w of latents of one’s own is w of their seed', async (t) => {
  const z = await new Rng(9, streams.grid).normal(G.Gs.device, [1, 8]).data()
  t.deepEqual(await G.mapping({ z }), await G.mapping({ seeds: 9 }))
})

test('the mean of W and truncation by hand give what psi gives', async (t) => {
  const [mean, w] = [await G.mean(), await G.mapping({ seeds: [1, 2], psi: 1 })]
  t.deepEqual(await G.synthesis(mean), await G.images({ seeds: 5, psi: 0, cutoff: Infinity }))
  const truncated = await G.mapping({ seeds: [1, 2], psi: 0.3, cutoff: Infinity })
  mean.lerp(w, 0.3).values.forEach((value, i) => t.true(Math.abs(value - truncated.values[i]!) < 1e-6))
})

test('styles are mixed layer by layer, averaged, and walked between', (t) => {
  const a = new Styles(Float32Array.of(0, 1, 2, 3), [1, 2, 2])
  const b = new Styles(Float32Array.of(10, 11, 12, 13, 20, 21, 22, 23), [2, 2, 2])
  t.deepEqual([...a.mix(b, [1]).values], [0, 1, 12, 13, 0, 1, 22, 23])
  t.deepEqual([...b.mix(a, [0]).values], [0, 1, 12, 13, 0, 1, 22, 23])
  t.deepEqual([...b.mean().values], [15, 16, 17, 18])
  t.deepEqual([...a.lerp(b, 0.5).values], [5, 6, 7, 8, 10, 11, 12, 13])
  t.deepEqual([...b.at(1).values], [20, 21, 22, 23])
})

test('what does not fit is refused in a sentence', async (t) => {
  const of = (values: number) => new Styles(new Float32Array(values), [1, 1, values])
  await t.throwsAsync(G.images({}), { message: 'seeds and z: one of them is expected, got none' })
  await t.throwsAsync(G.images({ seeds: [] }), { message: 'seeds: one or more are expected, got none' })
  await t.throwsAsync(G.images({ seeds: 'x' }), { message: "seeds such as 0,1,4-6 are expected, got 'x'" })
  await t.throwsAsync(G.images({ seeds: -1 }), { message: 'seeds: whole numbers from 0 are expected, got -1' })
  await t.throwsAsync(G.images({ seeds: 0, class: 'cat' }), { message: /^class: none is expected/ })
  await t.throwsAsync(G.mapping({ z: [1, 2] }), { message: 'z: [count, 8] is expected, got 2 values' })
  await t.throwsAsync(G.synthesis(of(8)), { message: 'w: [count, 10, 8] is expected, got [1, 1, 8]' })
  t.throws(() => of(2).lerp(of(3), 0), { message: 'Styles: [1 or 1, 1, 2] are expected, got [1, 1, 3]' })
  t.throws(() => of(2).mix(of(2), [1]), { message: 'Styles: layers from 0 to 0 are expected, got 1' })
  await t.throwsAsync(open(undefined, { labelSize: 2 }).images({ seeds: 0, class: 'cow' }), { message: /"cat", "dog"/ })
})

test('numbers that would draw nothing are refused', async (t) => {
  const w = await G.mapping({ seeds: 1 })
  const maps: number[][] = Array.from({ length: 10 }, () => [])
  for (const layer of [0, 1]) maps[layer] = Array<number>(16).fill(0)
  const calls: readonly (readonly [call: () => unknown, message: RegExp])[] = [
    [() => G.images(), /^seeds and z: one of them is expected, got none$/],
    [() => G.mapping(), /^seeds and z: /],
    [() => G.images({ seeds: 1, psi: NaN }), /^psi: a finite number is expected, got NaN$/],
    [() => G.images({ seeds: 1, cutoff: -1 }), /^cutoff: a number of layers from 0 is expected, got -1$/],
    [() => G.images({ seeds: 1, cutoff: 1.5 }), /^cutoff: a number of layers from 0 is expected, got 1\.5$/],
    [() => G.images({ seeds: 1, cutoff: 99 }), /^cutoff: at most the 10 layers of the network are expected, got 99$/],
    [() => G.images({ seeds: 1, psi: 1e10 }), /^psi: a number from -100 to 100 is expected, got 10000000000$/],
    [() => G.images({ seeds: 1, cutoff: NaN }), /^cutoff: .* got NaN$/],
    [() => G.mapping({ z: [0, 1, NaN, 0, 0, 0, 0, 0] }), /^z\[2\]: a finite number is expected, got NaN$/],
    [() => G.mapping({ z: ['1', 0, 0, 0, 0, 0, 0, 0] as unknown as number[] }), /^z\[0\]: .* got "1"$/],
    [
      () => G.images({ seeds: 1, noise: 'foo' as 'none' }),
      /^noise: one of const, random, none is expected, got "foo"$/,
    ],
    [() => G.images({ seeds: 1, noiseMode: 'none' } as object), /^unknown option "noiseMode"; did you mean noise\?$/],
    [() => G.images({ seeds: ['1', '2'] as never }), /^seeds: whole numbers from 0 are expected, got "1"$/],
    [
      () => G.images({ seeds: 1, noiseSeeds: 2 }),
      /^noiseSeeds: noise random is expected .*, got const; leave them out$/,
    ],
    [() => G.synthesis(w, { noise: 'none', noiseSeeds: 2 }), /^noiseSeeds: .* got none; leave them out$/],
    [() => G.synthesis(w, { noiseMaps: [] }), /^noiseMaps: 10 maps, one a layer, are expected, got 0$/],
    [() => G.synthesis(w, { noiseMaps: 5 as never }), /^noiseMaps: 10 maps, one a layer, are expected, got 5$/],
    [() => G.synthesis(w, { noiseMaps: maps.with(2, [1]) }), /^noiseMaps\[2\]: \[8, 8\] is expected, got 1 numbers$/],
    [() => G.synthesis(w, { noiseMaps: maps.with(0, null as never) }), /^noiseMaps\[0\]: \[4, 4\] is .* got null$/],
    [() => G.synthesis(null as unknown as Styles), /^w: Styles are expected, got null/],
    [() => w.lerp(w, NaN), /^t: a finite number is expected, got NaN$/],
    [() => new Styles(new Float32Array(6), [-1, -2, 3]), /^Styles: .* got \[-1, -2, 3\]$/],
    [
      () => new Styles([1] as unknown as Float32Array, [1, 1, 1]),
      /^Styles: a Float32Array or Float64Array .* got Array$/,
    ],
  ]
  for (const [call, message] of calls) {
    await t.throwsAsync(async () => call(), { instanceOf: RangeError, message })
  }
})

test('a disposed generator has given all memory back', async (t) => {
  const device = Device.open('cpu')
  {
    using generator = open(device)
    await generator.images({ seeds: 0, psi: 0.5, noise: 'random' })
  }
  await device.synchronize()
  t.is(device.memory().live, 0)
})

test('a disposed generator is told as one, whatever is asked of it', async (t) => {
  const generator = open()
  const w = await generator.mapping({ seeds: 0 })
  generator.dispose()
  generator.dispose()
  const uses: (() => unknown)[] = [
    () => generator.images({ seeds: 0 }),
    () => generator.mapping({ seeds: 0 }),
    () => generator.mean(),
    () => generator.synthesis(w),
    () => stylesOf(generator, 0, {}),
    () => hashNetwork(generator.Gs),
  ]
  const message = 'generator: an open one is expected, got one that was disposed of; open it again'
  for (const use of uses) await t.throwsAsync(async () => use(), { instanceOf: DisposedError, message })
})

test('a folder without a snapshot is refused', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'stylegan-generator-'))
  await writeFile(join(dir, 'other.txt'), '')
  await t.throwsAsync(loadGenerator(dir), {
    message: /a folder with network-snapshot-NNNNNN\.safetensors is expected, got one without/,
  })
  await t.throwsAsync(loadGenerator(join(dir, 'no')), { message: /got nothing; check the path$/ })
})
