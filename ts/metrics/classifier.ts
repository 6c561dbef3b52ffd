/**
 * Attribute classifiers for linear separability: the discriminator without minibatch standard deviation (StyleGAN, Section 4.2
 * and Appendix C), trained on any labelled data set.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { optionError } from '../files/option-names.ts'
import type { Dataset } from '../data/dataset.ts'
import { Sampler, streams } from '../data/sampler.ts'
import { fromBytes } from '../data/pixels.ts'
import { grad, Rng, scope, type Device, type Tensor } from '../native/index.ts'
import { discriminator, discriminatorFeatures, discriminatorSpecs } from '../networks/discriminator.ts'
import { checkSaved, loadTensor } from '../networks/load.ts'
import { createNetwork, frozen, tracked, type Network, type NetworkOptions } from '../networks/params.ts'
import { checkOption } from '../training/config.ts'
import { createOptimizer, step } from '../training/optimizer.ts'
import { writeAtomic } from '../files/write-atomic.ts'
import { isRecord, parseJson } from '../files/json.ts'
import { encodeSafetensors, SafetensorsFile, type HostTensor } from '../files/safetensors.ts'
import { shown } from '../files/shown.ts'
import { isFormat } from '../files/version.ts'
import { hashFile } from './images.ts'

/** What fixes a classifier, its data aside. */
export interface ClassifierOptions {
  readonly resolution: number
  readonly numChannels: number
  readonly fmapBase: number
  readonly fmapMax: number
  /** Images shown, in thousands: 150 in Appendix C. */
  readonly kimg: number
  /** 8 in Appendix C. */
  readonly batch: number
  /** 0.001 in Appendix C. */
  readonly rate: number
  readonly mirror: boolean
  readonly seed: number
}

/** What is known of a trained classifier. */
export interface ClassifierInfo {
  readonly attribute: string
  /** Share of the held-out images that it gets right. */
  readonly accuracy: number
  /** Share of the held-out images that the more frequent answer gets right. */
  readonly chance: number
  readonly heldOut: number
  readonly data: string
  readonly options: ClassifierOptions
}

/** A network that tells of an image whether it has an attribute. */
export interface Classifier {
  readonly network: Network
  readonly info: ClassifierInfo
}

/** One image in this many is held out. */
const heldOutShare = 10
const [format, formatVersion] = ['stylegan-classifier', 1]

/**
 * Trains a classifier of one attribute by the cross-entropy of softmax([l, −l]), the official probabilities (linear_separability.py).
 *
 * @param values 1 for each image that has the attribute, else 0
 * @param onStep told the images shown so far
 * @throws RangeError if all images are of one class
 */
export async function trainClassifier(
  device: Device,
  dataset: Dataset,
  attribute: string,
  values: Uint8Array,
  options: ClassifierOptions,
  { signal, onStep = () => {} }: { signal?: AbortSignal | undefined; onStep?: (nimg: number) => void } = {},
): Promise<Classifier> {
  const { train, held } = split(attribute, values, options)
  const network = createNetwork(
    device,
    discriminatorSpecs(architecture(options)),
    new Rng(options.seed, streams.weights),
  )
  const optimizer = createOptimizer(network)
  const sampler = new Sampler(options.seed, train.length, options.mirror)
  const pending: Promise<ArrayLike<number>>[] = []
  for (let nimg = 0; nimg < options.kimg * 1000; nimg += options.batch) {
    signal?.throwIfAborted()
    const { indices, mirror } = sampler.at(nimg, options.batch)
    const rows = indices.map((index) => train[index]!)
    const bytes = await dataset.levels.batch(options.resolution, rows, mirror)
    const targets = rows.map((row) => values[row]!)
    const loss = scope(() => {
      const images = fromBytes(device.tensor(bytes, imageShape(options.batch, options)))
      const start = tracked(network)
      const logits = discriminator(start.params, images, undefined, 0, architecture(options))
      const loss = crossEntropy(logits, targets)
      step(optimizer, grad(loss, start.inputs), { rate: options.rate })
      return loss.detach()
    })
    pending.push(loss.data())
    loss.dispose()
    // As in training, at most two steps are under way.
    if (pending.length > 2) checkFinite(attribute, nimg, (await pending.shift()!)[0]!)
    onStep(Math.min(nimg + options.batch, options.kimg * 1000))
  }
  for (const loss of pending) checkFinite(attribute, options.kimg * 1000, (await loss)[0]!)
  const accuracy = await accuracyOf(network, dataset, values, held, options)
  const positive = held.filter((row) => values[row] === 1).length / held.length
  const chance = Math.max(positive, 1 - positive)
  const data = dataset.info.source
  return { network, info: { attribute, accuracy, chance, heldOut: held.length, data, options } }
}

