/** Where training stands after a number of real images: pure functions, as the official training_schedule computes them. */

/** A value for each training resolution; a resolution that is not listed takes the base. */
export type ByResolution = Readonly<Record<number, number>>

/** What the schedule depends on. Lengths are in kimg: thousands of real images shown to the discriminator. */
export interface ScheduleOptions {
  /** Side of the network's output, a power of two. */
  readonly resolution: number
  /** Side at which training begins. */
  readonly lodInitialResolution: number
  /** Training at one resolution before the next one is faded in. */
  readonly lodTrainingKimg: number
  /** Length of a fade. */
  readonly lodTransitionKimg: number
  readonly minibatchBase: number
  readonly minibatchDict: ByResolution
  readonly gLrateBase: number
  readonly gLrateDict: ByResolution
  readonly dLrateBase: number
  readonly dLrateDict: ByResolution
  /** Linear increase of both learning rates from 0 at the start; 0 turns it off. */
  readonly lrateRampupKimg: number
  readonly tickKimgBase: number
  readonly tickKimgDict: ByResolution
}

/** The state of the schedule at one moment. */
export interface Progress {
  readonly kimg: number
  /** Level of detail: 0 is the full resolution, each whole step above it halves the side. */
  readonly lod: number
  /** Side of the images that are trained on. */
  readonly resolution: number
  /** `fade` while a resolution is blended in. */
  readonly kind: 'stable' | 'fade'
  readonly minibatch: number
  readonly gLrate: number
  readonly dLrate: number
  /** Length of a tick. */
  readonly tickKimg: number
}

/** A stretch of training. */
export interface Phase {
  readonly fromKimg: number
  readonly toKimg: number
  /** Side of the images that are trained on: in a fade, the new one. */
  readonly resolution: number
  readonly kind: 'stable' | 'fade'
}

/** Total minibatch by number of GPUs: official train.py. */
export const OFFICIAL_MINIBATCH = {
  1: { base: 4, dict: { 4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4 } },
  2: { base: 8, dict: { 4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8 } },
  4: { base: 16, dict: { 4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16 } },
  8: { base: 32, dict: { 4: 512, 8: 256, 16: 128, 32: 64, 64: 32 } },
} as const satisfies Record<number, { base: number; dict: ByResolution }>

/** Learning rate of both networks, for every number of GPUs: official train.py. */
export const OFFICIAL_LRATE = {
  base: 0.001,
  dict: { 128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003 },
} as const satisfies { base: number; dict: ByResolution }

/** Length of a tick: official training_loop.py. */
export const OFFICIAL_TICK_KIMG = {
  base: 160,
  dict: { 4: 160, 8: 140, 16: 120, 32: 100, 64: 80, 128: 60, 256: 40, 512: 30, 1024: 20 },
} as const satisfies { base: number; dict: ByResolution }

/**
 * Where training stands after `nimg` real images (official training_schedule).
 *
 * @param nimg real images shown so far, at least 0
 * @throws RangeError if `nimg` is negative or not finite, or if a resolution or a length is impossible
 */
export function progressAt(nimg: number, options: ScheduleOptions): Progress {
  const kimg = atLeast0('progressAt: nimg', nimg) / 1000
  const lod = lodAt(kimg, options)
  // A fade already trains at the larger resolution, with the old one blended in: hence floor.
  const resolution = options.resolution / 2 ** Math.floor(lod)
  const { lrateRampupKimg } = options
  const rampup = lrateRampupKimg > 0 ? Math.min(kimg / lrateRampupKimg, 1) : 1
  return {
    kimg,
    lod,
    resolution,
    kind: Number.isInteger(lod) ? 'stable' : 'fade',
    minibatch: options.minibatchDict[resolution] ?? options.minibatchBase,
    gLrate: (options.gLrateDict[resolution] ?? options.gLrateBase) * rampup,
    dLrate: (options.dLrateDict[resolution] ?? options.dLrateBase) * rampup,
    tickKimg: options.tickKimgDict[resolution] ?? options.tickKimgBase,
  }
}

/**
 * Real images after which training first stands at a level of detail.
 *
 * @param lod 0 (the full resolution) or above
 */
export function nimgAt(lod: number, options: ScheduleOptions): number {
  const { lodTrainingKimg, lodTransitionKimg } = options
  const passed = Math.max(initialLod(options) - lod, 0)
  const [whole, share] = [Math.floor(passed), passed - Math.floor(passed)]
  const fading = share > 0 ? lodTrainingKimg + share * lodTransitionKimg : 0
  return Math.ceil(1000 * (whole * (lodTrainingKimg + lodTransitionKimg) + fading))
}

