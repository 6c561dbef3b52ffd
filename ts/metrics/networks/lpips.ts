/**
 * LPIPS v0.1 on VGG-16 (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"): the
 * distance of the perceptual path length.
 */
import { packageFile } from '../../files/package-files.ts'
import { concat, type Device, scope, ShapeError, type Tensor } from '../../native/index.ts'
import { get, type Params } from '../../networks/params.ts'
import { knownWeights, readWeightFile, weight, type WeightFileOptions } from '../../files/weight-file.ts'
import { asFloats, checkImages } from './resize.ts'
import { affineByChannel, vggChannels, vggStage, vggTrunk } from './vgg.ts'

export interface Lpips {
  readonly device: Device
  /** VGG-16's convolutions, and the heads as `lin0` … `lin4`, `[C, 1]`. */
  readonly params: Params
  /** Of VGG-16's file, in hexadecimal. */
  readonly sha256: string
}

/** The published heads, which this package carries. */
const ownHeads = packageFile('weights/lpips-v0.1-vgg.pth')

/** LPIPS's ScalingLayer, for pixels in −1 to 1. */
const scaling = { shift: [-0.03, -0.088, -0.188], scale: [0.458, 0.448, 0.45] }
/** Added to the length of a feature vector before it divides. */
const epsilon = 1e-10

/**
 * Loads LPIPS.
 *
 * @param vggPath torchvision's VGG-16
 * @param headsPath the heads of v0.1; by default those of this package
 * @throws WeightsError if a file is missing, damaged, or of another network
 */
export async function loadLpips(
  device: Device,
  vggPath: string,
  headsPath: string = ownHeads,
  options?: WeightFileOptions,
): Promise<Lpips> {
  const heads = await readWeightFile(headsPath, knownWeights.lpips, options)
  const lin = vggChannels.map((C, i) => weight(heads.weights, `lin${i}.model.1.weight`, [1, C, 1, 1], headsPath))
  const trunk = await readWeightFile(vggPath, knownWeights.vgg, options)
  const params = new Map(vggTrunk(device, trunk, vggPath))
  lin.forEach((values, i) => params.set(`lin${i}`, device.tensor(values, [values.length, 1])))
  return { device, params, sha256: trunk.sha256 }
}

/**
 * The distance of pairs of images: the features of five layers, each pixel's scaled to length 1; squared differences, weighted by
 * channel, averaged over pixels, summed over layers.
 *
 * @param a `[N, H, W, 3]`, 0 to 255, as the official metric takes them
 * @param b the other images of the pairs, of the same shape
 * @returns `[N]`
 * @throws ShapeError for other shapes
 */
export function lpips({ params }: Lpips, a: Tensor, b: Tensor): Tensor {
  checkImages('lpips', a)
  if (a.shape.join() !== b.shape.join()) {
    throw new ShapeError(
      `lpips: both images must have one shape, got [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`,
    )
  }
  return scope(() => {
    const N = a.shape[0]!
    let x = scaled(concat([asFloats(a), asFloats(b)], 0))
    const distances = vggChannels.map((_, stage) => {
      x = vggStage(params, x, stage)
      return layerDistance(x, get(params, `lin${stage}`), N)
    })
    return distances.reduce((sum, distance) => sum.add(distance))
  })
}

/** Pixels 0 … 255 as VGG-16 sees them here. */
function scaled(images: Tensor): Tensor {
  const scale = scaling.scale.map((value) => 1 / (127.5 * value))
  const shift = scaling.shift.map((value, c) => -(1 + value) / scaling.scale[c]!)
  return affineByChannel(images, scale, shift)
}

/**
 * What {@link lpips} compares, weighted by its heads: the squared differences of two images' features add up to their distance.
 * Differentiable everywhere, also where a pixel has no features.
 *
 * @param images `[N, H, W, 3]`, 0 to 255
 * @returns `[N, features]`
 */
export function lpipsFeatures({ params }: Lpips, images: Tensor): Tensor {
  checkImages('lpipsFeatures', images)
  return scope(() => {
    let x = scaled(asFloats(images))
    const features = vggChannels.map((_, stage) => {
      x = vggStage(params, x, stage)
      const [N, H, W, C] = x.dims4()
      const weights = get(params, `lin${stage}`)
        .mul(1 / (H * W))
        .sqrt()
      return unitVectors(x)
        .mul(weights.reshape([C]))
        .reshape([N, H * W * C])
    })
    return concat(features, 1)
  })
}

/** The vectors of a tensor's last axis, of length 1; one of zeros stays, and has a gradient. */
export function unitVectors(x: Tensor): Tensor {
  const squares = x.square().sum([x.shape.length - 1], true)
  return x.mul(squares.add(epsilon ** 2).rsqrt())
}

/** Of features `[2N, H, W, C]`, the first N of one side, and a head `[C, 1]`: `[N]`. */
function layerDistance(x: Tensor, head: Tensor, N: number): Tensor {
  return scope(() => {
    const [, H, W, C] = x.dims4()
    const lengths = x.square().sum([3], true).sqrt().add(epsilon)
    const unit = x.div(lengths)
    const [first, second] = [0, N].map((start) => unit.slice([start, 0, 0, 0], [N, H, W, C]))
    const squares = first!.sub(second!).square().mean([1, 2])
    return squares.matmul(head).reshape([N])
  })
}
