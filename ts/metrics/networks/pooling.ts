/** Pooling as the feature networks use it. Images are `[N, H, W, C]`. */
import { scope, type Tensor } from '../../native/index.ts'

/** Every `stride`-th pixel of `size` pixels along both axes, from (`top`, `left`) on. */
function pixels(x: Tensor, top: number, left: number, [h, w]: readonly [number, number], stride: number): Tensor {
  const [N, H, W, C] = x.dims4()
  const [rows, columns] = [(h - 1) * stride + 1, (w - 1) * stride + 1]
  if (stride === 1) return x.slice([0, top, left, 0], [N, h, w, C])
  // A filter of one tap is a copy; negative padding crops.
  const padding = [-top, top + rows - H, -left, left + columns - W] as const
  return x.upfirdn2d({ down: stride, taps: [1], padding })
}

function largest(tensors: readonly Tensor[]): Tensor {
  return tensors.reduce((a, b) => a.maximum(b))
}

/**
 * The largest value of each window of `size × size` pixels, without padding.
 *
 * @returns `[N, ⌊(H − size) / stride⌋ + 1, …, C]`
 */
export function maxPool(x: Tensor, size: number, stride: number): Tensor {
  return scope(() => {
    const [N, H, W, C] = x.dims4()
    if (size === stride && H % size === 0 && W % size === 0 && !x.isTracked) {
      // Windows that do not overlap are axes of their own. With a history, the gradient of a maximum of two is cheaper.
      const rows = x.reshape([(N * H) / size, size, W * C]).max([1])
      return rows
        .reshape([(N * H * W) / size ** 2, size, C])
        .max([1])
        .reshape([N, H / size, W / size, C])
    }
    const out = [H, W].map((length) => Math.floor((length - size) / stride) + 1) as [number, number]
    const offsets = Array.from({ length: size }, (_, i) => i)
    return largest(offsets.flatMap((top) => offsets.map((left) => pixels(x, top, left, out, stride))))
  })
}

/** The largest value of the 3 × 3 pixels around each pixel, of values that are nowhere negative: outside of the image is 0. */
export function maxPoolAround(x: Tensor): Tensor {
  const side = [1, 1] as const
  return scope(() => maxPool(x.pad([[0, 0], side, side, [0, 0]]), 3, 1))
}

/** The mean of the 3 × 3 pixels around each pixel, those outside of the image not counted. */
export function averagePoolAround(x: Tensor): Tensor {
  return scope(() => {
    const [, H, W] = x.dims4()
    const inside = (length: number) => Array.from({ length }, (_, i) => 3 - Number(i === 0) - Number(i === length - 1))
    const [rows, columns] = [inside(H), inside(W)]
    const share = rows.flatMap((a) => columns.map((b) => 1 / (a * b)))
    return x.upfirdn2d({ taps: [1, 1, 1], padding: [1, 1, 1, 1] }).mul(x.device.tensor(share, [H, W, 1]))
  })
}
