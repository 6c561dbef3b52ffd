/** A layer of one's own in the networks: a function around each of the package's layers. */
import { shownValue } from '../files/shown.ts'
import { scope, Tensor } from '../native/index.ts'
import type { CustomLayer, LayerCall, NetworkOptions, ParamSpec } from './params.ts'

type WithLayer = Pick<NetworkOptions, 'layer'>

/** What a layer gives, with the program's layer around it if there is one. */
export function throughLayer({ layer }: WithLayer, call: LayerCall): Tensor {
  return layer && 'apply' in layer ? scope(() => applied(layer, call)) : call.original(call.x)
}

/** @throws RangeError unless the program's layer gives feature maps, as far as the call tells of which shape */
function applied(layer: CustomLayer, call: LayerCall): Tensor {
  const { name, x } = call
  let expected: readonly number[] | undefined
  const original = (input: Tensor) => {
    const maps = call.original(input)
    if (String(input.shape) === String(x.shape)) expected = maps.shape
    return maps
  }
  const maps: unknown = layer.apply({ ...call, original })
  const shape = maps instanceof Tensor ? maps.shape : undefined
  const isLike = expected ? String(shape) === String(expected) : shape?.length === 4 && shape[0] === x.shape[0]
  if (maps instanceof Tensor && isLike) return maps
  const wanted = expected ? `a tensor [${expected.join(', ')}]` : `a tensor [${x.shape[0]}, H, W, C]`
  throw new RangeError(
    `layer '${layer.name}' at ${name}: ${wanted} is expected, as original gives, got ${shape ? `[${shape.join(', ')}]` : shownValue(maps)}`,
  )
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
    `layer: the function '${layer.name}' of the program that trained this network is expected, got none; give it to train as hooks.layer, or to loadGenerator as layer`,
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
  throw new RangeError(`layer: networks with layer '${given.name}' are expected, got ${found}; leave layer out`)
}
