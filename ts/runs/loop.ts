/** Training, as an async iterable of events. */
import { join } from 'node:path'
import { describeLeftOut } from '../data/dataset.ts'
import { makeOutdir } from '../files/make-folders.ts'
import { optionError } from '../files/option-names.ts'
import { plural } from '../files/units.ts'
import { nameOfImages } from '../data/memory.ts'
import { anyOf, crc32c, Device, type Processes } from '../native/index.ts'
import { withLayer } from '../networks/custom-layer.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { checkProducts } from '../networks/precision.ts'
import { measurePeak } from '../performance/profile.ts'
import { chooseAugmentation } from '../training/ada.ts'
import {
  checkedOptions,
  checkOption,
  checkPrecisionOf,
  networkOptions,
  runName,
  type TrainConfig,
} from '../training/config.ts'
import { lossOf } from '../training/losses.ts'
import { Minibatches } from '../training/minibatches.ts'
import { fewestShards } from '../training/shards.ts'
import { saveState, type TrainingState } from '../training/state.ts'
import { startingNimg } from '../training/transfer.ts'
import { emitting, ifLeft } from './emitting.ts'
import { checkHooks, type TrainHooks } from './hooks.ts'
import { checkMetrics } from './metrics.ts'
import { checkSame } from './processes.ts'
import { checkFiles, checkStart, resume } from './resume.ts'
import { lockRun } from './run-lock.ts'
import { RunDir } from './run-dir.ts'
import { snapshotName, snapshotsIn } from './snapshots.ts'
import type { TrainEvent } from './train-event.ts'
import { Training } from './training.ts'

export type { TrainHooks } from './hooks.ts'
export type { TrainEvent } from './train-event.ts'
export { DivergedError } from './training.ts'

/**
 * Trains a StyleGAN. The same options go on from the newest whole snapshot of their run, bit for bit. Whoever stops it, by the
 * signal or by leaving the loop, leaves a snapshot of where it stands; only while images are still prepared there may be nothing
 * to save.
 *
 * @param given what `resolveConfig` gives; `data` does not count where images are given
 * @throws RangeError for hooks that do not fit the options, DataError for unusable data, LockedError if another process trains in
 *   the same directory, DivergedError if a loss or weight stops being finite, DeviceError if the device fails
 */
export async function* train(given: TrainConfig, hooks: TrainHooks = {}): AsyncGenerator<TrainEvent, void> {
  checkHooks(hooks)
  const options = withNames(checkedOptions(given), hooks)
  await checkMetrics(options)
  const device = hooks.device instanceof Device ? hooks.device : Device.open(hooks.device ?? options.device)
  checkPrecisionOf(networkOptions(options), device)
  await checkProducts(options, device)
  if (!hooks.images) await checkFiles(options)
  await makeOutdir(options.outdir)
  const { processes } = hooks
  checkProcesses(options, device, processes)
  const isFirst = processes === undefined || processes.rank === 0
  const prepared = isFirst
    ? yield* ifLeft(prepare(options, hooks), () => leaveUntrained(options, device, hooks))
    : undefined
  // The others open what the first one has prepared.
  const isLeft = await anyOf(processes, isFirst && prepared === undefined)
  const reals = isLeft || isFirst ? prepared : yield* prepare(options, { ...hooks, signal: undefined })
  if (reals === undefined || isLeft) {
    const left = isFirst ? await leaveUntrained(options, device, hooks) : undefined
    if (left?.isNew) yield { type: 'snapshot', path: left.path, nimg: left.nimg }
    yield { type: 'end', nimg: left?.nimg ?? 0, aborted: true }
    return
  }
  const { config } = reals
  if (hooks.images) await checkStart(config)
  const lock = isFirst ? await lockRun(join(config.outdir, runName(config)), hooks.lock) : undefined
  try {
    yield* trainIn(reals, device, hooks, lock?.warning)
  } finally {
    lock?.release()
  }
}

/** @throws RangeError if there are more processes than parts of a minibatch, or the device cannot share its sums */
function checkProcesses({ gpus }: TrainConfig, device: Device, processes: Processes | undefined): void {
  if (processes === undefined) return
  const { size } = processes
  if (size > gpus) {
    throw optionError(
      (name) =>
        `${name('gpus')}: at least as many parts of a minibatch as processes are expected, got ${gpus} for ${size} processes; start fewer, or a new run with ${name('gpus')} ${fewestShards(size) ?? 8} in another ${name('desc')}`,
    )
  }
  if (device.float !== 'f32') {
    throw optionError(
      (name) =>
        `${name('device')}: cpu or wgpu is expected for ${size} processes, got ${device.name}, which computes in ${device.float}; leave it out`,
    )
  }
}

/**
 * The options with the names of what a program gives.
 *
 * @throws RangeError for a name that is impossible, or one in the options without its function
 */
function withNames(options: TrainConfig, { loss, layer }: TrainHooks): TrainConfig {
  const named = { ...(loss && { loss: `custom:${loss.name}` as const }), ...(layer && { layer: layer.name }) }
  for (const key of ['loss', 'layer'] as const) if (key in named) checkOption(key, named[key])
  const config = { ...options, ...named }
  lossOf(config.loss, loss)
  generatorSpecs(withLayer(networkOptions(config), layer))
  return config
}

/** Opens the data set, telling how far its preparation has come; undefined if the signal came first. */
async function* prepare(config: TrainConfig, hooks: TrainHooks): AsyncGenerator<TrainEvent, Minibatches | undefined> {
  try {
    return yield* emitting<TrainEvent, Minibatches>((emit, signal) => {
      const onProgress = (done: number, total: number) => emit({ type: 'prepare', done, total })
      const onNote = (line: string) => emit({ type: 'notice', line })
      const { images, maxMegapixels, verify } = hooks
      return Minibatches.open(config, { images, maxMegapixels, verify, signal, onProgress, onNote })
    }, hooks.signal)
  } catch (error) {
    if (!hooks.signal?.aborted || error !== hooks.signal.reason) throw error
    return undefined
  }
}

