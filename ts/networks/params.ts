/**
 * Parameters: named tensors. Names, shapes and order are those of the official variables, so that a file of ours and an
 * official one are the same thing.
 */
import { DisposedError, freeze, scope, type Device, type Rng, type Tensor } from '../native/index.ts'
import type { ConfigurationName } from './configurations.ts'
import type { Precision } from './precision.ts'
import type { Semantics } from './semantics.ts'

/** The variables of a network, or some of them, by their official names. */
export type Params = ReadonlyMap<string, Tensor>

/** What fixes the shapes of both networks, and how they are stored. */
export interface NetworkOptions {
  /** Row of Table 1; F where none is given. */
  readonly config?: ConfigurationName
  /** f32 where none is given. The same weights are drawn with any. */
  readonly precision?: Precision
  /** Side of the images, a power of two from 4. */
  readonly resolution: number
  readonly numChannels: number
  /** Feature maps of a stage: see {@link featureMaps}. */
  readonly fmapBase: number
  readonly fmapDecay: number
  readonly fmapMax: number
  /** Width of z. */
  readonly latentSize: number
  /** Width of w. */
  readonly dlatentSize: number
  readonly mappingLayers: number
  readonly mappingFmaps: number
  /** Learning-rate multiplier of the mapping network: StyleGAN, Appendix C. */
  readonly mappingLrmul: number
  /** Classes of a conditional network, 0 for none. */
  readonly labelSize: number
  /** Images whose deviation the discriminator compares; 1 turns it off. */
  readonly mbstdGroup: number
  /** Which form of the resampling convolutions the weights are for; they differ by a turn of the filter (official fused_scale). */
  readonly fusedScale: boolean | 'auto'
  /** Feature maps by stage, of networks that the formula does not fit. */
  readonly fmaps?: readonly number[]
  /** How a network of another code base differs from the official ones. */
  readonly semantics?: Semantics
  /** A layer of a program; files hold its name alone. */
  readonly layer?: CustomLayer | { readonly name: string }
}

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

/** What the layers from w to images need of them, in every configuration. */
export type SynthesisNetworkOptions = Pick<
  NetworkOptions,
  | 'config'
  | 'precision'
  | 'resolution'
  | 'numChannels'
  | 'fmapBase'
  | 'fmapDecay'
  | 'fmapMax'
  | 'dlatentSize'
  | 'fusedScale'
  | 'fmaps'
  | 'semantics'
  | 'layer'
>

/** A variable before it is made: its official name, its shape, and what it begins as. */
export interface ParamSpec {
  readonly name: string
  readonly shape: readonly number[]
  readonly init: { readonly deviation: number } | { readonly value: number }
  readonly trainable: boolean
}

/** A network on a device. `params` holds every variable; the trainable ones are slices of `flat`. */
export interface Network {
  readonly device: Device
  readonly params: Params
  /** Trainable variables, in order. */
  readonly trainable: readonly string[]
  readonly flat: Tensor
}

/** Feature maps of a stage: min(⌊fmapBase / 2^(stage · fmapDecay)⌋, fmapMax); the block of side 2^r has nf(r − 1). */
export function featureMaps(
  { fmapBase, fmapDecay, fmapMax, fmaps }: Pick<NetworkOptions, 'fmapBase' | 'fmapDecay' | 'fmapMax' | 'fmaps'>,
  stage: number,
): number {
  return fmaps?.[stage] ?? Math.min(Math.floor(fmapBase / 2 ** (stage * fmapDecay)), fmapMax)
}

/** Layers that take a style: two at each resolution. */
export function numLayers(resolution: number): number {
  return 2 * Math.log2(resolution) - 2
}

/** Side of the feature maps of a layer that takes a style. */
export function sideOfLayer(layer: number): number {
  return 2 ** (Math.floor(layer / 2) + 2)
}

/**
 * Where the networks stand at a level of detail: the largest images in use have side 2^`top`, and `fade` is the share of the next
 * smaller ones. lod 0 is the full resolution, each further 1 halves it (Karras et al. 2017, Fig. 2).
 *
 * @throws RangeError if lod is not in 0 (full resolution) … log2(resolution) − 2 (4×4)
 */
