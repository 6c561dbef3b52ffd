/** Options for a number of hours: the largest images that can be learned in that time, from measured seconds. Pure functions. */
import { resolveConfig, scheduleOptions, type ConfigOverrides } from './config.ts'
import { options } from './options.ts'
import { timeline, type ByResolution } from './schedule.ts'

/** Images and networks of a run, and how long they must be trained to look like something. */
export interface Size {
  readonly resolution: number
  readonly fmapBase: number
  readonly fmapMax: number
  readonly batch: number
  readonly needsKimg: number
}

/**
 * From small to large. At 64×64 with 64 maps faces of avatars have eyes and mouths after 270 kimg (docs/training.md); larger
 * images and networks need more, until at 1024×1024 it is half of what the paper trains. The widths are a sixteenth to all of
 * the paper's, the minibatches at most those of StyleGAN2-ADA (4096 / side).
 */
export const sizes: readonly Size[] = [
  { resolution: 32, fmapBase: 1024, fmapMax: 64, batch: 8, needsKimg: 100 },
  { resolution: 64, fmapBase: 1024, fmapMax: 64, batch: 16, needsKimg: 250 },
  { resolution: 64, fmapBase: 2048, fmapMax: 128, batch: 16, needsKimg: 600 },
  { resolution: 128, fmapBase: 2048, fmapMax: 128, batch: 16, needsKimg: 1000 },
  { resolution: 128, fmapBase: 4096, fmapMax: 256, batch: 16, needsKimg: 1600 },
  { resolution: 256, fmapBase: 4096, fmapMax: 256, batch: 16, needsKimg: 2500 },
  { resolution: 256, fmapBase: 8192, fmapMax: 512, batch: 16, needsKimg: 4000 },
  { resolution: 512, fmapBase: 8192, fmapMax: 512, batch: 8, needsKimg: 7000 },
  { resolution: 1024, fmapBase: 8192, fmapMax: 512, batch: 4, needsKimg: 12_000 },
]

/** With fewer images wide networks learn them by heart sooner, and draw nothing better. */
const fewImages = { count: 500, fmapMax: 128 }

/**
 * The sizes that a run may have; what is given replaces theirs.
 *
 * @param count images of the data set
 * @param given options by name; of them the sizes heed `resolution`, the largest, `lodInitialResolution`, the smallest, widths and minibatch
 */
export function sizesFor(count: number, given: ConfigOverrides): Size[] {
  const { resolution: most = 1024, lodInitialResolution: least = 4, fmapBase, fmapMax, batch, gpus = 1 } = given
  const widest = count < fewImages.count ? fewImages.fmapMax : Infinity
  const smaller = sizes.filter(
    ({ resolution, ...size }) => resolution >= least && resolution <= most && size.fmapMax <= widest,
  )
  const fitting = smaller.length > 0 ? smaller : [{ ...sizes[0]!, resolution: most }]
  const named = {
    ...(fmapBase === undefined ? {} : { fmapBase }),
    ...(fmapMax === undefined ? {} : { fmapMax }),
    ...(typeof batch === 'number' ? { batch } : {}),
  }
  // Each part of a minibatch has whole groups.
  const parts = gpus === 1 ? 1 : gpus * (given.mbstdGroup ?? options.mbstdGroup.default)
  return fitting.map((size) => ({ ...size, batch: Math.ceil(size.batch / parts) * parts, ...named }))
}

/** What a run with a size has beside its length. */
function settings({ resolution, fmapBase, fmapMax, batch }: Size): ConfigOverrides {
  return {
    ...{ resolution, fmapBase, fmapMax, batch },
    // Twice the maps, as the long run; the paper's numbers where the maps are the paper's.
    latentSize: Math.min(2 * fmapMax, 512),
    mappingLayers: fmapMax > 128 ? 8 : 4,
    // 5 at small sizes, by trial (docs/training.md); StyleGAN2-ADA's rule where it asks for more.
    gamma: rounded(Math.max(5, (0.0002 * resolution ** 2) / batch)),
    // Of the long run, and of StyleGAN2-ADA at 1024×1024.
    glr: 0.002,
    dlr: 0.002,
    lodInitialResolution: Math.min(8, resolution),
    emaRampup: 0.05, // StyleGAN2-ADA: the random first weights leave the average
  }
}

