/** Everything that training changes, made fresh or taken from a snapshot: what is saved is what makes the next step. */
import { augmentationOf } from './ada.ts'
import { checkPrecisionOf, networkOptions, scheduleOptions, type TrainConfig } from './config.ts'
import { streams } from '../data/sampler.ts'
import { shownValue } from '../files/shown.ts'
import { Device, Rng, type Tensor } from '../native/index.ts'
import { discriminatorSpecs, layersBelow } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { withLayer } from '../networks/custom-layer.ts'
import { checkSaved, firstNotFinite, loadTensor } from '../networks/load.ts'
import {
  copyNetwork,
  createNetwork,
  emptyNetwork,
  featureMaps,
  frozen,
  get,
  type CustomLayer,
  type Network,
  type NetworkOptions,
  type ParamSpec,
} from '../networks/params.ts'
import { checkProducts } from '../networks/precision.ts'
import { options as trainOptions, type ConfigKey } from './options.ts'
import { lossOf, type CustomLoss, type Loss } from './losses.ts'
import { createOptimizer, optimizerTensors, type Optimizer } from './optimizer.ts'
import { pictureHeight } from './presets.ts'
import { SafetensorsFile, SnapshotError, streamSafetensors } from '../files/safetensors.ts'
import { writeAtomic, type Piece } from '../files/write-atomic.ts'
import { namingOptions, type NameOf } from '../files/option-names.ts'
import { shown } from '../files/shown.ts'
import { assignImported, createImported, isCheckpoint, openCheckpoint } from '../checkpoints/index.ts'
import { importGenerator, type LoadedGenerator, type Origin } from './imported.ts'
import { nimgAt } from './schedule.ts'
import { encodeMetadata, trainingMetadata, type ImagesSeen, type Position } from './snapshot-metadata.ts'

/** What a program gives of its own; options and snapshots hold the names. */
export interface Custom {
  readonly loss?: CustomLoss | undefined
  readonly layer?: CustomLayer | undefined
}

/** Everything that training changes: `saveState` writes it, and `loadState` reads it. */
export interface TrainingState {
  readonly G: Network
  readonly D: Network
  /** Running average of G. */
  readonly Gs: Network
  readonly gOptimizer: Optimizer
  readonly dOptimizer: Optimizer
  readonly loss: Loss
  readonly rng: Rng
  readonly position: Position
  /** The images that the run began with. */
  readonly images?: ImagesSeen
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass?: boolean | undefined
  /** Of both networks: the configuration's, with what an imported network has of its own. */
  readonly options: NetworkOptions
  /** Largest side that the discriminator of a transfer was trained to, and those of its variables that do not learn. */
  readonly frozenFrom?: number | undefined
  readonly frozen?: ReadonlySet<string>
  /** Where the networks come from, if not from random weights. */
  readonly origin?: Origin | undefined
  /** What whoever starts this training should know of an imported network. */
  readonly notes?: readonly string[]
}

/**
 * A state before the first step.
 *
 * @throws RangeError if the options name a loss or a layer of a program that is not given
 */
export function createState(device: Device, config: TrainConfig, custom: Custom = {}): TrainingState {
  if (!(device instanceof Device)) {
    throw new RangeError(`device: an open device is expected, got ${shownValue(device)}; Device.open opens one by name`)
  }
  return stateOf(device, config, networkOptions(config), custom)
}

/**
 * The same, with networks of these options.
 *
 * @param isFilled every variable is assigned to at once: none is drawn
 */
export function stateOf(
  device: Device,
  config: TrainConfig,
  saved: NetworkOptions,
  custom: Custom,
  isFilled = false,
): TrainingState {
  checkPrecisionOf(saved, device)
  const [loss, options] = [lossOf(config.loss, custom.loss), withLayer(saved, custom.layer)]
  const weights = new Rng(config.seed, streams.weights)
  const make = (specs: readonly ParamSpec[]) =>
    isFilled ? emptyNetwork(device, specs) : createNetwork(device, specs, weights)
  const [G, D] = [make(generatorSpecs(options)), make(discriminatorSpecs(options))]
  const Gs = copyNetwork(G)
  const progress = { nimg: 0, step: 0, scheduleNimg: 0, lod: -1 }
  const augment = augmentationOf(config)
  const position = { ...progress, tick: 0, seconds: 0, tickNimg: 0, tickSeconds: 0, sums: [], sumSteps: 0, augment }
  const rng = new Rng(config.seed, streams.training)
  // bf16 has f32's range.
  const scaling = { scalesLoss: config.precision === 'f16' }
  const [gOptimizer, dOptimizer] = [createOptimizer(G, Gs, scaling), createOptimizer(D, undefined, scaling)]
  return { G, D, Gs, gOptimizer, dOptimizer, loss, rng, position, options }
}

