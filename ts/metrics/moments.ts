/** Means and covariances of features: ours, and files of pytorch-fid. */
import { readFile } from 'node:fs/promises'
import { DataError } from '../native/index.ts'
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
  if (bytes.toString('latin1', 1, 6) !== 'NUMPY') throw new RangeError('it holds something that is no .npy file')
  const long = bytes[6]! > 1
  const start = (long ? 12 : 10) + (long ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8))
  const header = bytes.toString('latin1', 10, start)
  const found = /'descr': '<f([48])', 'fortran_order': (False|True), 'shape': \(([\d, ]*)\)/.exec(header)
  if (!found) throw new RangeError(`arrays of float32 or float64 are expected, got ${header.trim()}`)
  const shape = found[3]!
    .split(',')
    .filter((size) => size.trim() !== '')
    .map(Number)
  // A covariance is symmetric, and a mean has one axis: their order in memory does not matter.
  const size = shape.reduce((product, axis) => product * axis, 1)
  const width = Number(found[1])
  if (bytes.length - start !== size * width)
    throw new RangeError(`${size * width} bytes are expected, got ${bytes.length - start}`)
  const read =
    width === 8 ? (i: number) => bytes.readDoubleLE(start + 8 * i) : (i: number) => bytes.readFloatLE(start + 4 * i)
  return { shape, values: Float64Array.from({ length: size }, (_, i) => read(i)) }
}
