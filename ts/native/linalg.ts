/**
 * The mathematics of the metrics, in f64 on worker threads. Feature vectors are rows of f32, `[N, width]`. Arrays are not
 * copied: an array that was handed over must not change until its promise is kept.
 */
import { call, native, wait, whole, type Native } from './addon.ts'

/** What the sum of products is divided by: N − 1 (NumPy's `cov`, the official StyleGAN), or N (stylegan2-ada and later). */
export type CovarianceRule = 'N-1' | 'N'

const seedOf = (what: string, seed: number) => whole(`${what}: seed`, seed, 0, Number.MAX_SAFE_INTEGER)

/**
 * Mean and covariance of feature vectors in one pass and memory of O(width²). Blocks are centred before they are merged, so
 * that means that are large beside the deviations do not cancel; the bits do not depend on how rows were grouped.
 */
export class FeatureStatistics {
  #native: Native.NativeFeatureStatistics
  #last: Promise<void> = Promise.resolve()

  /** @param width values of a feature vector */
  constructor(width: number) {
    this.#native = call(() => native.NativeFeatureStatistics.create(whole('FeatureStatistics: width', width, 1)))
  }

  /**
   * Adds rows, in the order of the calls.
   *
   * @throws RangeError if `rows` are not `[N, width]` or not finite: nothing is added then
   */
  add(rows: Float32Array): Promise<void> {
    const added = this.#last.then(() => wait(() => this.#native.add(rows)))
    this.#last = added.catch(() => undefined)
    return added
  }

  /** Rows that have been added. */
  get count(): number {
    return this.#native.count
  }

