/** The synthesis network g: W → images (StyleGAN, Fig. 1b; official G_synthesis, configurations C to F). */
import { concat, type Device, type LayerMaps, Rng, scope, ShapeError, type Tensor } from '../native/index.ts'
import { configurationOf } from './configurations.ts'
import { throughLayer } from './custom-layer.ts'
import { drawConv, drawRgb, drawsLayers, drawUp } from './drawing.ts'
import { conv2d, denseInput, epilogue, lerp, toRgb, upLayer, upscale, upscaleBilinear } from './layers.ts'
import {
  bias,
  constant,
  featureMaps,
  get,
  growth,
  isFrozen,
  numLayers,
  sideOfLayer,
  weight,
  type Params,
  type ParamSpec,
  type SynthesisNetworkOptions,
} from './params.ts'
import { algorithmOf, mapsOf } from './precision.ts'

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
 * @param inTraining the ops of gradients compute the images where there are none too: then a program's layer that changes nothing
 *   does not change a bit of what is trained
 */
export function synthesis(
  params: Params,
  dlatents: readonly Tensor[],
  noise: Noise,
  lod: number,
  options: SynthesisNetworkOptions,
  inTraining = false,
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
  const algorithm = algorithmOf(options, dlatents[0]!.device)
  const given = typeof noise === 'string' || noise instanceof Rng ? dlatents : [...dlatents, ...noise]
  const isDrawn = !inTraining && drawsLayers(options, params, given)
  let before: LayerMaps | undefined
  const noiseOf = (index: number, of: Given, { device, shape }: Tensor) =>
    layerNoise(params, of.noise, index, shape[0]!, device)
  const layer = (
    index: number,
    name: string,
    x: Tensor,
    of: Given,
    convolved = (x: Tensor) => conv2d(params, name, x),
    isBlurred = false,
  ) => {
    const w = of.dlatents[index]!
    const original = (input: Tensor) => {
      const maps = () => {
        const maps = convolved(input)
        // Memory of large maps goes to those that follow. A program's layer may still need what it was given.
        if (options.layer === undefined && input !== before?.x && input !== maps) input.dispose()
        return maps
      }
      return epilogue(params, name, maps, (maps) => noiseOf(index, of, maps), w, semantics, isBlurred)
    }
    return throughLayer(options, { name, params, x, w, original })
  }

  /** Both layers of a block. */
  const block = (maps: LayerMaps, r: number, of: Given): LayerMaps => {
    const [[up, conv], first] = [blockNames(r), 2 * r - 4]
    if (!isDrawn) {
      const upscaled = (x: Tensor) => upLayer(params, up, x, isFused(r), semantics, algorithm)
      const x = layer(first, up, maps.x, of, upscaled, !semantics.sharpG)
      return { x: layer(first + 1, conv, x, of, (x) => conv2d(params, conv, x, algorithm)) }
    }
    return scope(() => {
      const given = (index: number) => ({ w: of.dlatents[index]!, noise: noiseOf(index, of, maps.x) })
      const [one, other] = [given(first), given(first + 1)]
      const wide = drawUp(params, up, maps, one, options, isFused(r))
      // Memory of large maps goes to those that follow.
      if (maps !== before) maps.x.dispose()
      return drawConv(params, conv, wide, other, options)
    })
  }

  const rgb = (r: number, maps: LayerMaps) =>
    isDrawn ? drawRgb(params, rgbName(R, r), maps) : toRgb(params, rgbName(R, r), maps.x)

  /** From the maps before the blocks `first` to `top` on. */
  const blocks = (maps: LayerMaps, first: number, of: Given): Tensor => {
    for (let r = first; r <= top; r++) {
      const count = maps.x.shape[0]!
      if (count > 1 && drawsSingly(params, maps.x.device, options, r)) {
        const images = eachImage(params, of, count, 2 * r - 4)
        return concat(
          images.map((one, i) => scope(() => blocks(mapsOfImage(maps, i), r, one))),
          0,
        )
      }
      if (fade > 0 && r === top) before = maps
      maps = block(maps, r, of)
    }
    const image = rgb(top, maps)
    if (before === undefined) return image
    const old = rgb(top - 1, before)
    return lerp(image, semantics.bilinear ? upscaleBilinear(old) : upscale(old, 2), fade)
  }

  return scope(() => {
    // The constant input is the same for every image (StyleGAN, section 2); it is stored channels first.
    const constant = () => {
      const start = get(params, 'G_synthesis/4x4/Const/const').permute([0, 2, 3, 1])
      return start.broadcastTo([N, ...start.shape.slice(1)])
    }
    const given: Given = { dlatents, noise: has.noise ? noise : 'none' }
    const start = has.constInput ? constant() : denseInput(params, 'G_synthesis/4x4/Dense', dlatents[0]!)
    let x = layer(0, firstLayer(options), start, given, (start) => start)
    x = layer(1, 'G_synthesis/4x4/Conv', x, given)
    // Not before: the constant starts as 1 everywhere, and its normalisation enlarges what it has become by then, and its rounding.
    return blocks({ x: x.cast(mapsOf(options, x.device)) }, 3, given)
  })
}

/** What layers take beside feature maps; `noise` of a layer that was computed before may be missing. */
interface Given {
  readonly dlatents: readonly Tensor[]
  readonly noise: Noise | readonly (Tensor | undefined)[]
}

/** Elements of one image's maps from which on a processor draws the images of a frozen network one after another. */
const largeMaps = 1 << 19

/** Whether the block of side 2^r and those behind it are drawn for one image at a time: its maps stay nearer to the caches. */
function drawsSingly(params: Params, device: Device, options: SynthesisNetworkOptions, r: number): boolean {
  const isLarge = 4 ** r * featureMaps(options, r - 1) >= largeMaps
  return isLarge && isFrozen(params) && device.name === 'cpu' && options.layer === undefined
}

/** What the layers from `first` on take, for each of `count` images. Noise is drawn for all, as if they were drawn together. */
function eachImage(params: Params, { dlatents, noise }: Given, count: number, first: number): Given[] {
  const { device } = dlatents[0]!
  const drawn = (index: number) => (index < first ? undefined : layerNoise(params, noise, index, count, device))
  const noises = noise instanceof Rng ? dlatents.map((_, index) => drawn(index)) : noise
  return Array.from({ length: count }, (_, i) => ({
    dlatents: dlatents.map((w) => imageOf(w, i)),
    noise: typeof noises === 'string' ? noises : noises.map((noise) => noise && imageOf(noise, i)),
  }))
}

/** Image i of a tensor that has several. */
function imageOf(x: Tensor, i: number): Tensor {
  const [count, ...rest] = x.shape
  return count === 1 ? x : x.slice([i, ...rest.map(() => 0)], [1, ...rest])
}

function mapsOfImage({ x, normal }: LayerMaps, i: number): LayerMaps {
  return { x: imageOf(x, i), ...(normal && { normal: imageOf(normal, i) }) }
}

function layerNoise(
  params: Params,
  noise: Given['noise'],
  index: number,
  count: number,
  device: Device,
): Tensor | undefined {
  const side = sideOfLayer(index)
  if (noise === 'none') return undefined
  if (noise === 'const') return get(params, `G_synthesis/noise${index}`).reshape([1, side, side, 1])
  if (noise instanceof Rng) return noise.normal(device, [count, side, side, 1])
  const given = noise[index]
  if (given === undefined) {
    throw new ShapeError(`synthesis: layer ${index} needs noise [${count}, ${side}, ${side}, 1], got none`)
  }
  return given
}
