/** Training, as an async iterable of events (official training_loop.py). */
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkOption, networkOptions, runName, scheduleOptions, type TrainConfig } from '../training/config.ts'
import { lossOf, type CustomLoss } from '../training/losses.ts'
import { secondsLeft } from './cost.ts'
import { emitting } from './emitting.ts'
import { describeLeftOut, openDataset, type Dataset } from '../data/dataset.ts'
import { requireLabels, type Labels } from '../data/labels.ts'
import type { PrepareOptions } from '../data/prepare.ts'
import { Sampler } from '../data/sampler.ts'
import { DataError, Device, scope, type Tensor } from '../native/index.ts'
import { withLayer } from '../networks/custom-layer.ts'
import { generatorSpecs } from '../networks/generator.ts'
import type { CustomLayer } from '../networks/params.ts'
import { checkPrecision, checkProducts } from '../networks/precision.ts'
import { imageGrid, realsGrid } from './pictures.ts'
import { measurePeak, type Peak, profileTable } from '../performance/profile.ts'
import { type LockRequest } from '../files/lock.ts'
import { lockRun } from './run-lock.ts'
import { makeOutdir, RunDir, statusLine } from './run-dir.ts'
import { type OnStep } from '../files/write-atomic.ts'
import { progressAt, type Progress } from '../training/schedule.ts'
import { checkMetrics, snapshotMetrics, type MetricEvent } from './metrics.ts'
import { checkFiles, resume } from './resume.ts'
import { isMeasured, removeInterrupted, snapshotName, surplusSnapshots } from './snapshots.ts'
import { encodeState, type TrainingState } from '../training/state.ts'
import { statNames, trainingStep } from '../training/step.ts'

export type TrainEvent =
  /** The data set is being prepared. */
  | { readonly type: 'prepare'; readonly done: number; readonly total: number }
  /** Training begins, or goes on after `nimg` images from `snapshot`. */
  | {
      readonly type: 'start'
      readonly dir: string
      readonly nimg: number
      readonly snapshot: string | undefined
      /** Images in the data set, and files that were left out of it. */
      readonly count: number
      readonly skipped: number
    }
  /** A step is under way: the pace of this tick, and an estimate of the seconds left. */
  | { readonly type: 'step'; readonly nimg: number; readonly secPerKimg: number; readonly leftSec: number }
  /** A tick has ended; `line` is its status line. */
  | {
      readonly type: 'tick'
      readonly nimg: number
      readonly line: string
      readonly stats: Readonly<Record<string, number>>
    }
  /** Pictures were written. */
  | { readonly type: 'images'; readonly path: string }
  /** Where the time of the tick went: a table, also in the run directory's `profile.txt`. */
  | { readonly type: 'profile'; readonly table: string }
  | { readonly type: 'snapshot'; readonly path: string; readonly nimg: number }
  | MetricEvent
  /** Something that whoever started this run should know: damage, other data, a snapshot that was removed. */
  | { readonly type: 'notice'; readonly line: string }
  | { readonly type: 'end'; readonly nimg: number; readonly aborted: boolean }

export interface TrainHooks {
  /** Stops training after the step under way, with a snapshot. */
  readonly signal?: AbortSignal
  /** Counts what kernels cost, and shows it with each tick. */
  readonly profile?: boolean | undefined
  /** @internal Called before each step of writing a file: for tests. */
  readonly onWrite?: OnStep
  /** @internal How the run directory is locked: for tests. */
  readonly lock?: LockRequest['lock']
  /** The device to train on, instead of opening `config.device`: for tests. */
  readonly device?: Device
  /** How images are read, beside what the configuration says. */
  readonly images?: Pick<PrepareOptions, 'maxMegapixels' | 'verify'>
  /** A loss of one's own, in place of the one that the options name; see {@link CustomLoss}. */
  readonly loss?: CustomLoss | undefined
  /** Replaces or surrounds layers of both networks; see {@link CustomLayer}. */
  readonly layer?: CustomLayer | undefined
  /** A line for the beginning of the log. */
  readonly note?: string | undefined
}

/** A loss or weight that is no longer finite. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError'
}

/** Steps that may be enqueued and not done. */
const stepsAhead = 2

/**
 * Trains a StyleGAN. The same configuration goes on from its newest whole snapshot, bit for bit.
 *
 * @throws DataError for unusable data, LockedError if another process trains in the same directory, DivergedError if a loss or weight stops being finite, DeviceError if the device fails
 */
