/** The controller of augmentation (Karras et al. 2020, Section 3.1): p follows how far D knows the training images by heart. */
import { BUILTIN_AVATARS } from '../data/info.ts'
import { isRecord } from '../files/json.ts'
import { plural } from '../files/units.ts'
import type { TrainConfig } from './options.ts'

/** Signs of D's scores of real images in one window of steps. */
export interface Window {
  /** Number of the window: that of its first step, divided by `windowSteps`. */
  readonly number: number
  /** Sum of the signs, and the number of images. */
  signs: number
  images: number
}

/** What a run knows of its augmentation; plain numbers, saved with the position. */
export interface AugmentState {
  /** Probability of each transformation, 0 … 1. */
  p: number
  /** Those that p has not followed yet. */
  windows: Window[]
}

/** Steps between two changes of p: Karras et al. 2020, Section 3.1. */
const windowSteps = 4
/** Thousands of images in which p can go from 0 to 1, and where training goes on from a trained network: official train.py of StyleGAN2-ADA. */
const kimgFrom0To1 = { fresh: 500, resumed: 100 }

/** Below so many images `auto` augments: Karras et al. 2020, Figure 7, gains less than that of mirroring from there on. */
export const fewImages = 5000

/** The augmentation of a run that begins, or that goes on from where `saved` was; undefined where there is none. */
export function augmentationOf({ aug, p }: TrainConfig, saved?: AugmentState): AugmentState | undefined {
  if (aug === 'ada') return saved ?? { p, windows: [] }
  return aug === 'fixed' ? { p, windows: [] } : undefined
}

/** Whether a value is an {@link AugmentState}: a snapshot may hold anything. */
export function isAugmentState(value: unknown): value is AugmentState {
  if (!isRecord(value)) return false
  const { p, windows } = value
  const isWindow = (one: unknown) => {
    return isRecord(one) && [one['number'], one['signs'], one['images']].every(Number.isFinite)
  }
  return typeof p === 'number' && p >= 0 && p <= 1 && Array.isArray(windows) && windows.every(isWindow)
}

/**
 * Moves p before step `step`. It follows the window before the last, since the device may not have come further: the loop enqueues
 * steps ahead. So p is the same whenever losses are read, and a run that is resumed goes on to the same bits.
 */
export function adapt(state: AugmentState, step: number, { aug, target, resume }: TrainConfig): void {
  if (aug !== 'ada' || step % windowSteps !== 0) return
  const number = step / windowSteps - 2
  const window = state.windows.find((one) => one.number === number)
  state.windows = state.windows.filter((one) => one.number > number)
  if (window === undefined || window.images === 0) return
  const direction = Math.sign(window.signs / window.images - target)
  const kimg = resume === null ? kimgFrom0To1.fresh : kimgFrom0To1.resumed
  state.p = Math.min(Math.max(state.p + (direction * window.images) / (kimg * 1000), 0), 1)
}

/** Takes in a step that is done: the mean sign of D's scores of its real images. */
export function observe(state: AugmentState, step: number, meanSign: number, images: number): void {
  const number = Math.floor(step / windowSteps)
  let window = state.windows.find((one) => one.number === number)
  if (window === undefined) state.windows.push((window = { number, signs: 0, images: 0 }))
  window.signs += meanSign * images
  window.images += images
}

/** What `auto` is for a data set, and why. The built-in avatars are drawn, as many as are wanted. */
export function chooseAugmentation(
  images: number,
  data: string,
): { readonly aug: 'ada' | 'none'; readonly reason?: string } {
  if (data === BUILTIN_AVATARS) return { aug: 'none' }
  const count = images.toLocaleString('en')
  const limit = fewImages.toLocaleString('en')
  if (images >= fewImages) return { aug: 'none', reason: `no augmentation: ${count} images are at least ${limit}` }
  return {
    aug: 'ada',
    reason: `augmentation (ada): ${count} ${plural(images, 'image is', 'images are')} fewer than ${limit}, D would soon know them by heart; --aug none trains without`,
  }
}

/** Notes of a run that overfits begin like this. */
const [byHeart, copies] = ['D knows the training images by heart', 'G copies training images']

/** Whether a line of the log says that a run overfits. */
export const isOverfitting = (line: string): boolean => line.startsWith(byHeart) || line.startsWith(copies)

/** D tells nearly all real images although augmentation cannot do more; undefined while all is well. */
export function overfitting(state: AugmentState, meanSign: number, { aug }: TrainConfig): string | undefined {
  const isAtLimit = aug === 'fixed' || state.p >= 1
  if (!isAtLimit || !(meanSign > 0.9)) return undefined
  return `${byHeart}: r_t ${meanSign.toFixed(2)} is above 0.9 although p is at its limit, ${state.p.toFixed(2)}; pictures get worse from here: keep the snapshot with the best metrics, and train with more images, --mirror, or --resume from a trained network`
}

/** Share of copies from which a run is told: a hundredth is what a network that draws new images has. */
const manyCopies = 0.25

/** That fakes are nearly copies of training images; undefined while all is well. */
export function copying(share: number, { aug, mirror }: TrainConfig): string | undefined {
  if (share < manyCopies) return undefined
  const ways = [...(aug === 'none' ? ['--aug ada'] : []), ...(mirror ? [] : ['--mirror'])]
  const percent = Math.round(100 * share)
  return `${copies}: ${percent} % of its pictures are nearer to one of them, in D's features, than these are to each other; keep an earlier snapshot, and train with ${['more images', ...ways].join(', ')}, or --resume from a trained network`
}
