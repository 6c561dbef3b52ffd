/** The snapshots of a run: their names, the newest, those that a metric speaks of, and those that are kept. */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { kindOf } from '../files/kind.ts'
import { readMetadata, SnapshotError } from '../files/safetensors.ts'
import { entryOf } from '../metrics/catalogue.ts'
import { nearest } from '../files/keys.ts'
import type { TrainConfig } from '../training/config.ts'
import { builtInNames, builtInNetwork } from './built-in.ts'
import { isMetric, type MetricName } from '../training/metric-names.ts'
import { trainingMetadata } from '../training/snapshot-metadata.ts'

export interface SnapshotFile {
  readonly path: string
  readonly kimg: number
}

/**
 * Name of the snapshot after `nimg` images: network-snapshot-NNNNNN.safetensors, numbered in kimg.
 *
 * @param interrupted saved between ticks, where a measured snapshot has the plain name
 */
export function snapshotName(nimg: number, interrupted = false): string {
  const kimg = String(Math.floor(nimg / 1000)).padStart(6, '0')
  return `network-snapshot-${kimg}${interrupted ? INTERRUPTED : ''}.safetensors`
}

const INTERRUPTED = '-interrupted'
const pattern = /^network-snapshot-(\d{6,})(-interrupted)?\.safetensors$/

const isInterrupted = (path: string): boolean => pattern.exec(basename(path))?.[2] !== undefined

/** The snapshots of a folder, newest first. */
export async function snapshotsIn(folder: string): Promise<SnapshotFile[]> {
  const names = await readdir(folder).catch(() => [])
  const found = names.flatMap((name) => {
    const match = pattern.exec(name)
    return match ? [{ path: join(folder, name), kimg: Number(match[1]) }] : []
  })
  return found.sort((a, b) => b.kimg - a.kimg || Number(isInterrupted(b.path)) - Number(isInterrupted(a.path)))
}

/** The options inside the newest snapshot of a folder that can be read. */
export async function newestConfig(folder: string): Promise<{ path: string; config: TrainConfig } | undefined> {
  for (const { path } of await snapshotsIn(folder)) {
    try {
      return { path, config: trainingMetadata(path, { metadata: await readMetadata(path) }).config }
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error
    }
  }
  return undefined
}

/** Removes what Ctrl-C saved between ticks: a snapshot of a tick is newer. */
export async function removeInterrupted(folder: string): Promise<void> {
  for (const { path } of await snapshotsIn(folder)) if (isInterrupted(path)) await rm(path, { force: true })
}

/** The newest snapshot under a path, or the built-in network of this name. */
export async function findSnapshot(path: string): Promise<string> {
  const builtIn = builtInNetwork(path)
  if (builtIn !== undefined) return builtIn
  const entry = await stat(path).catch(() => undefined)
  if (entry === undefined) {
    const near = /^\w+$/.test(path) && nearest(path, builtInNames)
    throw noSnapshot(
      `${path || "''"}: a snapshot or a folder with one is expected, got nothing; ${near ? `did you mean ${near}?` : 'check the path'}`,
    )
  }
  if (entry.isFile()) return path
  if (!entry.isDirectory()) {
    throw noSnapshot(
      `${path}: a snapshot or a folder with one is expected, got a ${kindOf(entry)}; give the path of a file`,
    )
  }
  const names = await readdir(path, { recursive: true })
  const snapshots = names.filter((name) => pattern.test(basename(name)))
  const dated = await Promise.all(
    snapshots.map(async (name) => ({ file: join(path, name), time: (await stat(join(path, name))).mtimeMs })),
  )
  // Of folders, the one that was written to last; in it the number counts, as for training: copies have other times.
  const newest = dated.sort((a, b) => b.time - a.time)[0]
  if (!newest)
    throw noSnapshot(
      `${path}: a folder with network-snapshot-NNNNNN.safetensors is expected, got one without; train a network first`,
    )
  return (await snapshotsIn(dirname(newest.file)))[0]!.path
}

/** A program may wait for a snapshot: it knows by the code that there is none. */
const noSnapshot = (message: string) => Object.assign(new Error(message), { code: 'ERR_NO_SNAPSHOT' })

/** What metric-<name>.jsonl says of one snapshot. */
interface Measured {
  readonly metric: MetricName
  readonly snapshot: string
  readonly results: Readonly<Record<string, number>>
}

/** Whether a metric line of its run speaks of a snapshot. */
export async function isMeasured(folder: string, name: string, metric?: MetricName): Promise<boolean> {
  const lines = await measuredIn(folder)
  return lines.some((line) => line.snapshot === name && (metric === undefined || line.metric === metric))
}

async function measuredIn(folder: string): Promise<Measured[]> {
  const lines: Measured[] = []
  for (const file of await readdir(folder)) {
    const metric = /^metric-(\w+)\.jsonl$/.exec(file)?.[1]
    if (metric === undefined || !isMetric(metric)) continue
    for (const text of (await readFile(join(folder, file), 'utf8')).split('\n')) {
      const { snapshot_pkl: snapshot, results } = parsed(text)
      if (typeof snapshot === 'string' && results) lines.push({ metric, snapshot, results })
    }
  }
  return lines
}

function parsed(line: string): { snapshot_pkl?: unknown; results?: Record<string, number> } {
  try {
    return JSON.parse(line) as object
  } catch {
    return {} // empty, or cut off
  }
}

/** Ticks of which one snapshot is kept. */
const decade = 10

/**
 * Snapshots that `--keep` gives up: all but the newest `keep`, the last one of every tenth tick, and the best by each metric. What cannot
 * be read stays.
 */
export async function surplusSnapshots(folder: string, keep: number): Promise<string[]> {
  const all = await snapshotsIn(folder)
  if (all.length <= keep) return []
  const best = bestOf(await measuredIn(folder), new Set(all.map(({ path }) => basename(path))))
  const decades = new Set<number>()
  const surplus: string[] = []
  for (const [i, { path }] of all.entries()) {
    const tick = await tickOf(path)
    if (tick === undefined) continue
    const tenth = Math.ceil(tick / decade)
    const isLastOfTenth = !decades.has(tenth)
    decades.add(tenth)
    if (i >= keep && !isLastOfTenth && !best.has(basename(path))) surplus.push(path)
  }
  return surplus
}

async function tickOf(path: string): Promise<number | undefined> {
  try {
    return trainingMetadata(path, { metadata: await readMetadata(path) }).position.tick
  } catch {
    return undefined // damaged, or of a newer version
  }
}

/** The snapshots, of these, with the best value of a metric. */
function bestOf(lines: readonly Measured[], names: ReadonlySet<string>): Set<string> {
  const best = new Map<string, { value: number; snapshot: string }>()
  for (const { metric, snapshot, results } of lines) {
    if (!names.has(snapshot)) continue
    const { larger } = entryOf(metric)
    for (const [key, result] of Object.entries(results)) {
      // Levels and deviations beside the metric's own value do not count.
      if (metric in results ? key !== metric : key.endsWith('_std')) continue
      const value = larger ? -result : result
      if (!(value >= (best.get(key)?.value ?? Infinity))) best.set(key, { value, snapshot })
    }
  }
  return new Set([...best.values()].map(({ snapshot }) => snapshot))
}
