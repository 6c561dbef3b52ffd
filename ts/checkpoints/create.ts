/** Networks on a device, of weights from a file. */
import type { Weights } from '../files/weights.ts'
import { Rng, scope, type Device, type Tensor } from '../native/index.ts'
import { mapping } from '../networks/mapping.ts'
import { createNetwork, get, type Network, type NetworkOptions, type ParamSpec } from '../networks/params.ts'

/** Latents whose mean w stands for a `dlatent_avg` that the file lacks; rosinality takes as many. */
const meanOf = { batches: 10, size: 1024 }

/**
 * A network of the variables that a file has. What it lacks is made: noise and untrained layers as in a fresh network, and the
 * mean of w by sampling.
 */
export function createImported(
  device: Device,
  specs: readonly ParamSpec[],
  weights: Weights,
  options: NetworkOptions,
): Network {
  const network = createNetwork(device, specs, new Rng(0))
  assignImported(network, weights, options)
  return network
}

/** The same in a network that there is: what the file lacks stays as it is, but for the mean of w. */
export function assignImported(network: Network, weights: Weights, options: NetworkOptions): void {
  const { device, params } = network
  for (const [name, tensor] of params) {
    const weight = weights.get(name)
    if (weight) scope(() => tensor.assign(device.tensor(weight.values(), tensor.shape)))
  }
  const average = params.get('dlatent_avg')
  if (average && !weights.has('dlatent_avg')) scope(() => average.assign(meanStyle(network, options)))
}

function meanStyle({ device, params }: Network, options: NetworkOptions): Tensor {
  const rng = new Rng(0, 1)
  const { batches, size } = meanOf
  let sum = device.zeros(get(params, 'dlatent_avg').shape)
  for (let batch = 0; batch < batches; batch++) {
    const z = rng.normal(device, [size, options.latentSize])
    const labels = options.labelSize > 0 ? oneHot(device, size, options.labelSize) : undefined
    sum = sum.add(mapping(params, z, labels, options).mean([0]))
  }
  return sum.mul(1 / batches)
}

/** Every class as often as the others. */
function oneHot(device: Device, rows: number, classes: number): Tensor {
  const values = new Float32Array(rows * classes)
  for (let row = 0; row < rows; row++) values[row * classes + (row % classes)] = 1
  return device.tensor(values, [rows, classes])
}