/** What follows from the length: phases, running average, ticks and snapshots. */
function lengths(kimg: number, hours: number, resolution: number, first: number): ConfigOverrides {
  const doublings = Math.log2(resolution / first)
  // Growing takes at most two fifths of all images, which is less of the time. The paper's 1200 kimg at 1024×1024; small images
  // have less to learn at each size.
  const longest = Math.min(1200, 100 * Math.max(1, resolution / 64))
  const grow = doublings > 0 ? Math.min(longest, (0.4 * kimg) / doublings) : longest
  // A picture every ten minutes, at least six and at most fifty of them, and about eight snapshots.
  const ticks = Math.min(50, Math.max(6, Math.round(hours * 6)))
  return {
    kimg: rounded(kimg),
    lodTrainingKimg: rounded(0.6 * grow),
    lodTransitionKimg: rounded(0.4 * grow),
    // The official 10 kimg for long runs; short ones would average over what they have long left.
    emaKimg: rounded(Math.min(10, Math.max(0.5, kimg / 50))),
    tick: rounded(kimg / ticks),
    snap: Math.max(2, Math.round(ticks / 8)),
    // A snapshot's metrics take as long as a short run's pictures.
    ...(hours < 1 ? { metrics: 'none' } : { metricsNum: 1000 }),
  }
}

/** Three digits: an option that people read and type. */
const rounded = (value: number): number => Number(value.toPrecision(3))

export interface Plan {
  readonly size: Size
  /** The options, with those given in place of chosen ones. */
  readonly options: ConfigOverrides
  /** Seconds that training will take by the measurement. */
  readonly seconds: number
  /** The next larger size and what it would come to, if there is one that was measured. */
  readonly next: { readonly size: Size; readonly kimg: number } | undefined
}

/** Share of the time for pictures, snapshots and metrics. */
const overhead = 0.06

/** All options of a size, for a length. */
export function optionsOf(size: Size, kimg: number, hours: number, given: ConfigOverrides): ConfigOverrides {
  const fixed = { ...settings(size), ...given, resolution: size.resolution }
  const first = fixed.lodInitialResolution ?? 8
  return { ...fixed, ...lengths(kimg, hours, size.resolution, first), ...given, resolution: size.resolution }
}

/** Seconds that options take, by the seconds of 1,000 images at each resolution. */
export function secondsOf(options: ConfigOverrides, secPerKimg: ByResolution): number {
  const config = resolveConfig('stylegan', { data: 'x', ...options })
  return timeline(scheduleOptions(config), config.kimg)
    .map(({ fromKimg, toKimg, resolution }) => (toKimg - fromKimg) * (secPerKimg[resolution] ?? Infinity))
    .reduce((sum, seconds) => sum + seconds, 0)
}

/** The length that a size comes to in these hours. */
export function kimgIn(hours: number, size: Size, secPerKimg: ByResolution, given: ConfigOverrides): number {
  if (given.kimg !== undefined) return given.kimg
  const seconds = hours * 3600 * (1 - overhead)
  const takes = (kimg: number) => secondsOf(optionsOf(size, kimg, hours, given), secPerKimg)
  let [low, high] = [0, seconds / Math.min(...Object.values(secPerKimg))]
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2
    if (takes(middle) <= seconds) low = middle
    else high = middle
  }
  return Math.max(rounded(low), 0.001)
}

/** Whether a size comes to what it needs in these hours; a larger one is worth measuring only then. */
export function fits(hours: number, size: Size, secPerKimg: ByResolution, given: ConfigOverrides): boolean {
  const kimg = kimgIn(hours, size, secPerKimg, given)
  const inTime = secondsOf(optionsOf(size, kimg, hours, given), secPerKimg) <= hours * 3600
  return inTime && kimg >= size.needsKimg
}

/**
 * The largest size that comes to what it needs, else the smallest one.
 *
 * @param measured sizes from small to large, with the seconds of 1,000 images at each resolution on the way to theirs
 */
export function planFor(
  hours: number,
  measured: readonly (readonly [Size, ByResolution])[],
  given: ConfigOverrides = {},
): Plan {
  let chosen = 0
  while (chosen + 1 < measured.length && fits(hours, ...measured[chosen + 1]!, given)) chosen++
  const [size, secPerKimg] = measured[chosen]!
  const options = optionsOf(size, kimgIn(hours, size, secPerKimg, given), hours, given)
  const after = measured[chosen + 1]
  const next = after && { size: after[0], kimg: kimgIn(hours, ...after, given) }
  return { size, options, seconds: secondsOf(options, secPerKimg), next }
}
