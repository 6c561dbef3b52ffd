/**
 * MS-SSIM (Wang, Simoncelli, Bovik 2003) as Progressive GAN reports it: the mean over pairs of generated images is a measure
 * of variation; the higher, the more alike they are.
 */
import { multiScaleSimilarity, type Shape, ShapeError } from '../native/index.ts'

/**
 * MS-SSIM of each pair of images: five scales with the weights of the paper, an 11×11 Gaussian window of deviation 1.5, inside
 * of the image alone; terms are averaged over places and channels, negative means count as 0.
 *
 * Scales that are smaller than the window, those of images below 176 pixels, shrink it with its deviation, as TensorFlow's
 * `msssim.py` and the Progressive GAN code do: always five scales, so numbers at one size compare with each other only.
 *
 * @param a bytes `[N, H, W, C]`, and `b` likewise; both must not change until the promise is kept
 * @param shape `[N, H, W, C]`; H and W are multiples of 16, so that there is a fifth scale
 * @returns N numbers from 0 to 1
 * @throws ShapeError if the shape does not fit the bytes, RangeError if a side is no multiple of 16
 */
export async function msSsim(a: Uint8Array, b: Uint8Array, shape: Shape): Promise<number[]> {
  const [N, H, W, C] = shape
  if (shape.length !== 4 || N! * H! * W! * C! !== a.length || a.length !== b.length) {
    throw new ShapeError(
      `msSsim: pairs of [N, H, W, C] are expected, got [${shape}], ${a.length} and ${b.length} bytes`,
    )
  }
  return [...(await multiScaleSimilarity(a, b, H!, W!, C!))]
}
