/** Named arrays of a weight file, whatever its format. */

/** A weight file that cannot be used; the message names the file, what is wrong, and what to do. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError'
}

/** Bytes of an element. */
export const bytesOf = { f16: 2, f32: 4, f64: 8, i64: 8 } as const

/** Element types of a file; values are always read as f32. */
export type WeightDType = keyof typeof bytesOf

export interface Weight {
  readonly shape: readonly number[]
  readonly dtype: WeightDType
  /** The elements in row-major order, read from the file's bytes when called. */
  readonly values: () => Float32Array
}

/** By the names of the file. */
export type Weights = ReadonlyMap<string, Weight>

/** No array of a network has as many axes. */
export const maxAxes = 16

/** A run of elements of one type within a file. */
export interface Elements {
  readonly dtype: WeightDType
  readonly bytes: Uint8Array
}

/**
 * A strided view of elements as a weight.
 *
 * @param strides steps along each axis, in elements
 * @throws RangeError if it reaches outside of the elements
 */
export function stridedWeight(
  elements: Elements,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): Weight {
  const { dtype, bytes } = elements
  if (shape.length !== strides.length || shape.length > maxAxes)
    throw new RangeError('its geometry is none of an array')
  const whole = [offset, ...shape, ...strides].every((value) => Number.isSafeInteger(value) && value >= 0)
  if (!whole) throw new RangeError('its geometry is none of an array')
  const size = shape.reduce((product, axis) => product * axis, 1)
  const last = shape.reduce((at, axis, i) => at + (axis - 1) * strides[i]!, offset)
  const length = bytes.byteLength / bytesOf[dtype]
  if (size > length || (size > 0 && last >= length)) {
    throw new RangeError(`[${shape.join(', ')}] does not fit its storage of ${length} elements`)
  }
  const values = () => {
    const read = decode({ dtype, bytes: bytes.subarray(offset * bytesOf[dtype], (last + 1) * bytesOf[dtype]) })
    return isRowMajor(shape, strides) ? read.subarray(0, size) : gather(read, shape, strides)
  }
  return { shape, dtype, values }
}

/** Steps of a row-major array. */
export function rowMajor(shape: readonly number[]): number[] {
  let step = 1
  const steps = shape.toReversed().map((size) => {
    const before = step
    step *= size
    return before
  })
  return steps.reverse()
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  const expected = rowMajor(shape)
  return shape.every((size, axis) => size === 1 || strides[axis] === expected[axis])
}

/** The elements at `strides` of a row-major array's, in the order of `shape`. */
export function gather(from: Float32Array, shape: readonly number[], strides: readonly number[]): Float32Array {
  const steps = rowMajor(shape)
  const to = new Float32Array(shape.reduce((product, axis) => product * axis, 1))
  const copy = (axis: number, source: number, target: number): void => {
    for (let i = 0; i < shape[axis]!; i++) {
      const [s, t] = [source + i * strides[axis]!, target + i * steps[axis]!]
      if (axis === shape.length - 1) to[t] = from[s]!
      else copy(axis + 1, s, t)
    }
  }
  copy(0, 0, 0)
  return to
}

function decode({ dtype, bytes }: Elements): Float32Array {
  // A copy of its own: elements need not be aligned in the file.
  const { buffer } = new Uint8Array(bytes)
  if (dtype === 'f32') return new Float32Array(buffer)
  if (dtype === 'f64') return Float32Array.from(new Float64Array(buffer))
  if (dtype === 'i64') return Float32Array.from(new BigInt64Array(buffer), Number)
  return Float32Array.from(new Uint16Array(buffer), halfToNumber)
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** A filter `[O, C, kh, kw]` of PyTorch's in our order, `[kh, kw, C, O]`. */
export function filterToHwio(
  values: Float32Array,
  [O, C, kh, kw]: readonly [number, number, number, number],
): Float32Array {
  return gather(values, [kh, kw, C, O], [kw, 1, kh * kw, C * kh * kw])
}
