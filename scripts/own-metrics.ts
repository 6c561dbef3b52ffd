/**
 * Numbers in features that this package learned itself: the classifiers of `stylegan classifier train`. No discriminator has learned
 * them, and they need no published weights. They compare networks that were judged by the same classifiers, and nothing else.
 */
import { join } from 'node:path'
import type { Dataset } from '../ts/data/dataset.ts'
import { levelFile } from '../ts/data/info.ts'
import { fromBytes } from '../ts/data/pixels.ts'
import { classifierMaps, type LoadedClassifier } from '../ts/metrics/classifier.ts'
import {
  batchSizeOf,
  floatsOf,
  generatedImages,
  hashFile,
  realImages,
  type ImageSource,
  type Sampled,
} from '../ts/metrics/images.ts'
import { unitVectors } from '../ts/metrics/networks/lpips.ts'
import { lengthsOf, trimmedMean, type Distance } from '../ts/metrics/ppl.ts'
import { concat, neighbourhoods, scope, type Device, type Tensor } from '../ts/native/index.ts'

export interface OwnMetricsOptions {
  readonly classifiers: readonly LoadedClassifier[]
  readonly dataset: Dataset
  /** Images of each side. */
  readonly num: number
  /** Paths in each space. */
  readonly paths: number
  readonly signal?: AbortSignal | undefined
}

/** Neighbours of precision and recall: Kynkäänniemi et al. 2019. */
const neighbours = 3

/** Precision and recall, and path lengths in Z and, where there is a mapping network, in W. */
export async function ownMetrics(sampled: Sampled, options: OwnMetricsOptions): Promise<Record<string, number>> {
  const { classifiers, dataset, num, paths, signal } = options
  const { Gs, options: network } = sampled.generator
  const side = network.resolution
  const hash = await hashFile(join(dataset.dir, levelFile(side)))
  const reals = realImages(dataset, { side, count: num, mirror: true, seed: sampled.seed, hash })
  const [real, fake] = [
    await featuresOf(Gs.device, classifiers, reals, num, signal),
    await featuresOf(Gs.device, classifiers, generatedImages(sampled), num, signal),
  ]
  const { precision, recall } = await neighbourhoods(real.values, fake.values, real.width, neighbours)
  const lengths: Record<string, number> = {}
  for (const space of network.mappingLayers > 0 ? (['z', 'w'] as const) : (['z'] as const)) {
    const distance: Distance = (a, b) => classifierDistance(classifiers, a, b)
    const found: number[] = []
    for (let index = 0; found.length < paths; index++) {
      signal?.throwIfAborted()
      const N = Math.min(16, batchSizeOf(side))
      found.push(...(await lengthsOf(sampled, index, N, distance, { space, sampling: 'full', crop: false })))
    }
    lengths[`classifier_path_${space}`] = trimmedMean(found.slice(0, paths))
  }
  return { classifier_precision: precision, classifier_recall: recall, ...lengths }
}

/** The 4×4 maps of all classifiers, a row an image. */
async function featuresOf(
  device: Device,
  classifiers: readonly LoadedClassifier[],
  source: ImageSource,
  count: number,
  signal: AbortSignal | undefined,
): Promise<{ values: Float32Array; width: number }> {
  const { side, channels, batchSize } = source
  const blocks: Float32Array[] = []
  for (let first = 0; first < count; first += batchSize) {
    signal?.throwIfAborted()
    const { bytes, n } = await source.batch(first / batchSize)
    const rows = scope(() => {
      const images = fromBytes(device.tensor(bytes, [n, side, side, channels]))
      const last = classifiers.map((classifier) => classifierMaps(classifier, images).at(-1)!)
      return concat(
        last.map((map) => map.reshape([n, map.size / n])),
        1,
      )
    })
    const width = rows.size / n
    blocks.push((await floatsOf(rows)).subarray(0, width * Math.min(n, count - first)))
  }
  const values = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0))
  let at = 0
  for (const block of blocks) {
    values.set(block, at)
    at += block.length
  }
  return { values, width: values.length / count }
}

/**
 * How different two images look to the classifiers, `[N]`: as LPIPS, each pixel's feature vector is brought to length 1, and squared
 * differences are averaged over pixels and layers; without LPIPS's heads, which nobody has learned here.
 *
 * @param a, b 0 … 255 `[N, H, W, C]`
 */
function classifierDistance(classifiers: readonly LoadedClassifier[], a: Tensor, b: Tensor): Tensor {
  return scope(() => {
    const [x, y] = [a, b].map((images) => images.affine(1 / 127.5, -1)) as [Tensor, Tensor]
    const layers = classifiers.flatMap((classifier) => {
      const [of, other] = [classifierMaps(classifier, x), classifierMaps(classifier, y)]
      return of.map((map, i) => unitVectors(map).sub(unitVectors(other[i]!)).square().sum([3]).mean([1, 2]))
    })
    return layers.reduce((sum, layer) => sum.add(layer)).mul(1 / layers.length)
  })
}
