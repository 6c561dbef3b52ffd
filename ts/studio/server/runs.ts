/** Runs as the page shows them, read from their files: a training of any process is seen. */
import type { Dirent } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { isRecord, parseJson } from '../../files/json.ts'
import { secondsLeft } from '../../runs/cost.ts'
import { holderOfRun } from '../../runs/run-lock.ts'
import { snapshotsIn } from '../../runs/snapshots.ts'
import { isOverfitting } from '../../training/ada.ts'
import { configFromJson, scheduleOptions, type TrainConfig } from '../../training/config.ts'
import { timeline } from '../../training/schedule.ts'
import type { Curve, PictureFile, Run, RunSummary } from '../protocol.ts'
import type { Place } from './place.ts'

const mostLogLines = 500
const mostNotes = 2
const fakes = /^fakes(\d{6,})\.png$/

/** Names of pictures that the page may ask for. */
export const pictureName = /^(reals|fakes\d{6,})\.png$/

/** What is read from a file is kept until it changes. */
class Kept<T> {
  readonly #known = new Map<string, { readonly version: string; readonly value: T }>()

  async get(path: string | undefined, read: (text: string) => T): Promise<{ value: T; changedMs: number } | undefined> {
    if (path === undefined) return undefined
    const entry = await stat(path).catch(() => undefined)
    if (!entry?.isFile()) return undefined
    const version = `${entry.mtimeMs} ${entry.size}`
    const known = this.#known.get(path)
    if (known?.version === version) return { value: known.value, changedMs: entry.mtimeMs }
    const value = read(await readFile(path, 'utf8').catch(() => ''))
    if (this.#known.size > 1000) this.#known.clear()
    this.#known.set(path, { version, value })
    return { value, changedMs: entry.mtimeMs }
  }
}

type Row = Readonly<Record<string, unknown>>

interface Options {
  readonly json: Row
  /** Undefined for those of another version. */
  readonly config: TrainConfig | undefined
}

export class Runs {
  readonly #outdir: Place
  readonly #rows = new Kept<Row[]>()
  readonly #options = new Kept<Options>()

  constructor(outdir: Place) {
    this.#outdir = outdir
  }

  /** Every run of the folder, the newest first. */
  async list(): Promise<RunSummary[]> {
    const names = await readdir(this.#outdir.given).catch(() => [])
    const found = await Promise.all(names.filter((name) => !name.startsWith('.')).map((name) => this.#summary(name)))
    return found.filter((run) => run !== undefined).sort((a, b) => b.version - a.version)
  }

  async #summary(id: string): Promise<RunSummary | undefined> {
    const dir = await this.#outdir.inside(id).catch(() => undefined)
    const files = dir === undefined ? [] : await this.#filesOf(dir)
    if (dir === undefined || !(files.includes('training_options.json') || files.includes('stats.jsonl')))
      return undefined
    const [options, stats, folder] = await Promise.all([
      this.#optionsOf(dir),
      this.#rows.get(await this.fileOf(dir, 'stats.jsonl'), rowsOf),
      stat(dir),
    ])
    const config = options?.value.config
    const holder = holderOfRun(dir)
    const last = stats?.value.at(-1)
    const kimg = numberOf(last?.['Progress/kimg']) ?? 0
    const pace = numberOf(last?.['Timing/sec_per_kimg'])
    const state = files.includes('diverged.txt') ? 'diverged' : config && kimg >= config.kimg ? 'finished' : 'stopped'
    return {
      id,
      state: holder ? 'running' : state,
      canStop: holder?.isHere === true,
      kimg,
      totalKimg: config?.kimg,
      resolution: config?.resolution,
      data: config && this.#outdir.strip(config.data).split(/[\\/]/).at(-1),
      leftSec: holder && config && pace !== undefined ? secondsLeft(config, kimg * 1000, pace) : undefined,
      picture: newest(files)?.name,
      version: Math.round(Math.max(folder.mtimeMs, stats?.changedMs ?? 0, options?.changedMs ?? 0) * 1000),
    }
  }

  async #optionsOf(dir: string) {
    return this.#options.get(await this.fileOf(dir, 'training_options.json'), (text) => {
      const json = recordOf(text)
      const { version: _, ...options } = json
      try {
        return { json: options, config: configFromJson(options) }
      } catch {
        return { json: options, config: undefined }
      }
    })
  }

  /** @throws Refused if there is no such run */
  async dirOf(id: string): Promise<string> {
    return this.#outdir.inside(id)
  }

