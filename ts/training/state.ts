/** Everything that training changes, made fresh or taken from a snapshot: what is saved is what makes the next step. */
import { networkOptions, type TrainConfig } from './config.ts'
import { streams } from '../data/sampler.ts'
import { Rng, type Device, type RngState, type Tensor } from '../native/index.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { copyNetwork, createNetwork, frozen, get, type Network, type NetworkOptions } from '../networks/params.ts'
import { checkPrecision, checkProducts } from '../networks/precision.ts'
import { createOptimizer, optimizerTensors, type Optimizer } from './optimizer.ts'
import { pictureHeight } from './presets.ts'
import {
  encodeSafetensors,
  readSafetensors,
  SnapshotError,
  type HostTensor,
  type TensorFile,
} from '../files/safetensors.ts'
import { isFormat } from '../files/version.ts'

/** Where training stands; plain numbers. */
export interface Position {
  /** Real images shown. */
  nimg: number
  /** Pairs of a discriminator and a generator step. */
  step: number
  /** `nimg` when the schedule was last looked at. */
  scheduleNimg: number
  /** lod of the last step, −1 before the first. */
  lod: number
  tick: number
  /** Seconds of training, over all starts. */
  seconds: number
  /** `nimg` and `seconds` when the tick began. */
  tickNimg: number
  tickSeconds: number
  /** Sums of the statistics over the steps of the tick so far, and their number. */
  sums: number[]
  sumSteps: number
}

export interface TrainingState {
  readonly G: Network
  readonly D: Network
  /** Running average of G. */
  readonly Gs: Network
  readonly gOptimizer: Optimizer
  readonly dOptimizer: Optimizer
  readonly rng: Rng
  readonly position: Position
}

/** A state before the first step. */
export function createState(device: Device, config: TrainConfig): TrainingState {
  const options = networkOptions(config)
  checkPrecision(options, device)
  const weights = new Rng(config.seed, streams.weights)
  const G = createNetwork(device, generatorSpecs(options), weights)
  const D = createNetwork(device, discriminatorSpecs(options), weights)
  const Gs = copyNetwork(G)
  const progress = { nimg: 0, step: 0, scheduleNimg: 0, lod: -1 }
  const position = { ...progress, tick: 0, seconds: 0, tickNimg: 0, tickSeconds: 0, sums: [], sumSteps: 0 }
  const rng = new Rng(config.seed, streams.training)
  // bf16 has f32's range.
  const scaling = { scalesLoss: config.precision === 'f16' }
  const [gOptimizer, dOptimizer] = [createOptimizer(G, Gs, scaling), createOptimizer(D, undefined, scaling)]
  return { G, D, Gs, gOptimizer, dOptimizer, rng, position }
}

const [format, formatVersion] = ['stylegan-training', 1]

/**
 * The bytes of a snapshot, once every value is read and known to be finite.
 *
 * @param classes names of a conditional network's classes
 * @throws RangeError naming the first tensor that is not finite
 */
export async function encodeState(
  state: TrainingState,
  config: TrainConfig,
  classes: readonly string[] = [],
): Promise<Iterable<Uint8Array>> {
  const tensors = new Map<string, HostTensor>()
  const reads = [...namedTensors(state)].map(async ([name, tensor]) => {
    const { shape } = tensor
    return [name, { shape, values: await tensor.data() }] as const
  })
  for (const [name, tensor] of await Promise.all(reads)) {
    if (!tensor.values.every(Number.isFinite)) throw new RangeError(`'${name}' is no longer finite`)
    tensors.set(name, tensor)
  }
  const metadata = {
    format: `${format}-${formatVersion}`,
    network: JSON.stringify(networkOptions(config)),
    config: JSON.stringify(config),
    classes: JSON.stringify(classes),
    position: JSON.stringify(state.position),
    rng: JSON.stringify(state.rng.state),
  }
  return encodeSafetensors({ tensors, metadata })
}

