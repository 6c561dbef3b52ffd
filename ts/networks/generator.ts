/** The generator: mapping, mean of w, mixing regularisation, truncation, synthesis (official G_style). */
import { scope, type Tensor } from '../native/index.ts'
import { configurationOf } from './configurations.ts'
import { layerSpecs } from './custom-layer.ts'
import { lerp } from './layers.ts'
import { mapping, mappingSpecs } from './mapping.ts'
import type { Mixing } from './mixing.ts'
import { constant, get, numLayers, type NetworkOptions, type Params, type ParamSpec } from './params.ts'
import { synthesis, synthesisSpecs, type Noise } from './synthesis.ts'
import { traditional, traditionalSpecs } from './traditional.ts'

/**
 * Every variable of the generator, in the official order, with its shape and how it begins.
 *
 * @throws RangeError for options that contradict each other, naming both
 */
export function generatorSpecs(options: NetworkOptions): ParamSpec[] {
  const { config, dlatentSize } = options
  checkWidths(options)
  // Progressive GAN has one network, and knows no mean of w.
  if (config === 'A') return [constant('lod', [], 0, false), ...traditionalSpecs(options), ...layerSpecs(options, 'G')]
  return [
    constant('lod', [], 0, false),
    constant('dlatent_avg', [dlatentSize], 0, false),
    ...mappingSpecs(options),
    constant('G_synthesis/lod', [], 0, false),
    ...(configurationOf(options).traditional ? traditionalSpecs(options) : synthesisSpecs(options)),
    ...layerSpecs(options, 'G'),
  ]
}

/** @throws RangeError for what the networks of a configuration cannot do, naming both options */
function checkWidths({ config = 'F', mappingLayers, labelSize, latentSize, dlatentSize }: NetworkOptions): void {
  const refuse = (what: string) => new RangeError(`configuration ${config} ${what}`)
  if (config === 'A' && mappingLayers > 0) {
    throw refuse(`has no mapping network, got mappingLayers ${mappingLayers}; take configuration B`)
  }
  if (mappingLayers > 0) return
  // Progressive GAN takes z and the classes as they are.
  if (config === 'A' && labelSize > 0 && latentSize + labelSize === dlatentSize) return
  if (labelSize > 0) throw refuse(`needs mappingLayers above 0 to learn ${labelSize} classes, got 0`)
  if (latentSize !== dlatentSize) {
    throw refuse(`with mappingLayers 0 needs equal latentSize and dlatentSize, got ${latentSize} and ${dlatentSize}`)
  }
}

/** What a forward pass of training takes beside z. */
export interface TrainingPass {
  readonly labels?: Tensor | undefined
  readonly mixing?: Mixing | undefined
  readonly noise: Noise
  readonly lod: number
  /** Share of the old mean of w that is kept. */
  readonly dlatentAvgBeta: number
}

/** Images for training and the new running mean of w, which the training loop stores; configuration A keeps no mean. */
export function generateForTraining(
  params: Params,
  z: Tensor,
  { labels, mixing, noise, lod, dlatentAvgBeta }: TrainingPass,
  options: NetworkOptions,
): { images: Tensor; dlatentAvg: Tensor | undefined } {
  return scope(() => {
    const w = mapping(params, z, labels, options)
    const w2 = mixing && mapping(params, mixing.z2, labels, options)
    const old = params.get('dlatent_avg')
    const dlatentAvg = old && lerp(w.detach().mean([0]), old, dlatentAvgBeta)
    const dlatents = everyLayer(options, (i) => (w2 && i >= mixing.cutoff ? w2 : w))
    return { images: draw(params, dlatents, noise, lod, options, true), dlatentAvg }
  })
}

/** How images are drawn of latents. */
export interface Sampling {
  readonly labels?: Tensor | undefined
  /** ψ: 1 samples all of W, 0 gives the mean image (StyleGAN, Appendix B). */
  readonly truncationPsi?: number
  /** Only layers below are truncated; all by default. */
  readonly truncationCutoff?: number
  readonly noise: Noise
  readonly lod?: number
}

/** Images of latents `z [N, latentSize]`, with the truncation trick. */
export function generate(params: Params, z: Tensor, sampling: Sampling, options: NetworkOptions): Tensor {
  return scope(() => {
    const w = mapping(params, z, sampling.labels, options)
    return draw(params, truncate(params, w, sampling, options), sampling.noise, sampling.lod ?? 0, options)
  })
}

/** Images of one w a layer; the traditional generator reads the first. */
export function draw(
  params: Params,
  dlatents: readonly Tensor[],
  noise: Noise,
  lod: number,
  options: NetworkOptions,
  inTraining = false,
): Tensor {
  if (configurationOf(options).traditional) return traditional(params, dlatents[0]!, lod, options)
  return synthesis(params, dlatents, noise, lod, options, inTraining)
}

/**
 * `w̄ + ψ (w − w̄)` for the layers below the cutoff (StyleGAN, Appendix B).
 *
 * @throws RangeError if a network of configuration A, which keeps no w̄, is to be truncated
 */
export function truncate(
  params: Params,
  w: Tensor,
  { truncationPsi = 1, truncationCutoff = Infinity }: Pick<Sampling, 'truncationPsi' | 'truncationCutoff'>,
  options: NetworkOptions,
): Tensor[] {
  if (truncationPsi === 1) return everyLayer(options, () => w)
  if (options.config === 'A') throw new RangeError(`configuration A has no truncation, got psi ${truncationPsi}; use 1`)
  const truncated = lerp(get(params, 'dlatent_avg'), w, truncationPsi)
  return everyLayer(options, (i) => (i < truncationCutoff ? truncated : w))
}

function everyLayer({ resolution }: NetworkOptions, w: (layer: number) => Tensor): Tensor[] {
  return Array.from({ length: numLayers(resolution) }, (_, i) => w(i))
}
