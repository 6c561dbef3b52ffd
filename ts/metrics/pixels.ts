/** The metrics of pixels alone, which need no weights: sliced Wasserstein distance and MS-SSIM (Karras et al. 2018, Section 5). */
import { plural } from '../files/units.ts'
import { imagesOfSide } from './features.ts'
import type { ImageSource } from './images.ts'
import type { Measured, Measurement } from './metric.ts'
import { msSsim } from './ms-ssim.ts'
import { swd, SwdDescriptors } from './swd.ts'

/** Images of up to this many bytes are kept while a metric is computed, so that it goes on after an interruption. */
const mostKept = 8 * 2 ** 30
/** Images whose descriptors or similarities are computed at once. */
const blockSize = 64

export async function swdMetric(measurement: Measurement): Promise<Measured> {
  const { name, num, seed, warn } = measurement
  const reals = await imagesOfSide(measurement, measurement.reals, { count: num, mirror: true })
  const fakes = await imagesOfSide(measurement, measurement.fakes, { count: num, mirror: false })
  checkSide(name, reals)
  if (reals.side !== fakes.side || reals.channels !== fakes.channels) {
    const size = ({ side, channels }: ImageSource) => `${side}x${side} with ${channels} ${plural(channels, 'channel')}`
    throw new RangeError(`${name}: images of one size are expected, got ${size(reals)} and ${size(fakes)}`)
  }
  const count = Math.min(num, reals.count, fakes.count)
  if (count < num) {
    warn(
      `${name}: ${count} ${plural(count, 'image is', 'images are')} compared, ${num} are expected: fewer make the distance larger`,
    )
  }
  const sets = { reals: new SwdDescriptors('reals', { seed }), fakes: new SwdDescriptors('fakes', { seed }) }
  for (const [set, source] of [
    ['reals', reals],
    ['fakes', fakes],
  ] as const) {
    for await (const { bytes, n, channels } of blocksOf(measurement, source, count)) {
      await sets[set].add(bytes, [n, source.side, source.side, channels])
    }
  }
  const { levels, mean } = await swd(sets.reals, sets.fakes, { seed })
  const ofLevels = levels.map(({ side, value }) => [`${name}_${side}`, value] as const)
  return {
    results: { [name]: mean, ...Object.fromEntries(ofLevels) },
    details: { num_fakes: count, num_reals: count, reals: reals.name, scale: 1000 },
  }
}

/** Image 2i with image 2i + 1, `num` pairs. */
export async function msSsimMetric(measurement: Measurement): Promise<Measured> {
  const { name, num, warn } = measurement
  const fakes = await imagesOfSide(measurement, measurement.fakes, { count: 2 * num, mirror: false })
  checkSide(name, fakes)
  const pairs = Math.min(num, Math.floor(fakes.count / 2))
  if (pairs < 1) throw new RangeError(`${name}: at least 2 images are expected, got ${fakes.count}`)
  if (pairs < num) warn(`${name}: ${pairs} pairs are compared, ${num} are expected: the mean varies more`)
  const { side } = fakes
  let sum = 0
  for await (const { bytes, n, channels } of blocksOf(measurement, fakes, 2 * pairs)) {
    const size = side * side * channels
    const [a, b] = [new Uint8Array((n / 2) * size), new Uint8Array((n / 2) * size)]
    for (let i = 0; i < n; i++) (i % 2 ? b : a).set(bytes.subarray(i * size, (i + 1) * size), (i >> 1) * size)
    sum += (await msSsim(a, b, [n / 2, side, side, channels])).reduce((total, value) => total + value, 0)
  }
  return { results: { [name]: sum / pairs }, details: { num_pairs: pairs } }
}

/** The smallest level of the pyramid, and the fifth scale of MS-SSIM, need this much. */
function checkSide(name: string, { side }: ImageSource): void {
  if (side >= 16) return
  throw new RangeError(`${name}: images of at least 16x16 pixels are expected, got ${side}x${side}; use another metric`)
}

/** The colours of the first `count` images in blocks of an even number. */
async function* blocksOf(
  measurement: Measurement,
  source: ImageSource,
  count: number,
): AsyncGenerator<{ bytes: Uint8Array; n: number; channels: number }> {
  const { channels } = source
  for await (const { bytes, n } of imagesOf(measurement, source, count)) {
    yield channels === 4 ? { bytes: withoutAlpha(bytes), n, channels: 3 } : { bytes, n, channels }
  }
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3)
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) rgb.set(rgba.subarray(from, from + 3), to)
  return rgb
}

/** The first `count` images in blocks of an even number; those of a network are kept for the next metric. */
async function* imagesOf(
  { cache, progress, signal }: Measurement,
  source: ImageSource,
  count: number,
): AsyncGenerator<{ bytes: Uint8Array; n: number }> {
  const { side, channels, batchSize, name, key } = source
  const width = side * side * channels
  const onProgress = (done: number, total: number) => progress(`images of ${name}`, done, total)
  if (!Number.isFinite(source.count) && count * width <= mostKept) {
    const compute = async (index: number) => (await source.batch(index)).bytes
    const describe = (row: number) => `image ${row} of ${name}`
    const rows = await cache.rows({
      ...{ key: { pixels: key }, width, type: 'u8', count, batchSize, compute, describe, onProgress, signal },
      keep: false,
    })
    for await (const bytes of rows.byteBlocks(blockSize)) yield { bytes, n: bytes.length / width }
    return
  }
  for (let first = 0; first < count; first += batchSize) {
    signal?.throwIfAborted()
    onProgress(first, count)
    const { bytes, n } = await source.batch(first / batchSize)
    const used = Math.min(n, count - first)
    yield { bytes: bytes.subarray(0, used * width), n: used }
  }
  onProgress(count, count)
}