/**
 * The state that a snapshot holds.
 *
 * @throws SnapshotError if it is no training snapshot or has other networks than the configuration
 */
export async function loadState(path: string, device: Device, config: TrainConfig): Promise<TrainingState> {
  const file = await readSafetensors(path)
  const saved = trainingMetadata(path, file)
  const wanted = networkOptions(config)
  for (const key of Object.keys(wanted) as (keyof NetworkOptions)[]) {
    // Weights are the same in every precision.
    if (key === 'precision') continue
    if (saved.network[key] !== wanted[key]) {
      throw new SnapshotError(
        `${path}: networks with ${key} ${wanted[key]} are expected, the snapshot has ${key} ${saved.network[key]}; give the same options`,
      )
    }
  }
  const fresh = createState(device, config)
  for (const [name, tensor] of namedTensors(fresh)) {
    // A run in another precision scales no loss: it begins here.
    if (name.endsWith('/loss_scale') && saved.network.precision !== config.precision) continue
    fill(tensor, name, path, file)
  }
  return { ...fresh, rng: Rng.from(saved.rng), position: saved.position }
}

/**
 * The averaged generator of a snapshot, for pictures: its parameters are {@link frozen}. It is drawn in the precision it was trained in, or
 * in a higher one where the device has no lower.
 */
export async function loadGenerator(
  path: string,
  device: Device,
): Promise<{ Gs: Network; options: NetworkOptions; classes: readonly string[]; height: number; nimg: number }> {
  const file = await readSafetensors(path)
  const { network, config, classes, position } = trainingMetadata(path, file)
  await checkProducts(network, device)
  const Gs = createNetwork(device, generatorSpecs(network), new Rng(0))
  for (const [name, tensor] of Gs.params) fill(tensor, `Gs/${name}`, path, file)
  const drawn = { ...Gs, params: frozen(Gs.params) }
  const options = device.storesHalf ? network : { ...network, precision: 'f32' as const }
  return { Gs: drawn, options, classes, height: pictureHeight(config), nimg: position.nimg }
}

function fill(tensor: Tensor, name: string, path: string, { tensors }: TensorFile): void {
  const saved = tensors.get(name)
  const shape = `[${tensor.shape.join(', ')}]`
  if (saved === undefined) throw new SnapshotError(`${path}: '${name}' ${shape} is expected and missing`)
  if (saved.shape.join() !== tensor.shape.join()) {
    throw new SnapshotError(`${path}: '${name}' must be ${shape}, got [${saved.shape.join(', ')}]`)
  }
  tensor.assign(tensor.device.tensor(saved.values, saved.shape))
}

/** @throws SnapshotError if it is no snapshot of a training run, VersionError if a newer program wrote it */
export function trainingMetadata(path: string, { metadata }: Pick<TensorFile, 'metadata'>) {
  if (!isFormat(path, metadata['format'], format, formatVersion)) {
    throw new SnapshotError(`${path}: a snapshot of 'stylegan train' is expected, this is another safetensors file`)
  }
  return {
    network: JSON.parse(metadata['network']!) as NetworkOptions,
    config: JSON.parse(metadata['config']!) as TrainConfig,
    classes: JSON.parse(metadata['classes'] ?? '[]') as string[],
    position: JSON.parse(metadata['position']!) as Position,
    rng: JSON.parse(metadata['rng']!) as RngState,
  }
}

function* namedTensors({ G, D, Gs, gOptimizer, dOptimizer }: TrainingState): Generator<[string, Tensor]> {
  const groups = {
    G: G.params,
    D: D.params,
    Gs: Gs.params,
    G_adam: optimizerTensors(gOptimizer),
    D_adam: optimizerTensors(dOptimizer),
  }
  for (const [group, params] of Object.entries(groups)) {
    for (const name of params.keys()) yield [`${group}/${name}`, get(params, name)]
  }
}
