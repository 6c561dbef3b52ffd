/** Parameters from files. */
import type { HostTensor, SafetensorsFile } from '../files/safetensors.ts'
import { scope, type Shape, type Tensor } from '../native/index.ts'

/**
 * Whether a file holds an array of floats of this shape; asked before memory is taken, since a small file may ask for large networks.
 *
 * @throws SnapshotError saying what it has instead
 */
export function checkSaved(file: SafetensorsFile, name: string, shape: Shape): void {
  const saved = file.tensors.get(name)
  const wanted = `[${shape.join(', ')}]`
  if (saved === undefined) throw file.error(`'${name}' ${wanted} is expected and missing`)
  if (saved.shape.join() !== shape.join()) {
    throw file.error(`'${name}' must be ${wanted}, got [${saved.shape.join(', ')}]`)
  }
  if (!/^F(32|64)$/.test(saved.dtype)) throw file.error(`'${name}' must be F32 or F64, got ${saved.dtype}`)
}

/**
 * Fills a tensor with the array that a file has under this name.
 *
 * @throws SnapshotError if it is missing, damaged, of another shape, or not finite
 */
export async function loadTensor(tensor: Tensor, name: string, file: SafetensorsFile): Promise<void> {
  checkSaved(file, name, tensor.shape)
  fillTensor(tensor, name, (await file.read(name)).values, (message) => file.error(message))
}

/**
 * Fills a tensor with the numbers of a variable of its shape.
 *
 * @param error makes the error of the file that has them
 * @throws that error if they are not finite
 */
export function fillTensor(
  tensor: Tensor,
  name: string,
  values: HostTensor['values'],
  error: (message: string) => Error,
): void {
  const bad = firstNotFinite(values)
  if (bad >= 0) throw error(`'${name}' must be finite, got ${values[bad]}; use another snapshot`)
  scope(() => tensor.assign(tensor.device.tensor(values, tensor.shape)))
}

/** The place of the first value that is NaN or infinite, −1 if there is none. A loop: `findIndex` takes several times as long. */
export function firstNotFinite(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i
  return -1
}
