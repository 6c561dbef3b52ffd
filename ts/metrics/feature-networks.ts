/** The networks of published weights: which files are theirs, and opening each when it is first needed. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { optionError, type NameOf } from '../files/option-names.ts'
import type { Device } from '../native/index.ts'
import { knownWeights } from '../files/weight-file.ts'
import { entryOf, type Need } from './catalogue.ts'
import { type MetricName } from '../training/metric-names.ts'
import { listClassifiers, loadClassifier } from './classifier.ts'
import { loadInception } from './networks/inception.ts'
import { loadLpips } from './networks/lpips.ts'
import type { FeatureNetworks } from './metric.ts'
import { loadVgg } from './networks/vgg.ts'

/** Where weights of Inception-v3, VGG-16 and LPIPS are. */
export interface WeightOptions {
  /** Folder with weight files under the names that they are published with. */
  readonly weights?: string | undefined
  readonly inception?: string | undefined
  readonly vgg?: string | undefined
  /** Heads of LPIPS, in place of those of this package. */
  readonly lpips?: string | undefined
  /** Take files with other hashes: then numbers cannot be compared with published ones. */
  readonly allowUnknownWeights?: boolean | undefined
  /** Folder with attribute classifiers. */
  readonly classifiers?: string | undefined
}

/** Path of a weight file, if the options name one. */
function pathOf(need: 'inception' | 'vgg', { weights, ...options }: WeightOptions): string | undefined {
  return options[need] ?? (weights === undefined ? undefined : join(weights, knownWeights[need].file))
}

/**
 * Metrics to compute where none are named: the official one if there are weights for it, else those that need none.
 */
export function defaultMetrics(options: WeightOptions): MetricName[] {
  return pathOf('inception', options) === undefined ? ['swd', 'ms_ssim'] : ['fid50k']
}

/**
 * Looks whether everything that the metrics need is there.
 *
 * @throws RangeError naming the first metric that lacks something, and where that comes from
 */
export async function checkNeeds(metrics: readonly MetricName[], options: WeightOptions): Promise<void> {
  for (const name of metrics) {
    for (const need of entryOf(name).needs) {
      const missing = await missingOf(need, options)
      if (missing !== undefined) throw optionError((option) => `${name}: ${missing(option)}`)
    }
  }
}

async function missingOf(need: Need, options: WeightOptions): Promise<((name: NameOf) => string) | undefined> {
  if (need === 'classifiers') {
    const { classifiers } = options
    if (classifiers !== undefined && (await listClassifiers(classifiers)).length > 0) return undefined
    const where = classifiers === undefined ? '' : ` in ${classifiers}`
    return (name) =>
      `attribute classifiers are expected, got none${where}; train some with 'stylegan classifier train' and give their folder as ${name('classifiers')}`
  }
  const { file, sha256, source } = knownWeights[need]
  const path = pathOf(need, options)
  if (path !== undefined && (await stat(path).catch(() => undefined))?.isFile()) return undefined
  const got = path === undefined ? 'none' : `nothing at ${path}`
  return (name) =>
    `the weights ${file} (SHA-256 ${sha256}, published at ${source}) are expected, got ${got}; give the file as ${name(need)}, or its folder as ${name('weights')}`
}

/** Opens each network when it is first asked for. */
export function featureNetworks(device: Device, options: WeightOptions): FeatureNetworks {
  const files = { allowUnknownWeights: options.allowUnknownWeights ?? false }
  // checkNeeds has found the files.
  const path = (need: 'inception' | 'vgg') => pathOf(need, options)!
  return {
    inception: once(() => loadInception(device, path('inception'), files)),
    vgg: once(() => loadVgg(device, path('vgg'), files)),
    lpips: once(() => loadLpips(device, path('vgg'), options.lpips, files)),
    classifiers: once(async () => {
      const paths = await listClassifiers(options.classifiers!)
      return Promise.all(paths.map((file) => loadClassifier(file, device)))
    }),
  }
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => (result ??= work())
}
