/** Layers shared by the networks: functions of (params, inputs). Images are `[N, H, W, C]`. Each function is a scope. */
import { concat, scope, type FloatType, type Tensor } from '../native/index.ts'
import type { Semantics } from './semantics.ts'
import { effectiveWeight, factors, gainOf, get, type Params } from './params.ts'

/** Slope of the leaky ReLU below 0: StyleGAN, Appendix C. */
export const alpha = 0.2
/** He's gain, also for the leaky ReLU (official networks_stylegan.py). */
export const heGain = Math.SQRT2
const epsilon = 1e-8
export const same = [1, 1, 1, 1] as const

/** `act(x · w + b)`: x `[N, in]` → `[N, out]`; weight and bias learn `lrmul` times as fast. */
export function dense(
  params: Params,
  name: string,
  x: Tensor,
  { gain = heGain, lrmul = 1, linear = false }: { gain?: number; lrmul?: number; linear?: boolean } = {},
): Tensor {
  return scope(() => {
    const bias = get(params, `${name}/bias`)
    const [input, weight] = factors(params, name, x, gain, lrmul)
    const y = input.matmul(weight)
    return y.biasAct(lrmul === 1 ? bias : bias.mul(lrmul), linear ? 1 : alpha)
  })
}

/** Feature maps `[N, 4, 4, C]` of a latent, without bias: a dense layer whose outputs are ordered (channel, y, x). */
export function denseInput(params: Params, name: string, w: Tensor): Tensor {
  return scope(() => {
    // The official gain is a quarter of He's (networks_progan.py).
    const [input, weight] = factors(params, name, w, heGain / 4)
    const y = input.matmul(weight)
    return y.reshape([w.shape[0]!, y.shape[1]! / 16, 4, 4]).permute([0, 2, 3, 1])
  })
}

/** Leaky ReLU of `x + b`. */
export function act(params: Params, name: string, x: Tensor): Tensor {
  return x.biasAct(get(params, `${name}/bias`), alpha)
}

/** 3×3 convolution with zero padding, no bias. */
export function conv2d(params: Params, name: string, x: Tensor, algorithm = x.device.algorithm): Tensor {
  return scope(() => {
    const [input, weight] = factors(params, name, x, heGain)
    return input.conv2d(weight, { padding: same, algorithm })
  })
}

/**
 * Nearest upscale by 2, then a 3×3 convolution, as one transposed convolution with a 4×4 kernel: the same function with
 * 2.25 times less work. The official fused form leaves out the turn that makes both forms equal.
 */
export function upConv2d(
  params: Params,
  name: string,
  x: Tensor,
  fused: boolean,
  algorithm = x.device.algorithm,
): Tensor {
  return scope(() => {
    const [, height, width] = x.dims4()
    const kernel = effectiveWeight(params, name, (weight) => {
      const w = weight.permute([0, 1, 3, 2])
      return spread(fused ? w : w.flip([0, 1]), gainOf(weight, heGain))
    })
    return x.conv2dTranspose(kernel, [2 * height, 2 * width], { stride: 2, padding: same, algorithm })
  })
}

/** 3×3 convolution, then the mean of each 2×2 pixels, as one 4×4 convolution with stride 2. */
export function downConv2d(params: Params, name: string, x: Tensor, algorithm = x.device.algorithm): Tensor {
  return scope(() => {
    const kernel = effectiveWeight(params, name, (weight) => spread(weight, gainOf(weight, heGain) / 4))
    return x.conv2d(kernel, { stride: 2, padding: same, algorithm })
  })
}

/** `factor` times the sum of the four shifts of a 3×3 kernel by one pixel, `[4, 4, …]`: a blur of the kernel with [1, 1]. */
function spread(w: Tensor, factor: number): Tensor {
  const [height, width, C, O] = w.dims4()
  const tap = Math.sqrt(factor)
  const kernel = w.reshape([1, height, width, C * O]).upfirdn2d({ taps: [tap, tap], padding: same })
  return kernel.reshape([height + 1, width + 1, C, O])
}

export const blurTaps = [0.25, 0.5, 0.25]

/** Low-pass filter [1, 2, 1]² / 16, with zeros outside (StyleGAN, section 2, "bilinear"; official blur2d). */
export function blur(x: Tensor): Tensor {
  return x.upfirdn2d({ taps: blurTaps, padding: same })
}

/** Each pixel `factor` times along both axes. */
export function upscale(x: Tensor, factor: number): Tensor {
  if (factor === 1) return x
  // Zero insertion leaves factor − 1 zeros behind the last pixel; as many are needed in front.
  const before = factor - 1
  return x.upfirdn2d({ up: factor, taps: Array<number>(factor).fill(1), padding: [before, 0, before, 0] })
}

/** Twice as many pixels along both axes, between the centres of the given ones; beyond the border is the nearest pixel. */
export function upscaleBilinear(x: Tensor): Tensor {
  return scope(() => {
    const [N, H, W, C] = x.dims4()
    const rows = concat([x.slice([0, 0, 0, 0], [N, 1, W, C]), x, x.slice([0, H - 1, 0, 0], [N, 1, W, C])], 1)
    const ends = [0, W - 1].map((column) => rows.slice([0, 0, column, 0], [N, H + 2, 1, C]))
    const padded = concat([ends[0]!, rows, ends[1]!], 2)
    const wide = padded.upfirdn2d({ up: 2, taps: [0.25, 0.75, 0.75, 0.25] })
    return wide.slice([0, 0, 0, 0], [N, 2 * H, 2 * W, C])
  })
}