/**
 * Logits of the attribute, `[N]`; positive for images that have it.
 *
 * @param images −1 … 1 `[N, side, side, C]`, of the classifier's size or a larger one, which is averaged down
 */
export function classify({ network, info }: Classifier, images: Tensor): Tensor {
  return scope(() => {
    const logits = discriminator(network.params, images, undefined, 0, architecture(info.options))
    return logits.reshape([images.shape[0]!])
  })
}

/**
 * What leads to the answer of {@link classify}: the feature maps of each convolution, from the finest to 4×4.
 *
 * @param images as {@link classify} takes them
 */
export function classifierMaps({ network, info }: Classifier, images: Tensor): Tensor[] {
  return discriminatorFeatures(network.params, images, 0, architecture(info.options))
}

/** Writes `classifier-<attribute>.safetensors`. */
export async function saveClassifier(path: string, { network, info }: Classifier): Promise<void> {
  const tensors = new Map<string, HostTensor>()
  for (const [name, tensor] of network.params) {
    tensors.set(name, { shape: tensor.shape, values: await tensor.data() })
  }
  const metadata = { format: `${format}-${formatVersion}`, classifier: JSON.stringify(info) }
  await writeAtomic(path, encodeSafetensors({ tensors, metadata }))
}

/** Letters and digits of any script stay. */
export const classifierName = (attribute: string): string =>
  `classifier-${attribute.replaceAll(/[^\p{L}\p{M}\p{N}_.-]+/gu, '-')}.safetensors`

/** @throws RangeError if the classifiers of two attributes would be one file, also on disks that ignore case */
export function checkClassifierNames(attributes: Iterable<string>): void {
  const known = new Map<string, string>()
  for (const attribute of attributes) {
    const name = classifierName(attribute)
    const other = known.get(name.toLowerCase())
    if (other !== undefined) {
      throw new RangeError(
        `attributes: names of different files are expected, got '${shown(other)}' and '${shown(attribute)}', both ${name}; rename one of them`,
      )
    }
    known.set(name.toLowerCase(), attribute)
  }
}

/** A classifier of a file. */
export interface LoadedClassifier extends Classifier {
  readonly sha256: string
}

/**
 * Opens a classifier that {@link saveClassifier} wrote.
 *
 * @throws SnapshotError if it is no classifier of `stylegan classifier train`, VersionError if a newer program wrote it
 */
export async function loadClassifier(path: string, device: Device): Promise<LoadedClassifier> {
  const { network, info } = await SafetensorsFile.use(path, async (file) => {
    if (!isFormat(path, file.metadata['format'], format, formatVersion)) {
      throw file.error("a classifier of 'stylegan classifier train' is expected, this is another file")
    }
    const info = parseInfo(file)
    const specs = discriminatorSpecs(architecture(info.options))
    for (const { name, shape } of specs) checkSaved(file, name, shape)
    const network = createNetwork(device, specs, new Rng(0))
    for (const [name, tensor] of network.params) await loadTensor(tensor, name, file)
    return { network, info }
  })
  return { network: { ...network, params: frozen(network.params) }, info, sha256: await hashFile(path) }
}

