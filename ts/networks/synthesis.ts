/** The synthesis network g: W → images (StyleGAN, Fig. 1b; official G_synthesis, configurations C to F). */
import { Rng, scope, ShapeError, type Tensor } from '../native/index.ts'
import { configurationOf } from './configurations.ts'
import { throughLayer } from './custom-layer.ts'
import { conv2d, denseInput, epilogue, lerp, toRgb, upLayer, upscale, upscaleBilinear } from './layers.ts'
import {
  bias,
  constant,
  featureMaps,
  get,
  growth,
  numLayers,
  sideOfLayer,
  weight,
  type Params,
  type ParamSpec,
  type SynthesisNetworkOptions,
} from './params.ts'
import { mapsOf } from './precision.ts'

/**
 * Where noise comes from: drawn afresh, the network's own buffers, none at all, or one tensor `[N or 1, H, W, 1]` a layer.
 */
export type Noise = Rng | 'const' | 'none' | readonly Tensor[]

export function synthesisSpecs(options: SynthesisNetworkOptions): ParamSpec[] {
  const { resolution, numChannels, dlatentSize } = options
  const R = Math.log2(resolution)
  const nf = (stage: number) => featureMaps(options, stage)
  const { noise, constInput } = configurationOf(options)
  const layer = (name: string, maps: number): ParamSpec[] => [
    ...(noise ? [constant(`${name}/Noise/weight`, [maps], 0)] : []),
    bias(name, maps),
    weight(`${name}/StyleMod`, [dlatentSize, 2 * maps]),
    bias(`${name}/StyleMod`, 2 * maps),
  ]
  const specs: ParamSpec[] = []
  for (let i = 0; noise && i < numLayers(resolution); i++) {
    const side = sideOfLayer(i)
    specs.push({
      name: `G_synthesis/noise${i}`,
      shape: [1, 1, side, side],
      init: { deviation: 1 },
      trainable: false,
    })
  }
  specs.push(
    constInput
      ? constant('G_synthesis/4x4/Const/const', [1, nf(1), 4, 4], 1)
      : weight('G_synthesis/4x4/Dense', [dlatentSize, 16 * nf(1)]),
    ...layer(firstLayer(options), nf(1)),
  )
  specs.push(weight('G_synthesis/4x4/Conv', [3, 3, nf(1), nf(1)]), ...layer('G_synthesis/4x4/Conv', nf(1)))
  for (let r = 3; r <= R; r++) {
    const [up, conv] = blockNames(r)
    specs.push(weight(up, [3, 3, nf(r - 2), nf(r - 1)]), ...layer(up, nf(r - 1)))
    specs.push(weight(conv, [3, 3, nf(r - 1), nf(r - 1)]), ...layer(conv, nf(r - 1)))
  }
  for (let r = 2; r <= R; r++) {
    const name = rgbName(R, r)
    specs.push(weight(name, [1, 1, nf(r - 1), numChannels]), bias(name, numChannels))
  }
  return specs
}

const firstLayer = (options: SynthesisNetworkOptions) =>
  configurationOf(options).constInput ? 'G_synthesis/4x4/Const' : 'G_synthesis/4x4/Dense'

const blockNames = (r: number) =>
  [`G_synthesis/${2 ** r}x${2 ** r}/Conv0_up`, `G_synthesis/${2 ** r}x${2 ** r}/Conv1`] as const

const rgbName = (R: number, r: number) => `G_synthesis/ToRGB_lod${R - r}`

/**
 * Images of w at the level of detail that training has reached: side resolution / 2^⌊lod⌋, nominally −1 … 1. Between two
 * levels the new one fades in over the old one, upscaled (Karras et al. 2017, Fig. 2).
 *
 * @param dlatents one w `[N, dlatentSize]` for each layer
 * @param lod 0 (all layers) … log2(resolution) − 2 (4×4)
 */
export function synthesis(
  params: Params,
  dlatents: readonly Tensor[],
  noise: Noise,
  lod: number,
  options: SynthesisNetworkOptions,
): Tensor {
  const R = Math.log2(options.resolution)
  const { top, fade } = growth(lod, options.resolution)
  const layers = numLayers(options.resolution)
  if (dlatents.length !== layers)
    throw new ShapeError(`synthesis: ${layers} dlatents are expected, got ${dlatents.length}`)
  const N = dlatents[0]!.shape[0]!
  const has = configurationOf(options)
  const { semantics = {} } = options
  const isFused = (r: number) => (options.fusedScale === 'auto' ? 2 ** r >= 128 : options.fusedScale)
  let before: Tensor | undefined
  const layer = (index: number, name: string, x: Tensor, convolved = (x: Tensor) => conv2d(params, name, x)) => {
    const w = dlatents[index]!
    const original = (input: Tensor) => {
      const maps = () => {
        const maps = convolved(input)
        // Memory of large maps goes to those that follow. A program's layer may still need what it was given.
        if (options.layer === undefined && input !== before && input !== maps) input.dispose()
        return maps
      }
      const noiseOf = (maps: Tensor) => (has.noise ? layerNoise(params, noise, index, maps) : undefined)
      return epilogue(params, name, maps, noiseOf, w, semantics)
    }
    return throughLayer(options, { name, params, x, w, original })
  }

  return scope(() => {
    // The constant input is the same for every image (StyleGAN, section 2); it is stored channels first.
    const constant = () => {
      const start = get(params, 'G_synthesis/4x4/Const/const').permute([0, 2, 3, 1])
      return start.broadcastTo([N, ...start.shape.slice(1)])
    }
    const start = has.constInput ? constant() : denseInput(params, 'G_synthesis/4x4/Dense', dlatents[0]!)
    let x = layer(0, firstLayer(options), start, (start) => start)
    x = layer(1, 'G_synthesis/4x4/Conv', x)
    // Not before: the constant starts as 1 everywhere, and its normalisation enlarges what it has become by then, and its rounding.
    x = x.cast(mapsOf(options, x.device))
    for (let r = 3; r <= top; r++) {
      const [up, conv] = blockNames(r)
      if (fade > 0 && r === top) before = x
      x = layer(2 * r - 4, up, x, (x) => upLayer(params, up, x, isFused(r), semantics))
      x = layer(2 * r - 3, conv, x)
    }
    const image = toRgb(params, rgbName(R, top), x)
    if (before === undefined) return image
    const old = toRgb(params, rgbName(R, top - 1), before)
    return lerp(image, semantics.bilinear ? upscaleBilinear(old) : upscale(old, 2), fade)
  })
}

function layerNoise(params: Params, noise: Noise, index: number, x: Tensor): Tensor | undefined {
  const [N, H, W] = x.dims4()
  if (noise === 'none') return undefined
  if (noise === 'const') return get(params, `G_synthesis/noise${index}`).reshape([1, H, W, 1])
  if (noise instanceof Rng) return noise.normal(x.device, [N, H, W, 1])
  const given = noise[index]
  if (given === undefined) throw new ShapeError(`synthesis: layer ${index} needs noise [${N}, ${H}, ${W}, 1], got none`)
  return given
}
