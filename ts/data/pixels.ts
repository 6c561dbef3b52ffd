/** Images as bytes and as the numbers that the networks see. */
import { scope, type Tensor } from '../native/index.ts'

/** Bytes 0 … 255 as −1 … 1. The official conversion in the other direction had a range that it never used. */
export function fromBytes(images: Tensor): Tensor {
  return scope(() => images.cast(images.device.float).affine(2 / 255, -1))
}

/** Images −1 … 1 as bytes: `127.5 x + 128`, truncated and clamped (official convert_images_to_uint8). */
export function toBytes(images: Tensor): Tensor {
  return scope(() => images.affine(127.5, 128).cast('u8'))
}
