/** The mapping network f: Z → W (StyleGAN, section 2; official G_mapping). */
import { concat, scope, ShapeError, type Tensor } from '../native/index.ts'
import { dense, pixelNorm } from './layers.ts'
import { bias, get, weight, type NetworkOptions, type Params, type ParamSpec } from './params.ts'

/** What the mapping network needs of them. */
export type MappingNetworkOptions = Pick<
  NetworkOptions,
  'config' | 'latentSize' | 'dlatentSize' | 'mappingLayers' | 'mappingFmaps' | 'mappingLrmul' | 'labelSize'
>

export function mappingSpecs(options: MappingNetworkOptions): ParamSpec[] {
  const { latentSize, dlatentSize, mappingLayers, mappingFmaps, mappingLrmul, labelSize } = options
  const specs: ParamSpec[] = []
  let width = latentSize
  if (labelSize > 0 && options.config !== 'A') {
    specs.push(weight('G_mapping/LabelConcat', [labelSize, latentSize]))
    width *= 2
  }
  for (let layer = 0; layer < mappingLayers; layer++) {
    const name = `G_mapping/Dense${layer}`
    const out = layer === mappingLayers - 1 ? dlatentSize : mappingFmaps
    specs.push(weight(name, [width, out], mappingLrmul), bias(name, out))
    width = out
  }
  return specs
}

/**
 * w of z: z is brought to a mean square of 1, then eight fully connected layers, each with a leaky ReLU.
 *
 * @param z `[N, latentSize]`
 * @param labels `[N, labelSize]`, needed by a conditional network
 * @returns `[N, dlatentSize]`
 */
export function mapping(params: Params, z: Tensor, labels: Tensor | undefined, options: MappingNetworkOptions): Tensor {
  return scope(() => {
    // The embedding of the labels has no equalised learning rate and no bias in the official code; Progressive GAN has none.
    const embed = () => {
      const given = checkLabels(labels, z.dims2()[0], options.labelSize)
      return options.config === 'A' ? given : given.matmul(get(params, 'G_mapping/LabelConcat/weight'))
    }
    let x = pixelNorm(options.labelSize === 0 ? z : concat([z, embed()], 1))
    for (let layer = 0; layer < options.mappingLayers; layer++) {
      x = dense(params, `G_mapping/Dense${layer}`, x, { lrmul: options.mappingLrmul })
    }
    return x
  })
}

/** @throws ShapeError unless there are labels `[N, labelSize]` */
export function checkLabels(labels: Tensor | undefined, N: number, labelSize: number): Tensor {
  if (labels?.shape.join() === `${N},${labelSize}`) return labels
  const got = labels === undefined ? 'none' : `[${labels.shape}]`
  throw new ShapeError(`labels must be [${N}, ${labelSize}] for this network, got ${got}`)
}
