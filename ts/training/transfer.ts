/** Training on other images that begins with the weights of a trained network: its layers are taken by the side that they work at. */
import { optionError } from '../files/option-names.ts'
import { isCheckpoint, openCheckpoint } from '../checkpoints/index.ts'
import type { HostTensor } from '../files/safetensors.ts'
import { readMetadata, SafetensorsFile, SnapshotError } from '../files/safetensors.ts'
import type { Weights } from '../files/weights.ts'
import { plural } from '../files/units.ts'
import type { Device } from '../native/index.ts'
import { mostFrozen } from '../networks/discriminator.ts'
import { fillTensor } from '../networks/load.ts'
import type { Network, NetworkOptions } from '../networks/params.ts'
import { networkOptions, sameData, scheduleOptions, type TrainConfig } from './config.ts'
import type { Origin } from './imported.ts'
import { nimgAt } from './schedule.ts'
import { trainingMetadata } from './snapshot-metadata.ts'
import { differences, frozenLayers, loadState, refuseOther, stateOf, type Custom, type TrainingState } from './state.ts'

/** What the header of a trained network tells. */
export interface Trained {
  readonly options: NetworkOptions
  /** Level of detail that training had reached. */
  readonly lod: number
  readonly nimg: number
  /** Whether the file has a discriminator. */
  readonly hasD: boolean
  /** Of our own snapshots. */
  readonly config: TrainConfig | undefined
  readonly origin: Origin | undefined
}

/** @throws SnapshotError or WeightsError if the file holds no trained network */
export async function readTrained(path: string): Promise<Trained> {
  if (await isCheckpoint(path)) {
    const { options, lod, what, licence, D } = await openCheckpoint([path])
    return { options, lod, nimg: 0, hasD: D !== undefined, config: undefined, origin: { what, licence } }
  }
  const { network, config, position, origin } = trainingMetadata(path, { metadata: await readMetadata(path) })
  const { lod, nimg } = position
  return { options: network, lod: lod < 0 ? Infinity : lod, nimg, hasD: true, config, origin }
}

/** Largest side whose layers are trained, of images of at most this resolution. */
export function trainedSide({ options, lod }: Pick<Trained, 'options' | 'lod'>, resolution: number): number {
  return Math.max(4, Math.min(resolution, options.resolution / 2 ** Math.ceil(Math.min(lod, 8))))
}

/**
 * Whether a run that names a trained network goes on with its training, at its length: it has the same folder of images,
 * and the same resolution, classes and frozen layers. Else the run is a transfer.
 */
export function goesOn(trained: Trained, config: TrainConfig): boolean {
  const { options, config: before } = trained
  if (options.resolution !== config.resolution || options.labelSize > 0 !== config.cond) return false
  if (config.labelSize > 0 && config.labelSize !== options.labelSize) return false
  // A file of another code base does not tell what it was trained on.
  return before === undefined ? config.freezed === 0 : sameData(before, config) && before.freezed === config.freezed
}

/**
 * Real images after which a run begins that names a trained network; no weights are made.
 *
 * @throws SnapshotError naming the options that make other networks, RangeError if more layers are frozen than there are
 */
export async function startingNimg(path: string, config: TrainConfig): Promise<number> {
  const trained = await readTrained(path)
  const { options, lod, nimg } = trained
  const wanted = networkOptions(config)
  // The data set, which tells the number of classes, is not open yet.
  const keys = differences(options, wanted).filter((key) => key !== 'labelSize')
  if (!goesOn(trained, config)) {
    refuseOther(
      path,
      options,
      wanted,
      keys.filter((key) => key !== 'resolution'),
    )
    checkFrozen(path, trained, config)
    return 0
  }
  refuseOther(path, options, wanted, keys)
  return trained.config ? nimg : nimgAt(lod, scheduleOptions(config))
}

