/** Networks whose training has not reached the full resolution: everything draws them at the level that they have reached. */
import { join } from 'node:path'
import test from 'ava'
import { writeAtomic } from '../../ts/files/write-atomic.ts'
import { generatedImages, type Sampled } from '../../ts/metrics/images.ts'
import { lengthsOf } from '../../ts/metrics/ppl.ts'
import { Device, type Tensor } from '../../ts/native/index.ts'
import { hashNetwork } from '../../ts/networks/hash.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { resolveConfig } from '../../ts/training/config.ts'
import { createState, encodeState } from '../../ts/training/state.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig } from '../support/tiny.ts'

const device = Device.open('cpu')
const side = 16

/** A network of 16×16 images that was stopped at some lod. */
async function stoppedAt(lod: number) {
  const config = resolveConfig('demo', { ...tinyConfig, resolution: side, data: '/none' })
  const state = createState(device, config)
  const path = join(await folder(), 'network-snapshot-000000.safetensors')
  await writeAtomic(path, encodeState({ ...state, position: { ...state.position, lod } }, config))
  return loadGenerator(path, { device })
}

/** Whether each square of `size` pixels has one colour. */
function isMadeOfSquares(pixels: ArrayLike<number>, size: number): boolean {
  return Array.from(pixels).every((value, i) => {
    const [image, rest] = [Math.floor(i / (side * side * 3)), i % (side * side * 3)]
    const [row, column, channel] = [Math.floor(rest / (side * 3)), Math.floor(rest / 3) % side, rest % 3]
    const corner = (row - (row % size)) * side + column - (column % size)
    return value === pixels[(image * side * side + corner) * 3 + channel]
  })
}

for (const [lod, size] of [
  [2, 4],
  [1, 2],
] as const) {
  test(`a snapshot of lod ${lod} is drawn and measured in squares of ${size} pixels`, async (t) => {
    const generator = await stoppedAt(lod)
    t.is(generator.lod, lod)
    t.true(isMadeOfSquares((await generator.images({ seeds: '0-1' })).pixels, size))
    const sampled: Sampled = { generator, hash: await hashNetwork(generator.Gs), seed: 0 }
    t.true(isMadeOfSquares((await generatedImages(sampled).batch(0)).bytes, size))
    const seen: Promise<ArrayLike<number>>[] = []
    const distance = (a: Tensor, b: Tensor) => {
      seen.push(a.data(), b.data())
      return a.sub(b).square().mean([1, 2, 3])
    }
    await lengthsOf(sampled, 0, 2, distance, { space: 'w', sampling: 'full', crop: false })
    t.is(seen.length, 2)
    for (const images of await Promise.all(seen)) t.true(isMadeOfSquares(images, size))
  })
}

test('a snapshot between two levels is drawn between them, and one that has not trained at full resolution', async (t) => {
  t.is((await stoppedAt(0.25)).lod, 0.25)
  const [between, full] = [await stoppedAt(0.25), await stoppedAt(-1)]
  t.is(full.lod, 0)
  const pixels = async (generator: typeof full) => (await generator.images({ seeds: 0 })).pixels
  t.notDeepEqual(await pixels(between), await pixels(full))
  t.deepEqual(await pixels(full), await pixels(await stoppedAt(0)))
})
