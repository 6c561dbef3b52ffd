/**
 * Resizing as the implementations of FID do it, to the last bit of what matters: the choice moves an FID by whole points (Parmar
 * et al. 2021, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation"). The modes carry clean-fid's names.
 */
import { type Device, scope, ShapeError, type Tensor } from '../../native/index.ts'

/** How images become the feature network's input, by the implementation that made the numbers to compare with. */
export type ResizeMode = 'legacy_tensorflow' | 'legacy_pytorch' | 'clean'

/** Side of Inception's input. */
const inceptionSize = 299

/** One row a pixel of the result: weights of the pixels of the source, `[to, from]`. */
type Resample = (from: number, to: number) => Float64Array[]

const f32 = Math.fround

/** Weights of the two neighbours of a source position; the upper one stays inside. */
function between(position: number, from: number): Float64Array {
  const row = new Float64Array(from)
  const lower = Math.floor(position)
  const share = position - lower
  row[lower]! += 1 - share
  row[Math.min(lower + 1, from - 1)]! += share
  return row
}

/**
 * TensorFlow 1's bilinear (ResizeBilinear, align_corners and half_pixel_centers false): source = i · from / to, in f32. It shifts
 * images by up to half a pixel and does not filter: what published FIDs were computed with.
 */
export const bilinearTensorflow: Resample = (from, to) => {
  const scale = f32(from / to)
  return Array.from({ length: to }, (_, i) => between(f32(i * scale), from))
}

/** PyTorch's bilinear (interpolate, align_corners false): source = max((i + ½) · from / to − ½, 0), in f32; it does not filter. */
export const bilinearPytorch: Resample = (from, to) => {
  const scale = f32(from / to)
  return Array.from({ length: to }, (_, i) => between(Math.max(f32(f32(scale * (i + 0.5)) - 0.5), 0), from))
}

/** Pillow's bicubic (a = −½), which widens with the scale when shrinking (Resample.c, precompute_coeffs). */
export const bicubicPillow: Resample = (from, to) => {
  const scale = from / to
  const width = Math.max(scale, 1)
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale
    const first = Math.max(Math.trunc(centre - 2 * width + 0.5), 0)
    const end = Math.min(Math.trunc(centre + 2 * width + 0.5), from)
    const row = new Float64Array(from)
    for (let x = first; x < end; x++) row[x] = bicubic((x - centre + 0.5) / width)
    const sum = row.reduce((a, b) => a + b, 0)
    return row.map((weight) => weight / sum)
  })
}

/** Keys' cubic kernel with a = −½. */
function bicubic(x: number): number {
  const t = Math.abs(x)
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0
}

function matrix(device: Device, rows: readonly Float64Array[]): Tensor {
  const from = rows[0]!.length
  const values = new Float64Array(rows.length * from)
  rows.forEach((row, i) => values.set(row, i * from))
  return device.tensor(values, [1, rows.length, from])
}

/**
 * Images at another size, each axis by itself: one matrix product an axis.
 *
 * @param images `[N, H, W, C]`, floats
 * @returns `[N, size, size, C]`
 */
export function resize(images: Tensor, size: number, resample: Resample): Tensor {
  const [N, H, W, C] = images.dims4()
  return scope(() => {
    const { device } = images
    const rows = matrix(device, resample(H, size)).matmul(images.reshape([N, H, W * C]))
    const turned = rows
      .reshape([N, size, W, C])
      .permute([0, 2, 1, 3])
      .reshape([N, W, size * C])
    const columns = matrix(device, resample(W, size)).matmul(turned)
    return columns.reshape([N, size, size, C]).permute([0, 2, 1, 3])
  })
}

/** @throws ShapeError unless images are `[N, H, W, 3]` */
export function checkImages(what: string, images: Tensor): void {
  if (images.dims4()[3] === 3) return
  throw new ShapeError(`${what}: images must be [N, H, W, 3], got [${images.shape.join(', ')}]`)
}

/** Pixels as the device's floats. */
export function asFloats(images: Tensor): Tensor {
  return images.dtype === images.device.float ? images : images.cast(images.device.float)
}

/**
 * Images as Inception takes them: 299 × 299, normalised.
 *
 * @param images `[N, H, W, 3]`, 0 to 255, bytes or floats
 * @param mode `legacy_tensorflow`: TensorFlow 1's bilinear, (x − 128) / 128 (the official StyleGAN and TTUR); `legacy_pytorch`:
 *   PyTorch's bilinear, 2x / 255 − 1 (pytorch-fid); `clean`: Pillow's bicubic in floats, clipped, (x − 128) / 128 (clean-fid)
 * @returns floats `[N, 299, 299, 3]`
 * @throws ShapeError for other shapes
 */
export function resizeForInception(images: Tensor, mode: ResizeMode): Tensor {
  checkImages('resizeForInception', images)
  return scope(() => {
    const pixels = asFloats(images)
    switch (mode) {
      case 'legacy_tensorflow':
        return resize(pixels, inceptionSize, bilinearTensorflow).affine(1 / 128, -1)
      case 'legacy_pytorch':
        return resize(pixels, inceptionSize, bilinearPytorch).affine(2 / 255, -1)
      case 'clean':
        return resize(pixels, inceptionSize, bicubicPillow)
          .clamp(0, 255)
          .affine(1 / 128, -1)
      default:
        throw new TypeError(
          `the resize mode must be legacy_tensorflow, legacy_pytorch or clean, got ${JSON.stringify(mode)}`,
        )
    }
  })
}
