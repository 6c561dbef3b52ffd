/** NumPy's arrays within pickles, as views of the file's bytes (numpy/core/src/multiarray/methods.c, `__reduce__`). */
import { Global, type Globals, type PickleValue } from './pickle.ts'
import { shown } from './shown.ts'
import { bytesOf, rowMajor, stridedWeight, type Weight, type WeightDType } from './weights.ts'

const dtypes: Readonly<Record<string, WeightDType>> = { f2: 'f16', f4: 'f32', f8: 'f64', i8: 'i64' }

class DType {
  readonly type: WeightDType
  bigEndian = false

  constructor([name]: PickleValue[]) {
    const type = typeof name === 'string' && Object.hasOwn(dtypes, name) ? dtypes[name] : undefined
    if (type === undefined) {
      const found = typeof name === 'string' ? shown(name) : 'no name'
      throw new TypeError(`an array has elements of type ${found}: f2, f4, f8 or i8 is expected`)
    }
    this.type = type
  }

  /** `(3, '<', …)`. */
  setState(state: PickleValue): void {
    this.bigEndian = Array.isArray(state) && state[1] === '>'
  }
}

/** An array that is empty until its state is set. */
export class NumpyArray {
  weight: Weight | undefined

  /** `(version, shape, dtype, fortran, bytes)`. */
  setState(state: PickleValue): void {
    const [, shape, dtype, fortran, bytes] = Array.isArray(state) ? (state as PickleValue[]) : []
    this.weight = asWeight(shape, dtype, fortran === true, bytes)
  }
}

function asWeight(
  shape: PickleValue | undefined,
  dtype: PickleValue | undefined,
  fortran: boolean,
  bytes: PickleValue | undefined,
): Weight {
  if (!(dtype instanceof DType) || !(bytes instanceof Uint8Array) || !Array.isArray(shape)) {
    throw new TypeError('an array has no shape, type or bytes')
  }
  const { type, bigEndian } = dtype
  if (!shape.every((axis) => Number.isSafeInteger(axis) && axis >= 0)) throw new RangeError('an array has no shape')
  const size = (shape as number[]).reduce((product, axis) => product * axis, bytesOf[type])
  if (size !== bytes.length) {
    throw new RangeError(`an array [${shape.join(', ')}] needs ${size} bytes, the file has ${bytes.length} for it`)
  }
  const strides = fortran ? rowMajor((shape as number[]).toReversed()).reverse() : rowMajor(shape)
  const view = (elements: Uint8Array) => stridedWeight({ dtype: type, bytes: elements }, 0, shape, strides)
  return bigEndian ? { ...view(bytes), values: () => view(turned(bytes, bytesOf[type])).values() } : view(bytes)
}

/** The bytes of each element in the other order. */
function turned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.map((_, at) => bytes[at - (at % size) + size - 1 - (at % size)]!)
}

function scalar([dtype, bytes]: PickleValue[]): PickleValue {
  return asWeight([], dtype, false, bytes).values()[0]!
}

const uncallable = () => {
  throw new TypeError('the pickle calls what is no function')
}

function reconstruct([type]: PickleValue[]): NumpyArray {
  if (!(type instanceof Global) || type.name !== 'numpy.ndarray') throw new TypeError('the pickle makes no array')
  return new NumpyArray()
}

/** `_frombuffer(bytes, dtype, shape, order)`: protocol 5. */
function fromBuffer([bytes, dtype, shape, order]: PickleValue[]): NumpyArray {
  const array = new NumpyArray()
  array.weight = asWeight(shape, dtype, order === 'F', bytes)
  return array
}

/** How protocols up to 2 hold bytes: as text. */
function encode([text, encoding]: PickleValue[]): Uint8Array {
  if (typeof text !== 'string' || encoding !== 'latin1') throw new TypeError('the pickle has text where bytes belong')
  return Buffer.from(text, 'latin1')
}

/** Everything that arrays name. NumPy 2 moved the modules of 1. */
export const numpyGlobals: Globals = {
  '_codecs.encode': encode,
  'numpy.ndarray': uncallable,
  'numpy.dtype': (args) => new DType(args),
  ...Object.fromEntries(
    ['numpy.core', 'numpy._core'].flatMap((core) => [
      [`${core}.multiarray._reconstruct`, reconstruct],
      [`${core}.multiarray.scalar`, scalar],
      [`${core}.numeric._frombuffer`, fromBuffer],
    ]),
  ),
}