  /** `[width]`. */
  mean(): Float64Array {
    return call(() => this.#native.mean())
  }

  /**
   * `[width, width]`.
   *
   * @throws RangeError if there are fewer rows than the rule needs, 2 or 1
   */
  covariance(rule: CovarianceRule): Float64Array {
    return call(() => this.#native.covariance(rule))
  }

  /** Everything that {@link FeatureStatistics.restore} needs to go on to the same bits: about 4 · width² bytes. */
  save(): Uint8Array {
    return call(() => this.#native.save())
  }

  /** @throws RangeError if `bytes` are not those of `save` */
  static restore(bytes: Uint8Array): FeatureStatistics {
    const restored = new FeatureStatistics(1)
    restored.#native = call(() => native.NativeFeatureStatistics.restore(bytes))
    return restored
  }
}

/** A normal distribution: mean `[d]`, covariance `[d, d]`, symmetric. */
export interface Gaussian {
  mean: Float64Array
  covariance: Float64Array
}

/**
 * |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½): the Fréchet distance of two normal distributions (Heusel et al. 2017, Eq. 6).
 * Symmetric decompositions keep it real, also where covariances are singular.
 *
 * @throws RangeError if sizes differ or numbers are not finite
 */
export function frechetDistance(a: Gaussian, b: Gaussian): Promise<number> {
  return wait(() => native.frechetDistance(a.mean, a.covariance, b.mean, b.covariance))
}

/**
 * KID (Bińkowski et al. 2018): the unbiased squared maximum mean discrepancy with the kernel (x·y / width + 1)³, over random
 * subsets of each set, drawn without replacement.
 *
 * @param o.subsets 100, and `o.size` 1000: stylegan3, torch-fidelity, clean-fid; a smaller set is taken whole
 * @returns the mean over the subsets, and their standard deviation
 * @throws RangeError if rows do not fit the width or are not finite, or a set has fewer than 2
 */
export function kernelDistance(
  x: Float32Array,
  y: Float32Array,
  width: number,
  o: { subsets?: number; size?: number; seed?: number } = {},
): Promise<{ mean: number; deviation: number }> {
  const subsets = whole('kernelDistance: subsets', o.subsets ?? 100, 1)
  const size = whole('kernelDistance: size', o.size ?? 1000, 2)
  const seed = seedOf('kernelDistance', o.seed ?? 0)
  return wait(() => native.kernelDistance(x, y, whole('kernelDistance: width', width, 1), subsets, size, seed))
}

/**
 * How two sets of feature vectors cover each other: precision and recall (Kynkäänniemi et al. 2019), with balls that reach to
 * the `k`-th neighbour in the same set, borders included; density and coverage (Naeem et al. 2020), borders excluded.
 *
 * @param k 3 in Kynkäänniemi et al., 5 in Naeem et al.
 * @param densityK the neighbour of density and coverage, if another one: both pairs of numbers then take one pass
 * @throws RangeError if rows do not fit the width or are not finite, or a set has no `k`-th neighbour
 */
export function neighbourhoods(
  real: Float32Array,
  fake: Float32Array,
  width: number,
  k: number,
  densityK = k,
): Promise<{ precision: number; recall: number; density: number; coverage: number }> {
  const ks = [whole('neighbourhoods: k', k, 1), whole('neighbourhoods: densityK', densityK, 1)] as const
  return wait(() => native.neighbourhoods(real, fake, whole('neighbourhoods: width', width, 1), ...ks))
}

/** A plane: a sample x is of class 1 where weights·x + bias > 0. */
export interface LinearSvm {
  weights: Float64Array
  bias: number
  iterations: number
  /** Whether the tolerance was met within `maxIterations`. */
  converged: boolean
}

/**
 * min over (w, b) of ½(|w|² + b²) + C Σ max(0, 1 − yᵢ(w·xᵢ + b))²: scikit-learn's `LinearSVC(dual=True)`, whose defaults are
 * the defaults here, by LIBLINEAR's dual coordinate descent (Hsieh et al. 2008).
 *
 * @param x samples `[N, width]`
 * @param labels `[N]`, 0 or 1
 * @throws RangeError if sizes do not fit, a value is not finite, or only one class occurs
 */
export function linearSvm(
  x: Float32Array | Float64Array,
  labels: Uint8Array,
  width: number,
  o: { C?: number; tolerance?: number; maxIterations?: number; seed?: number } = {},
): Promise<LinearSvm> {
  const maxIterations = whole('linearSvm: maxIterations', o.maxIterations ?? 1000, 1)
  const options = { c: o.C ?? 1, tolerance: o.tolerance ?? 1e-4, maxIterations, seed: seedOf('linearSvm', o.seed ?? 0) }
  whole('linearSvm: width', width, 1)
  return wait(() =>
    x instanceof Float32Array
      ? native.linearSvmF32(x, labels, width, options)
      : native.linearSvmF64(x, labels, width, options),
  )
}

/** Neighbourhoods of pixels out of the Laplacian pyramids of a set of images: `metrics/swd.ts`. */
export class Descriptors {
  readonly #native: Native.NativeDescriptors

  private constructor(descriptors: Native.NativeDescriptors) {
    this.#native = descriptors
  }

  static create(set: 'reals' | 'fakes', side: number, channels: number, seed: number): Descriptors {
    const size = [whole('swd: side', side, 1), whole('swd: channels', channels, 1), seedOf('swd', seed)] as const
    return new Descriptors(call(() => native.NativeDescriptors.create(set, ...size)))
  }

  get sides(): number[] {
    return this.#native.sides
  }

  add(images: Uint8Array): Promise<void> {
    return wait(() => this.#native.add(images))
  }

  /** The sliced Wasserstein distance at each level. */
  distances(fakes: Descriptors, seed: number): Promise<Float64Array> {
    return wait(() => native.slicedWasserstein(this.#native, fakes.#native, seedOf('swd', seed)))
  }
}

/** MS-SSIM of pairs of images `[N, height, width, channels]`: `metrics/ms-ssim.ts`. */
export function multiScaleSimilarity(
  a: Uint8Array,
  b: Uint8Array,
  height: number,
  width: number,
  channels: number,
): Promise<Float64Array> {
  const sizes = [height, width, channels].map((size) => whole('msSsim: sizes', size, 1))
  return wait(() => native.msSsim(a, b, sizes[0]!, sizes[1]!, sizes[2]!))
}
