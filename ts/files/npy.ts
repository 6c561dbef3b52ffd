/** The header of NumPy's `.npy` (numpy.lib.format). */
import { shown } from './shown.ts'

export interface NpyHeader {
  /** The type of an element, such as `|u1` or `<f4`. */
  readonly descr: string
  /** The first axis changes fastest. */
  readonly isFortran: boolean
  readonly shape: readonly number[]
  /** Where the elements begin. */
  readonly start: number
}

/** Bytes from the start of a file in which a header ends; NumPy itself writes 64 or 128, and reads up to 10,000. */
export const npyHeaderBytes = 16_384

export const isNpy = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 6)).toString('latin1') === '\x93NUMPY'

/**
 * @param bytes the start of the file
 * @throws TypeError if it is no such header
 */
export function readNpyHeader(bytes: Uint8Array): NpyHeader {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!isNpy(bytes) || view.length < 12) throw new TypeError('it is no .npy file')
  const first = view[6]! > 1 ? 12 : 10
  const start = first + (first === 12 ? view.readUInt32LE(8) : view.readUInt16LE(8))
  if (start > view.length) throw new TypeError('it is a .npy file that is cut off')
  const header = view.toString('latin1', first, start)
  const found = /'descr': '([^']*)', 'fortran_order': (False|True), 'shape': \(([\d, ]*)\)/.exec(header)
  if (!found) throw new TypeError(`it is a .npy file of other than numbers: ${shown(header.trim())}`)
  const shape = found[3]!.split(',').filter((axis) => axis.trim() !== '')
  return { descr: found[1]!, isFortran: found[2] === 'True', shape: shape.map(Number), start }
}