/**
 * The bytes of a snapshot. Every tensor is read when it is written, so that they need not be in memory together: the state must
 * not change meanwhile.
 *
 * @param classes names of a conditional network's classes
 * @throws RangeError from the iteration, naming the first tensor that is not finite
 */
export function encodeState(
  state: TrainingState,
  config: TrainConfig,
  classes: readonly string[] = [],
): AsyncIterable<Piece> {
  const { position, images, oneClass, origin, frozenFrom } = state
  const { layer, ...plain } = state.options
  const network = layer ? { ...plain, layer: { name: layer.name } } : plain
  const metadata = { network, config, classes, oneClass, position, rng: state.rng.state, images, origin, frozenFrom }
  const tensors = [...namedTensors(state)].map(([name, tensor]) => {
    const read = async () => {
      const values = await tensor.data()
      if (firstNotFinite(values) >= 0) throw new RangeError(`'${name}' is no longer finite`)
      return values
    }
    return [name, { shape: tensor.shape, dtype: floatType(tensor), read }] as const
  })
  return streamSafetensors(new Map(tensors), encodeMetadata(metadata))
}

/**
 * Writes a snapshot, which training goes on from and networks are drawn from: beside its place first, then renamed.
 *
 * @throws RangeError naming the first tensor that is not finite; then nothing is written
 */
export async function saveState(
  path: string,
  state: TrainingState,
  config: TrainConfig,
  classes?: readonly string[],
): Promise<void> {
  await writeAtomic(path, encodeState(state, config, classes))
}

function floatType({ dtype }: Tensor): 'f32' | 'f64' {
  if (dtype === 'f32' || dtype === 'f64') return dtype
  throw new TypeError(`a training state of f32 or f64 is expected, got ${dtype}`)
}

/**
 * The state that a snapshot holds, or one that starts with the networks of a file that `openCheckpoint` reads.
 *
 * @throws SnapshotError if it is damaged, is no training snapshot, or has other networks than the configuration
 */
export async function loadState(
  path: string,
  device: Device,
  config: TrainConfig,
  custom: Custom = {},
): Promise<TrainingState> {
  if (await isCheckpoint(path)) return startState(path, device, config, custom)
  return SafetensorsFile.use(path, async (file) => {
    const saved = trainingMetadata(path, file)
    const fresh = stateOf(device, config, sameNetworks(path, saved.network, config), custom, true)
    for (const [name, tensor] of namedTensors(fresh)) {
      // A run in another precision scales no loss: it begins here.
      if (name.endsWith('/loss_scale') && saved.network.precision !== config.precision) continue
      await loadTensor(tensor, name, file)
    }
    const position = { ...saved.position, augment: augmentationOf(config, saved.position.augment) }
    const images = saved.images && { images: saved.images }
    const { oneClass, origin, frozenFrom } = saved
    const frozen = frozenLayers(frozenFrom, config)
    return { ...fresh, rng: Rng.from(saved.rng), position, oneClass, origin, frozenFrom, ...frozen, ...images }
  })
}

/** What `--freezed` keeps of a discriminator that was trained to a side. */
export function frozenLayers(
  side: number | undefined,
  { freezed, resolution }: TrainConfig,
): Pick<TrainingState, 'frozen'> {
  return side === undefined || freezed === 0 ? {} : { frozen: new Set(layersBelow(side, freezed, { resolution })) }
}

/** What no option of training tells: a network that was imported keeps its own. */
const ownOfNetworks: readonly string[] = ['precision', 'dlatentSize', 'mappingFmaps', 'fusedScale']

/**
 * The options of the networks of a file, for training with a configuration.
 *
 * @throws SnapshotError naming the options that differ
 */
function sameNetworks(path: string, found: NetworkOptions, config: TrainConfig): NetworkOptions {
  const wanted = networkOptions(config)
  refuseOther(path, found, wanted, differences(found, wanted))
  // Weights are the same in every precision.
  return { ...found, precision: config.precision }
}

/** The options that make other networks, for the layers that both have. */
export function differences(found: NetworkOptions, wanted: NetworkOptions): (keyof NetworkOptions)[] {
  // The widths of a file may be those of several formulas.
  const side = Math.min(found.resolution, wanted.resolution)
  const stages = Array.from({ length: Math.log2(side) - 1 }, (_, i) => i + 1)
  const sameWidths = stages.every((stage) => featureMaps(found, stage) === featureMaps(wanted, stage))
  return (Object.keys({ layer: undefined, ...wanted }) as (keyof NetworkOptions)[]).filter((key) => {
    if (key === 'layer' && found.layer?.name === wanted.layer?.name) return false
    if (ownOfNetworks.includes(key) || found[key] === wanted[key]) return false
    return !(sameWidths && key.startsWith('fmap'))
  })
}