  /** Names of the files of a run. A link that leads outside is none of them. */
  async #filesOf(dir: string): Promise<string[]> {
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => [])
    const isOwn = async (entry: Dirent) => !entry.isSymbolicLink() || (await this.fileOf(dir, entry.name)) !== undefined
    const own = await Promise.all(entries.map(isOwn))
    return entries.filter((_, i) => own[i]).map(({ name }) => name)
  }

  /** A file of a run, links resolved; undefined where there is none below the folder of all runs. */
  async fileOf(dir: string, name: string): Promise<string | undefined> {
    return this.#outdir.inside(`${this.#outdir.nameOf(dir)}/${name}`).catch(() => undefined)
  }

  /** The options of a run, undefined where they cannot be read. */
  async configOf(id: string): Promise<TrainConfig | undefined> {
    return (await this.#optionsOf(await this.dirOf(id)))?.value.config
  }

  /** @throws Refused if there is no such run */
  async detail(id: string, commandOf: (config: TrainConfig) => string): Promise<Run | undefined> {
    const dir = await this.dirOf(id)
    const summary = await this.#summary(this.#outdir.nameOf(dir))
    if (summary === undefined) return undefined
    const [files, options, stats] = await Promise.all([
      this.#filesOf(dir),
      this.#optionsOf(dir),
      this.#rows.get(await this.fileOf(dir, 'stats.jsonl'), rowsOf),
    ])
    const config = options?.value.config
    const text = async (name: string) => {
      const path = await this.fileOf(dir, name)
      return path === undefined ? '' : (await readFile(path, 'utf8').catch(() => '')).trimEnd()
    }
    const log = (await text('log.txt')).split('\n')
    const snapshots = (await snapshotsIn(dir)).filter(({ path }) => files.includes(basename(path)))
    return {
      ...summary,
      options: shownOptions(options?.value.json ?? {}, this.#outdir),
      phases: config ? timeline(scheduleOptions(config), config.kimg) : [],
      curves: curvesOf(stats?.value ?? [], (row) => numberOf(row['Progress/kimg'])),
      metrics: (
        await Promise.all(
          files.filter((name) => /^metric-\w+\.jsonl$/.test(name)).map((name) => this.#metric(dir, name)),
        )
      ).flat(),
      pictures: picturesOf(files),
      reals: files.includes('reals.png') ? 'reals.png' : undefined,
      snapshots: await Promise.all(
        snapshots.map(async ({ path, kimg }) => {
          const network = this.#outdir.nameOf(path)
          const bytes = (await stat(path).catch(() => undefined))?.size ?? 0
          return { name: network.slice(network.lastIndexOf('/') + 1), kimg, bytes, network }
        }),
      ),
      notes: [...new Set(log.filter(isOverfitting))].slice(-mostNotes),
      log: log.slice(-mostLogLines),
      diverged: files.includes('diverged.txt') ? await text('diverged.txt') : undefined,
      command: config && commandOf(config),
    }
  }

  async #metric(dir: string, name: string): Promise<Curve[]> {
    const rows = (await this.#rows.get(await this.fileOf(dir, name), rowsOf))?.value ?? []
    const flat = rows.map((row) => (isRecord(row['results']) ? { ...row['results'], at: kimgOf(row) } : {}) as Row)
    return curvesOf(flat, (row) => numberOf(row['at'])).filter(({ name }) => name !== 'at')
  }
}

/** Kimg of the snapshot that a metric line speaks of. */
function kimgOf({ snapshot_pkl: snapshot }: Row): number | undefined {
  const match = /(\d{6,})/.exec(typeof snapshot === 'string' ? snapshot : '')
  return match ? Number(match[1]) : undefined
}

/** Lines of JSON; one that was cut off is left out. */
function rowsOf(text: string): Row[] {
  return text
    .split('\n')
    .map(recordOf)
    .filter((row) => Object.keys(row).length > 0)
}

function recordOf(text: string): Row {
  try {
    const value = parseJson(text)
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

/** A curve for each name that has a number somewhere. */
function curvesOf(rows: readonly Row[], kimgAt: (row: Row) => number | undefined): Curve[] {
  const placed = rows.flatMap((row) => {
    const kimg = kimgAt(row)
    return kimg === undefined ? [] : [{ kimg, row }]
  })
  const names = new Set(placed.flatMap(({ row }) => Object.keys(row)))
  const kimg = placed.map((one) => one.kimg)
  return [...names]
    .filter((name) => !['nimg', 'logBytes'].includes(name))
    .map((name) => ({ name, kimg, values: placed.map(({ row }) => numberOf(row[name]) ?? null) }))
    .filter(({ values }) => values.some((value) => value !== null))
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function picturesOf(files: readonly string[]): PictureFile[] {
  return files
    .flatMap((name) => {
      const match = fakes.exec(name)
      return match ? [{ name, kimg: Number(match[1]) }] : []
    })
    .sort((a, b) => a.kimg - b.kimg)
}

const newest = (files: readonly string[]) => picturesOf(files).at(-1)

function shownOptions(json: Row, outdir: Place): Run['options'] {
  const plain = Object.entries(json).filter(
    (entry): entry is [string, string | number | boolean | null] => entry[1] === null || typeof entry[1] !== 'object',
  )
  return Object.fromEntries(plain.map(([key, value]) => [key, typeof value === 'string' ? outdir.strip(value) : value]))
}