/**
 * What is left where images are not prepared yet: a snapshot of the networks as they begin, in a run that has none.
 *
 * @returns the newest snapshot; undefined where only the images tell which networks they are, or which run it is
 */
async function leaveUntrained(
  given: TrainConfig,
  device: Device,
  hooks: TrainHooks,
): Promise<{ path: string; nimg: number; isNew: boolean } | undefined> {
  const config = await runOf(given, hooks)
  if (config === undefined || config.cond) return undefined
  const lock = await lockRun(join(config.outdir, runName(config)), hooks.lock)
  try {
    const run = await RunDir.open(config.outdir, runName(config), config, hooks.onWrite)
    const [newest] = await snapshotsIn(run.path)
    if (newest) return { path: newest.path, nimg: await startingNimg(newest.path, config), isNew: false }
    const { images: _, ...state } = (await resume(run, device, config, { count: 0, fingerprint: '' }, hooks)).state
    await run.begin(config)
    const { nimg } = state.position
    const path = run.file(snapshotName(nimg))
    await saveState(path, state, config)
    return { path, nimg, isNew: true }
  } finally {
    lock.release()
  }
}

/** The options of the run, as far as they are known before its images are prepared. */
async function runOf(config: TrainConfig, { images, ...hooks }: TrainHooks): Promise<TrainConfig | undefined> {
  if (images === undefined) return config
  const { resolution, numChannels: channels, skipBad, outdir } = config
  const cache = join(outdir, 'datasets')
  const name = await nameOfImages(images, { ...hooks, cache, resolution, channels, skipBad })
  return name === undefined ? undefined : { ...config, data: join(cache, name) }
}

/** Trains in a directory where no other process trains. */
async function* trainIn(
  reals: Minibatches,
  device: Device,
  hooks: TrainHooks,
  warning: string | undefined,
): AsyncGenerator<TrainEvent, void> {
  const { config: given, dataset } = reals
  const { processes } = hooks
  const run = await RunDir.open(given.outdir, runName(given), given, hooks.onWrite, !processes || processes.rank === 0)
  const { config, reason } = withAugmentation(given, run, dataset.info.count)
  const { state: begun, snapshot, notices } = await resume(run, device, config, dataset.info, hooks)
  const state = { ...begun, oneClass: reals.oneClass }
  // The first process writes only when all have read.
  if (processes) await checkSame(processes, await startOf(reals, config, state))
  await run.begin(config)
  const { nimg } = state.position
  await run.cutBack(nimg === 0 ? -1 : nimg)
  const { count, source, transform, skipped } = dataset.info
  const leftOut = describeLeftOut(dataset)
  const lines = [
    hooks.note,
    processes &&
      `${processes.size} ${plural(processes.size, 'process', 'processes')}: ${processes.names.join(', ')}; ${processes.version}`,
    warning,
    `${count} ${plural(count, 'image')} of ${source} (${transform}), ${skipped.length} left out`,
    leftOut,
    snapshot === undefined || nimg === 0 ? undefined : `Going on after ${nimg / 1000} kimg from ${snapshot}`,
  ]
  for (const line of lines) if (line !== undefined) run.log(line)
  const told = [...run.notices, ...notices, ...(state.notes ?? []), ...(reason ? [reason] : [])]
  for (const line of told) run.log(line)
  const peak = hooks.profile ? await measurePeak(device) : undefined
  device.profile(peak !== undefined)
  const training = new Training(reals, config, run, state, { peak, snapshot, processes })
  const events = async function* (): AsyncGenerator<TrainEvent, void> {
    if (warning !== undefined) yield { type: 'notice', line: warning }
    for (const line of told) yield { type: 'notice', line }
    yield { type: 'start', dir: run.path, nimg, snapshot, count, skipped: skipped.length }
    yield* training.events(hooks.signal)
  }
  yield* ifLeft(events(), () => training.leave())
}

/** What all processes must begin with. */
async function startOf(
  { dataset: { info } }: Minibatches,
  config: TrainConfig,
  { G, D, Gs, gOptimizer, dOptimizer, position, rng }: TrainingState,
): Promise<Record<string, string>> {
  const { count, fingerprint, crc32c: checksums = fingerprint } = info
  const course = { ...config, device: undefined, outdir: undefined }
  let weights = 0
  for (const { flat } of [G, D, Gs, gOptimizer.m, gOptimizer.v, dOptimizer.m, dOptimizer.v]) {
    const { buffer, byteOffset, byteLength } = await flat.data()
    weights = crc32c(new Uint8Array(buffer, byteOffset, byteLength), weights)
  }
  const { nimg, step, augment } = position
  const sum = (value: unknown) => crc32c(Buffer.from(JSON.stringify(value))).toString(16)
  return {
    options: sum(course),
    images: `${count}, checksum ${sum(checksums)}`,
    'images shown': String(nimg),
    weights: `checksum ${weights.toString(16)}`,
    position: sum([step, augment, rng.state]),
  }
}

/** The options with what `aug: auto` is for this run: what it began with, else what fits the images, with the reason. */
function withAugmentation(
  given: TrainConfig,
  { began }: RunDir,
  count: number,
): { config: TrainConfig; reason?: string } {
  if (given.aug !== 'auto') return { config: given }
  if (began && began.aug !== 'auto') return { config: { ...given, aug: began.aug } }
  const { aug, ...why } = chooseAugmentation(count, given.data)
  return { config: { ...given, aug }, ...why }
}
