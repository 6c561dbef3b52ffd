/**
 * StyleGAN2's projector (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", Appendix D): the w and the
 * noise of the picture that is nearest to a given one. The numbers are the official ones of stylegan2-ada-pytorch.
 */
import { streams } from '../data/sampler.ts'
import { concat, grad, Rng, scope, type Tensor } from '../native/index.ts'
import { configurationOf } from '../networks/configurations.ts'
import { draw } from '../networks/generator.ts'
import { downscale } from '../networks/layers.ts'
import { mapping } from '../networks/mapping.ts'
import { createNetwork, get, numLayers, sideOfLayer, tracked, type Network, type Params } from '../networks/params.ts'
import { createOptimizer, step, type Optimizer } from '../training/optimizer.ts'
import { labelOf, type TrainedGenerator } from './render.ts'

/** What is looked for: one w for all layers, or one for each (W+), which fits more pictures and edits less well. */
export const projectionSpaces = ['w', 'w+'] as const
/** One w for all layers, or one for each. */
export type ProjectionSpace = (typeof projectionSpaces)[number]

/** How far an image −1 … 1 `[1, H, W, C]` is from the target: a number, differentiable. */
export type Distance = (image: Tensor) => Tensor

const recipe = {
  /** The mean of W and its deviation are those of so many latents. */
  latents: 10_000,
  rate: 0.1,
  /** Shares of the steps in which the learning rate rises, and falls. */
  rampUp: 0.05,
  rampDown: 0.25,
  /** Noise of w in deviations of W, and the share of the steps after which there is none. */
  noise: 0.05,
  noiseEnds: 0.75,
  noiseRegularisation: 1e5,
  /** Noise maps are not looked at below this side. */
  leastSide: 8,
  adam: { beta1: 0.9, beta2: 0.999 },
} as const

/** The learning rate at a moment, 0 … 1: it rises linearly and falls as a cosine. */
export function rateAt(t: number): number {
  const down = Math.min(1, (1 - t) / recipe.rampDown)
  return recipe.rate * (0.5 - 0.5 * Math.cos(Math.PI * down)) * Math.min(1, t / recipe.rampUp)
}

/** The noise of w at a moment, 0 … 1, in deviations of W. */
export function noiseAt(t: number): number {
  return recipe.noise * Math.max(0, 1 - t / recipe.noiseEnds) ** 2
}

/** What the projector changes, and what it needs for the next step. */
export interface Projector {
  readonly generator: TrainedGenerator
  /** `w [1 or layers, dlatentSize]`, and `noise0` … `[1, side, side, 1]` where the network has noise. */
  readonly variables: Network
  readonly optimizer: Optimizer
  /** Root of the mean squared distance from the mean of W. */
  readonly deviation: number
  readonly rng: Rng
}

/**
 * A projector before its first step: w is the mean of W, the noise is normal.
 *
 * @param classes of a conditional network
 * @throws RangeError for a network without styles, and for an unknown class
 */
export async function createProjector(
  generator: TrainedGenerator,
  {
    space,
    seed,
    classes,
  }: { space: ProjectionSpace; seed: number; classes?: readonly (number | string)[] | undefined },
): Promise<Projector> {
  const { Gs, options } = generator
  const has = configurationOf(options)
  if (has.traditional) {
    throw new RangeError(
      `project: a network with styles is expected, got configuration ${options.config}, which has none; use one of C to F`,
    )
  }
  const layers = numLayers(options.resolution)
  const rng = new Rng(seed, streams.projector)
  const { mean, deviation } = scope(() => statisticsOfW(generator, classes, rng))
  const shape = [space === 'w' ? 1 : layers, options.dlatentSize]
  const noise = Array.from({ length: has.noise ? layers : 0 }, (_, i) => {
    const side = sideOfLayer(i)
    return { name: `noise${i}`, shape: [1, side, side, 1], init: { deviation: 1 }, trainable: true }
  })
  const variables = createNetwork(Gs.device, [{ name: 'w', shape, init: { value: 0 }, trainable: true }, ...noise], rng)
  scope(() => get(variables.params, 'w').assign(mean.broadcastTo(shape)))
  const value = await deviation.item()
  for (const tensor of [mean, deviation]) tensor.dispose()
  return { generator, variables, optimizer: createOptimizer(variables), deviation: value, rng }
}

