import type { Tensor } from '../../ts/native/index.ts'
import { largestDifference } from './oracle.ts'

/** The largest difference of two tensors; NaN if their shapes differ. */
export async function difference(a: Tensor, b: Tensor): Promise<number> {
  if (a.shape.join() !== b.shape.join()) return NaN
  return largestDifference(await a.data(), await b.data())
}
