/** The real images of each step. */
import { join } from 'node:path'
import { checkDataset, openDataset, openImages, type Dataset } from '../data/dataset.ts'
import { namingPublisher, publishedData } from '../data/published.ts'
import { isOneHot, requireLabels, type Labels } from '../data/labels.ts'
import type { ImageSet } from '../data/memory.ts'
import type { PreparingOptions } from '../data/prepare.ts'
import { Sampler } from '../data/sampler.ts'
import { DataError, freeze, type Device, type Tensor } from '../native/index.ts'
import { checkObject } from '../files/keys.ts'
import { ofResolveConfig, type TrainConfig } from './config.ts'
import type { Progress } from './schedule.ts'
import type { StepLabels } from './step.ts'

/** How real images are found and read, beside what the options say. */
export interface DataOptions extends Pick<PreparingOptions, 'maxMegapixels' | 'signal' | 'onProgress' | 'onNote'> {
  /** Images in memory or one after the other, in place of the options' `data`. */
  readonly images?: ImageSet | undefined
  /** Compare every image of the prepared data set with its checksum. */
  readonly verify?: boolean | undefined
}

/** Real images of one step, and which they are. */
export interface Minibatch {
  /** `[minibatch, side, side, channels]`, side being the schedule's resolution. */
  readonly bytes: Uint8Array
  readonly indices: readonly number[]
}

/** The real images of a run, in the order in which it shows them: a function of the seed and of how many it has shown. */
export class Minibatches {
  /** The options that were given, with what only the data set tells: `labelSize`, and `data` of images in memory. */
  readonly config: TrainConfig
  readonly dataset: Dataset
  /** Names of the classes of a conditional run. */
  readonly classes: readonly string[]
  /** Whether each image has exactly one of them; undefined without labels. */
  readonly oneClass: boolean | undefined
  readonly #labels: Labels | undefined
  readonly #sampler: Sampler
  #table: Tensor | undefined

  private constructor(config: TrainConfig, dataset: Dataset, labels: Labels | undefined) {
    this.config = config
    this.dataset = dataset
    this.classes = labels?.names ?? []
    this.oneClass = labels && isOneHot(labels)
    this.#labels = labels
    this.#sampler = new Sampler(config.seed, dataset.levels.count, config.mirror)
  }

  /**
   * Opens the data of a run, preparing them first into `datasets` of its `outdir` if need be.
   *
   * @throws DataError for unusable data, naming the file or the index of the image
   */
  static async open(config: TrainConfig, { images, verify, ...how }: DataOptions = {}): Promise<Minibatches> {
    checkObject(config, 'config', ofResolveConfig)
    const options = { ...how, ...preparingOf(config) }
    const dataset = images
      ? await openImages(images, options)
      : await ofPublisher(config, (published) => openDataset({ ...options, ...published, verify }))
    const named = images ? { ...config, data: dataset.dir } : config
    if (!config.cond) return new Minibatches(named, dataset, undefined)
    const read = await labelsFor(dataset, named)
    return new Minibatches({ ...named, labelSize: read.names.length }, dataset, read)
  }

  /**
   * Finds what {@link open} would refuse before it prepares images, and writes nothing.
   *
   * @throws DataError as it
   */
  static async check(config: TrainConfig, how: Omit<DataOptions, 'images' | 'verify'> = {}): Promise<void> {
    await ofPublisher(config, (published) => checkDataset({ ...how, ...preparingOf(config), ...published }))
  }

  /** The images of the step that comes after `nimg` images. */
  async at(nimg: number, { resolution, minibatch }: Progress): Promise<Minibatch> {
    const { indices, mirror } = this.#sampler.at(nimg, minibatch)
    return { bytes: await this.dataset.levels.batch(resolution, indices, mirror), indices }
  }

  /** All labels `[count, labelSize]` on a device, of a conditional run. */
  labelsOn(device: Device): Tensor | undefined {
    if (this.#labels === undefined) return undefined
    const { values } = this.#labels
    this.#table ??= freeze(device.tensor(values, [this.dataset.levels.count, this.config.labelSize]))
    return this.#table
  }

  /** What `trainingStep` takes of a minibatch; whoever asks disposes of the images, as `scope` does. */
  tensorsOf({ bytes, indices }: Minibatch, device: Device, { resolution, minibatch }: Progress): RealTensors {
    const images = device.tensor(bytes, [minibatch, resolution, resolution, this.config.numChannels])
    const table = this.labelsOn(device)
    return { images, labels: table && { table, indices } }
  }
}

/** How the images of a run are prepared. */
function preparingOf({ resolution, numChannels: channels, skipBad, cond: labels, outdir }: TrainConfig) {
  return { cache: join(outdir, 'datasets'), resolution, channels, skipBad, labels }
}

/** What `work` makes of the data of a run, which its preset may know. */
function ofPublisher<T>(
  { preset, data, resolution }: TrainConfig,
  work: (published: Awaited<ReturnType<typeof publishedData>>) => Promise<T>,
): Promise<T> {
  return namingPublisher(preset, async () => work(await publishedData(preset, data, resolution)))
}

/** A minibatch on a device. */
export interface RealTensors {
  /** uint8 `[minibatch, side, side, channels]`. */
  readonly images: Tensor
  readonly labels: StepLabels | undefined
}

/** @throws DataError if a conditional network cannot be trained on this data set */
async function labelsFor(dataset: Dataset, { data, labelSize }: TrainConfig): Promise<Labels> {
  const labels = await requireLabels(dataset)
  if (labelSize !== 0 && labelSize !== labels.names.length) {
    throw new DataError(
      `${data}: labelSize ${labelSize} is expected, got a data set of ${labels.names.length} classes; set labelSize to 0`,
    )
  }
  return labels
}
