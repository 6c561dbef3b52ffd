/**
 * The generator of Progressive GAN (Karras et al. 2017, Table 2): z enters at the first layer. Configuration A has the official
 * names of G_paper (networks_progan.py), B those of G_synthesis with use_styles off (networks_stylegan.py).
 */
import { scope, type Tensor } from '../native/index.ts'
import { configurationOf } from './configurations.ts'
import { throughLayer } from './custom-layer.ts'
import { act, blur, conv2d, denseInput, lerp, pixelNorm, toRgb, upConv2d, upscale } from './layers.ts'
import {
  bias,
  featureMaps,
  growth,
  weight,
  type Params,
  type ParamSpec,
  type SynthesisNetworkOptions,
} from './params.ts'
import { algorithmOf, mapsOf } from './precision.ts'

export function traditionalSpecs(options: SynthesisNetworkOptions): ParamSpec[] {
  const { resolution, numChannels, dlatentSize } = options
  const R = Math.log2(resolution)
  const nf = (stage: number) => featureMaps(options, stage)
  const at = prefix(options)
  const layer = (name: string, shape: readonly number[], maps = shape.at(-1)!): ParamSpec[] => [
    weight(at + name, shape),
    bias(at + name, maps),
  ]
  const specs = layer('4x4/Dense', [dlatentSize, 16 * nf(1)], nf(1))
  specs.push(...layer('4x4/Conv', [3, 3, nf(1), nf(1)]))
  for (let r = 3; r <= R; r++) {
    const [up, conv] = blockNames(r)
    specs.push(...layer(up, [3, 3, nf(r - 2), nf(r - 1)]), ...layer(conv, [3, 3, nf(r - 1), nf(r - 1)]))
  }
  for (let r = 2; r <= R; r++) specs.push(...layer(rgbName(R, r), [1, 1, nf(r - 1), numChannels]))
  return specs
}

const prefix = ({ config }: SynthesisNetworkOptions) => (config === 'A' ? '' : 'G_synthesis/')

const blockNames = (r: number) => [`${2 ** r}x${2 ** r}/Conv0_up`, `${2 ** r}x${2 ** r}/Conv1`] as const

const rgbName = (R: number, r: number) => `ToRGB_lod${R - r}`

/**
 * Images of a latent that is already normalised, or of w where there is a mapping network (StyleGAN, Table 4, "traditional 8").
 *
 * @param w `[N, dlatentSize]`
 * @param lod 0 (all layers) … log2(resolution) − 2 (4×4)
 */
export function traditional(params: Params, w: Tensor, lod: number, options: SynthesisNetworkOptions): Tensor {
  const R = Math.log2(options.resolution)
  const { top, fade } = growth(lod, options.resolution)
  const smooth = configurationOf(options).blur && !options.semantics?.sharpG ? blur : (x: Tensor) => x
  const isFused = (r: number) => (options.fusedScale === 'auto' ? 2 ** r >= 128 : options.fusedScale)
  const at = prefix(options)
  // Bias, leaky ReLU, then the feature vector of each pixel is brought to a mean square of 1.
  const layer = (name: string, x: Tensor, convolved = (x: Tensor) => conv2d(params, at + name, x)) => {
    const original = (x: Tensor) => pixelNorm(act(params, at + name, convolved(x)))
    return throughLayer(options, { name: at + name, params, x, original })
  }
  return scope(() => {
    let x = layer('4x4/Dense', w, (w) => denseInput(params, `${at}4x4/Dense`, w))
    x = layer('4x4/Conv', x).cast(mapsOf(options, w.device))
    const algorithm = algorithmOf(options, w.device)
    let before = x
    for (let r = 3; r <= top; r++) {
      const [up, conv] = blockNames(r)
      before = x
      x = layer(up, x, (x) => smooth(upConv2d(params, at + up, x, isFused(r), algorithm)))
      x = layer(conv, x, (x) => conv2d(params, at + conv, x, algorithm))
    }
    const image = toRgb(params, at + rgbName(R, top), x)
    if (fade === 0) return image
    return lerp(image, upscale(toRgb(params, at + rgbName(R, top - 1), before), 2), fade)
  })
}