/** @throws SnapshotError naming these options, if there are any */
export function refuseOther(
  path: string,
  found: NetworkOptions,
  wanted: NetworkOptions,
  keys: readonly (keyof NetworkOptions)[],
): void {
  if (keys.length === 0) return
  const text = ({ layer, ...network }: NetworkOptions, name: NameOf) =>
    keys
      .map((key) => {
        const value = key === 'layer' ? (layer?.name ?? 'none') : network[key]
        const flagged = key in trainOptions && 'flag' in trainOptions[key as ConfigKey] ? name(key) : key
        return `${flagged} ${shown(typeof value === 'object' ? JSON.stringify(value) : String(value))}`
      })
      .join(', ')
  throw namingOptions(
    (message) => new SnapshotError(message),
    (name) =>
      `${path}: networks with ${text(wanted, name)} are expected, the snapshot has ${text(found, name)}; give the same options, or leave them out`,
  )
}

/** A state whose networks are those of a checkpoint: training begins at the level of detail that they were trained to. */
async function startState(path: string, device: Device, config: TrainConfig, custom: Custom): Promise<TrainingState> {
  const { options: found, Gs, G = Gs, D, lod, what, licence, notes } = await openCheckpoint([path])
  if (Gs === undefined || G === undefined) {
    throw new SnapshotError(`${path}: a generator is expected, it holds a discriminator alone`)
  }
  const options = sameNetworks(path, found, config)
  const fresh = stateOf(device, config, options, custom)
  assignImported(fresh.G, G, options)
  assignImported(fresh.Gs, Gs, options)
  if (D) assignImported(fresh.D, D, options)
  const nimg = nimgAt(lod, scheduleOptions(config))
  const position = { ...fresh.position, nimg, scheduleNimg: nimg, tickNimg: nimg }
  const without = `${path} has no discriminator: a fresh one is made`
  const told = [`Training starts from ${what}, at ${nimg / 1000} kimg`, ...notes, ...(D ? [] : [without])]
  return { ...fresh, position, origin: { what, licence }, notes: told }
}

/**
 * The averaged generator of a snapshot, or of a file that `openCheckpoint` reads, for pictures: its parameters are {@link frozen}. It is drawn in the precision it was trained in, or
 * in a higher one where the device has no lower.
 */
export async function readGenerator(path: string, device: Device, layer?: CustomLayer): Promise<LoadedGenerator> {
  if (await isCheckpoint(path)) return importGenerator(path, device)
  return SafetensorsFile.use(path, async (file) => {
    const { network: saved, config, classes, oneClass, position, origin } = trainingMetadata(path, file)
    const network = withLayer(saved, layer)
    const specs = generatorSpecs(network)
    await checkProducts(network, device)
    const Gs = await readNetwork(file, 'Gs', device, specs)
    const drawn = { ...Gs, params: frozen(Gs.params) }
    const options = device.storesHalf ? network : { ...network, precision: 'f32' as const }
    // A network that has not trained yet has no lod.
    const { nimg, lod } = position
    const height = pictureHeight(config)
    return { Gs: drawn, options, classes, oneClass, height, nimg, lod: Math.max(lod, 0), origin }
  })
}

/** The discriminator beside a file's generator, for features; undefined where there is none. */
export async function readDiscriminator(
  path: string,
  device: Device,
  layer?: CustomLayer,
): Promise<Network | undefined> {
  if (await isCheckpoint(path)) {
    const { D, options } = await openCheckpoint([path])
    return D && createImported(device, discriminatorSpecs(options), D, options)
  }
  return SafetensorsFile.use(path, async (file) => {
    const specs = discriminatorSpecs(withLayer(trainingMetadata(path, file).network, layer))
    return readNetwork(file, 'D', device, specs)
  })
}

/** A network of a snapshot. All shapes are looked at before memory is taken. */
async function readNetwork(
  file: SafetensorsFile,
  group: string,
  device: Device,
  specs: readonly ParamSpec[],
): Promise<Network> {
  for (const { name, shape } of specs) checkSaved(file, `${group}/${name}`, shape)
  const network = emptyNetwork(device, specs)
  for (const [name, tensor] of network.params) await loadTensor(tensor, `${group}/${name}`, file)
  return network
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
