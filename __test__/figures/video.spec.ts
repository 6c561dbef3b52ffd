import test from 'ava'
import { crc32, inflateSync } from 'node:zlib'
import { pictureOf, stylesOf, type TrainedGenerator } from '../../ts/figures/figures.ts'
import type { Picture } from '../../ts/figures/grid.ts'
import { Device, encodePng, Rng } from '../../ts/native/index.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import { createNetwork } from '../../ts/networks/params.ts'
import { enlarge } from '../../ts/figures/panel.ts'
import { animatedPng, easings, encodeVideo, keyWeights, walk } from '../../ts/figures/video.ts'
import type { NetworkOptions } from '../../ts/networks/params.ts'
import { tinyNetwork } from '../support/tiny.ts'

const options: NetworkOptions = { ...tinyNetwork, fmapBase: 32 }
const Gs = createNetwork(Device.open('cpu'), generatorSpecs(options), new Rng(1))
const generator: TrainedGenerator = { Gs, options }

for (const easing of easings) {
  test(`${easing} steps are shares of the key frames around, and meet each key frame`, (t) => {
    for (const position of [0, 0.3, 1.5, 2.9]) {
      const sum = keyWeights(position, 3, easing).reduce((total, [, weight]) => total + weight, 0)
      t.true(Math.abs(sum - 1) < 1e-12)
    }
    for (const key of [0, 1, 2]) {
      const there = keyWeights(key, 3, easing).filter(([, weight]) => weight !== 0)
      t.deepEqual(there, [[key, 1]])
    }
    // The loop closes: just before its end the first key frame has nearly all the weight.
    const end = keyWeights(3 - 1e-6, 3, easing).find(([key]) => key === 0)![1]
    t.true(end > 0.999)
  })
}

const walkOf = (seeds: number[], columns = 1) =>
  walk(generator, { seeds, columns, rows: 1, framesPerKey: 2, easing: 'linear' })

async function all(frames: AsyncIterable<Picture>): Promise<Picture[]> {
  const found: Picture[] = []
  for await (const frame of frames) found.push(frame)
  return found
}

test('a walk shows its seeds in turn, and goes back to the first', async (t) => {
  const frames = await all(walkOf([1, 2, 3]))
  t.is(frames.length, 6)
  for (const [i, seed] of [1, 2, 3].entries()) {
    t.deepEqual(frames[2 * i], await pictureOf(generator, stylesOf(generator, seed, {}), 'const'))
  }
  const [one, three] = [stylesOf(generator, 1, {}), stylesOf(generator, 3, {})]
  const halfway = one.map((w, layer) => w.mul(0.5).add(three[layer]!.mul(0.5)))
  t.deepEqual(frames[5], await pictureOf(generator, halfway, 'const'))
})

test('a scale repeats each pixel', async (t) => {
  const [plain] = await all(walkOf([1, 2]))
  const large = walk(generator, { seeds: [1, 2], columns: 1, rows: 1, framesPerKey: 1, easing: 'linear', scale: 3 })
  t.deepEqual((await all(large))[0], enlarge(plain!, 3))
})

test('a grid takes the first key frames of all its cells first', async (t) => {
  const [first] = await all(walkOf([1, 2, 3, 4], 2))
  const images = await Promise.all([1, 2].map((seed) => pictureOf(generator, stylesOf(generator, seed, {}), 'const')))
  const left = Array.from({ length: 8 }, (_, y) => [...first!.pixels.subarray(3 * y * 16, 3 * y * 16 + 24)]).flat()
  const right = Array.from({ length: 8 }, (_, y) => [
    ...first!.pixels.subarray(3 * y * 16 + 24, 3 * (y + 1) * 16),
  ]).flat()
  t.deepEqual([left, right], [[...images[0]!.pixels], [...images[1]!.pixels]])
  await t.throwsAsync(all(walkOf([1, 2, 3], 2)), { message: /seeds: two or more for each of the 2x1 cells/ })
})

test('an animated PNG has every frame in order, sound checksums, and a first frame that any reader shows', async (t) => {
  const frames = await all(walkOf([1, 2]))
  const bytes = Buffer.from(await animatedPng(frames, 25))
  const chunks: { type: string; data: Buffer }[] = []
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const body = bytes.subarray(at + 4, at + 8 + bytes.readUInt32BE(at))
    t.is(crc32(body), bytes.readUInt32BE(at + 4 + body.length))
    chunks.push({ type: body.toString('latin1', 0, 4), data: body.subarray(4) })
  }
  t.is(chunks.splice(1, 1)[0]!.data.toString('latin1'), 'Software\0stylegan')
  const kinds = ['IHDR', 'acTL', 'fcTL', 'IDAT', 'fcTL', 'fdAT', 'fcTL', 'fdAT', 'fcTL', 'fdAT', 'IEND']
  t.deepEqual(
    chunks.map(({ type }) => type),
    kinds,
  )
  t.is(chunks[1]!.data.readUInt32BE(0), 4)
  // Sequence numbers run over control and data chunks; the delay is 1/25 s.
  const numbered = chunks.filter(({ type }) => type === 'fcTL' || type === 'fdAT')
  t.deepEqual(
    numbered.map(({ data }) => data.readUInt32BE(0)),
    [0, 1, 2, 3, 4, 5, 6],
  )
  t.deepEqual([chunks[2]!.data.readUInt16BE(20), chunks[2]!.data.readUInt16BE(22)], [1, 25])
  const last = Buffer.from(await encodePng(frames[3]!.pixels, 8, 8, 3))
  const idat = last.indexOf('IDAT')
  const expected = inflateSync(last.subarray(idat + 4, idat + 4 + last.readUInt32BE(idat - 4)))
  t.deepEqual(inflateSync(chunks[9]!.data.subarray(4)), expected)
})

test('no frames, frames of two sizes and impossible speeds are refused', async (t) => {
  const frame = (width: number): Picture => ({ pixels: new Uint8Array(width * 8 * 3), width, height: 8 })
  await t.throwsAsync(animatedPng([], 25), { instanceOf: RangeError, message: /^frames: one or more are expected/ })
  await t.throwsAsync(animatedPng([frame(8), frame(4)], 25), {
    instanceOf: RangeError,
    message: 'frame 1: 8x8 is expected, as the first, got 4x8',
  })
  for (const fps of [0, NaN, -1, 0.5, 65_536]) {
    await t.throwsAsync(animatedPng([frame(8)], fps), { instanceOf: RangeError, message: /^fps: a whole number/ })
  }
  await t.throwsAsync(encodeVideo(walkOf([1, 2]), NaN, 'a.mp4'), { instanceOf: RangeError, message: /^fps: / })
})
