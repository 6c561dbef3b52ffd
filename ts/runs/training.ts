/** The loop of a training: steps, ticks, snapshots (official training_loop.py). */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { copying, observe, overfitting } from '../training/ada.ts'
import { namingOptions } from '../files/option-names.ts'
import { formatKimg } from '../files/units.ts'
import { scheduleOptions, type TrainConfig } from '../training/config.ts'
import { secondsLeft } from './cost.ts'
import { anyOf, scope, type Processes, type Tensor } from '../native/index.ts'
import { imageGrid, realsGrid } from './pictures.ts'
import { profileTable, type Peak } from '../performance/profile.ts'
import { statusLine, type RunDir } from './run-dir.ts'
import { progressAt, type Progress } from '../training/schedule.ts'
import { leastSide, realsToCompare, shareOfCopies } from '../metrics/copies.ts'
import { snapshotMetrics } from './metrics.ts'
import { isMeasured, removeInterrupted, snapshotName, surplusSnapshots } from './snapshots.ts'
import type { Minibatch, Minibatches, RealTensors } from '../training/minibatches.ts'
import { sharesOf, type Share } from '../training/shards.ts'
import { encodeState, type TrainingState } from '../training/state.ts'
import { realSigns, statNames, trainingStep, trainingStepTogether } from '../training/step.ts'
import type { TrainEvent } from './train-event.ts'

/** A loss or weight that is no longer finite. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError'
}

type SnapshotEvent = Extract<TrainEvent, { type: 'snapshot' }>

/** Steps that may be enqueued and not done. */
const stepsAhead = 2

interface Pending {
  readonly stats: Promise<ArrayLike<number>>
  readonly nimg: number
  readonly step: number
  readonly minibatch: number
}

/** What a training may have beside. */
interface Given {
  readonly peak: Peak | undefined
  /** Where the state comes from. */
  readonly snapshot: string | undefined
  readonly processes: Processes | undefined
}

/** One start of a training, in the folder of its run. */
export class Training {
  readonly #config: TrainConfig
  readonly #run: RunDir
  readonly #state: TrainingState
  readonly #reals: Minibatches
  #pending: Pending[] = []
  #maintenanceSec = 0
  #dataWaitSec = 0
  /** The newest snapshot, and the images that it has seen. */
  #last: { readonly path: string; readonly nimg: number } | undefined
  #secPerKimg = 0
  readonly #peak: Peak | undefined
  #tickSteps = 0
  /** Ticks in a row that showed overfitting. */
  #overfitTicks = 0
  readonly #processes: Processes | undefined
  /** The parts of a minibatch that are this process's. */
  readonly #share: Share
  /** Snapshots in a row whose fakes were copies. */
  #copySnapshots = 0

  constructor(reals: Minibatches, config: TrainConfig, run: RunDir, state: TrainingState, given: Given) {
    const { peak, snapshot, processes } = given
    this.#peak = peak
    this.#processes = processes
    this.#share = processes ? sharesOf(processes.size, config.gpus)[processes.rank]! : { first: 0, count: config.gpus }
    this.#last = snapshot === undefined ? undefined : { path: snapshot, nimg: state.position.nimg }
    this.#config = config
    this.#run = run
    this.#reals = reals
    this.#state = state
  }