export async function* train(given: TrainConfig, hooks: TrainHooks = {}): AsyncGenerator<TrainEvent, void> {
  const options = withNames(given, hooks)
  await checkMetrics(options)
  const device = hooks.device ?? Device.open(options.device)
  checkPrecision(options, device)
  await checkProducts(options, device)
  await checkFiles(options)
  await makeOutdir(options.outdir)
  const dataset = yield* prepare(options, hooks)
  const labels = options.cond ? await labelsFor(dataset, options) : undefined
  const config = labels ? { ...options, labelSize: labels.names.length } : options
  const lock = await lockRun(join(config.outdir, runName(config)), hooks.lock)
  try {
    yield* trainIn(dataset, device, config, labels, hooks, lock.warning)
  } finally {
    lock.release()
  }
}

/**
 * The options with the names of what a program gives.
 *
 * @throws RangeError for a name that is impossible, or one in the options without its function
 */
function withNames(options: TrainConfig, { loss, layer }: TrainHooks): TrainConfig {
  const named = { ...(loss && { loss: `custom:${loss.name}` as const }), ...(layer && { layer: layer.name }) }
  for (const key of ['loss', 'layer'] as const) checkOption(key, named[key] ?? options[key])
  const config = { ...options, ...named }
  lossOf(config.loss, loss)
  generatorSpecs(withLayer(networkOptions(config), layer))
  return config
}

/** Trains in a directory where no other process trains. */
async function* trainIn(
  dataset: Dataset,
  device: Device,
  config: TrainConfig,
  labels: Labels | undefined,
  hooks: TrainHooks,
  warning: string | undefined,
): AsyncGenerator<TrainEvent, void> {
  const run = await RunDir.open(config.outdir, runName(config), config, hooks.onWrite)
  const { state, snapshot, notices } = await resume(run, device, config, dataset.info, hooks)
  await run.begin(config)
  const { nimg } = state.position
  await run.cutBack(nimg === 0 ? -1 : nimg)
  if (hooks.note) run.log(hooks.note)
  if (warning !== undefined) {
    run.log(warning)
    yield { type: 'notice', line: warning }
  }
  const { count, source, transform, skipped } = dataset.info
  run.log(`${count} images of ${source} (${transform}), ${skipped.length} left out`)
  const leftOut = describeLeftOut(dataset)
  if (leftOut !== undefined) run.log(leftOut)
  if (snapshot !== undefined && nimg > 0) run.log(`Going on after ${nimg / 1000} kimg from ${snapshot}`)
  for (const line of [...run.notices, ...notices, ...(state.notes ?? [])]) {
    run.log(line)
    yield { type: 'notice', line }
  }
  yield { type: 'start', dir: run.path, nimg, snapshot, count, skipped: skipped.length }
  const peak = hooks.profile ? await measurePeak(device) : undefined
  device.profile(peak !== undefined)
  const training = new Training(config, run, dataset, state, { labels, peak, snapshot })
  // Metrics that an interruption cut off go on with the features that were computed.
  if (snapshot !== undefined && dirname(snapshot) === run.path && training.isSnapshotDue()) {
    yield* training.metrics(snapshot, hooks.signal)
  }
  if (state.position.step === 0) yield* training.firstPictures()
  try {
    yield* training.run(hooks.signal)
  } catch (error) {
    if (error instanceof DivergedError) await run.diverged(error.message)
    throw error
  }
}

/** @throws DataError if a conditional network cannot be trained on this data set */
async function labelsFor(dataset: Dataset, { data, labelSize }: TrainConfig): Promise<Labels> {
  const labels = await requireLabels(dataset)
  if (labelSize !== 0 && labelSize !== labels.names.length) {
    throw new DataError(`${data}: labelSize ${labelSize} is expected, the data set has ${labels.names.length} classes`)
  }
  return labels
}

/** Opens the data set, telling how far its preparation has come. */
async function* prepare(config: TrainConfig, { signal, images }: TrainHooks): AsyncGenerator<TrainEvent, Dataset> {
  const cache = join(config.outdir, 'datasets')
  const { data, resolution, numChannels: channels, skipBad, cond: labels } = config
  return yield* emitting<TrainEvent, Dataset>((emit) => {
    const onProgress = (done: number, total: number) => emit({ type: 'prepare', done, total })
    const onNote = (line: string) => emit({ type: 'notice', line })
    return openDataset({ data, cache, resolution, channels, skipBad, labels, signal, onProgress, onNote, ...images })
  })
}

interface Minibatch {
  readonly bytes: Uint8Array
  readonly indices: readonly number[]
}

interface Pending {
  readonly stats: Promise<ArrayLike<number>>
  readonly nimg: number
}

