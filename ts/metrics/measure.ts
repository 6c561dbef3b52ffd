/** Metrics of a snapshot or of a folder of images: what `stylegan metrics` and training run. */
import { createHash } from 'node:crypto'
import { access, appendFile, constants } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { checkOutdir, makeFolders } from '../files/make-folders.ts'
import { messageOf, namingOptions, optionError } from '../files/option-names.ts'
import { checkData, openDataset, type Dataset } from '../data/dataset.ts'
import { levelFile } from '../data/info.ts'
import { readLabels } from '../data/labels.ts'
import type { PrepareOptions } from '../data/prepare.ts'
import { DataError, Device, type Processes } from '../native/index.ts'
import { hashNetwork } from '../networks/hash.ts'
import type { CustomLayer } from '../networks/params.ts'
import { shown, shownValue } from '../files/shown.ts'
import { formatTime } from '../files/units.ts'
import { isCheckpoint } from '../checkpoints/index.ts'
import { codeOf, diskError } from '../files/write-atomic.ts'
import { readMetadata } from '../files/safetensors.ts'
import { trainingMetadata } from '../training/snapshot-metadata.ts'
import { readGenerator } from '../training/state.ts'
import { catalogue, entryOf } from './catalogue.ts'
import { type MetricName } from '../training/metric-names.ts'
import { FeatureCache } from './feature-cache.ts'
import { generatedImages, hashFile, realImages, type LabelTable, type Sampled } from './images.ts'
import type { Measured, Measurement, Side } from './metric.ts'
import { isStatistics, readMoments } from './moments.ts'
import { featureNetworks, checkNeeds, type WeightOptions } from './feature-networks.ts'
import { densityCoverage, precisionRecall } from './precision-recall.ts'
import { fid } from './fid.ts'
import { inceptionScore } from './inception-score.ts'
import { kid } from './kid.ts'
import { msSsimMetric, swdMetric } from './pixels.ts'
import { noNetwork, ppl } from './ppl.ts'
import type { ResizeMode } from './networks/resize.ts'
import { separability } from './separability.ts'

/** What is measured, of which images. */
export interface MeasureOptions
  extends WeightOptions, Partial<Pick<PrepareOptions, 'skipBad' | 'maxMegapixels' | 'verify'>> {
  /** Snapshot. */
  readonly network?: string | undefined
  /** A folder of images, or statistics of pytorch-fid (.npz), in place of a network. */
  readonly images?: string | undefined
  /** Real images: a folder, a prepared data set, or statistics (.npz); by default what the network was trained on. */
  readonly data?: string | undefined
  readonly metrics: readonly MetricName[]
  /** Images to generate, in place of each metric's own number. */
  readonly num?: number | undefined
  readonly seed: number
  /** How images come to Inception's size; `legacy_tensorflow` as the official code. */
  readonly mode: ResizeMode
  readonly device: string
  /** Mirror half of the reals; by default as the network was trained. */
  readonly mirror?: boolean | undefined
  /** Side of images that are compared without a network. */
  readonly resolution?: number | undefined
  /** Folder of prepared data sets and features. */
  readonly cache: string
  /** Folder of metric-<name>.jsonl; by default the network's. */
  readonly outdir?: string | undefined
}

/** A line of metric-<name>.jsonl: StyleGAN3's fields, then what a difference could come from. */
export interface MetricLine {
  readonly results: Readonly<Record<string, number>>
  readonly metric: MetricName
  readonly total_time: number
  readonly total_time_str: string
  readonly device: string
  /** File name of the network; StyleGAN3's name for it. */
  readonly snapshot_pkl: string | null
  readonly timestamp: number
  readonly [detail: string]: unknown
}

/** Following a measurement, and stopping it. */
export interface MeasureHooks {
  readonly signal?: AbortSignal | undefined
  /** Called with the metric, what it is doing, and how much of that is done and there in all. */
  readonly onProgress?: (metric: MetricName, what: string, done: number, total: number) => void
  /** Called with a line about what may be wrong. */
  readonly onWarning?: (line: string) => void
  /** Called with each result, as it is written to `metric-<name>.jsonl`. */
  readonly onLine?: (line: MetricLine) => void
  /** In place of opening `device`. */
  readonly device?: Device | undefined
  /** Processes that share the work: each computes features of its own batches, and the first one alone writes. */
  readonly processes?: Processes | undefined
  /** The layer of a program, if the network was trained with one. */
  readonly layer?: CustomLayer | undefined
}

/** Each metric's computation. */
export const computations: Readonly<Record<MetricName, (measurement: Measurement) => Promise<Measured>>> = {
  fid50k: (m) => fid(m),
  fid50k_full: (m) => fid(m, { full: true }),
  fid50k_mix2: (m) => fid(mixing(m, 2)),
  fid50k_mix3: (m) => fid(mixing(m, 3)),
  fid50k_mix4: (m) => fid(mixing(m, 4)),
  kid50k: kid,
  pr50k3: precisionRecall,
  dc50k5: densityCoverage,
  is50k: (m) => inceptionScore(m),
  ppl_zfull: (m) => ppl(m, { space: 'z', sampling: 'full', crop: true }),
  ppl_wfull: (m) => ppl(m, { space: 'w', sampling: 'full', crop: true }),
  ppl_zend: (m) => ppl(m, { space: 'z', sampling: 'end', crop: true }),
  ppl_wend: (m) => ppl(m, { space: 'w', sampling: 'end', crop: true }),
  ppl2_wend: (m) => ppl(m, { space: 'w', sampling: 'end', crop: false }),
  ls: separability,
  swd: swdMetric,
  ms_ssim: msSsimMetric,
}

