/**
 * Whether a generator copies its training images: fakes whose nearest training image, in D's features, is nearer than training
 * images are to each other.
 */
import { fromBytes } from '../data/pixels.ts'
import { streams } from '../data/sampler.ts'
import { renderLatents } from '../figures/render.ts'
import { concat, Rng, scope, type Levels, type Tensor } from '../native/index.ts'
import { discriminatorFeatures } from '../networks/discriminator.ts'
import type { Network, NetworkOptions } from '../networks/params.ts'
import { batchSizeOf, floatsOf } from './images.ts'
import { unitVectors } from './networks/lpips.ts'

/** Fakes and training images that are compared at most. */
const [mostFakes, mostReals] = [64, 256]
/** Of more images than this a look at a few says too little. */
const mostImages = 4 * mostReals
const leastReals = 16
/** Least side of images of which D has features between its layers. */
export const leastSide = 8
/** One is compared for so many that training shows: then it takes less than a hundredth of training's time. */
const imagesForOne = 32
/** Features of larger sides are left out: they take most of the memory, and say no more. */
const mostSide = 8
/** The percentile of distances between training images below which a fake is a copy. */
const percentile = 0.01

/** What is looked at. */
export interface Copying {
  readonly Gs: Network
  readonly D: Network
  readonly options: NetworkOptions
  readonly lod: number
  readonly reals: Levels
  /** Side of the images at this level of detail. */
  readonly side: number
  /** Whether training mirrors images. */
  readonly mirror: boolean
  readonly seed: number
  /** `[count, labelSize]` of the training images, for a conditional network. */
  readonly labels?: Tensor | undefined
}

/**
 * How many training images are compared; 0 where the check would say too little or take too long.
 *
 * @param count images of the data set
 * @param interval images of training from one check to the next
 */
export function realsToCompare(count: number, interval: number): number {
  const most = Math.min(count, mostReals, Math.floor(interval / imagesForOne))
  return most < leastReals || count > mostImages || count > 4 * most ? 0 : most
}

/**
 * Estimates the share of fakes that are nearly copies of training images, from a look at some of both: 0 … 1. A network that draws
 * new images, as different from those as they are from each other, has about a hundredth.
 *
 * @param compared as {@link realsToCompare} says
 */
export async function shareOfCopies(what: Copying, compared: number): Promise<number> {
  const { reals, seed, mirror } = what
  // A stream of its own: training draws the same numbers with and without it.
  const rng = new Rng(seed, streams.copies)
  const rows = rng.permutation(reals.count).slice(0, compared)
  const views = mirror ? [false, true] : [false]
  const seen: Float32Array[] = []
  for (const turned of views) seen.push(...(await featuresOfReals(what, rows, turned)))
  const share = shareNearer(seen, await featuresOfFakes(what, rng, Math.min(mostFakes, 2 * compared)), compared)
  return Math.min(1, (share * reals.count) / compared)
}

/**
 * The share of fakes nearer to a real than the first percentile of the distances from reals to their nearest others.
 *
 * @param reals several views of the same images, one after the other: an image is no neighbour of itself
 * @param images how many images there are
 */
export function shareNearer(reals: readonly Float32Array[], drawn: readonly Float32Array[], images: number): number {
  const nearest = (from: Float32Array, own = -1) =>
    reals.reduce(
      (least, to, i) => (i % images === own ? least : Math.min(least, squaredDistance(from, to, least))),
      Infinity,
    )
  // Images that are there twice say nothing of how different images are.
  const between = reals.slice(0, images).map((real, i) => nearest(real, i))
  const sorted = between.filter((distance) => distance > 0).sort((a, b) => a - b)
  const limit = sorted[Math.floor(percentile * sorted.length)]
  if (limit === undefined) return 0
  return drawn.filter((fake) => nearest(fake) < limit).length / drawn.length
}

/** Ends early where it is above `most`. */
function squaredDistance(a: Float32Array, b: Float32Array, most: number): number {
  let sum = 0
  for (let first = 0; first < a.length && sum < most; first += 256) {
    for (let i = first; i < Math.min(first + 256, a.length); i++) sum += (a[i]! - b[i]!) ** 2
  }
  return sum
}

async function featuresOfReals(what: Copying, rows: readonly number[], turned: boolean): Promise<Float32Array[]> {
  const { reals, side, D, options } = what
  const found: Float32Array[] = []
  for (const part of batches(rows, side)) {
    const bytes = await reals.batch(
      side,
      part,
      part.map(() => turned),
    )
    const shape = [part.length, side, side, options.numChannels]
    found.push(
      ...(await rowsOf(
        scope(() => features(what, D.device.tensor(bytes, shape))),
        part.length,
      )),
    )
  }
  return found
}

async function featuresOfFakes(what: Copying, rng: Rng, count: number): Promise<Float32Array[]> {
  const { Gs, options, lod, labels, reals, side } = what
  const numbers = Array.from({ length: count }, () => rng.nextInteger(0, reals.count))
  const found: Float32Array[] = []
  for (const part of batches(numbers, side)) {
    const drawn = scope(() => {
      const own = labels?.gatherRows(Gs.device.tensor(Int32Array.from(part), [part.length]))
      const z = rng.normal(Gs.device, [part.length, options.latentSize])
      return features(what, renderLatents({ Gs, options }, z, { labels: own, noise: rng, lod }))
    })
    found.push(...(await rowsOf(drawn, part.length)))
  }
  return found
}

const batches = (all: readonly number[], side: number): number[][] => {
  const size = batchSizeOf(side)
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}

/** D's feature vectors of bytes `[N, H, W, C]`, each of length 1 as in LPIPS, weighed so that each layer counts the same: `[N, …]`. */
function features({ D, options, lod }: Copying, bytes: Tensor): Tensor {
  const [N] = bytes.dims4()
  return scope(() => {
    const maps = discriminatorFeatures(D.params, fromBytes(bytes), lod, { ...options, precision: 'f32' })
    const small = maps.filter((map) => map.dims4()[1] <= mostSide)
    const rows = small.map((map) => {
      const [, H, W] = map.dims4()
      const vectors = unitVectors(map).mul(1 / Math.sqrt(H * W))
      return vectors.reshape([N, vectors.size / N])
    })
    return concat(rows, 1)
  })
}

async function rowsOf(tensor: Tensor, N: number): Promise<Float32Array[]> {
  const values = await floatsOf(tensor)
  const width = values.length / N
  return Array.from({ length: N }, (_, i) => values.subarray(i * width, (i + 1) * width))
}
