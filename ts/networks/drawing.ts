/**
 * Layers of the synthesis network for drawing: each is one op with the weight as it is stored, and leaves its normalisation to the
 * next one, so that a processor copies no weights, and reads and writes large maps half as often.
 */
import { scope, type LayerMaps, type LayerOptions, type Tensor } from '../native/index.ts'
import { alpha, blurTaps, heGain, same, styleOf } from './layers.ts'
import { gainOf, get, ownWeight, type Params, type SynthesisNetworkOptions } from './params.ts'
import { algorithmOf } from './precision.ts'

/** Whether layers can be drawn so: on a processor, of networks whose layers are the official ones, without a program's own. */
export function drawsLayers(
  { semantics = {}, layer }: SynthesisNetworkOptions,
  params: Params,
  given: readonly Tensor[],
): boolean {
  const { epsilon, biasBeforeBlur, styleBeforeActivation, bilinear } = semantics
  const isOther = epsilon !== undefined || biasBeforeBlur || styleBeforeActivation || bilinear || layer !== undefined
  const isRecorded = [...given, get(params, 'G_synthesis/4x4/Conv/weight')].some((x) => x.isTracked)
  return given[0]!.device.name === 'cpu' && !isOther && !isRecorded
}

/** What a layer takes beside feature maps: w `[N, dlatentSize]`, noise `[N or 1, H, W, 1]` or none. */
export interface DrawnLayer {
  readonly w: Tensor
  readonly noise: Tensor | undefined
}

/** The first layer of a resolution: upscale, convolution, blur, noise, bias and leaky ReLU. */
export function drawUp(
  params: Params,
  name: string,
  maps: LayerMaps,
  given: DrawnLayer,
  options: SynthesisNetworkOptions,
  fused: boolean,
): LayerMaps {
  const blur = options.semantics?.sharpG ? [] : blurTaps
  // The official fused form is the kernel turned (see upConv2d).
  return draw(params, name, maps, given, options, fused, { upscale: true, blur })
}

/** The second layer: convolution, noise, bias and leaky ReLU. */
export function drawConv(
  params: Params,
  name: string,
  maps: LayerMaps,
  given: DrawnLayer,
  options: SynthesisNetworkOptions,
): LayerMaps {
  return draw(params, name, maps, given, options)
}

/** The layer to RGB. */
export function drawRgb(params: Params, name: string, { x, normal }: LayerMaps): Tensor {
  return scope(() => {
    const weight = ownWeight(params, name)
    return x.layer(weight, get(params, `${name}/bias`), { gain: gainOf(weight, 1), normal, alpha: 1 }).x
  })
}

function draw(
  params: Params,
  name: string,
  { x, normal }: LayerMaps,
  { w, noise }: DrawnLayer,
  options: SynthesisNetworkOptions,
  turned = false,
  form: Partial<LayerOptions> = {},
): LayerMaps {
  return scope(() => {
    const weight = ownWeight(params, name, turned)
    return x.layer(weight, get(params, `${name}/bias`), {
      padding: same,
      gain: gainOf(weight, heGain),
      algorithm: algorithmOf(options, x.device),
      normal,
      noise: noise && [noise, get(params, `${name}/Noise/weight`)],
      style: styleOf(params, name, w),
      alpha,
      ...form,
    })
  })
}