/** The mean of W `[1, dlatentSize]`, and the root of the mean squared distance to it. */
function statisticsOfW(
  generator: TrainedGenerator,
  classes: readonly (number | string)[] | undefined,
  rng: Rng,
): { mean: Tensor; deviation: Tensor } {
  const { Gs, options } = generator
  const label = labelOf(generator, classes)
  const size = 1000
  const parts = Array.from({ length: recipe.latents / size }, () =>
    scope(() => {
      const z = rng.normal(Gs.device, [size, options.latentSize])
      return mapping(Gs.params, z, label?.broadcastTo([size, options.labelSize]), options)
    }),
  )
  const w = concat(parts, 0)
  const mean = w.mean([0], true)
  return { mean, deviation: w.sub(mean).square().sum([1]).mean().sqrt() }
}

/**
 * The image −1 … 1 of the variables, at the level of detail that the network was trained to.
 *
 * @param w in place of that of the variables
 */
export function drawProjected(
  { Gs, options, lod = 0 }: TrainedGenerator,
  params: Params,
  w = get(params, 'w'),
): Tensor {
  const [rows, width] = w.dims2()
  const layers = Array.from({ length: numLayers(options.resolution) }, (_, i) => i)
  return scope(() => {
    const styles = layers.map((i) => (rows === 1 ? w : w.slice([i, 0], [1, width])))
    const noise = configurationOf(options).noise ? layers.map((i) => get(params, `noise${i}`)) : 'none'
    // Gradients of feature maps do not fit into 16 bits.
    return draw(Gs.params, styles, noise, lod, { ...options, precision: 'f32' })
  })
}

/**
 * Noise regularisation: how much neighbours resemble each other, so that noise holds no picture. The mean products with the
 * neighbours in x and in y, squared, of each map and of its 2× averages down to 8×8.
 */
export function likenessOfNeighbours(maps: readonly Tensor[]): Tensor {
  return scope(() => maps.flatMap(likenesses).reduce((a, b) => a.add(b)))
}

function likenesses(map: Tensor): Tensor[] {
  const [, side] = map.dims4()
  const own = [1, 2].map((axis) => map.mul(rolled(map, axis)).mean().square())
  return side <= recipe.leastSide ? own : [...own, ...likenesses(downscale(map, 2))]
}

/** A map shifted by one pixel, what leaves it entering at the other side. */
function rolled(map: Tensor, axis: number): Tensor {
  const starts = map.shape.map(() => 0)
  const side = map.shape[axis]!
  const part = (from: number, length: number) => map.slice(starts.with(axis, from), map.shape.with(axis, length))
  return concat([part(side - 1, 1), part(0, side - 1)], axis)
}

/** What a step makes smaller: the distance of the drawn image, and the noise regularisation. */
export function projectionLoss(
  generator: TrainedGenerator,
  params: Params,
  w: Tensor,
  distance: Distance,
): { distance: Tensor; loss: Tensor } {
  return scope(() => {
    const found = distance(drawProjected(generator, params, w))
    const maps = noiseMapsOf(params)
    if (maps.length === 0) return { distance: found, loss: found }
    return { distance: found, loss: found.add(likenessOfNeighbours(maps).mul(recipe.noiseRegularisation)) }
  })
}

const noiseMapsOf = (params: Params) => [...params].flatMap(([name, map]) => (name === 'w' ? [] : [map]))

/**
 * Step i of `steps`.
 *
 * @returns the distance before it
 * @throws RangeError if that is not finite
 */
export async function project(projector: Projector, i: number, steps: number, distance: Distance): Promise<number> {
  const { generator, variables, optimizer, deviation, rng } = projector
  const t = i / steps
  const before = scope(() => {
    const { params, inputs } = tracked(variables)
    const w = get(params, 'w')
    const moved = w.add(rng.normal(w.device, w.shape).mul(deviation * noiseAt(t)))
    const { distance: found, loss } = projectionLoss(generator, params, moved, distance)
    step(optimizer, grad(loss, inputs), { rate: rateAt(t), adam: recipe.adam })
    for (const map of noiseMapsOf(variables.params)) {
      const centred = map.sub(map.mean())
      map.assign(centred.mul(centred.square().mean().rsqrt()))
    }
    return found.detach()
  })
  const value = await before.item()
  before.dispose()
  if (Number.isFinite(value)) return value
  throw new RangeError(`project: a finite distance is expected, got ${value} at step ${i}; use another network`)
}