export function growth(lod: number, resolution: number): { top: number; fade: number } {
  const R = Math.log2(resolution)
  if (!(lod >= 0 && lod <= R - 2)) throw new RangeError(`lod must be between 0 and ${R - 2}, got ${lod}`)
  return { top: R - Math.floor(lod), fade: lod - Math.floor(lod) }
}

/** A weight with an equalised learning rate starts as N(0, 1) (StyleGAN, Appendix C), with lrmul as N(0, 1/lrmul²). */
export function weight(name: string, shape: readonly number[], lrmul = 1): ParamSpec {
  return { name: `${name}/weight`, shape, init: { deviation: 1 / lrmul }, trainable: true }
}

/** A variable that begins as one value; {@link weight} begins as random numbers. */
export function constant(name: string, shape: readonly number[], value: number, trainable = true): ParamSpec {
  return { name, shape, init: { value }, trainable }
}

/** `[size]` zeros, named `name/bias`. */
export function bias(name: string, size: number): ParamSpec {
  return constant(`${name}/bias`, [size], 0)
}

/** Trainable parameters. */
export function countParams(specs: readonly ParamSpec[]): number {
  const sizes = specs.filter((spec) => spec.trainable).map((spec) => spec.shape.reduce((a, b) => a * b, 1))
  return sizes.reduce((a, b) => a + b, 0)
}

/** Makes a network's variables, drawn from `rng` in their order. */
export function createNetwork(device: Device, specs: readonly ParamSpec[], rng: Rng): Network {
  const network = emptyNetwork(device, specs)
  for (const { name, shape, init } of specs) {
    scope(() => {
      const values = 'value' in init ? device.full(shape, init.value) : rng.normal(device, shape).mul(init.deviation)
      get(network.params, name).assign(values)
    })
  }
  return network
}

/** The same values in memory of their own. */
export function copyNetwork({ device, params, trainable }: Network): Network {
  const kept = new Set(trainable)
  const specs = [...params].map(([name, { shape }]) => constant(name, shape, 0, kept.has(name)))
  const copy = emptyNetwork(device, specs)
  for (const [name, tensor] of params) get(copy.params, name).assign(tensor)
  return copy
}

/**
 * A network whose variables are all 0, for whoever has values for every one.
 *
 * @throws RangeError for two of one name
 */
export function emptyNetwork(device: Device, specs: readonly ParamSpec[]): Network {
  const twice = specs.find(({ name }, i) => specs.findIndex((spec) => spec.name === name) !== i)
  if (twice)
    throw new RangeError(`parameter '${twice.name}': one of this name is expected, got two; rename the layer's`)
  const trainable = specs.filter((spec) => spec.trainable)
  const { flat, tensors } = device.arena(trainable.map((spec) => spec.shape))
  const slices = new Map(trainable.map(({ name }, i) => [name, tensors[i]!]))
  const params = new Map(specs.map(({ name, shape }) => [name, slices.get(name) ?? device.zeros(shape)]))
  return { device, params, trainable: trainable.map(({ name }) => name), flat }
}

/**
 * The parameters with every trainable one at the start of a history, and those alone, in order.
 *
 * @param still names of trainable ones that do not learn now
 */
export function tracked(
  { params, trainable }: Network,
  still: ReadonlySet<string> = new Set(),
): { params: Params; inputs: Tensor[] } {
  const learning = trainable.filter((name) => !still.has(name))
  const inputs = learning.map((name) => get(params, name).tracked())
  const starts = new Map(learning.map((name, i) => [name, inputs[i]!]))
  return { params: new Map([...params].map(([name, tensor]) => [name, starts.get(name) ?? tensor])), inputs }
}

/**
 * A variable by its name.
 *
 * @throws TypeError if there is none, DisposedError if the network was disposed of
 */
