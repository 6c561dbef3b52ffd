/** What feature maps are stored in or multiplied in, and what a device must be able to do for it. */
import { optionError } from '../files/option-names.ts'
import { hidesBf16, Rng, scope, type Algorithm, type Device, type FloatType, type Tensor } from '../native/index.ts'

/**
 * What the feature maps of both networks are stored in. With 16 bits they take half of the memory; a GPU computes in f32 all the same and
 * rounds what it stores, except that one with units for small matrices multiplies f16 by f16. A CPU stores f32, and with AVX512-BF16 bf16 is
 * what its convolutions multiply, with sums in f32. Weights, their gradients, styles, statistics, noise, images, logits and losses are
 * f32.
 */
export type Precision = (typeof precisions)[number]
/** bf16 has f32's range and 8 significant bits; f16 has 11, but a range so small that training scales its losses (optimizer.ts). */
export const precisions = ['f32', 'bf16', 'f16'] as const

interface Stored {
  /** f32 where none is given. */
  readonly precision?: Precision
}

/** The element type of feature maps on a device: its own float is the `f32` of {@link Precision}. */
export function mapsOf({ precision = 'f32' }: Stored, device: Device): FloatType {
  return precision === 'f32' || !device.storesHalf ? device.float : precision
}

/** How the convolutions of feature maps are computed on a device. */
export function algorithmOf({ precision }: Stored, device: Device): Algorithm {
  return precision === 'bf16' && !device.storesHalf ? 'bf16' : device.algorithm
}

/** What a check asks of a device. */
type Abilities = Pick<Device, 'name' | 'float' | 'storesHalf' | 'multipliesBf16'>

/** @throws RangeError if the precision is of 16 bits, and the device neither stores nor multiplies it */
export function checkPrecision({ precision = 'f32' }: Stored, device: Abilities): void {
  if (precision === 'f32' || device.storesHalf || (precision === 'bf16' && device.multipliesBf16)) return
  if (precision === 'bf16' && device.name === 'cpu' && hidesBf16()) {
    throw optionError(
      (name) =>
        `${name('precision')}: bf16 needs AVX512-BF16, which this CPU has and STYLEGAN_ISA=avx2 hides; unset STYLEGAN_ISA, leave ${name('precision')} out, or set ${name('device')} to wgpu`,
    )
  }
  const bits = device.float === 'f32' ? 32 : 64
  const needed = precision === 'bf16' ? 'a GPU, or a CPU with AVX512-BF16' : 'a GPU'
  throw optionError(
    (name) =>
      `${name('precision')}: ${precision} needs ${needed}, device ${device.name} stores and multiplies feature maps in ${bits} bits; leave it out, or set ${name('device')} to wgpu`,
  )
}

/** The weights are rounded to f16 in one of two sums: half a step of 11 bits for each term, less for their sum, and the results' own. */
const tolerance = 2 ** -9

/**
 * Has a GPU multiply in f16 before anything is trusted to it: units for small matrices are new to drivers, and the compiler of our kernels
 * does not say all that they could want to know (https://github.com/gfx-rs/wgpu/issues/8805).
 *
 * @param product a convolution of 3 × 3, as the device chooses and without such units
 * @throws RangeError if the two differ by more than rounding
 */
export async function checkProducts(
  { precision }: Stored,
  device: Device,
  product = (x: Tensor, w: Tensor, algorithm: 'auto' | 'direct') => x.conv2d(w, { padding: [1, 1, 1, 1], algorithm }),
): Promise<void> {
  if (precision !== 'f16' || !device.storesHalf) return
  const results = scope(() => {
    const rng = new Rng(1)
    const [x, w] = [rng.normal(device, [8, 16, 16, 64]).cast('f16'), rng.normal(device, [3, 3, 64, 64])]
    return (['auto', 'direct'] as const).map((algorithm) => product(x, w, algorithm).cast('f32'))
  })
  const [found, expected] = await Promise.all(results.map(async (result) => Array.from(await result.data())))
  for (const result of results) result.dispose()
  const largest = (values: number[]) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const off = largest(expected!.map((value, i) => value - found![i]!)) / largest(expected!)
  if (off <= tolerance) return
  throw optionError(
    (name) =>
      `device ${device.name} multiplies wrongly in f16: off by ${off.toPrecision(2)} of the largest result; set ${name('precision')} to bf16, or update the GPU's driver`,
  )
}
