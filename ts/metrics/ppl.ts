/** Perceptual path length (StyleGAN, Section 4.1; official perceptual_path_length.py). */
import { imagesOfStyles } from '../figures/render.ts'
import { optionError } from '../files/option-names.ts'
import { Rng, scope, type Tensor } from '../native/index.ts'
import { downscale, lerp } from '../networks/layers.ts'
import { mapping } from '../networks/mapping.ts'
import { numLayers } from '../networks/params.ts'
import { batchSizeOf, drawLabels, floatsOf, networkKey, rngOf, toRgbChannels, type Sampled } from './images.ts'
import { lpips } from './networks/lpips.ts'
import type { Measured, Measurement } from './metric.ts'

export interface PathOptions {
  readonly space: 'z' | 'w'
  /** `full`: anywhere between two latents; `end`: at the first of them. */
  readonly sampling: 'full' | 'end'
  /** Only the part where aligned faces are. */
  readonly crop: boolean
}

/** Length of a step: official metric_base.py. */
export const epsilon = 1e-4

/** A generator in two parts, with the noise of a batch. */
export interface PathGenerator {
  /** w `[N, dlatentSize]` of latents. */
  readonly mapping: (z: Tensor) => Tensor
  /** Images −1 … 1 `[N, H, W, C]` of w; the same noise in each call. */
  readonly synthesis: (w: Tensor) => Tensor
}

/** How different images are, `[N]`. @param a, b 0 … 255 `[N, H, W, 3]` */
export type Distance = (a: Tensor, b: Tensor) => Tensor

/**
 * `d(g(x(t)), g(x(t + ε))) / ε²` of N paths x between latents: interpolated spherically in Z, linearly in W.
 *
 * @param ends two latents of each path, `[N, latentSize]`
 * @param t where on the path, `[N, 1]`
 */
export function pathLengths(
  { mapping, synthesis }: PathGenerator,
  ends: readonly [Tensor, Tensor],
  t: Tensor,
  distance: Distance,
  { space, crop }: Omit<PathOptions, 'sampling'>,
): Tensor {
  return scope(() => {
    const path = space === 'z' ? ends : ends.map(mapping)
    const [a, b] = path as [Tensor, Tensor]
    const at = (t: Tensor) => (space === 'z' ? mapping(slerp(a, b, t)) : lerp(a, b, t))
    const [before, after] = [t, t.add(epsilon)].map((t) => seen(synthesis(at(t)), crop)) as [Tensor, Tensor]
    return distance(before, after).mul(1 / epsilon ** 2)
  })
}

/** Between two directions on the unit sphere, `[N, D]`; t `[N, 1]`. */
export function slerp(a: Tensor, b: Tensor, t: Tensor): Tensor {
  const normalised = (x: Tensor) => x.mul(x.square().sum([1], true).rsqrt())
  return scope(() => {
    const [from, to] = [normalised(a), normalised(b)]
    const d = from.mul(to).sum([1], true)
    const angle = d.acos().mul(t)
    const across = normalised(to.sub(from.mul(d)))
    return normalised(from.mul(angle.cos()).add(across.mul(angle.sin())))
  })
}

/** Images 0 … 255 as the distance looks at them: rows 3/8 to 7/8, columns 2/8 to 6/8, at most 256 pixels high. */
function seen(images: Tensor, crop: boolean): Tensor {
  return scope(() => {
    let x = toRgbChannels(images)
    const [N, side] = x.dims4()
    const c = Math.floor(side / 8)
    if (crop) x = x.slice([0, 3 * c, 2 * c, 0], [N, 4 * c, 4 * c, 3])
    const height = x.dims4()[1]
    if (height > 256) x = downscale(x, Math.floor(height / 256))
    return x.affine(127.5, 127.5)
  })
}