export function get(params: Params, name: string): Tensor {
  const disposed = disposedParams.get(params)
  if (disposed !== undefined) {
    throw new DisposedError(`${disposed}: an open one is expected, got one that was disposed of; open it again`)
  }
  const tensor = params.get(name)
  if (tensor === undefined) throw new TypeError(`the network has no variable '${name}'`)
  return tensor
}

/**
 * Parameters that do not change any more, for drawing many pictures: the `effectiveWeight` of each layer is computed once.
 * The tensors must not be assigned to afterwards.
 */
export function frozen(params: Params): Params {
  return new FrozenParams(params)
}

/** Whether parameters are {@link frozen}: images are drawn with them, and no gradients of them are asked for. */
export function isFrozen(params: Params): boolean {
  return params instanceof FrozenParams
}

/** Parameters with a cache of the weights that layers use. */
class FrozenParams extends Map<string, Tensor> {
  readonly #weights = new Map<string, Tensor>()

  cached(name: string, make: () => Tensor): Tensor {
    const weight = this.#weights.get(name) ?? freeze(scope(make))
    this.#weights.set(name, weight)
    return weight
  }

  disposeCached(): void {
    for (const weight of this.#weights.values()) weight.dispose()
    this.#weights.clear()
  }
}

/** What was disposed of, by its parameters. */
const disposedParams = new WeakMap<Params, string>()

/**
 * Gives a network's memory back, with the cached weights.
 *
 * @param what what errors call it from now on
 */
export function disposeNetwork({ params, flat }: Network, what = 'network'): void {
  disposedParams.set(params, what)
  for (const tensor of params.values()) tensor.dispose()
  flat.dispose()
  if (params instanceof FrozenParams) params.disposeCached()
}

/** The weight that a layer computes with: its parameter, scaled and shaped by `make`; cached for {@link frozen} parameters. */
export function effectiveWeight(params: Params, name: string, make: (weight: Tensor) => Tensor): Tensor {
  const weight = get(params, `${name}/weight`)
  return params instanceof FrozenParams ? params.cached(name, () => make(weight)) : make(weight)
}

/**
 * A weight that a layer computes with as it is, or turned by half a circle. {@link frozen} parameters keep it beside the
 * {@link effectiveWeight} of that layer.
 */
export function ownWeight(params: Params, name: string, turned = false): Tensor {
  const weight = get(params, `${name}/weight`)
  const make = () => (turned ? weight.flip([0, 1]) : weight)
  return params instanceof FrozenParams ? params.cached(`${name}/weight${turned ? ' turned' : ''}`, make) : make()
}

/** A weight as it is used: times `gainOf`. */
export function equalised(params: Params, name: string, gain: number, lrmul = 1): Tensor {
  return effectiveWeight(params, name, (weight) => weight.mul(gainOf(weight, gain, lrmul)))
}

/** Elements of a weight from which on a scaled copy of it is worth avoiding. */
const largeWeight = 1 << 16

/**
 * The factors of a layer's product: the input and the {@link equalised} weight, or, on a processor, the scaled input and the weight
 * itself where the input is much smaller. So large weights are not copied, nor are their gradients. With {@link frozen} parameters,
 * whose copies are made once but held, it is one image's input that counts.
 */
export function factors(params: Params, name: string, x: Tensor, gain: number, lrmul = 1): [x: Tensor, w: Tensor] {
  const weight = get(params, `${name}/weight`)
  const size = isFrozen(params) ? x.size / x.shape[0]! : x.size
  const isSmall = weight.size >= largeWeight && 4 * size <= weight.size
  if (isSmall && x.device.name === 'cpu') {
    return [x.mul(gainOf(weight, gain, lrmul)), ownWeight(params, name)]
  }
  return [x, equalised(params, name, gain, lrmul)]
}

/**
 * What a weight is multiplied with, gain / √fan-in · lrmul, so that every weight learns at one rate (Karras et al. 2017,
 * section 4.1; official get_weight). The fan-in is the product of all axes but the last.
 */
export function gainOf({ shape }: Tensor, gain: number, lrmul = 1): number {
  const fanIn = shape.slice(0, -1).reduce((a, b) => a * b, 1)
  return (gain / Math.sqrt(fanIn)) * lrmul
}
