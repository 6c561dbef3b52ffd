/** The discriminator of Karras et al. 2017 (official D_paper), from configuration B on with a low-pass filter before each downscale (D_basic). */
import { scope, ShapeError, type Tensor } from '../native/index.ts'
import { configurationOf } from './configurations.ts'
import { layerSpecs, throughLayer } from './custom-layer.ts'
import { act, blur, conv2d, dense, downConv2d, downscale, fromRgb, lerp, withMinibatchStddev } from './layers.ts'
import { checkLabels } from './mapping.ts'
import {
  bias,
  constant,
  featureMaps,
  growth,
  weight,
  type NetworkOptions,
  type Params,
  type ParamSpec,
} from './params.ts'
import { algorithmOf, mapsOf } from './precision.ts'

/** Every variable of the discriminator, in the official order, with its shape and how it begins. */
export function discriminatorSpecs(options: NetworkOptions): ParamSpec[] {
  const { resolution, numChannels, mbstdGroup, semantics } = options
  const R = Math.log2(resolution)
  const nf = (stage: number) => featureMaps(options, stage)
  const layer = (name: string, shape: readonly number[]) => [weight(name, shape), bias(name, shape.at(-1)!)]
  const specs: ParamSpec[] = [constant('lod', [], 0, false)]
  for (let r = R; r >= 2; r--) specs.push(...layer(rgbName(R, r), [1, 1, numChannels, nf(r - 1)]))
  for (let r = R; r >= 3; r--) {
    const [conv, down] = blockNames(r)
    const between = nf(semantics?.widensFirst ? r - 2 : r - 1)
    specs.push(...layer(conv, [3, 3, nf(r - 1), between]), ...layer(down, [3, 3, between, nf(r - 2)]))
  }
  specs.push(...layer('4x4/Conv', [3, 3, nf(1) + (mbstdGroup > 1 ? 1 : 0), nf(1)]))
  specs.push(
    ...layer('4x4/Dense0', [16 * nf(1), nf(0)]),
    ...layer('4x4/Dense1', [nf(0), Math.max(classes(options), 1)]),
    ...layerSpecs(options, 'D'),
  )
  return specs
}

/** Most resolutions that {@link layersBelow} can name: the layers at 4×4 always learn. */
export const mostFrozen = (side: number): number => Math.log2(side) - 2

/**
 * Weights and biases of the layers next to images of a side: FromRGB and both convolutions of as many resolutions, halving it
 * (freeze-D: Mo et al. 2020).
 */
export function layersBelow(side: number, count: number, { resolution }: Pick<NetworkOptions, 'resolution'>): string[] {
  const [R, top] = [Math.log2(resolution), Math.log2(side)]
  const sides = Array.from({ length: count }, (_, i) => top - i)
  return sides.flatMap((r) => [rgbName(R, r), ...blockNames(r)]).flatMap((name) => [`${name}/weight`, `${name}/bias`])
}

/** Classes that have a logit of their own: Progressive GAN's discriminator does not see them. */
const classes = ({ config, labelSize }: NetworkOptions) => (config === 'A' ? 0 : labelSize)

const blockNames = (r: number) => [`${2 ** r}x${2 ** r}/Conv0`, `${2 ** r}x${2 ** r}/Conv1_down`] as const

const rgbName = (R: number, r: number) => `FromRGB_lod${R - r}`

/**
 * How real images look: logits `[N, 1]`.
 *
 * @param images at the level of detail's own size, `[N, side, side, C]` with side = resolution / 2^⌊lod⌋, or at a larger one, which
 *   is averaged down
 * @param labels `[N, labelSize]`, needed by a conditional network: the logit of an image's own class counts (Mescheder et al. 2018)
 */
export function discriminator(
  params: Params,
  images: Tensor,
  labels: Tensor | undefined,
  lod: number,
  options: NetworkOptions,
): Tensor {
  const { semantics = {} } = options
  return scope(() => {
    const N = images.dims4()[0]
    let x = trunk(params, images, lod, options)
    // The deviation of a group is small beside the feature maps, and the last layers are small anyway.
    x = x.cast(x.device.float)
    if (options.mbstdGroup > 1) x = withMinibatchStddev(x, semantics.wholeBatchStddev ? N : options.mbstdGroup)
    x = layerOf(params, options)('4x4/Conv', x)
    // The rows of the dense weight are ordered (channel, y, x).
    x = dense(params, '4x4/Dense0', x.permute([0, 3, 1, 2]).reshape([N, x.size / N]))
    const scores = dense(params, '4x4/Dense1', x, { gain: 1, linear: true })
    return classes(options) === 0 ? scores : scores.mul(checkLabels(labels, N, options.labelSize)).sum([1], true)
  })
}

/** The feature maps of the {@link discriminator} from its finest convolution to 4×4, for distances between images. */
export function discriminatorFeatures(params: Params, images: Tensor, lod: number, options: NetworkOptions): Tensor[] {
  return scope(() => {
    const maps: Tensor[] = []
    trunk(params, images, lod, options, (x) => maps.push(x))
    return maps
  })
}

const layerOf =
  (params: Params, options: NetworkOptions) =>
  (name: string, x: Tensor, original = (x: Tensor) => act(params, name, conv2d(params, name, x))) =>
    throughLayer(options, { name, params, x, original })

/** Feature maps at 4×4; `onMaps` sees those of each convolution before. It is no scope: the caller's owns them. */
function trunk(
  params: Params,
  images: Tensor,
  lod: number,
  options: NetworkOptions,
  onMaps: (maps: Tensor) => void = () => {},
): Tensor {
  const R = Math.log2(options.resolution)
  const { top, fade } = growth(lod, options.resolution)
  const { semantics = {} } = options
  const smooth = configurationOf(options).blur && !semantics.sharpD ? blur : (x: Tensor) => x
  const layer = layerOf(params, options)
  const algorithm = algorithmOf(options, images.device)
  const down = (name: string, x: Tensor) =>
    semantics.activationBeforePooling
      ? downscale(act(params, name, conv2d(params, name, smooth(x), algorithm)), 2)
      : act(params, name, downConv2d(params, name, smooth(x), algorithm))
  const from = (r: number, x: Tensor) => fromRgb(params, rgbName(R, r), x, mapsOf(options, images.device), semantics)
  const [, H, W, C] = images.dims4()
  const factor = H / 2 ** top
  if (H !== W || !Number.isInteger(factor) || C !== options.numChannels) {
    throw new ShapeError(
      `discriminator: images must be [N, ${2 ** top}, ${2 ** top}, ${options.numChannels}], got [${images.shape}]`,
    )
  }
  const native = downscale(images, factor)
  let x = from(top, native)
  for (let r = top; r >= 3; r--) {
    const [conv, halving] = blockNames(r)
    x = layer(conv, x, (x) => act(params, conv, conv2d(params, conv, x, algorithm)))
    onMaps(x)
    x = layer(halving, x, (x) => down(halving, x))
    onMaps(x)
    if (r === top && fade > 0) x = lerp(x, from(r - 1, downscale(native, 2)), fade)
  }
  return x
}
