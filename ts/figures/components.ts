/** Principal components of W: the directions in which the styles of random images differ most (GANSpace, Härkönen et al. 2020). */
import { streams } from '../data/sampler.ts'
import { Rng, scope, type Tensor } from '../native/index.ts'
import { mapping } from '../networks/mapping.ts'
import type { TrainedGenerator } from './render.ts'

/** Principal components of W: the directions along which w varies most. */
export interface Components {
  /** Of unit length, the one of the largest deviation first. */
  readonly directions: readonly Float64Array[]
  /** Standard deviation of w along each. */
  readonly deviations: readonly number[]
  /** Share of the variance of w that each explains. */
  readonly shares: readonly number[]
}

/** w's that are drawn: 20 for each of the 512 numbers of a w. */
const samples = 10_000
const batch = 1000
/** Components that are found at most. */
export const mostComponents = 20
/** Vectors beside those that are asked for make the iteration converge faster (Halko et al. 2011). */
const oversampling = 10
const iterations = 60

/**
 * The principal components of w over random z, and random classes of a conditional network: the same for every call.
 *
 * Uses subspace iteration, which needs no library and ends with 1e-6 of the largest for components whose deviations differ; it lets
 * other work of the process go on in between.
 */
export async function principalComponents(generator: TrainedGenerator): Promise<Components> {
  const { covariance, width } = await covarianceOf(generator)
  const count = Math.min(mostComponents, width)
  const rng = new Rng(0, streams.grid)
  let basis: Float64Array[] = Array.from({ length: Math.min(count + oversampling, width) }, () =>
    Float64Array.from({ length: width }, () => rng.nextUniform() - 0.5),
  )
  for (let i = 0; i < iterations; i++) {
    basis = orthonormal(basis.map((vector) => product(covariance, vector)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const found = basis.map((vector) => ({ vector: turned(vector), variance: dot(vector, product(covariance, vector)) }))
  const kept = found.sort((a, b) => b.variance - a.variance).slice(0, count)
  const total = Array.from({ length: width }, (_, i) => covariance[i * width + i]!).reduce((sum, v) => sum + v, 0)
  return {
    directions: kept.map(({ vector }) => vector),
    deviations: kept.map(({ variance }) => Math.sqrt(Math.max(0, variance))),
    shares: kept.map(({ variance }) => (total > 0 ? Math.max(0, variance) / total : 0)),
  }
}

async function covarianceOf(generator: TrainedGenerator): Promise<{ covariance: Float64Array; width: number }> {
  const { Gs, options } = generator
  const { latentSize, labelSize, dlatentSize: width } = options
  const rng = new Rng(0, streams.grid)
  const sums = new Float64Array(width)
  const products = new Float64Array(width * width)
  for (let first = 0; first < samples; first += batch) {
    const [sum, product] = scope(() => {
      const z = rng.normal(Gs.device, [batch, latentSize])
      const w = mapping(Gs.params, z, labelSize > 0 ? labels(generator, first) : undefined, options)
      return [w.sum([0]), w.matmul(w, { transposeA: true })] as const
    })
    add(sums, await valuesOf(sum))
    add(products, await valuesOf(product))
  }
  const covariance = products.map((value, at) => {
    const [row, column] = [Math.floor(at / width), at % width]
    return value / samples - (sums[row]! / samples) * (sums[column]! / samples)
  })
  return { covariance, width }
}

/** One class an image, in turn. */
function labels({ Gs, options: { labelSize } }: TrainedGenerator, first: number): Tensor {
  const values = new Float32Array(batch * labelSize)
  for (let i = 0; i < batch; i++) values[i * labelSize + ((first + i) % labelSize)] = 1
  return Gs.device.tensor(values, [batch, labelSize])
}

async function valuesOf(tensor: Tensor): Promise<ArrayLike<number>> {
  const values = tensor.data()
  tensor.dispose()
  return values
}

function add(sums: Float64Array, values: ArrayLike<number>): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += values[i]!
}

function product(matrix: Float64Array, vector: Float64Array): Float64Array {
  const n = vector.length
  return vector.map((_, row) => dot(matrix.subarray(row * n, (row + 1) * n), vector))
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Gram-Schmidt, twice, which is enough for full precision. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = []
  for (const vector of vectors) {
    for (const _ of [1, 2]) {
      for (const other of basis) {
        const share = dot(vector, other)
        vector.forEach((value, i) => (vector[i] = value - share * other[i]!))
      }
    }
    const length = Math.sqrt(dot(vector, vector))
    basis.push(vector.map((value) => (length > 0 ? value / length : 0)))
  }
  return basis
}

/** A direction and its opposite are the same component: the largest number is positive. */
function turned(vector: Float64Array): Float64Array {
  const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0)
  return largest < 0 ? vector.map((value) => -value) : vector
}