/** Checked by the rules of the training options before anything is made of it. */
function parseInfo(file: SafetensorsFile): ClassifierInfo {
  try {
    const info = parseJson(file.metadata['classifier'] ?? '')
    if (!isClassifierInfo(info)) throw new RangeError('an attribute and options are expected')
    const { resolution, numChannels, fmapBase, fmapMax } = info.options
    const options = { resolution, numChannels, fmapBase, fmapMax }
    for (const key of Object.keys(options) as (keyof typeof options)[]) checkOption(key, options[key])
    return info
  } catch (error) {
    throw file.error(`what it says of the classifier cannot be used: ${shown((error as Error).message)}`)
  }
}

function isClassifierInfo(value: unknown): value is ClassifierInfo {
  return isRecord(value) && typeof value['attribute'] === 'string' && isRecord(value['options'])
}

/** The classifiers of a folder, by the names of their files. */
export async function listClassifiers(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => /^classifier-.*\.safetensors$/.test(name))
    .sort()
    .map((name) => join(folder, name))
}

/** The discriminator's architecture; what it does not read is 0. */
function architecture({ resolution, numChannels, fmapBase, fmapMax }: ClassifierOptions): NetworkOptions {
  const widths = { latentSize: 0, dlatentSize: 0, mappingLayers: 0, mappingFmaps: 0, mappingLrmul: 0 }
  const shape = { config: 'F', resolution, numChannels, fmapBase, fmapDecay: 1, fmapMax } as const
  return { ...shape, ...widths, labelSize: 0, mbstdGroup: 1, fusedScale: 'auto' }
}

const imageShape = (N: number, { resolution, numChannels }: ClassifierOptions) => [
  N,
  resolution,
  resolution,
  numChannels,
]

/** Images to train on and to test with, in an order that the seed fixes. */
function split(
  attribute: string,
  values: Uint8Array,
  { seed }: ClassifierOptions,
): { train: number[]; held: number[] } {
  const positive = values.reduce((sum, value) => sum + value, 0)
  if (positive === 0 || positive === values.length) {
    throw new RangeError(
      `attribute '${attribute}': images with and without it are expected, ${positive === 0 ? 'none' : 'all'} of the ${values.length} have it; leave it out`,
    )
  }
  const order = new Rng(seed, streams.classifier).permutation(values.length)
  const count = Math.max(1, Math.floor(values.length / heldOutShare))
  const [held, train] = [order.slice(0, count), order.slice(count)]
  if (train.length === 0) {
    throw new RangeError(`attribute '${attribute}': at least 2 images are expected, got ${values.length}`)
  }
  return { train, held }
}

/** −log of the probability of the right answer, sigmoid(±2 l): the mean of softplus(∓2 l). */
function crossEntropy(logits: Tensor, targets: readonly number[]): Tensor {
  const signs = logits.device.tensor(
    targets.map((target) => (target === 1 ? -2 : 2)),
    logits.shape,
  )
  return logits.mul(signs).softplus().mean()
}

function checkFinite(attribute: string, nimg: number, loss: number): void {
  if (Number.isFinite(loss)) return
  throw optionError(
    (name) => `attribute '${attribute}': the loss is ${loss} after ${nimg} images; try a lower ${name('rate')}`,
  )
}

async function accuracyOf(
  network: Network,
  { levels }: Dataset,
  values: Uint8Array,
  held: readonly number[],
  options: ClassifierOptions,
): Promise<number> {
  let right = 0
  for (let first = 0; first < held.length; first += 64) {
    const rows = held.slice(first, first + 64)
    const bytes = await levels.batch(options.resolution, rows)
    const logits = scope(() => {
      const images = fromBytes(network.device.tensor(bytes, imageShape(rows.length, options)))
      return discriminator(network.params, images, undefined, 0, architecture(options))
    })
    const found = await logits.data()
    logits.dispose()
    right += rows.filter((row, i) => found[i]! > 0 === (values[row] === 1)).length
  }
  return right / held.length
}
