/** Means and covariances of features: ours, and files of pytorch-fid. */
import { readFile } from 'node:fs/promises'
import { inflateRawSync } from 'node:zlib'
import { DataError } from '../native.ts'

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
  const bytes = await readFile(path).catch((error: Error) => {
    throw new DataError(`${path}: statistics (.npz with mu and sigma) are expected; ${error.message}`)
  })
  try {
    const arrays = readNpz(bytes)
    const [mu, sigma] = ['mu', 'sigma'].map((name) => {
      const array = arrays.get(name)
      if (array === undefined) throw new RangeError(`'${name}' is missing`)
      return array
    })
    const d = mu!.shape[0]!
    if (mu!.shape.length !== 1 || sigma!.shape.join() !== `${d},${d}`) {
      throw new RangeError(`mu [d] and sigma [d, d] are expected, got [${mu!.shape}] and [${sigma!.shape}]`)
    }
    return { mean: mu!.values, covariance: sigma!.values, name: path }
  } catch (error) {
    throw new DataError(`${path}: statistics (.npz with mu and sigma) are expected; ${(error as Error).message}`)
  }
}

interface FloatArray {
  readonly shape: readonly number[]
  readonly values: Float64Array
}

/** The arrays of a zip of `.npy` files, stored or deflated. */
function readNpz(bytes: Buffer): Map<string, FloatArray> {
  const arrays = new Map<string, FloatArray>()
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  if (end < 0) throw new RangeError('it is no whole zip file')
  let at = bytes.readUInt32LE(end + 16)
  for (let entries = bytes.readUInt16LE(end + 10); entries > 0; entries--) {
    if (bytes.readUInt32LE(at) !== 0x02014b50) throw new RangeError('its directory is damaged')
    const method = bytes.readUInt16LE(at + 10)
    const size = bytes.readUInt32LE(at + 20)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field))
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength!)
    const local = bytes.readUInt32LE(at + 42)
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
    const data = bytes.subarray(start, start + size)
    if (method !== 0 && method !== 8) throw new RangeError(`'${name}' is packed in a way that is not known, ${method}`)
    if (name.endsWith('.npy')) arrays.set(name.slice(0, -4), readNpyBytes(method === 8 ? inflateRawSync(data) : data))
    at += 46 + nameLength! + extraLength! + commentLength!
  }
  return arrays
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
  if (bytes.length - start !== size * width) throw new RangeError(`${size * width} bytes are expected, got ${bytes.length - start}`)
  const read = width === 8 ? (i: number) => bytes.readDoubleLE(start + 8 * i) : (i: number) => bytes.readFloatLE(start + 4 * i)
  return { shape, values: Float64Array.from({ length: size }, (_, i) => read(i)) }
}
