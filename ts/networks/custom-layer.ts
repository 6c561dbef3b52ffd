/** A layer of one's own in the networks: a function around each of the package's layers. */
import type { Tensor } from '../native/index.ts'
import type { NetworkOptions, Params, ParamSpec } from './params.ts'

/** A layer of a network, at the moment when it is computed. */
export interface LayerCall {
  /** Official name of the layer: `G_synthesis/16x16/Conv1` of the generator, `16x16/Conv0` of the discriminator. */
  readonly name: string
  /** All parameters of the network, with those of {@link CustomLayer.G} or {@link CustomLayer.D}. */
  readonly params: Params
  /** What enters: feature maps `[N, H, W, C]`. */
  readonly x: Tensor
  /** The styles' w `[N, dlatentSize]`; none in the discriminator, and in generators without styles. */
  readonly w?: Tensor | undefined
  /** The package's layer: convolution, and in the generator noise, activation and style. */
  readonly original: (x: Tensor) => Tensor
}

/**
 * Replaces or surrounds layers of both networks. Snapshots hold the name and the parameters; whoever goes on with them or draws
 * with them gives the function again.
 */
export interface CustomLayer {
  /** Letters, digits, ".", "_" and "-". */
  readonly name: string
  /** Parameters of its own in the generator, beside the package's. */
  readonly G?: (options: NetworkOptions) => readonly ParamSpec[]
  /** The same in the discriminator. */
  readonly D?: (options: NetworkOptions) => readonly ParamSpec[]
  /** Feature maps of the shape that `original` gives; called for every convolutional layer. Use differentiable ops only. */
  readonly apply: (call: LayerCall) => Tensor
}

type WithLayer = Pick<NetworkOptions, 'layer'>

/** What a layer gives, with the program's layer around it if there is one. */
export function throughLayer({ layer }: WithLayer, call: LayerCall): Tensor {
  return layer && 'apply' in layer ? layer.apply(call) : call.original(call.x)
}

/**
 * Parameters of the program's layer.
 *
 * @throws RangeError if only its name is known: then the networks cannot be made
 */
export function layerSpecs(options: NetworkOptions, network: 'G' | 'D'): readonly ParamSpec[] {
  const { layer } = options
  if (layer === undefined) return []
  if ('apply' in layer) return layer[network]?.(options) ?? []
  throw new RangeError(
    `layer: the function '${layer.name}' of the program that trained this network is expected, found none; give it to train as hooks.layer, or to loadGenerator as layer`,
  )
}

/**
 * Options with the program's layer in place of its name.
 *
 * @throws RangeError if the networks have no layer of this name
 */
export function withLayer<T extends WithLayer>(options: T, given: CustomLayer | undefined): T {
  if (given === undefined) return options
  if (options.layer?.name === given.name) return { ...options, layer: given }
  const found = options.layer ? `'${options.layer.name}'` : 'none'
  throw new RangeError(`layer: networks with layer '${given.name}' are expected, found ${found}; leave layer out`)
}