/** The first layer of a resolution up to its blur: upscale, convolution. */
export function upLayer(
  params: Params,
  name: string,
  x: Tensor,
  fused: boolean,
  semantics: Semantics = {},
  algorithm = x.device.algorithm,
): Tensor {
  return scope(() => {
    const up = semantics.bilinear
      ? conv2d(params, name, upscaleBilinear(x), algorithm)
      : upConv2d(params, name, x, fused, algorithm)
    return semantics.biasBeforeBlur ? up.biasAct(get(params, `${name}/bias`), 1) : up
  })
}

/** Means of `factor` × `factor` pixels. */
export function downscale(x: Tensor, factor: number): Tensor {
  if (factor === 1) return x
  return x.upfirdn2d({ down: factor, taps: Array<number>(factor).fill(1 / factor) })
}

/** Vectors along the last axis scaled to a mean square of 1 (official pixel_norm). Squares of 16 bits may be infinite. */
export function pixelNorm(x: Tensor): Tensor {
  return scope(() =>
    x.mul(
      x
        .cast(x.device.float)
        .square()
        .mean([x.shape.length - 1], true)
        .add(epsilon)
        .rsqrt(),
    ),
  )
}

/**
 * What follows every convolution of the synthesis network: the blur of an upscaled one, noise, bias and leaky ReLU, then adaptive
 * instance normalisation with the style that the affine layer "A" makes of w (StyleGAN, Fig. 1b and Eq. 1; the order is the official
 * layer_epilogue's).
 *
 * @param maps computes the convolution; its result is gone before the normalisation takes memory
 * @param noiseOf `[N or 1, H, W, 1]` for the convolution's result, or none
 * @param w `[N, dlatentSize]`
 */
export function epilogue(
  params: Params,
  name: string,
  maps: () => Tensor,
  noiseOf: (maps: Tensor) => Tensor | undefined,
  w: Tensor,
  { epsilon: own = epsilon, styleBeforeActivation, biasBeforeBlur }: Semantics = {},
  isBlurred = false,
): Tensor {
  return scope(() => {
    const style = styleOf(params, name, w)
    const given = get(params, `${name}/bias`)
    const bias = biasBeforeBlur && name.endsWith('Conv0_up') ? given.mul(0) : given
    const slope = styleBeforeActivation ? 1 : alpha
    const result = scope(() => {
      const x = maps()
      const noise = noiseOf(x)
      const blurred = () => {
        if (!isBlurred) return x
        const y = blur(x)
        x.dispose()
        return y
      }
      if (noise === undefined) return blurred().biasAct(bias, slope)
      return blurred().noiseBiasAct(noise, get(params, `${name}/Noise/weight`), bias, slope)
    })
    const styled = own === epsilon ? result.adain(style) : adain(result, style, own)
    return styleBeforeActivation ? styled.leakyRelu(alpha) : styled
  })
}

/** The style of a layer, `[N, 2C]`: what the affine layer "A" makes of w. */
export function styleOf(params: Params, name: string, w: Tensor): Tensor {
  return dense(params, `${name}/StyleMod`, w, { gain: 1, linear: true })
}

/** {@link Tensor.adain} with another epsilon, in ordinary ops. */
function adain(x: Tensor, style: Tensor, own: number): Tensor {
  const [N, , , C] = x.dims4()
  const [scale, shift] = style.reshape([N, 2, 1, 1, C]).unstack(1)
  const wide = x.cast(x.device.float)
  const centred = wide.sub(wide.mean([1, 2], true))
  const deviation = centred.square().mean([1, 2], true).add(own).rsqrt()
  return centred.mul(deviation).mul(scale!.add(1)).add(shift!).cast(x.dtype)
}

/** 1×1 convolution to the image's channels, from feature maps of any type to the device's float. */
export function toRgb(params: Params, name: string, x: Tensor): Tensor {
  const dtype = x.device.float
  return scope(() => {
    const [input, weight] = factors(params, name, x, 1)
    return input.conv2d(weight, { dtype }).biasAct(get(params, `${name}/bias`), 1)
  })
}

/** 1×1 convolution from the image's channels to feature maps of type `dtype`, leaky ReLU. */
export function fromRgb(
  params: Params,
  name: string,
  x: Tensor,
  dtype: FloatType,
  { linearFromRgb }: Semantics = {},
): Tensor {
  return scope(() => {
    const [input, weight] = factors(params, name, x, heGain)
    const maps = input.conv2d(weight, { dtype })
    return maps.biasAct(get(params, `${name}/bias`), linearFromRgb ? 1 : alpha)
  })
}

/**
 * One more channel: how much the images of a group differ (Karras et al. 2017, section 3). Images m, m + M, m + 2M … are a
 * group, M = N / groupSize; a smaller batch is one group (official minibatch_stddev_layer).
 *
 * @throws RangeError if the batch does not divide into groups
 */
export function withMinibatchStddev(x: Tensor, groupSize: number): Tensor {
  const [N, H, W] = x.dims4()
  const group = Math.min(groupSize, N)
  if (N % group !== 0) {
    throw new RangeError(`the minibatch must be a multiple of mbstdGroup, ${groupSize}, got ${N} images`)
  }
  return scope(() => {
    const groups = N / group
    const deviation = x.minibatchStddev(group).reshape([1, groups, 1, 1, 1])
    return concat([x, deviation.broadcastTo([group, groups, H, W, 1]).reshape([N, H, W, 1])], 3)
  })
}

/** `a + (b − a) · t`. */
export function lerp(a: Tensor, b: Tensor, t: number | Tensor): Tensor {
  return scope(() => a.add(b.sub(a).mul(t)))
}