  /** All events of this start, from the first step to the end of training or to the signal. */
  async *events(signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    const { position } = this.#state
    // Metrics that an interruption cut off go on with the features that were computed.
    if (this.#last && this.#isOwn(this.#last.path) && this.#isSnapshotDue()) {
      yield* this.#metrics(this.#last.path, signal)
    }
    if (this.#isFirst && position.step === 0) yield* this.#firstPictures()
    try {
      yield* this.#steps(signal)
    } catch (error) {
      if (error instanceof DivergedError) await this.#run.diverged(error.message)
      throw error
    }
    const saved = await this.leave()
    if (saved) yield saved
    yield { type: 'end', nimg: position.nimg, aborted: position.nimg < this.#config.kimg * 1000 }
  }

  /** Saves what no snapshot of the run holds, for whoever stops before the next one is due. */
  async leave(): Promise<SnapshotEvent | undefined> {
    await this.#drain()
    if (!this.#isFirst) return undefined
    const { nimg } = this.#state.position
    if (this.#last?.nimg === nimg && this.#isOwn(this.#last.path)) return undefined
    return this.#snapshot(!this.#isSnapshotDue())
  }

  /** Of several processes the first one draws and writes. */
  get #isFirst(): boolean {
    return this.#processes === undefined || this.#processes.rank === 0
  }

  #isOwn(snapshot: string): boolean {
    return dirname(snapshot) === this.#run.path
  }

  async *#steps(signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    const { position } = this.#state
    const totalNimg = this.#config.kimg * 1000
    // Of several processes all stop after the same step.
    let stops = await anyOf(this.#processes, signal?.aborted ?? false)
    const mayStop = () => (this.#processes ? stops : (signal?.aborted ?? false))
    let clock = performance.now()
    let batch = this.#load()
    while (position.nimg < totalNimg && !mayStop()) {
      const progress = this.#progress()
      const [before, images] = [position.nimg, await this.#waitFor(batch)]
      await this.#enqueue(images, progress)
      batch = this.#load()
      while (this.#pending.length > stepsAhead) await this.#settle()
      const now = performance.now()
      position.seconds += (now - clock) / 1000
      clock = now
      yield { type: 'step', nimg: position.nimg, ...this.#pace(before) }
      const done = position.nimg >= totalNimg
      if (this.#processes) stops = await anyOf(this.#processes, signal?.aborted ?? false)
      if (position.nimg < position.tickNimg + progress.tickKimg * 1000 && !done && !mayStop()) continue

      await this.#drain()
      position.seconds += (performance.now() - clock) / 1000
      const began = performance.now()
      if (!mayStop() || done) yield* this.#maintain(progress, signal)
      clock = performance.now()
      this.#maintenanceSec = (clock - began) / 1000
      position.seconds += this.#maintenanceSec
      if (position.tickNimg === position.nimg) position.tickSeconds = position.seconds
    }
  }

  /** What follows the steps of a tick. */
  async *#maintain(progress: Progress, signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    yield* this.#endTick(progress)
    if (this.#peak) yield await this.#profile(this.#peak)
    if (this.#isFirst) yield await this.#fakes(progress)
    if (this.#isSnapshotDue()) yield* this.#measured(signal)
  }

  /** A tick has just ended whose network is kept and measured. */
  #isSnapshotDue(): boolean {
    const { nimg, tick, tickNimg } = this.#state.position
    if (tick === 0 || nimg !== tickNimg) return false
    return nimg >= this.#config.kimg * 1000 || tick === 1 || tick % this.#config.snap === 0
  }

  /** `reals.png`, and the fakes of random weights. */
  async *#firstPictures(): AsyncGenerator<TrainEvent, void> {
    await this.#run.write('reals.png', await realsGrid(this.#reals.dataset, this.#config))
    yield { type: 'images', path: this.#run.file('reals.png') }
    yield await this.#fakes(progressAt(this.#state.position.nimg, scheduleOptions(this.#config)))
  }

  /** The official loop looks at the schedule once for `minibatchRepeats` steps. */
  #progress(): Progress {
    const { position } = this.#state
    if (position.step % this.#config.minibatchRepeats === 0) position.scheduleNimg = position.nimg
    return progressAt(position.scheduleNimg, scheduleOptions(this.#config))
  }

  /** The real images of the next step that are this process's. */
  #load(): Promise<Minibatch> {
    const progress = this.#progress()
    const { minibatch } = this.#ownOf(progress)
    const first = (progress.minibatch / this.#config.gpus) * this.#share.first
    const images = this.#reals.at(this.#state.position.nimg + first, { ...progress, minibatch })
    images.catch(() => {}) // thrown where it is awaited
    return images
  }

  #ownOf(progress: Progress): Progress {
    return { ...progress, minibatch: (progress.minibatch / this.#config.gpus) * this.#share.count }
  }

  /** The device waits at most as long for images: it has up to {@link stepsAhead} steps to do meanwhile. */
  async #waitFor(batch: Promise<Minibatch>): Promise<Minibatch> {
    const began = performance.now()
    const images = await batch
    this.#dataWaitSec += (performance.now() - began) / 1000
    return images
  }

  async #enqueue(batch: Minibatch, progress: Progress): Promise<void> {
    const tensors = () => this.#reals.tensorsOf(batch, this.#state.G.device, this.#ownOf(progress))
    const values = this.#processes
      ? await this.#stepTogether(this.#processes, tensors(), progress)
      : scope(() => {
          const { images, labels } = tensors()
          return trainingStep(this.#state, images, progress, this.#config, labels)
        })
    const stats = values.data()
    values.dispose()
    stats.catch(() => {}) // thrown where it is awaited
    const { nimg, step } = this.#state.position
    this.#pending.push({ stats, nimg, step: step - 1, minibatch: progress.minibatch })
    this.#tickSteps++
  }

  async #stepTogether(processes: Processes, { images, labels }: RealTensors, progress: Progress): Promise<Tensor> {
    const counts = sharesOf(processes.size, this.#config.gpus).map(({ count }) => count)
    const together = { share: this.#share, sum: (elements: Tensor) => processes.sum(elements, counts) }
    try {
      return await trainingStepTogether(together, this.#state, images, progress, this.#config, labels)
    } finally {
      images.dispose()
    }
  }

  /** Waits for the oldest step and checks its losses. */
  async #settle(): Promise<void> {
    const { stats, nimg, step, minibatch } = this.#pending.shift()!
    const values = await stats
    const { position } = this.#state
    const names = statNames(this.#state)
    position.sums = names.map((name, i) => {
      if (!Number.isFinite(values[i])) throw this.#diverged(`${name} is ${values[i]}`, nimg)
      return (position.sums[i] ?? 0) + values[i]!
    })
    position.sumSteps++
    if (position.augment) observe(position.augment, step, values[names.indexOf(realSigns)]!, minibatch)
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) await this.#settle()
  }

  #diverged(what: string, nimg: number): DivergedError {
    const last = this.#last ? `the last good snapshot is ${this.#last.path}` : 'there is no snapshot yet'
    return namingOptions(
      (message) => new DivergedError(message),
      (name) =>
        `training diverged after ${formatKimg(nimg)} kimg: ${what}; ${last}; try lower learning rates (${name('glr')}, ${name('dlr')}) or another ${name('gamma')}`,
    )
  }

  #pace(nimg: number): { secPerKimg: number; leftSec: number } {
    const { position } = this.#state
    const kimg = (position.nimg - position.tickNimg) / 1000
    if (kimg > 0) this.#secPerKimg = (position.seconds - position.tickSeconds) / kimg
    return { secPerKimg: this.#secPerKimg, leftSec: secondsLeft(this.#config, nimg, this.#secPerKimg) }
  }

  async *#endTick(progress: Progress): AsyncGenerator<TrainEvent, void> {
    const { position } = this.#state
    const secPerTick = position.seconds - position.tickSeconds
    const { secPerKimg, leftSec } = this.#pace(position.nimg)
    position.tick++
    position.tickNimg = position.nimg
    const status = {
      tick: position.tick,
      progress: { ...progress, kimg: position.nimg / 1000 },
      totalSec: position.seconds,
      secPerKimg,
      leftSec,
    }
    const line = this.#run.log(statusLine(status))
    const means = statNames(this.#state).map((name, i) => [name, position.sums[i]! / position.sumSteps] as const)
    const stats: Record<string, number> = Object.fromEntries(means)
    Object.assign(stats, {
      'Progress/tick': position.tick,
      'Progress/kimg': position.nimg / 1000,
      'Progress/lod': progress.lod,
      'Progress/minibatch': progress.minibatch,
      'Timing/total_sec': position.seconds,
      'Timing/sec_per_tick': secPerTick,
      'Timing/sec_per_kimg': secPerKimg,
      'Timing/maintenance_sec': this.#maintenanceSec,
      'Timing/data_wait_share': this.#dataWaitSec / secPerTick,
      'Resources/peak_memory_gb': this.#state.G.device.memory().peak / 2 ** 30,
    })
    if (position.augment) stats['Progress/augment'] = position.augment.p
    const copies = this.#isFirst && this.#isSnapshotDue() ? await this.#copies(progress) : undefined
    if (copies !== undefined) stats['Progress/copies'] = copies
    const warnings = [this.#warning(stats), this.#copyWarning(copies)].filter((line) => line !== undefined)
    for (const warning of warnings) this.#run.log(warning)
    this.#run.appendStats({ nimg: position.nimg, ...stats })
    position.sums = []
    position.sumSteps = 0
    this.#dataWaitSec = 0
    yield { type: 'tick', nimg: position.nimg, line, stats }
    for (const line of warnings) yield { type: 'notice', line }
  }

  /** That D knows the images by heart, once: one tick may show it while G is only slow to begin. */
  #warning(stats: Readonly<Record<string, number>>): string | undefined {
    const { augment } = this.#state.position
    if (this.#overfitTicks === 3) return undefined
    const warning = augment && overfitting(augment, stats[realSigns]!, this.#config)
    this.#overfitTicks = warning ? this.#overfitTicks + 1 : 0
    return this.#overfitTicks === 3 ? warning : undefined
  }

  /** The share of fakes that are nearly copies of training images; undefined where a look at some would say too little. */
  async #copies({ lod, resolution: side, tickKimg }: Progress): Promise<number | undefined> {
    const { Gs, D, options } = this.#state
    const { levels: reals } = this.#reals.dataset
    const { seed, mirror, snap } = this.#config
    const compared = realsToCompare(reals.count, tickKimg * 1000 * snap)
    if (compared === 0 || side < leastSide) return undefined
    const labels = this.#reals.labelsOn(D.device)
    return shareOfCopies({ Gs, D, options, lod, reals, side, mirror, seed, labels }, compared)
  }

  /** That G copies, once: one snapshot may show it by chance. */
  #copyWarning(copies: number | undefined): string | undefined {
    if (copies === undefined || this.#copySnapshots === 2) return undefined
    const warning = copying(copies, this.#config)
    this.#copySnapshots = warning ? this.#copySnapshots + 1 : 0
    return this.#copySnapshots === 2 ? warning : undefined
  }

  async #profile(peak: Peak): Promise<TrainEvent> {
    const table = profileTable(await this.#state.G.device.costs(), peak, this.#tickSteps)
    this.#tickSteps = 0
    await this.#run.write('profile.txt', `${table}\n`)
    return { type: 'profile', table }
  }

  async #fakes({ lod }: Progress): Promise<TrainEvent> {
    const name = `fakes${String(Math.floor(this.#state.position.nimg / 1000)).padStart(6, '0')}.png`
    await this.#run.write(
      name,
      await imageGrid(this.#state, lod, this.#config, this.#reals.labelsOn(this.#state.G.device)),
    )
    return { type: 'images', path: this.#run.file(name) }
  }

  /** A snapshot, then its metrics. */
  async *#measured(signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    const snapshot = await this.#snapshot()
    yield snapshot
    // The others read what the first process has written.
    await anyOf(this.#processes, false)
    yield* this.#metrics(snapshot.path, signal)
    if (this.#config.keep === 'all' || !this.#isFirst) return
    for (const path of await surplusSnapshots(this.#run.path, this.#config.keep)) {
      await rm(path, { force: true })
      yield { type: 'notice', line: `removed ${path}; --keep all keeps every snapshot` }
    }
  }

  /** The metrics of the snapshot that training stands at. */
  async *#metrics(path: string, signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    const { position, G, options } = this.#state
    const layer = options.layer && 'apply' in options.layer ? options.layer : undefined
    const hooks = { device: G.device, layer, signal, processes: this.#processes }
    for await (const event of snapshotMetrics(path, this.#config, hooks)) {
      if (event.type === 'metric' && event.results) this.#run.appendMetrics(position.nimg, event.results)
      yield event
    }
  }

  /** @param interrupted between ticks: then it takes no name that a metric line speaks of */
  async #snapshot(interrupted = false): Promise<SnapshotEvent> {
    const { nimg } = this.#state.position
    const name = snapshotName(nimg, interrupted && (await isMeasured(this.#run.path, snapshotName(nimg))))
    await this.#run.write(name, encodeState(this.#state, this.#config, this.#reals.classes)).catch((error: unknown) => {
      throw error instanceof RangeError ? this.#diverged(error.message, nimg) : error
    })
    this.#last = { path: this.#run.file(name), nimg }
    if (!interrupted && this.#isFirst) await removeInterrupted(this.#run.path)
    return { type: 'snapshot', ...this.#last }
  }
}