/** What a training may have beside. */
interface Given {
  readonly labels: Labels | undefined
  readonly peak: Peak | undefined
  /** Where the state comes from. */
  readonly snapshot: string | undefined
}

class Training {
  readonly #config: TrainConfig
  readonly #run: RunDir
  readonly #state: TrainingState
  readonly #dataset: Dataset
  readonly #sampler: Sampler
  readonly #labels: Tensor | undefined
  readonly #classes: readonly string[]
  #pending: Pending[] = []
  #maintenanceSec = 0
  #dataWaitSec = 0
  /** The newest snapshot, and the images that it has seen. */
  #last: { readonly path: string; readonly nimg: number } | undefined
  #secPerKimg = 0
  readonly #peak: Peak | undefined
  #tickSteps = 0

  constructor(config: TrainConfig, run: RunDir, dataset: Dataset, state: TrainingState, given: Given) {
    const { labels, peak, snapshot } = given
    this.#peak = peak
    this.#last = snapshot === undefined ? undefined : { path: snapshot, nimg: state.position.nimg }
    this.#config = config
    this.#run = run
    this.#dataset = dataset
    this.#state = state
    this.#sampler = new Sampler(config.seed, dataset.levels.count, config.mirror)
    this.#labels = labels && state.G.device.tensor(labels.values, [dataset.levels.count, config.labelSize])
    this.#classes = labels?.names ?? []
  }