function mixing(measurement: Measurement, mixed: number): Measurement {
  const { sampled } = measurement
  if (sampled === undefined) throw noNetwork(measurement.name)
  return { ...measurement, fakes: { images: async () => generatedImages(sampled, mixed) } }
}

/**
 * Computes metrics one after the other, and adds a line to metric-<name>.jsonl for each. Features are kept while they are
 * computed: the same call after an interruption goes on with them.
 *
 * @throws RangeError, DataError or WeightsError for what is missing or does not fit, before anything is computed
 */
export async function measure(options: MeasureOptions, hooks: MeasureHooks = {}): Promise<MetricLine[]> {
  checkList(options)
  const { metrics, network, cache: root, seed, mode, num } = options
  checkTogether(options)
  // Statistics hold features already.
  const sides = [options.images, options.data].map(async (path) => path !== undefined && isStatistics(path))
  if ((await Promise.all(sides)).includes(false)) await checkNeeds(metrics, options)
  const outdir = options.outdir ?? (network === undefined ? '.' : dirname(network))
  await checkResults(outdir, metrics)
  const device = hooks.device ?? Device.open(options.device)
  const subject = await openSides(options, device, hooks)
  const networks = featureNetworks(device, options)
  const { processes, signal } = hooks
  const cache = new FeatureCache(join(root, 'metrics'), { warn: hooks.onWarning, processes, signal })
  await makeFolders(outdir, 'outdir')
  const lines: MetricLine[] = []
  try {
    for (const name of metrics) {
      const began = performance.now()
      const measurement: Measurement = {
        name,
        device,
        num: num ?? entryOf(name).num,
        seed,
        mode,
        networks,
        cache,
        ...subject,
        warn: (line) => hooks.onWarning?.(line),
        progress: (what, done, total) => hooks.onProgress?.(name, what, done, total),
        // Of several processes the cache stops all at the same batch.
        signal: processes ? undefined : signal,
      }
      const { results, details } = await computations[name](measurement)
      const seconds = (performance.now() - began) / 1000
      const line = {
        results,
        metric: name,
        total_time: seconds,
        total_time_str: formatTime(seconds),
        device: device.name,
        snapshot_pkl: network === undefined ? null : basename(network),
        timestamp: Date.now() / 1000,
        ...(subject.sampled ? { network_sha256: subject.sampled.hash } : { images: options.images }),
        seed,
        ...details,
      }
      const path = resultsFile(outdir, name)
      const write = () => appendFile(path, JSON.stringify(line) + '\n')
      if (processes === undefined || processes.rank === 0) {
        await write().catch((error: unknown) => {
          // What may have taken hours is told all the same.
          hooks.onLine?.(line)
          throw diskError(path, error, 'outdir')
        })
      }
      lines.push(line)
      hooks.onLine?.(line)
    }
    await cache.removeTemporary()
  } finally {
    cache.release()
  }
  return lines
}

const resultsFile = (outdir: string, name: MetricName) => join(outdir, `metric-${name}.jsonl`)

/** @throws Error if a line cannot be added to the results: before hours of work, not after */
async function checkResults(outdir: string, metrics: readonly MetricName[]): Promise<void> {
  await checkOutdir(outdir)
  for (const path of metrics.map((name) => resultsFile(outdir, name))) {
    await access(path, constants.W_OK).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw diskError(path, error, 'outdir')
    })
  }
}

/** A result as it is printed, in aligned columns with four decimals (official metric_base.py). */
export function metricText({ results, total_time_str: time, snapshot_pkl: network }: MetricLine): string {
  const columns = Object.entries(results).map(([name, value]) => `${name.padEnd(18)} ${value.toFixed(4).padStart(12)}`)
  return columns.map((column) => `${column}   ${shown(network ?? '')} (${time})`).join('\n')
}

/** Programs without types give what they like. */
function checkList(options: unknown): void {
  const given = typeof options === 'object' && options !== null && 'metrics' in options ? options.metrics : undefined
  if (Array.isArray(given)) return
  throw optionError((name) => `${name('metrics')}: an array of names is expected, got ${shownValue(given)}`)
}

/** @throws RangeError unless it can be a number of images */
export function checkNum(num: number): void {
  if (Number.isInteger(num) && num > 0) return
  throw optionError((name) => `${name('num')}: a whole number above 0 is expected, got ${shownValue(num)}`)
}

