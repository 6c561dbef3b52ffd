/** NumPy's `.npz`: `.npy` files (numpy.lib.format) in a zip archive, stored as they are. */
import { crc32 } from 'node:zlib'
import { readNpyHeader } from './npy.ts'
import { shown } from './shown.ts'
import { rowMajor, stridedWeight, type Weight } from './weights.ts'
import { readZip } from './zip.ts'

/** A float32 array in host memory. */
interface Float32Tensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

const magic = '\x93NUMPY'

/**
 * The bytes of a `.npz` file, in pieces.
 *
 * @param texts further files of the archive by name, which NumPy leaves alone
 */
export function* encodeNpz(
  arrays: ReadonlyMap<string, Float32Tensor>,
  texts: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const central: Buffer[] = []
  let at = 0
  const files = [
    ...Object.entries(texts).map(([name, text]) => [name, [Buffer.from(text)]] as const),
    ...Array.from(arrays, ([name, array]) => [`${name}.npy`, npyOf(array)] as const),
  ]
  for (const [name, pieces] of files) {
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (at + size > 0xffffffff) throw new RangeError('a .npz file holds at most 4 GiB; use safetensors')
    const entry = Buffer.alloc(26)
    // Version 2.0, names in UTF-8, stored, 1 January 1980.
    entry.writeUInt16LE(20, 0)
    entry.writeUInt16LE(0x0800, 2)
    entry.writeUInt16LE(0x21, 8)
    entry.writeUInt32LE(
      pieces.reduce((sum, piece) => crc32(piece, sum), 0),
      10,
    )
    entry.writeUInt32LE(size, 14)
    entry.writeUInt32LE(size, 18)
    const text = Buffer.from(name)
    entry.writeUInt16LE(text.length, 22)
    const [local, directory] = [Buffer.from('PK\x03\x04'), Buffer.from('PK\x01\x02\x14\x00', 'latin1')]
    const offset = Buffer.alloc(14)
    offset.writeUInt32LE(at, 10)
    central.push(Buffer.concat([directory, entry, offset, text]))
    yield* [local, entry, text, ...pieces]
    at += 4 + entry.length + text.length + size
  }
  const listed = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(central.length, 8)
  end.writeUInt16LE(central.length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(at, 16)
  yield listed
  yield end
}

function npyOf({ shape, values }: Float32Tensor): [Uint8Array, Uint8Array] {
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${axes}), }`
  // The elements begin at a multiple of 64.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  const header = Buffer.alloc(10 + length, ' ')
  header.write(`${magic}\x01\x00`, 'latin1')
  header.writeUInt16LE(length, 8)
  header.write(text, 10)
  header.write('\n', header.length - 1)
  return [header, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]
}

/**
 * The float32 arrays of a `.npz` file, and the text of its other files.
 *
 * @throws RangeError or TypeError if it is cut off, damaged, or holds other arrays
 */
export function readNpz(bytes: Uint8Array): { arrays: Map<string, Weight>; texts: Map<string, string> } {
  const arrays = new Map<string, Weight>()
  const texts = new Map<string, string>()
  for (const [name, read] of readZip(bytes)) {
    if (name.endsWith('.npy')) arrays.set(name.slice(0, -4), weightOf(name, read()))
    else texts.set(name, Buffer.from(read()).toString('utf8'))
  }
  return { arrays, texts }
}

function weightOf(name: string, bytes: Uint8Array): Weight {
  const { descr, isFortran, shape, start } = readNpyHeader(bytes)
  if (descr !== '<f4' || isFortran) throw new TypeError(`'${shown(name)}' must be an array of float32 in C order`)
  return stridedWeight({ dtype: 'f32', bytes: bytes.subarray(start) }, 0, shape, rowMajor(shape))
}
