/** Means and covariances of features: ours, and files of pytorch-fid. */
import { readFile } from 'node:fs/promises'
import { openSource } from '../data/sources/index.ts'
import { DataError } from '../native/index.ts'
import { readNpyHeader } from '../files/npy.ts'
import { shown } from '../files/shown.ts'
import { readZip } from '../files/zip.ts'

export interface Moments {
  /** `[d]` */
  readonly mean: Float64Array
  /** `[d, d]` */
  readonly covariance: Float64Array
  /** What they are of, for messages and results. */
  readonly name: string
  /** Images, where it is known. */
  readonly count?: number | undefined
}

/** Whether a file is one of statistics: a `.npz` may hold images too. */
export async function isStatistics(path: string): Promise<boolean> {
  if (!path.endsWith('.npz')) return false
  const images = await openSource(path).catch(() => undefined)
  await images?.close()
  return images === undefined
}

/**
 * Statistics as `pytorch_fid --save-stats` and `numpy.savez(path, mu=…, sigma=…)` write them.
 *
 * @throws DataError if it is no such file
 */
export async function readMoments(path: string): Promise<Moments> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new DataError(`${path}: statistics (.npz with mu and sigma) are expected; ${(error as Error).message}`)
  })
  try {
    const files = readZip(bytes)
    const array = (name: string): FloatArray => {
      const file = files.get(`${name}.npy`)?.()
      if (file === undefined) throw new RangeError(`'${name}' is missing`)
      return readNpyBytes(Buffer.from(file.buffer, file.byteOffset, file.byteLength))
    }
    const [mu, sigma] = [array('mu'), array('sigma')]
    const d = mu.shape[0]!
    if (mu.shape.length !== 1 || sigma.shape.join() !== `${d},${d}`) {
      throw new RangeError(`mu [d] and sigma [d, d] are expected, got [${mu.shape}] and [${sigma.shape}]`)
    }
    return { mean: mu.values, covariance: sigma.values, name: path }
  } catch (error) {
    throw new DataError(`${path}: statistics (.npz with mu and sigma) are expected; ${(error as Error).message}`)
  }
}

interface FloatArray {
  readonly shape: readonly number[]
  readonly values: Float64Array
}

/** An array of `<f4` or `<f8` in C order (numpy.lib.format). */
function readNpyBytes(bytes: Buffer): FloatArray {
  const { descr, shape, start } = readNpyHeader(bytes)
  if (descr !== '<f4' && descr !== '<f8') throw new RangeError(`float32 or float64 is expected, got ${shown(descr)}`)
  // A covariance is symmetric, and a mean has one axis: their order in memory does not matter.
  const size = shape.reduce((product, axis) => product * axis, 1)
  const width = Number(descr.at(-1))
  if (bytes.length - start !== size * width)
    throw new RangeError(`${size * width} bytes are expected, got ${bytes.length - start}`)
  const read =
    width === 8 ? (i: number) => bytes.readDoubleLE(start + 8 * i) : (i: number) => bytes.readFloatLE(start + 4 * i)
  return { shape, values: Float64Array.from({ length: size }, (_, i) => read(i)) }
}