function checkTogether({ metrics, network, images, num = 1 }: MeasureOptions): void {
  checkNum(num)
  if ((network === undefined) === (images === undefined)) {
    const got = network === undefined ? 'none' : 'both'
    throw optionError((name) => `${name('network')} and ${name('images')}: one of them is expected, got ${got}`)
  }
  const latent = metrics.find((name) => entryOf(name).latents)
  if (images !== undefined && latent !== undefined) {
    throw optionError(
      (name) => `${latent}: a network is expected, since it moves latents, got images; give ${name('network')}`,
    )
  }
}

type Subject = Pick<Measurement, 'sampled' | 'fakes' | 'reals'>

/** What is compared with what. */
async function openSides(options: MeasureOptions, device: Device, hooks: MeasureHooks): Promise<Subject> {
  const { network, images, seed, metrics } = options
  if (network === undefined) {
    const side = (path: string, keepDrawn: boolean) => sideOf(path, { ...options, mirror: false, keepDrawn }, hooks)
    const fakes = await side(images!, true)
    return { fakes, reals: options.data === undefined ? undefined : await side(options.data, false) }
  }
  const generator = await readGenerator(network, device, hooks.layer)
  const trained = (await isCheckpoint(network))
    ? { data: undefined, mirror: false }
    : trainingMetadata(network, { metadata: await readMetadata(network) }).config
  const { resolution, numChannels, labelSize } = generator.options
  const data = options.data ?? trained.data
  const mirror = options.mirror ?? trained.mirror
  const needsData = labelSize > 0 || metrics.some((name) => catalogue[name].reals)
  let reals: Side | undefined
  let labels: LabelTable | undefined
  if (needsData && data !== undefined) {
    const given = { ...options, resolution, mirror, channels: numChannels }
    if (await isStatistics(data)) reals = await readMoments(data)
    else {
      if (options.data === undefined) await checkTrainedOn(data, network)
      const dataset = await openReals(data, given, hooks)
      reals = realSide(dataset, { side: resolution, mirror, seed })
      if (labelSize > 0) labels = await labelTable(dataset, labelSize)
    }
  }
  if (labelSize > 0 && labels === undefined) {
    throw optionError(
      (name) =>
        `${network}: a data set with labels is expected, as it was trained with, got none; give ${name('data')}`,
    )
  }
  const sampled: Sampled = { generator, hash: await hashNetwork(generator.Gs), seed, labels }
  return { sampled, reals, fakes: { images: async () => generatedImages(sampled) } }
}

/** @throws DataError if the data of a snapshot are not there, saying where their path comes from */
async function checkTrainedOn(data: string, network: string): Promise<void> {
  await checkData(data).catch((error: unknown) => {
    const from = isAbsolute(data) ? '' : ', relative to the folder of training'
    throw namingOptions(
      (message) => new DataError(message, { cause: error }),
      (name) =>
        `${messageOf(error as Error, name).split('; ')[0]}; ${data} is the data that ${network} was trained on${from}; give ${name('data')}`,
    )
  })
}

interface SideOptions extends MeasureOptions {
  readonly mirror: boolean
  readonly channels?: number
  /** These images may be drawn by this program. */
  readonly keepDrawn?: boolean
}

/** Images of a source, or statistics. */
export async function sideOf(path: string, options: SideOptions, hooks: MeasureHooks): Promise<Side> {
  if (await isStatistics(path)) return readMoments(path)
  const { resolution, mirror, seed } = options
  if (resolution === undefined) {
    throw optionError((name) => `${path}: the side of the images is expected, got none; give ${name('resolution')}`)
  }
  return realSide(await openReals(path, { ...options, resolution }, hooks), { side: resolution, mirror, seed })
}

function openReals(
  data: string,
  options: SideOptions & { resolution: number },
  { signal, onProgress, onWarning: onNote }: MeasureHooks,
): Promise<Dataset> {
  const { cache, metrics, resolution, channels = 3, skipBad = false, maxMegapixels, verify, keepDrawn } = options
  const told = onProgress && ((done: number, total: number) => onProgress(metrics[0]!, 'preparing images', done, total))
  const prepare = { data, cache: join(cache, 'datasets'), resolution, channels, skipBad, signal }
  return openDataset({ ...prepare, maxMegapixels, verify, keepDrawn, onNote, ...(told ? { onProgress: told } : {}) })
}

function realSide(dataset: Dataset, of: { side: number; mirror: boolean; seed: number }): Side {
  let hash: Promise<string> | undefined
  return {
    async images({ count, mirror }) {
      hash ??= hashFile(join(dataset.dir, levelFile(of.side)))
      return realImages(dataset, { ...of, count, mirror: mirror && of.mirror, hash: await hash })
    },
  }
}

/** @throws RangeError if the labels are not those that the network was trained with */
async function labelTable(dataset: Dataset, labelSize: number): Promise<LabelTable> {
  const labels = await readLabels(dataset)
  const found = labels?.names.length ?? 0
  if (labels === undefined || found !== labelSize) {
    throw new RangeError(
      `${dataset.info.source}: labels of ${labelSize} classes are expected, as the network was trained with, got ${found}; give the data set that it was trained on`,
    )
  }
  const { values } = labels
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return { values, count: dataset.info.count, hash: createHash('sha256').update(bytes).digest('hex') }
}
