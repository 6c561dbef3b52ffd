/** Adam and the running average: the only place where parameters change. */
import { noScaling, type Scaling } from './losses.ts'
import { adam, scope, type Tensor } from '../native/index.ts'
import { get, type Network, type Params } from '../networks/params.ts'

/** Adam as the official code sets it (train.py): no momentum, TensorFlow's epsilon. */
export const defaults = { beta1: 0, beta2: 0.99, epsilon: 1e-8 }

/**
 * Dynamic loss scaling, log2 of the factor (official optimizer.py, use_loss_scaling): f16 holds nothing below 6e-8, where most gradients of
 * feature maps are, so losses are brought up before they are differentiated. Each good step raises the factor a little; one that is skipped
 * because a gradient overflowed halves it. The official code starts at 64, f32's range, which f16 would answer with fifty skipped steps: 16
 * is the highest at which f16, up to 65504, may hold a gradient of 1.
 */
const lossScaling = { start: 16, raise: 0.0005, lower: 1 }

/** The optimiser of one network: everything lies in one arena each, so that a step is one kernel. */
export interface Optimizer {
  readonly network: Network
  readonly m: { flat: Tensor; tensors: readonly Tensor[] }
  readonly v: { flat: Tensor; tensors: readonly Tensor[] }
  /** Steps taken since the last reset, steps skipped since the start. */
  readonly state: Tensor
  /** log2 of the factor of the loss, where losses are scaled. */
  readonly lossScale: Tensor | undefined
  /** The running average of the network's weights, Gs. */
  readonly average: Network | undefined
}

/**
 * Adam's memory for the trainable variables of a network, all zeros.
 *
 * @param average a copy of the network that becomes its running average
 * @param options `scalesLoss`: losses are brought up before they are differentiated, as f16 needs
 */
export function createOptimizer(network: Network, average?: Network, { scalesLoss = false } = {}): Optimizer {
  const { device } = network
  const [m, v] = [device.arena(shapesOf(network)), device.arena(shapesOf(network))]
  const lossScale = scalesLoss ? device.scalar(lossScaling.start) : undefined
  return { network, m, v, state: device.zeros([2]), lossScale, average }
}

/** What the loss of the next {@link step} is multiplied with before it is differentiated. */
export function scalingOf({ lossScale }: Optimizer): Scaling {
  if (lossScale === undefined) return noScaling
  const times = (sign: number) => (x: Tensor) => scope(() => x.mul(lossScale.mul(sign * Math.LN2).exp()))
  return { up: times(1), down: times(-1) }
}

const shapesOf = ({ trainable, params }: Network) => trainable.map((name) => get(params, name).shape)

/** How far a step goes. */
export interface StepOptions {
  readonly rate: number
  /** In place of the official training's. */
  readonly adam?: { readonly beta1: number; readonly beta2: number } | undefined
  /** Weight of the old running average. */
  readonly averageBeta?: number
  /** Names of variables that have no gradient and stay as they are. */
  readonly still?: ReadonlySet<string> | undefined
}

/**
 * One Adam step. The average takes in the weights as they were before it, as the official loop averages with the
 * discriminator's step, whether it is taken or not. A step with a gradient that is not finite is not taken, and counted.
 *
 * @param gradients of the network's trainable variables but the `still` ones, in their order, brought up by {@link scalingOf}
 */
export function step(
  optimizer: Optimizer,
  gradients: readonly Tensor[],
  { rate, adam: decay, averageBeta = 0, still = new Set() }: StepOptions,
): void {
  const { network, m, v, state, lossScale, average } = optimizer
  const { device, flat: params, trainable } = network
  const learning = trainable.flatMap((name, i) => (still.has(name) ? [] : [i]))
  if (gradients.length !== learning.length) {
    throw new RangeError(`step: ${learning.length} gradients are expected, got ${gradients.length}`)
  }
  scope(() => {
    // Made for this step alone: while gradients are computed, their memory holds feature maps.
    const grads = device.arena(shapesOf(network))
    // Without momentum a gradient of 0 moves nothing, and an arena begins as zeros.
    gradients.forEach((gradient, i) => grads.tensors[learning[i]!]!.assign(gradient))
    const before = lossScale && state.affine(1, 0)
    const tensors = { grad: scalingOf(optimizer).down(grads.flat), params, m: m.flat, v: v.flat, state }
    adam(average ? { ...tensors, average: average.flat } : tensors, { ...defaults, ...decay, rate, averageBeta })
    if (lossScale === undefined || before === undefined) return
    const { raise, lower } = lossScaling
    const [taken, skipped] = state.sub(before).unstack(0)
    lossScale.assign(lossScale.add(taken!.mul(raise)).sub(skipped!.mul(lower)))
  })
}

/** Forgets moments and step count, as at each new level of detail (official optimizer.py, reset_optimizer_state). */
export function reset({ m, v, state }: Optimizer): void {
  scope(() => {
    for (const { flat } of [m, v]) flat.assign(flat.device.zeros(flat.shape))
    state.assign(state.mul(state.device.tensor([0, 1], [2])))
  })
}

/** The optimiser's memory as named tensors, for snapshots. */
export function optimizerTensors({ network, m, v, state, lossScale }: Optimizer): Params {
  const named = (kind: string, tensors: readonly Tensor[]) =>
    network.trainable.map((name, i) => [`${kind}/${name}`, tensors[i]!] as const)
  const scale = lossScale === undefined ? [] : [['loss_scale', lossScale] as const]
  return new Map([...named('m', m.tensors), ...named('v', v.tensors), ['state', state], ...scale])
}
