/** Metrics between images that a program has. */
import test from 'ava'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ImageGenerator } from '../../ts/figures/generator.ts'
import type { ImageArray } from '../../ts/data/memory.ts'
import { compare } from '../../ts/metrics/compare.ts'
import { measure, type MeasureOptions } from '../../ts/metrics/measure.ts'
import { Device, encodePng, Rng } from '../../ts/native/index.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import { createNetwork, type NetworkOptions } from '../../ts/networks/params.ts'
import { tinyNetwork } from '../support/tiny.ts'

const count = 20
const side = 16
function noise(seed: number, channels = 3): ImageArray & { pixels: Uint8Array } {
  const rng = new Rng(seed)
  const pixels = Uint8Array.from({ length: count * side * side * channels }, () => rng.nextInteger(0, 256))
  return { pixels, count, width: side, height: side, channels }
}

/** The same images as PNG files. */
async function folderOf({ pixels }: { pixels: Uint8Array }): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'stylegan-compare-test-'))
  const size = side * side * 3
  for (let i = 0; i < count; i++) {
    const name = `${String(i).padStart(2, '0')}.png`
    await writeFile(join(dir, name), await encodePng(pixels.slice(i * size, (i + 1) * size), side, side, 3))
  }
  return dir
}

function generator(more: Partial<NetworkOptions> = {}): ImageGenerator {
  const options = { ...tinyNetwork, resolution: side, ...more }
  const Gs = createNetwork(Device.open('cpu'), generatorSpecs(options), new Rng(1))
  return new ImageGenerator('made', { Gs, options, classes: [], height: side, nimg: 0 })
}

test('of images with alpha the colours are compared, also where nothing is transparent', async (t) => {
  const [a, b] = [noise(1), noise(2)]
  const opaque = ({ pixels }: { pixels: Uint8Array }) => {
    const rgba = new Uint8Array((pixels.length / 3) * 4).fill(255)
    pixels.forEach((value, i) => (rgba[Math.floor(i / 3) * 4 + (i % 3)] = value))
    return { ...a, pixels: rgba, channels: 4 }
  }
  t.deepEqual(await compare('swd', opaque(a), opaque(b), { num: count }), await compare('swd', a, b, { num: count }))
})

test('an array and a folder of the same images give the same distances', async (t) => {
  const [a, b] = [noise(1), noise(2)]
  const arrays = await compare('swd', a, b, { num: count })
  t.true(arrays['swd']! > 0)
  t.deepEqual(await compare('swd', await folderOf(a), b, { num: count }), arrays)
  t.deepEqual(await compare('swd', a, await folderOf(b), { num: count }), arrays)
})

test('a generator is compared with an array, and a set is measured alone', async (t) => {
  const { swd } = await compare('swd', generator(), noise(1), { num: count })
  t.true(swd! > 0)
  const { ms_ssim: similarity } = await compare('ms_ssim', noise(1), undefined, { num: count / 2 })
  t.true(similarity! < 0.5)
})

test('what does not fit is refused before anything is computed', async (t) => {
  const flat = { ...noise(1), height: side / 2, count: 2 * count }
  await t.throwsAsync(compare('swd', flat, noise(2)), { message: /^images: square ones/ })
  await t.throwsAsync(compare('fid50k', noise(1), noise(2)), { message: /^fid50k: the weights/ })
  await t.throwsAsync(compare('swd', generator({ labelSize: 2 }), noise(2)), { message: /without classes is expected/ })
})

test('an unknown metric or option, and what is no set of images, are refused', async (t) => {
  const a = noise(1)
  const wrong: readonly (readonly [call: () => Promise<unknown>, message: RegExp])[] = [
    [() => compare('fid' as 'fid50k', a, a), /^metric: one of fid50k, .* got "fid"; did you mean fid50k\?$/],
    [() => compare('swd', a, a, { num: -1 }), /^num: a whole number above 0 is expected, got -1$/],
    [() => compare('swd', a, a, { num: NaN }), /^num: .* got NaN$/],
    [() => compare('swd', a, a, { sed: 1 } as object), /^unknown option "sed"; did you mean seed\?$/],
    [() => compare('swd', null as unknown as ImageArray, a), /^images: .* are expected, got null$/],
    [() => compare('swd', { ...a, pixels: new Float32Array(4) } as unknown as ImageArray, a), /got Float32Array$/],
    [() => measure(undefined as unknown as MeasureOptions), /^metrics: an array of names is expected, got nothing$/],
  ]
  for (const [call, message] of wrong) await t.throwsAsync(call, { instanceOf: RangeError, message })
})
