/** How long a training run will take on a device, and how much memory: a few of its own steps, multiplied by its timeline. */
import { ofResolveConfig, scheduleOptions, type TrainConfig } from '../training/config.ts'
import { checkObject } from '../files/keys.ts'
import { imageMemory, imageWork, onceWork } from './cost.ts'
import { Device, scope } from '../native/index.ts'
import { progressAt, timeline, type Phase, type Progress } from '../training/schedule.ts'
import { createState, type TrainingState } from '../training/state.ts'
import { trainingStep } from '../training/step.ts'

/** The cost of training at one resolution. */
export interface ResolutionCost {
  readonly resolution: number
  /** Images a step by the schedule, and the most that a measured step had; 0 if the cost follows from a smaller resolution. */
  readonly minibatch: number
  readonly measuredImages: number
  readonly secPerKimg: number
  /** Most memory that tensors take, in bytes. */
  readonly memory: number
}

/** How long a run will take on this machine. */
export interface Estimate {
  readonly costs: readonly ResolutionCost[]
  readonly phases: readonly (Phase & { readonly seconds: number })[]
  readonly totalSeconds: number
  /** The most memory of any resolution, in bytes. */
  readonly memory: number
  /** What the measurement took. */
  readonly measuringSec: number
}

/**
 * Measures training steps on noise, from the smallest resolution up, with two minibatches each: what a step costs once, and
 * for each image. The smallest resolution is always measured so; the others with no more images than the budget allows. A
 * resolution of which not even one image fits is extrapolated by the work of its layers and the size of its feature maps. A fade
 * counts as training at its new resolution; pictures and snapshots are not counted. The last resolution has half of the budget,
 * since a run spends most of its time there.
 *
 * @param on an open device or its name; by default that of the options
 * @param budgetSec about what the measurement may take, beside making the networks
 * @param measureLast whether the last resolution is measured even if not one image fits the budget
 */
export async function estimateRun(
  config: TrainConfig,
  on?: Device | string,
  budgetSec = 12,
  measureLast = false,
): Promise<Estimate> {
  checkObject(config, 'config', ofResolveConfig)
  const device = on instanceof Device ? on : Device.open(on ?? config.device)
  const schedule = scheduleOptions(config)
  const began = performance.now()
  const phases = timeline(schedule, config.kimg)
  const resolutions = [...new Set(phases.map((phase) => phase.resolution))]
  // A measured step may have fewer images than parts.
  const measurement = new Measurement(createState(device, config), { ...config, gpus: 1 })
  const costs: ResolutionCost[] = []
  const share = resolutions.length > 1 ? budgetSec / 2 : budgetSec
  measurement.leftSec = share
  for (const resolution of resolutions) {
    const phase = phases.findLast((one) => one.resolution === resolution)!
    const progress = progressAt(((phase.fromKimg + phase.toKimg) / 2) * 1000, schedule)
    const isLast = resolution === resolutions.at(-1)
    if (isLast) measurement.leftSec = share
    costs.push(await measurement.costAt({ ...progress, lod: Math.floor(progress.lod) }, isLast && measureLast))
  }
  return estimateFrom(config, costs, (performance.now() - began) / 1000)
}

/** What a run takes by costs that were measured: those of every resolution on its timeline are needed. */
export function estimateFrom(config: TrainConfig, costs: readonly ResolutionCost[], measuringSec: number): Estimate {
  const phases = timeline(scheduleOptions(config), config.kimg)
  const timed = phases.map((phase) => {
    const { secPerKimg } = costs.find(({ resolution }) => resolution === phase.resolution)!
    return { ...phase, seconds: (phase.toKimg - phase.fromKimg) * secPerKimg }
  })
  return {
    costs,
    phases: timed,
    totalSeconds: timed.reduce((sum, { seconds }) => sum + seconds, 0),
    memory: Math.max(...costs.map(({ memory }) => memory)),
    measuringSec,
  }
}

/** Seconds and bytes of a step: `once`, and for each image. */
interface StepCost {
  readonly resolution: number
  readonly onceSec: number
  readonly imageSec: number
  readonly onceBytes: number
  readonly imageBytes: number
}

class Measurement {
  readonly #state: TrainingState
  readonly #config: TrainConfig
  /** What is left of the budget. */
  leftSec = 0
  #last: StepCost | undefined

  constructor(state: TrainingState, config: TrainConfig) {
    this.#state = state
    this.#config = config
  }