  async *run(signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    const { position } = this.#state
    const totalNimg = this.#config.kimg * 1000
    let clock = performance.now()
    let batch = this.#load()
    while (position.nimg < totalNimg && !signal?.aborted) {
      const progress = this.#progress()
      const [before, images] = [position.nimg, await this.#waitFor(batch)]
      this.#enqueue(images, progress)
      batch = this.#load()
      while (this.#pending.length > stepsAhead) await this.#settle()
      const now = performance.now()
      position.seconds += (now - clock) / 1000
      clock = now
      yield { type: 'step', nimg: position.nimg, ...this.#pace(before) }
      const done = position.nimg >= totalNimg
      if (position.nimg < position.tickNimg + progress.tickKimg * 1000 && !done && !signal?.aborted) continue

      await this.#drain()
      position.seconds += (performance.now() - clock) / 1000
      const began = performance.now()
      if (!signal?.aborted || done) {
        yield this.#endTick(progress)
        if (this.#peak) yield await this.#profile(this.#peak)
        yield await this.#fakes(progress)
        if (this.isSnapshotDue()) yield* this.#measured(signal)
      }
      clock = performance.now()
      this.#maintenanceSec = (clock - began) / 1000
      position.seconds += this.#maintenanceSec
      if (position.tickNimg === position.nimg) position.tickSeconds = position.seconds
    }
    await this.#drain()
    const aborted = position.nimg < totalNimg
    if (aborted && position.step > 0 && position.nimg !== this.#last?.nimg) yield await this.#snapshot(true)
    yield { type: 'end', nimg: position.nimg, aborted }
  }

  /** A tick has just ended whose network is kept and measured. */
  isSnapshotDue(): boolean {
    const { nimg, tick, tickNimg } = this.#state.position
    if (tick === 0 || nimg !== tickNimg) return false
    return nimg >= this.#config.kimg * 1000 || tick === 1 || tick % this.#config.snap === 0
  }

  /** `reals.png`, and the fakes of random weights. */
  async *firstPictures(): AsyncGenerator<TrainEvent, void> {
    await this.#run.write('reals.png', await realsGrid(this.#dataset, this.#config))
    yield { type: 'images', path: this.#run.file('reals.png') }
    yield await this.#fakes(progressAt(this.#state.position.nimg, scheduleOptions(this.#config)))
  }

  /** The official loop looks at the schedule once for `minibatchRepeats` steps. */
  #progress(): Progress {
    const { position } = this.#state
    if (position.step % this.#config.minibatchRepeats === 0) position.scheduleNimg = position.nimg
    return progressAt(position.scheduleNimg, scheduleOptions(this.#config))
  }

  /** The real images of the next step, and which they are. */
  #load(): Promise<Minibatch> {
    const { resolution, minibatch } = this.#progress()
    const { indices, mirror } = this.#sampler.at(this.#state.position.nimg, minibatch)
    const images = this.#dataset.levels.batch(resolution, indices, mirror).then((bytes) => ({ bytes, indices }))
    images.catch(() => {}) // thrown where it is awaited
    return images
  }

  /** The device waits at most as long for images: it has up to {@link stepsAhead} steps to do meanwhile. */
  async #waitFor(batch: Promise<Minibatch>): Promise<Minibatch> {
    const began = performance.now()
    const images = await batch
    this.#dataWaitSec += (performance.now() - began) / 1000
    return images
  }

  #enqueue({ bytes, indices }: Minibatch, progress: Progress): void {
    const { device } = this.#state.G
    const { minibatch, resolution } = progress
    const values = scope(() => {
      const images = device.tensor(bytes, [minibatch, resolution, resolution, this.#config.numChannels])
      const labels = this.#labels && { table: this.#labels, indices }
      return trainingStep(this.#state, images, progress, this.#config, labels)
    })
    const stats = values.data()
    values.dispose()
    stats.catch(() => {}) // thrown where it is awaited
    this.#pending.push({ stats, nimg: this.#state.position.nimg })
    this.#tickSteps++
  }

  /** Waits for the oldest step and checks its losses. */
  async #settle(): Promise<void> {
    const { stats, nimg } = this.#pending.shift()!
    const values = await stats
    const { position } = this.#state
    position.sums = statNames(this.#state).map((name, i) => {
      if (!Number.isFinite(values[i])) throw this.#diverged(`${name} is ${values[i]}`, nimg)
      return (position.sums[i] ?? 0) + values[i]!
    })
    position.sumSteps++
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) await this.#settle()
  }

  #diverged(what: string, nimg: number): DivergedError {
    const last = this.#last ? `the last good snapshot is ${this.#last.path}` : 'there is no snapshot yet'
    return new DivergedError(
      `training diverged after ${(nimg / 1000).toFixed(1)} kimg: ${what}; ${last}; try lower learning rates (--glr, --dlr) or another --gamma`,
    )
  }

  #pace(nimg: number): { secPerKimg: number; leftSec: number } {
    const { position } = this.#state
    const kimg = (position.nimg - position.tickNimg) / 1000
    if (kimg > 0) this.#secPerKimg = (position.seconds - position.tickSeconds) / kimg
    return { secPerKimg: this.#secPerKimg, leftSec: secondsLeft(this.#config, nimg, this.#secPerKimg) }
  }

  #endTick(progress: Progress): TrainEvent {
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
    this.#run.appendStats({ nimg: position.nimg, ...stats })
    position.sums = []
    position.sumSteps = 0
    this.#dataWaitSec = 0
    return { type: 'tick', nimg: position.nimg, line, stats }
  }

  async #profile(peak: Peak): Promise<TrainEvent> {
    const table = profileTable(await this.#state.G.device.costs(), peak, this.#tickSteps)
    this.#tickSteps = 0
    await this.#run.write('profile.txt', `${table}\n`)
    return { type: 'profile', table }
  }

  async #fakes({ lod }: Progress): Promise<TrainEvent> {
    const name = `fakes${String(Math.floor(this.#state.position.nimg / 1000)).padStart(6, '0')}.png`
    await this.#run.write(name, await imageGrid(this.#state, lod, this.#config, this.#labels))
    return { type: 'images', path: this.#run.file(name) }
  }

  /** A snapshot, then its metrics. */
  async *#measured(signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    const snapshot = await this.#snapshot()
    yield snapshot
    yield* this.metrics(snapshot.path, signal)
    if (this.#config.keep === 'all') return
    for (const path of await surplusSnapshots(this.#run.path, this.#config.keep)) {
      await rm(path, { force: true })
      yield { type: 'notice', line: `removed ${path}; --keep all keeps every snapshot` }
    }
  }

  /** The metrics of the snapshot that training stands at. */
  async *metrics(path: string, signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    const { position, G } = this.#state
    for await (const event of snapshotMetrics(path, this.#config, G.device, signal)) {
      if (event.type === 'metric' && event.results) this.#run.appendMetrics(position.nimg, event.results)
      yield event
    }
  }

  /** @param interrupted between ticks: then it takes no name that a metric line speaks of */
  async #snapshot(interrupted = false): Promise<Extract<TrainEvent, { type: 'snapshot' }>> {
    const { nimg } = this.#state.position
    const name = snapshotName(nimg, interrupted && (await isMeasured(this.#run.path, snapshotName(nimg))))
    await this.#run.write(name, encodeState(this.#state, this.#config, this.#classes)).catch((error: unknown) => {
      throw error instanceof RangeError ? this.#diverged(error.message, nimg) : error
    })
    this.#last = { path: this.#run.file(name), nimg }
    if (!interrupted) await removeInterrupted(this.#run.path)
    return { type: 'snapshot', ...this.#last }
  }
}