/**
 * The whole training, phase by phase, from 0 to `totalKimg`; phases of no length are left out.
 *
 * @throws RangeError if `totalKimg` is negative or not finite
 */
export function timeline(options: ScheduleOptions, totalKimg: number): Phase[] {
  atLeast0('timeline: totalKimg', totalKimg)
  const phases: Phase[] = []
  let kimg = 0
  const add = (kind: Phase['kind'], lod: number, length: number): void => {
    const toKimg = Math.min(kimg + length, totalKimg)
    if (toKimg > kimg) phases.push({ fromKimg: kimg, toKimg, resolution: options.resolution / 2 ** lod, kind })
    kimg = toKimg
  }
  const first = initialLod(options)
  const { lodTrainingKimg, lodTransitionKimg } = options
  if (lodTrainingKimg + lodTransitionKimg > 0) {
    for (let lod = first; lod > 0 && kimg < totalKimg; lod--) {
      add('stable', lod, lodTrainingKimg)
      add('fade', lod - 1, lodTransitionKimg)
    }
    add('stable', 0, Infinity)
  } else {
    add('stable', first, Infinity)
  }
  return phases
}

/**
 * Decay of the running average of G's weights for one update: β = 0.5^(minibatch / (1000 · smoothingKimg)), official
 * training_loop.py. A weight loses half its influence in `smoothingKimg`.
 *
 * @returns β in [0, 1); 0 (no averaging) if `smoothingKimg` is 0 or less
 */
export function emaBeta(minibatch: number, smoothingKimg: number): number {
  if (!(minibatch > 0)) throw new RangeError(`emaBeta: minibatch must be above 0, got ${minibatch}`)
  if (Number.isNaN(smoothingKimg)) throw new RangeError('emaBeta: smoothingKimg must be a number, got NaN')
  return smoothingKimg > 0 ? 0.5 ** (minibatch / (1000 * smoothingKimg)) : 0
}

/**
 * Half-life of the running average after `nimg` images, in kimg: at most the share `rampup` of what was seen, so that the
 * random first weights leave a short training (StyleGAN2-ADA's ema_rampup). `null` turns this off, as in the official StyleGAN.
 */
export function emaKimgAt(nimg: number, emaKimg: number, rampup: number | null): number {
  atLeast0('emaKimgAt: nimg', nimg)
  return rampup === null ? emaKimg : Math.min(emaKimg, (nimg * rampup) / 1000)
}

/**
 * Whether both Adams forget their moments: a resolution begins to fade in, or has finished (official training_loop.py).
 *
 * @param previousLod lod of the previous iteration; -1 before the first, which thus starts fresh
 */
export function resetsOptimizer(previousLod: number, lod: number): boolean {
  return Math.floor(previousLod) !== Math.floor(lod) || Math.ceil(previousLod) !== Math.ceil(lod)
}

/** Number of times that the starting resolution doubles. */
function initialLod({ resolution, lodInitialResolution }: ScheduleOptions): number {
  const log2 = Math.log2(resolution)
  if (!Number.isInteger(log2) || log2 < 2) {
    throw new RangeError(`schedule: resolution must be a power of two of at least 4, got ${resolution}`)
  }
  const lod = log2 - Math.floor(Math.log2(lodInitialResolution))
  if (!(lodInitialResolution >= 4 && lod >= 0)) {
    throw new RangeError(`schedule: lodInitialResolution must be from 4 to ${resolution}, got ${lodInitialResolution}`)
  }
  return lod
}

function lodAt(kimg: number, options: ScheduleOptions): number {
  const training = atLeast0('schedule: lodTrainingKimg', options.lodTrainingKimg)
  const transition = atLeast0('schedule: lodTransitionKimg', options.lodTransitionKimg)
  const phaseDuration = training + transition
  // With phases of no length the official schedule never leaves the first resolution.
  const phase = phaseDuration > 0 ? Math.floor(kimg / phaseDuration) : 0
  const intoFade = Math.max(kimg - phase * phaseDuration - training, 0)
  const fade = transition > 0 ? intoFade / transition : 0
  return Math.max(initialLod(options) - phase - fade, 0)
}

function atLeast0(what: string, value: number): number {
  if (!(value >= 0 && value < Infinity)) throw new RangeError(`${what} must be finite and at least 0, got ${value}`)
  return value
}