function checkFrozen(path: string, trained: Trained, { freezed, resolution }: TrainConfig): void {
  if (freezed > 0 && !trained.hasD) {
    throw optionError(
      (name) =>
        `${name('freezed')}: a file with a discriminator is expected, got ${path}, which has none; leave it out`,
    )
  }
  const side = trainedSide(trained, resolution)
  const most = mostFrozen(side)
  if (freezed <= most) return
  throw optionError(
    (name) =>
      `${name('freezed')}: at most ${most}, the resolutions above 4x4 of a discriminator trained to ${side}x${side}, is expected, got ${freezed}; lower it`,
  )
}

/** The state that a run begins with which names a trained network: going on, or a transfer. */
export async function startFrom(
  path: string,
  device: Device,
  config: TrainConfig,
  custom: Custom = {},
): Promise<TrainingState> {
  const trained = await readTrained(path)
  return goesOn(trained, config)
    ? loadState(path, device, config, custom)
    : transfer(path, trained, device, config, custom)
}

/** Reads a variable of a network; undefined if the file has none of this name. */
type Read = (name: string) => Promise<HostTensor | undefined>

async function transfer(
  path: string,
  trained: Trained,
  device: Device,
  config: TrainConfig,
  custom: Custom,
): Promise<TrainingState> {
  const { options: found, origin } = trained
  const wanted = networkOptions(config)
  const keys = differences(found, wanted).filter((key) => key !== 'resolution' && key !== 'labelSize')
  refuseOther(path, found, wanted, keys)
  checkFrozen(path, trained, config)
  const { resolution, labelSize, precision } = config
  const options: NetworkOptions = { ...found, resolution, labelSize: config.cond ? labelSize : 0, precision }
  const fresh = stateOf(device, config, options, custom)
  const taken = await withNetworks(path, async (read) => {
    const groups = { G: fresh.G, Gs: fresh.Gs, D: fresh.D }
    const names: string[] = []
    for (const [group, network] of Object.entries(groups)) {
      const reader = read(group)
      if (reader === undefined) continue
      await take(path, network, reader, found, options)
      names.push(group)
    }
    return names
  })
  const frozenFrom = trainedSide(trained, resolution)
  const frozen = frozenLayers(frozenFrom, config)
  return { ...fresh, origin, frozenFrom, ...frozen, notes: describe(path, trained, taken, config, options) }
}

/** Opens the networks of a file: a generator alone stands for G and Gs. */
async function withNetworks<T>(
  path: string,
  work: (read: (group: string) => Read | undefined) => Promise<T>,
): Promise<T> {
  if (!(await isCheckpoint(path))) {
    return SafetensorsFile.use(path, (file) =>
      work((group) => async (name) => {
        const full = `${group}/${name}`
        return file.tensors.has(full) ? file.read(full) : undefined
      }),
    )
  }
  const { Gs, G = Gs, D } = await openCheckpoint([path])
  if (Gs === undefined) throw new SnapshotError(`${path}: a generator is expected, it holds a discriminator alone`)
  const groups: Record<string, Weights | undefined> = { G, Gs, D }
  return work((group) => {
    const weights = groups[group]
    return weights && ((name) => Promise.resolve(hostOf(weights, name)))
  })
}

function hostOf(weights: Weights, name: string): HostTensor | undefined {
  const weight = weights.get(name)
  return weight && { shape: weight.shape, values: weight.values() }
}

/** Fills the layers of a network that a file has; the others stay as they are. */
async function take(
  path: string,
  network: Network,
  read: Read,
  from: NetworkOptions,
  to: NetworkOptions,
): Promise<void> {
  for (const [name, tensor] of network.params) {
    const source = nameIn(name, Math.log2(to.resolution / from.resolution))
    if (source === undefined) continue
    const saved = await read(source)
    const fitting = saved && withClasses(name, saved, from.labelSize, to.labelSize)
    if (fitting === undefined) continue
    const { shape, values } = fitting
    const error = (message: string) => new SnapshotError(`${path}: ${message}`)
    if (shape.join() !== tensor.shape.join()) {
      throw error(`'${source}' must be [${tensor.shape.join(', ')}], got [${shape.join(', ')}]`)
    }
    fillTensor(tensor, source, values, error)
  }
}