  /** @param surely whether an image is measured even if none fits the budget; then more, if by its cost they fit */
  async costAt(progress: Progress, surely = false): Promise<ResolutionCost> {
    const { resolution, minibatch } = progress
    // What the smallest resolution costs is not guessed from one size: what a step costs once would count for each image.
    const group = this.#group(minibatch)
    const guess = this.#last && this.#scaled(this.#last, resolution)
    const one = guess && surely && this.#fitting(guess, minibatch) < minibatch
    const expected = guess === undefined || one ? await this.#measured(progress, one ? 1 : group, guess) : guess
    const least = guess === undefined ? group : one ? 1 : 0
    const fitting = this.#fitting(expected, minibatch)
    const measuredImages = Math.max(fitting, least)
    const known = fitting <= least
    this.#last = known ? expected : await this.#measured(progress, fitting, expected)
    const { onceSec, imageSec, onceBytes, imageBytes } = this.#last
    const secPerKimg = ((onceSec + imageSec * minibatch) / minibatch) * 1000
    return { resolution, minibatch, measuredImages, secPerKimg, memory: onceBytes + imageBytes * minibatch }
  }

  /** The cost of another resolution, from the one before. */
  #scaled(cost: StepCost, resolution: number): StepCost {
    const growth = (of: typeof imageWork) => of(this.#config, resolution) / of(this.#config, cost.resolution)
    const [imageSec, imageBytes] = [cost.imageSec * growth(imageWork), cost.imageBytes * growth(imageMemory)]
    return { ...cost, resolution, onceSec: cost.onceSec * growth(onceWork), imageSec, imageBytes }
  }

  #group(minibatch: number): number {
    return Math.min(this.#config.mbstdGroup, minibatch)
  }

  /**
   * Images of which two steps and a smaller one take half of the time left: the larger resolutions need the rest. One image, if
   * two steps of it fit at all.
   */
  #fitting({ onceSec, imageSec }: StepCost, minibatch: number): number {
    const images = Math.floor((this.leftSec / 5 - onceSec) / imageSec)
    const group = this.#group(minibatch)
    if (images >= minibatch) return minibatch
    if (images >= 1) return images < group ? images : images - (images % group)
    return 2 * (onceSec + imageSec) < this.leftSec ? 1 : 0
  }

  /** A step's cost from two sizes; of one size, if there is no smaller one, both parts in the expected proportion. */
  async #measured(progress: Progress, most: number, expected?: StepCost): Promise<StepCost> {
    const { resolution } = progress
    const group = this.#group(most)
    const few = most > group ? Math.ceil(most / group / 2) * group : Math.floor(most / 2)
    const before = this.#peak()
    const small = few > 0 ? await this.#steady(progress, few) : 0
    const smallPeak = this.#peak()
    const large = await this.#steady(progress, most)
    const peak = this.#peak()
    const slope = (large - small) / (most - few)
    const share = expected ? expected.imageSec / (expected.onceSec + expected.imageSec * most) : 1 / most
    // On a busy machine the larger step may have been the faster one.
    const imageSec = few > 0 && slope > 0 ? slope : large * share
    const onceSec = Math.max(0, large - imageSec * most)
    const seconds = { resolution, imageSec, onceSec }
    if (expected && peak === before) return { ...expected, ...seconds } // an earlier resolution takes more
    const onceBytes = expected?.onceBytes ?? (few > 0 ? peak - ((peak - smallPeak) / (most - few)) * most : peak)
    return { ...seconds, onceBytes, imageBytes: (peak - onceBytes) / most }
  }

  #peak(): number {
    return this.#state.G.device.memory().peak
  }

  /** Seconds of a step after one for the memory pool to grow; of several, if they are short, since those vary more. */
  async #steady(progress: Progress, images: number): Promise<number> {
    await this.#step(progress, images)
    const times: number[] = []
    const enough = Math.min(0.3, this.leftSec / 8)
    do times.push(await this.#step(progress, images))
    while (times.reduce((sum, sec) => sum + sec, 0) < enough)
    return times.reduce((sum, sec) => sum + sec, 0) / times.length
  }

  /** Seconds of one training step. */
  async #step(progress: Progress, images: number): Promise<number> {
    const { device } = this.#state.G
    const { numChannels, cond, labelSize } = this.#config
    const side = progress.resolution
    const bytes = Uint8Array.from({ length: images * side * side * numChannels }, (_, i) => (i * 97) % 256)
    const began = performance.now()
    const stats = scope(() => {
      const reals = device.tensor(bytes, [images, side, side, numChannels])
      const table = () => device.tensor(new Float32Array(labelSize).fill(1, 0, 1), [1, labelSize])
      const labels = cond && labelSize > 0 ? { table: table(), indices: Array(images).fill(0) } : undefined
      return trainingStep(this.#state, reals, { ...progress, minibatch: images }, this.#config, labels)
    })
    await stats.data()
    stats.dispose()
    const sec = (performance.now() - began) / 1000
    this.leftSec -= sec
    return sec
  }
}
