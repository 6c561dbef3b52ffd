/** Where a run goes on: its newest whole snapshot, else the one that `--resume` names, else a fresh start. */
import { join } from 'node:path'
import { checkOutdir } from '../files/make-folders.ts'
import { optionError } from '../files/option-names.ts'
import { checkData } from '../data/dataset.ts'
import { namingPublisher } from '../data/published.ts'
import type { DatasetInfo } from '../data/info.ts'
import { SnapshotError } from '../files/safetensors.ts'
import { plural } from '../files/units.ts'
import type { Device } from '../native/index.ts'
import { runName, type TrainConfig } from '../training/config.ts'
import { createState, loadState, type Custom, type TrainingState } from '../training/state.ts'
import { startFrom, startingNimg } from '../training/transfer.ts'
import type { RunDir } from './run-dir.ts'
import { findSnapshot, snapshotsIn } from './snapshots.ts'

/** With fewer images there is nothing to learn but these. */
const fewest = 8

export interface Start {
  readonly state: TrainingState
  /** What the state was read from. */
  readonly snapshot: string | undefined
  /** What somebody should know who starts this run: for the screen and the log. */
  readonly notices: readonly string[]
}

/**
 * @throws SnapshotError if the run has snapshots and none is whole: training would begin at 0 and overwrite them
 */
export async function resume(
  run: RunDir,
  device: Device,
  config: TrainConfig,
  { count, fingerprint }: Pick<DatasetInfo, 'count' | 'fingerprint'>,
  custom: Custom = {},
): Promise<Start> {
  const own = await newestWhole(run, device, config, custom)
  const images = own?.state.images ?? { count, fingerprint }
  const snapshot = own?.snapshot ?? (await namedSnapshot(config))
  const loaded =
    own?.state ??
    (snapshot === undefined ? createState(device, config, custom) : await startFrom(snapshot, device, config, custom))
  const notices = [...(own?.damaged ?? [])]
  if (images.count !== count) notices.push(`${count} ${plural(count, 'image')}, ${images.count} when this run began`)
  else if (images.fingerprint !== fingerprint) {
    notices.push('the images are not those that this run began with: their names, sizes or times differ')
  }
  if (count < fewest) {
    notices.push(
      `${count} ${plural(count, 'image')}: expect copies of ${plural(count, 'it', 'them')}; a network learns what ${fewest} or more images have in common, and hundreds are better`,
    )
  }
  const { nimg } = loaded.position
  if (nimg >= config.kimg * 1000) {
    notices.push(`kimg ${config.kimg} is already reached, the snapshot has ${nimg / 1000}; a larger kimg trains on`)
  }
  return { state: { ...loaded, images }, snapshot, notices }
}

async function newestWhole(
  run: RunDir,
  device: Device,
  config: TrainConfig,
  custom: Custom,
): Promise<{ state: TrainingState; snapshot: string; damaged: string[] } | undefined> {
  const damaged: string[] = []
  for (const { path } of await snapshotsIn(run.path)) {
    try {
      const state = await loadState(path, device, config, custom)
      return { state, snapshot: path, damaged: damaged.map((reason) => `${reason}; going on from ${path}`) }
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error
      damaged.push(error.message)
    }
  }
  if (damaged.length === 0) return undefined
  throw new SnapshotError(
    `${run.path}: a whole snapshot to go on from is expected, got none (${damaged.join('; ')}); put back a copy, or remove these files to begin again`,
  )
}

/** What `--resume` names: a snapshot, or the newest one of a folder. */
async function namedSnapshot({ resume }: TrainConfig): Promise<string | undefined> {
  return resume === null ? undefined : findSnapshot(resume)
}

/**
 * Finds what is not there, and that nothing is left to train, before anything is written. A run that has snapshots of its own does not need the one that it began with.
 *
 * @throws Error naming what is missing, RangeError if `--resume` names a snapshot that `--kimg` does not exceed
 */
export async function checkFiles(config: TrainConfig): Promise<void> {
  await namingPublisher(config.preset, () => checkData(config.data))
  await checkOutdir(config.outdir)
  await checkStart(config)
}

/** The part of {@link checkFiles} that is about the snapshot to start from. */
export async function checkStart(config: TrainConfig): Promise<void> {
  if (config.hours !== null && config.chosenFor === null) {
    throw new RangeError(
      `hours: options that were chosen for ${config.hours} hours are expected, got none; make them with chooseConfig`,
    )
  }
  const own = await snapshotsIn(join(config.outdir, runName(config)))
  if (own.length > 0) return
  const named = await namedSnapshot(config)
  const nimg = named === undefined ? 0 : await startingNimg(named, config)
  if (named === undefined || nimg < config.kimg * 1000) return
  throw optionError(
    (name) =>
      `${named}: ${name('kimg')} above ${nimg / 1000}, which this snapshot has, is expected, got ${config.kimg}; give a larger one`,
  )
}