/**
 * A layer's name in a network of another resolution: layers to and from RGB count their levels from the largest side.
 *
 * @param doublings of the other network's resolution to this one
 */
function nameIn(name: string, doublings: number): string | undefined {
  const [, before, level, after] = /^(.*(?:To|From)RGB_lod)(\d+)(\/.*)$/.exec(name) ?? []
  if (level === undefined) return name
  return Number(level) < doublings ? undefined : `${before}${Number(level) - doublings}${after}`
}

/**
 * A variable, where classes go in or out, for another number of them. A class begins as what the network did without or with all
 * of them, and learns its own from there.
 *
 * @returns undefined for what begins anew: the embedding of the classes
 */
function withClasses(name: string, saved: HostTensor, from: number, to: number): HostTensor | undefined {
  if (from === to) return saved
  if (name === 'G_mapping/LabelConcat/weight') return undefined
  const [rows = 0, columns = 0] = saved.shape
  if (name === 'G_mapping/Dense0/weight' && (from === 0 || to === 0)) {
    // Half of the inputs are classes. Equalised learning rates divide by the root of their number, so the weights of z grow or shrink.
    const shape = [from === 0 ? 2 * rows : rows / 2, columns]
    const values = new Float32Array(shape[0]! * columns)
    const kept = Math.min(rows, shape[0]!) * columns
    const scale = from === 0 ? Math.SQRT2 : Math.SQRT1_2
    for (let i = 0; i < kept; i++) values[i] = saved.values[i]! * scale
    return { shape, values }
  }
  if (name !== '4x4/Dense1/weight' && name !== '4x4/Dense1/bias') return saved
  const width = Math.max(to, 1)
  const before = saved.shape.at(-1)!
  const values = new Float32Array((saved.values.length / before) * width)
  for (let row = 0; row < values.length / width; row++) {
    let mean = 0
    for (let i = 0; i < before; i++) mean += saved.values[row * before + i]! / before
    values.fill(mean, row * width, (row + 1) * width)
  }
  return { shape: [...saved.shape.slice(0, -1), width], values }
}

/** What was taken and what is new, for whoever starts this training. */
function describe(
  path: string,
  { options: found, lod, nimg, origin }: Trained,
  taken: readonly string[],
  { freezed, resolution, lodInitialResolution }: TrainConfig,
  { labelSize }: NetworkOptions,
): string[] {
  const side = (pixels: number) => `${pixels}x${pixels}`
  const sides = (from: number, to: number) => {
    const list: string[] = []
    for (let pixels = 2 * from; pixels <= to; pixels *= 2) list.push(side(pixels))
    return list.join(', ')
  }
  const classes = (count: number) => (count === 0 ? 'no classes' : `${count} ${plural(count, 'class', 'classes')}`)
  const reached = trainedSide({ options: found, lod }, resolution)
  const length = nimg > 0 ? ` after ${nimg / 1000} kimg` : ''
  const news = [
    ...(resolution > found.resolution ? [`the layers of ${sides(found.resolution, resolution)}`] : []),
    ...(taken.includes('D') ? [] : ['the discriminator']),
    ...(labelSize !== found.labelSize && labelSize > 0 ? ['the classes'] : []),
    'the optimisers',
  ]
  const left = resolution < found.resolution ? `; left out: the layers of ${sides(resolution, found.resolution)}` : ''
  return [
    `Transfer from ${path}, ${origin?.what ?? 'stylegan'}${length}: training on these images begins at 0 kimg, with ${side(lodInitialResolution)} images`,
    `Taken: the weights of ${taken.join(', ')} up to ${side(reached)}; new: ${news.join(', ')}${left}`,
    ...(labelSize === found.labelSize
      ? []
      : [`Classes: the network had ${classes(found.labelSize)}, and learns ${classes(labelSize)}`]),
    ...(freezed > 0 ? [`Frozen: the discriminator's layers of ${sides(reached / 2 ** freezed, reached)}`] : []),
  ]
}
