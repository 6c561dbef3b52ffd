/** Distances to one image, for the projector. Images are −1 … 1 `[1, H, W, C]`; the target may be larger than what is compared. */
import type { Distance } from '../figures/projector.ts'
import { freeze, scope, type Tensor } from '../native/index.ts'
import { discriminatorFeatures } from '../networks/discriminator.ts'
import { downscale } from '../networks/layers.ts'
import type { Network, NetworkOptions } from '../networks/params.ts'
import { toRgbChannels } from './images.ts'
import { lpipsFeatures, unitVectors, type Lpips } from './networks/lpips.ts'

/** VGG-16 sees images of at most this side (stylegan2-ada-pytorch, projector.py). */
const mostVggSide = 256

/** Least side of images that VGG-16's five levels leave a pixel of. */
export const leastLpipsSide = 16

/** The squared distance of LPIPS features. */
export function lpipsDistance(lpips: Lpips, target: Tensor): Distance {
  const featuresOf = (image: Tensor) => {
    const factor = Math.max(1, image.dims4()[1] / mostVggSide)
    return [lpipsFeatures(lpips, toRgbChannels(downscale(image, factor)).affine(127.5, 127.5))]
  }
  return toTarget(target, featuresOf, ([features], [wanted]) => features!.sub(wanted!).square().sum())
}

/** The mean squared difference of pixels, at each size from the image's own down to 4×4, averaged over sizes. */
export function pixelDistance(target: Tensor): Distance {
  const sizesOf = (image: Tensor) => {
    const sizes = [image]
    while (sizes.at(-1)!.dims4()[1] > 4) sizes.push(downscale(sizes.at(-1)!, 2))
    return sizes
  }
  return toTarget(target, sizesOf, meanSquare)
}

/** The mean squared difference of a discriminator's feature vectors, brought to length 1 as in LPIPS, averaged over layers. */
export function discriminatorDistance(
  { params }: Network,
  given: NetworkOptions,
  lod: number,
  target: Tensor,
): Distance {
  // Gradients of feature maps do not fit into 16 bits.
  const options = { ...given, precision: 'f32' as const }
  const featuresOf = (image: Tensor) => discriminatorFeatures(params, image, lod, options).map(unitVectors)
  const distance = (maps: Tensor[], wanted: Tensor[]) =>
    averaged(maps.map((map, i) => map.sub(wanted[i]!).square().sum([3]).mean()))
  return toTarget(target, featuresOf, distance)
}

/** The sum of several. */
export function sumOf(distances: readonly Distance[]): Distance {
  return (image) => scope(() => summed(distances.map((distance) => distance(image))))
}

const meanSquare = (maps: Tensor[], wanted: Tensor[]) =>
  averaged(maps.map((map, i) => map.sub(wanted[i]!).square().mean()))

const summed = (terms: readonly Tensor[]) => terms.reduce((a, b) => a.add(b))
const averaged = (terms: readonly Tensor[]) => summed(terms).mul(1 / terms.length)

/** The features of the target are computed once, at the size of the images. */
function toTarget(
  target: Tensor,
  featuresOf: (image: Tensor) => Tensor[],
  distance: (features: Tensor[], wanted: Tensor[]) => Tensor,
): Distance {
  let wanted: Tensor[] | undefined
  return (image) =>
    scope(() => {
      // Frozen, they outlive the step that first asks for them.
      wanted ??= featuresOf(downscale(target, target.dims4()[1] / image.dims4()[1])).map(freeze)
      return distance(featuresOf(image), wanted)
    })
}
