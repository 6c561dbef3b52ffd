/** Features of images, and their statistics, kept in the cache. */
import { BUILTIN_AVATARS } from '../data/info.ts'
import { optionError } from '../files/option-names.ts'
import { concat, FeatureStatistics, scope, type Tensor } from '../native/index.ts'
import type { FeatureKey, Rows } from './feature-cache.ts'
import { floatsOf, rgbTensor, type ImageSource } from './images.ts'
import { inceptionFeatures } from './networks/inception.ts'
import type { Measurement, Side } from './metric.ts'
import type { Moments } from './moments.ts'
import { resizeForInception } from './networks/resize.ts'
import { vggFc } from './networks/vgg.ts'

/** Images that go through a feature network at once: more would not be faster, and need memory. */
const networkBatch = 16

/** A function of images, and what its features are kept under. */
export interface Extractor {
  readonly key: FeatureKey
  readonly width: number
  /** @param images 0 … 255 `[N, side, side, 3]` */
  readonly features: (images: Tensor) => Tensor
}

/** pool3 of Inception-v3, `[N, 2048]`. */
export async function pool3({ networks, mode }: Measurement): Promise<Extractor> {
  const inception = await networks.inception()
  return {
    key: { features: 'inception-v3 pool3', weights_sha256: inception.sha256, mode },
    width: 2048,
    features: (images) => inceptionFeatures(inception, resizeForInception(images, mode)).pool3,
  }
}

/** The second dense layer of VGG16, `[N, 4096]`. */
export async function vggFeatures({ networks }: Measurement): Promise<Extractor> {
  const vgg = await networks.vgg()
  return {
    key: { features: 'vgg16 fc2', weights_sha256: vgg.sha256 },
    width: 4096,
    features: (images) => vggFc(vgg, images),
  }
}

/** Features of the first `count` images of a source; by default those of real images are kept for the next network. */
export function featureRows(
  { device, cache, progress, signal }: Measurement,
  { key, width, features }: Extractor,
  source: ImageSource,
  count: number,
  { keep = Number.isFinite(source.count) }: { keep?: boolean } = {},
): Promise<Rows> {
  return cache.rows({
    key: { ...key, device: device.name, images: source.key },
    width,
    count,
    batchSize: source.batchSize,
    async compute(index) {
      const { bytes } = await source.batch(index)
      const rows = scope(() => {
        const images = rgbTensor(device, bytes, source)
        const [N, ...shape] = images.shape
        const parts: Tensor[] = []
        for (let first = 0; first < N!; first += networkBatch) {
          const n = Math.min(networkBatch, N! - first)
          parts.push(scope(() => features(images.slice([first, 0, 0, 0], [n, ...shape]))))
        }
        return concat(parts, 0)
      })
      return floatsOf(rows)
    },
    describe: (row) => `image ${row} of ${source.name}`,
    onProgress: (done, total) => progress(`features of ${source.name}`, done, total),
    signal,
    keep,
  })
}

/**
 * Mean and covariance of the features of one side of a comparison, divided by N − 1 as numpy.cov does (official
 * frechet_inception_distance.py).
 *
 * @param extractor called only if there are images to look at
 */
export async function momentsOf(
  measurement: Measurement,
  side: Side,
  extractor: () => Promise<Extractor>,
  { count, mirror }: { count: number; mirror: boolean },
): Promise<Moments> {
  if (!('images' in side)) return side
  const source = await side.images({ count, mirror })
  const { cache, device } = measurement
  const used = Math.min(count, source.count)
  const taken = await extractor()
  const key = { moments: { ...taken.key, device: device.name, images: source.key }, count: used }
  const known = await cache.result(key)
  let statistics: FeatureStatistics
  if (known) statistics = FeatureStatistics.restore(known)
  else {
    statistics = new FeatureStatistics(taken.width)
    const rows = await featureRows(measurement, taken, source, used, { keep: false })
    for await (const block of rows.blocks()) await statistics.add(block)
    // A network is measured once.
    if (Number.isFinite(source.count)) await cache.saveResult(key, statistics.save())
  }
  return { mean: statistics.mean(), covariance: statistics.covariance('N-1'), name: source.name, count: used }
}

/** What a metric says that has nothing to compare with. */
export const noReals = (metric: string): RangeError =>
  optionError(
    (name) => `${metric}: real images are expected, got none; give ${name('data')}, for example ${BUILTIN_AVATARS}`,
  )

/** The images of a side, for metrics that statistics alone are not enough for. */
export async function imagesOfSide(
  { name }: Measurement,
  side: Side | undefined,
  options: { count: number; mirror: boolean },
): Promise<ImageSource> {
  if (side === undefined) throw noReals(name)
  if ('images' in side) return side.images(options)
  throw new RangeError(`${name}: images are expected, got statistics alone (${side.name}); give a folder of images`)
}