/** The mean of what lies between the 1st and the 99th percentile, both included: outliers are not looked at (official). */
export function trimmedMean(lengths: ArrayLike<number>): number {
  const sorted = Float64Array.from(lengths).sort()
  const [low, high] = [sorted[Math.floor(0.01 * (sorted.length - 1))]!, sorted[Math.ceil(0.99 * (sorted.length - 1))]!]
  const kept = sorted.filter((value) => value >= low && value <= high)
  return kept.reduce((a, b) => a + b, 0) / kept.length
}

/** Least side of images that five levels of VGG16 leave a pixel of. */
const leastSide = 16

export async function ppl(measurement: Measurement, options: PathOptions): Promise<Measured> {
  const { name, num, networks, cache, progress, signal } = measurement
  const sampled = sampledOf(measurement)
  const { generator } = sampled
  const side = generator.options.resolution
  const wide = options.crop ? side / 2 : side
  if (wide < leastSide) {
    throw new RangeError(
      `${name}: images of at least ${options.crop ? 2 * leastSide : leastSide} pixels are expected, got ${side}; use another metric`,
    )
  }
  if (options.space === 'w') requireW(name, sampled)
  const perceptual = await networks.lpips()
  const batchSize = Math.min(16, batchSizeOf(side)) // two passes, and a feature network behind them
  const rows = await cache.rows({
    key: { path: options, epsilon, weights: perceptual.sha256, batchSize, ...networkKey(sampled) },
    width: 1,
    count: num,
    batchSize,
    compute: (index) => lengthsOf(sampled, index, batchSize, (a, b) => lpips(perceptual, a, b), options),
    describe: (row) => `${name}, path ${row}`,
    keep: false,
    onProgress: (done, total) => progress('path lengths', done, total),
    signal,
  })
  const { space, sampling, crop } = options
  const details = {
    num_paths: num,
    epsilon,
    space,
    sampling,
    crop,
    features: 'lpips vgg16',
    weights_sha256: perceptual.sha256,
  }
  return { results: { [name]: trimmedMean(await rows.all()) }, details }
}

/** Lengths of the paths of batch `index`, `[N]`. */
export async function lengthsOf(
  sampled: Sampled,
  index: number,
  N: number,
  distance: Distance,
  options: PathOptions,
): Promise<Float32Array> {
  const { Gs, options: network } = sampled.generator
  const lengths = scope(() => {
    const labels = drawLabels(sampled, rngOf(sampled, index, 'labels'), N)
    const latents = rngOf(sampled, index, 'latents')
    const latent = () => latents.normal(Gs.device, [N, network.latentSize])
    const ends = [latent(), latent()] as const
    const t = options.sampling === 'full' ? latents.uniform(Gs.device, [N, 1]) : Gs.device.zeros([N, 1])
    const generator = {
      mapping: (z: Tensor) => mapping(Gs.params, z, labels, network),
      synthesis: (w: Tensor) => {
        const styles = Array.from({ length: numLayers(network.resolution) }, () => w)
        // From one position each time: both ends of a step have the same noise.
        return imagesOfStyles(sampled.generator, styles, Rng.from(rngOf(sampled, index, 'noise').state))
      },
    }
    return pathLengths(generator, ends, t, distance, options)
  })
  return floatsOf(lengths)
}

/** What a metric says that moves latents, of a folder of images. */
export const noNetwork = (metric: string): RangeError =>
  optionError((name) => `${metric}: a network is expected, got images; give ${name('network')}`)

/** @throws RangeError where images stand for a network */
export function sampledOf({ name, sampled }: Measurement): Sampled {
  if (sampled === undefined) throw noNetwork(name)
  return sampled
}

/** @throws RangeError if the network has Z alone */
export function requireW(name: string, { generator }: Sampled, remedy = 'measure in Z'): void {
  if (generator.options.mappingLayers > 0) return
  throw new RangeError(`${name}: a network with a mapping network is expected, got one that has Z alone; ${remedy}`)
}
