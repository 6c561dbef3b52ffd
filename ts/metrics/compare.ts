/** A metric between images that a program has: in memory, in folders, or in a network. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageArray } from '../data/memory.ts'
import { shownValue } from '../files/shown.ts'
import { ImageGenerator } from '../figures/generator.ts'
import { Device } from '../native/index.ts'
import { hashNetwork } from '../networks/hash.ts'
import { checkKeys } from '../files/keys.ts'
import type { MetricName } from '../training/metric-names.ts'
import { entryOf } from './catalogue.ts'
import { FeatureCache } from './feature-cache.ts'
import { checkNeeds, featureNetworks } from './feature-networks.ts'
import { batchSizeOf, generatedImages, type ImageSource } from './images.ts'
import { checkNum, computations, sideOf, type MeasureHooks, type MeasureOptions } from './measure.ts'
import type { Measurement, Side } from './metric.ts'

/** An array of square images, a folder (or statistics, .npz), or a network. */
export type Compared = ImageArray | string | ImageGenerator

/** How two sets of images are compared. */
export interface CompareOptions
  extends
    Partial<Omit<MeasureOptions, 'network' | 'images' | 'data' | 'metrics' | 'device' | 'mirror' | 'outdir'>>,
    Omit<MeasureHooks, 'device' | 'onLine' | 'processes'> {
  /** A name such as `cpu` or `auto`, or an open device; a network's own is taken for it. */
  readonly device?: string | Device | undefined
}

const optionKeys = Object.keys({
  ...{ num: 0, seed: 0, mode: 0, device: 0, resolution: 0, cache: 0, skipBad: 0, maxMegapixels: 0, verify: 0 },
  ...{ weights: 0, inception: 0, vgg: 0, lpips: 0, allowUnknownWeights: 0, classifiers: 0, layer: 0 },
  ...{ signal: 0, onProgress: 0, onWarning: 0 },
} satisfies Record<keyof CompareOptions, 0>)

/**
 * One metric between two sets of images. Weights of published networks are files, as for `stylegan metrics`. Folders are brought
 * to the side of the other images, or to `resolution`.
 *
 * @param fakes what is measured
 * @param reals what it is compared with; metrics of one set, such as `ms_ssim` and `is50k`, take none
 * @param options `cache` keeps features and prepared folders for the next call; without it nothing stays
 * @returns the numbers by their names, such as `{ fid50k: 12.3 }`
 * @throws RangeError for an unknown metric or option, images that do not fit or weights that are missing
 */
export async function compare(
  metric: MetricName,
  fakes: Compared,
  reals?: Compared,
  options: CompareOptions = {},
): Promise<Readonly<Record<string, number>>> {
  checkKeys(options, optionKeys, 'option')
  const { seed = 0, num = entryOf(metric).num, mode = 'legacy_tensorflow', onWarning, onProgress, signal } = options
  checkNum(num)
  const { device: _, ...hooks } = options
  await checkNeeds([metric], options)
  const device = deviceOf([fakes, reals], options)
  const root = options.cache ?? (await mkdtemp(join(tmpdir(), 'stylegan-compare-')))
  const cache = new FeatureCache(join(root, 'metrics'), { warn: onWarning })
  try {
    const resolution = options.resolution ?? [reals, fakes].map(sideLength).find((side) => side !== undefined)
    const given = { ...options, metrics: [metric], seed, mode, device: device.name, cache: root, resolution }
    const open = (what: Compared, keepDrawn: boolean) => openSide(what, { ...given, keepDrawn }, hooks)
    const measurement: Measurement = {
      ...{ name: metric, device, num, seed, mode, cache, signal },
      networks: featureNetworks(device, options),
      ...(await open(fakes, true)),
      reals: reals === undefined ? undefined : (await open(reals, false)).fakes,
      warn: (line) => onWarning?.(line),
      progress: (what, done, total) => onProgress?.(metric, what, done, total),
    }
    return (await computations[metric](measurement)).results
  } finally {
    await cache.removeTemporary().finally(() => cache.release())
    if (options.cache === undefined) await rm(root, { recursive: true, force: true })
  }
}

function deviceOf(sides: readonly (Compared | undefined)[], { device = 'cpu' }: CompareOptions): Device {
  const network = sides.find((side) => side instanceof ImageGenerator)
  if (network) return network.Gs.device
  return typeof device === 'string' ? Device.open(device) : device
}

function sideLength(what: Compared | undefined): number | undefined {
  if (what instanceof ImageGenerator) return what.options.resolution
  return typeof what === 'object' ? (what as ImageArray | null)?.width : undefined
}

async function openSide(
  what: Compared,
  options: MeasureOptions & { readonly keepDrawn: boolean },
  hooks: MeasureHooks,
): Promise<Pick<Measurement, 'fakes' | 'sampled'>> {
  if (typeof what === 'string') return { fakes: await sideOf(what, { ...options, mirror: false }, hooks) }
  if (!(what instanceof ImageGenerator)) return { fakes: arraySide(what) }
  if (what.options.labelSize > 0) {
    throw new RangeError(
      `${what.path}: a network without classes is expected; call measure, which draws labels of the data`,
    )
  }
  const sampled = { generator: what, hash: await hashNetwork(what.Gs), seed: options.seed }
  return { sampled, fakes: { images: async () => generatedImages(sampled) } }
}

function arraySide(images: ImageArray): Side {
  const given: unknown = images
  const bytes: unknown = typeof given === 'object' && given !== null && 'pixels' in given ? given.pixels : given
  if (!(bytes instanceof Uint8Array || bytes instanceof Uint8ClampedArray) || bytes === given) {
    const expected = '{ pixels, … } with bytes, a folder or a generator are expected'
    throw new RangeError(`images: ${expected}, got ${shownValue(bytes)}`)
  }
  const { pixels, count, width, height, channels } = images
  const size = width * height * channels
  if (width !== height || !(count > 0) || pixels.length !== count * size) {
    throw new RangeError(
      `images: square ones, [count, side, side, channels], are expected, got [${count}, ${height}, ${width}, ${channels}] and ${pixels.length} bytes`,
    )
  }
  const batchSize = Math.floor(batchSizeOf(width))
  const whole = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length)
  const source: ImageSource = {
    name: 'an array',
    key: { array: createHash('sha256').update(pixels).digest('hex'), shape: [count, height, width, channels] },
    count,
    side: width,
    channels,
    batchSize,
    async batch(index) {
      const n = Math.min(batchSize, count - index * batchSize)
      return { bytes: whole.subarray(index * batchSize * size, (index * batchSize + n) * size), n }
    },
  }
  return { images: async (wanted) => ({ ...source, count: Math.min(count, wanted.count) }) }
}
