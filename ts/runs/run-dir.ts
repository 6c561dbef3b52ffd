/** The directory of a run, laid out as users of the official code know it, and whole after an interruption at any moment. */
import { appendFileSync, existsSync, statSync } from 'node:fs'
import { readdir, rm, truncate } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { namingOptions, type NameOf } from '../files/option-names.ts'
import { isRecord, parseJson } from '../files/json.ts'
import { readWhole } from '../files/kind.ts'
import { makeFolders } from '../files/make-folders.ts'
import { shownLine } from '../files/shown.ts'
import { formatTime } from '../files/units.ts'
import { codeOf, diskError, TEMPORARY, writeAtomic, type OnStep } from '../files/write-atomic.ts'
import { configFromJson, networkOptions, sameRun, type TrainConfig } from '../training/config.ts'
import { checkVersion, VersionError } from '../files/version.ts'
import { encodeEvent, wholeLength, type EventContent } from './events.ts'
import type { Progress } from '../training/schedule.ts'
import { newestConfig, snapshotsIn } from './snapshots.ts'

/** One line of stats.jsonl. */
export interface StatsRecord {
  /** Real images shown so far. */
  readonly nimg: number
  readonly [name: string]: number | string | null
}

/** What the status line of a tick says. */
export interface Status {
  readonly tick: number
  readonly progress: Progress
  /** Seconds since training began, over all its starts. */
  readonly totalSec: number
  readonly secPerKimg: number
  /** Estimate of the seconds left. */
  readonly leftSec: number
}

/** The files of one run. */
export class RunDir {
  readonly path: string
  /** What somebody should know who starts this run. */
  readonly notices: string[] = []
  /** The options that a run began with here, if it has come to a snapshot. */
  began: TrainConfig | undefined
  readonly #onStep: OnStep
  /** Of several processes that train together one writes. */
  readonly #writes: boolean
  #eventsName: string | undefined

  private constructor(path: string, onStep: OnStep, writes: boolean) {
    this.path = path
    this.#onStep = onStep
    this.#writes = writes
  }

  /**
   * Make the directory `outdir/name`, or open the one that an earlier start of the same run has made. Of what is in there nothing changes
   * before {@link begin}.
   *
   * @throws Error if the directory holds a run whose options make another training (see sameRun)
   */
  static async open(
    outdir: string,
    name: string,
    config: TrainConfig,
    onStep: OnStep = () => {},
    writes = true,
  ): Promise<RunDir> {
    const run = new RunDir(join(outdir, name), onStep, writes)
    await makeFolders(run.path, 'outdir')
    await run.#checkOptions(config)
    return run
  }

  /** {@link open} and {@link begin}. */
  static async create(outdir: string, name: string, config: TrainConfig, onStep?: OnStep): Promise<RunDir> {
    const run = await RunDir.open(outdir, name, config, onStep)
    await run.begin(config)
    return run
  }

  /** Write training_options.json, and remove what an earlier start left unfinished. */
  async begin(config: TrainConfig): Promise<void> {
    if (!this.#writes) return
    for (const file of await readdir(this.path)) {
      if (file.startsWith('.') && file.endsWith(TEMPORARY)) await rm(this.file(file), { force: true })
    }
    await this.write(OPTIONS, JSON.stringify({ version: formatVersion, ...config }, null, 2) + '\n')
    await rm(this.file(DIVERGED), { force: true })
  }

  /** A start that never came to a snapshot binds nobody, and one that diverged needs other options to go on. */
  async #checkOptions(config: TrainConfig): Promise<void> {
    const inFile = await this.savedConfig()
    const newest = inFile === undefined ? await newestConfig(this.path) : undefined
    const saved = inFile ?? newest?.config
    const keys = saved === undefined ? [] : sameRun(saved, config)
    const missing = newest && `training_options.json is missing, its options are read from ${newest.path}`
    if (missing && keys.length === 0) this.notices.push(`${missing}; it is written again`)
    if (saved === undefined || (await snapshotsIn(this.path)).length === 0) return
    this.began = saved
    if (keys.length === 0) return
    const differences = (name: NameOf) =>
      keys
        .map((key) => `${name(key)} ${JSON.stringify(saved[key])} there, ${JSON.stringify(config[key])} here`)
        .join('; ')
    const sameNetworks = JSON.stringify(networkOptions(saved)) === JSON.stringify(networkOptions(config))
    if (sameNetworks && hasDiverged(this.path)) {
      this.notices.push(`training diverged here; going on from before with other options: ${differences((key) => key)}`)
      return
    }
    throw namingOptions(
      (message) => Object.assign(new Error(message), { code: 'ERR_OTHER_RUN' }),
      (name) =>
        `${this.path}: the options of this run are expected, got ${differences(name)}${missing ? ` (${missing})` : ''}; use the same options, another ${name('desc')} or another ${name('outdir')}`,
    )
  }

  /** Note that training diverged: the next start may have other options. */
  async diverged(message: string): Promise<void> {
    this.log(message)
    await this.write(DIVERGED, message + '\n')
  }

  /** Path of a file of the run. */
  file(name: string): string {
    return join(this.path, name)
  }

  /** {@link writeAtomic} to a file of the run. */
  async write(name: string, data: Parameters<typeof writeAtomic>[1]): Promise<void> {
    if (!this.#writes) return
    await writeAtomic(this.file(name), data, this.#onStep, 'outdir')
  }

  /** Add a line to log.txt. Returns the line as it stands there, whatever the names in it hold. */
  log(text: string): string {
    const line = shownLine(text)
    if (this.#writes) append(this.file('log.txt'), line + '\n', false)
    return line
  }

  /**
   * Add a record to stats.jsonl; values that are not finite become null. The record also notes how long log.txt is, for
   * {@link cutBack}. Write a tick's log lines before its record, and its record before its snapshot.
   *
   * Its finite numbers also go to TensorBoard's event file, at global step kimg, as StyleGAN3 writes it.
   */
  appendStats(record: StatsRecord): void {
    if (!this.#writes) return
    const scalars = Object.entries(record).filter((entry): entry is [string, number] => {
      return entry[0] !== 'nimg' && typeof entry[1] === 'number' && Number.isFinite(entry[1])
    })
    this.#appendEvent({ step: Math.floor(record.nimg / 1000), scalars })
    const logBytes = statSync(this.file('log.txt'), { throwIfNoEntry: false })?.size ?? 0
    append(this.file('stats.jsonl'), JSON.stringify({ ...record, logBytes }) + '\n', true)
  }

  /** Add the metrics of a snapshot to TensorBoard's event file, as Metrics/<name>. */
  appendMetrics(nimg: number, results: Readonly<Record<string, number>>): void {
    if (!this.#writes) return
    const scalars = Object.entries(results).map(([name, value]) => [`Metrics/${name}`, value] as [string, number])
    this.#appendEvent({ step: Math.floor(nimg / 1000), scalars })
  }

  /**
   * Make stats.jsonl and log.txt what they were when the snapshot after `nimg` images was saved, so that a resumed
   * run writes each record once. A record that was cut off half-way ends the file too. TensorBoard may be reading its event
   * file, so that only loses a last event that was cut off, and gains one that takes back the later ticks.
   *
   * @param nimg images seen by the snapshot that training goes on from; -1 to start over
   * @returns the number of records kept
   */
  async cutBack(nimg: number): Promise<number> {
    if (Number.isNaN(nimg)) throw new RangeError('cutBack: nimg must be a number, got NaN')
    if (!this.#writes) return 0
    const stats = await readIfThere(this.file('stats.jsonl'))
    let [kept, statsBytes, logBytes] = [0, 0, 0]
    for (let end = stats.indexOf(10); end >= 0; end = stats.indexOf(10, statsBytes)) {
      const record = parseRecord(stats.toString('utf8', statsBytes, end))
      if (!record || record.nimg > nimg) break
      kept++
      statsBytes = end + 1
      logBytes = record.logBytes
    }
    await cut(this.file('stats.jsonl'), statsBytes)
    await cut(this.file('log.txt'), logBytes)
    await this.#restartEvents(nimg)
    return kept
  }

  async #restartEvents(nimg: number): Promise<void> {
    const found = (await readdir(this.path)).filter((name) => name.startsWith(EVENTS)).sort()
    this.#eventsName = found.at(-1)
    if (this.#eventsName === undefined) return
    const file = this.file(this.#eventsName)
    await cut(file, wholeLength(await readIfThere(file)))
    if (statSync(file).size > 0) this.#appendEvent({ restartAt: nimg < 0 ? 0 : Math.floor(nimg / 1000) + 1 })
  }

  /** Appends to events.out.tfevents.<seconds>.<host>, which it makes first if need be. */
  #appendEvent(content: EventContent): void {
    const now = Date.now() / 1000
    this.#eventsName ??= `${EVENTS}${String(Math.floor(now)).padStart(10, '0')}.${hostname()}`
    const path = this.file(this.#eventsName)
    const begun = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0
    const first = begun ? [] : [encodeEvent(now, { fileVersion: 'brain.Event:2' })]
    append(path, Buffer.concat([...first, encodeEvent(now, content)]), false)
  }

  /** What training_options.json holds, or undefined if it is not there. */
  savedConfig(): Promise<TrainConfig | undefined> {
    return savedConfig(this.file(OPTIONS))
  }
}

async function savedConfig(path: string): Promise<TrainConfig | undefined> {
  if (!existsSync(path)) return undefined
  const text = (await readIfThere(path)).toString('utf8')
  try {
    if (text.trim() === '') throw new Error('an empty file')
    const saved = parseJson(text)
    if (!isRecord(saved)) throw new Error('JSON that is no object')
    const { version, ...options } = saved
    checkVersion(path, version, formatVersion)
    return configFromJson(options)
  } catch (error) {
    if (error instanceof VersionError) throw error
    const message = error instanceof Error ? error.message : String(error)
    const reason = message.replace('EOF while parsing', 'the file ends within')
    throw namingOptions(
      (message) => new Error(message, { cause: error }),
      (name) =>
        `${path}: the options of a run are expected, got ${reason}; repair it, or remove it: the newest snapshot has the options; or use another ${name('outdir')}`,
    )
  }
}

/** Whether a run diverged: then it may go on with other options. */
export const hasDiverged = (dir: string): boolean => existsSync(join(dir, DIVERGED))

/** The runs in a folder of results whose options can be read. */
export async function* savedConfigs(outdir: string): AsyncGenerator<{ dir: string; config: TrainConfig }> {
  const entries = await readdir(outdir, { withFileTypes: true }).catch(() => [])
  for (const entry of entries.filter((one) => one.isDirectory())) {
    const dir = join(outdir, entry.name)
    const config = await configOfRun(dir)
    if (config) yield { dir, config }
  }
}

/** The options of a run; undefined if they cannot be read. */
export async function configOfRun(dir: string): Promise<TrainConfig | undefined> {
  return (await savedConfig(join(dir, OPTIONS)).catch(() => undefined)) ?? (await newestConfig(dir))?.config
}

/** The line of a tick, at most 80 columns: what somebody watches. stats.jsonl has the rest. */
export function statusLine({ tick, progress, totalSec, secPerKimg, leftSec }: Status): string {
  const columns: [name: string, value: string, width: number][] = [
    ['tick', String(tick), 4],
    ['kimg', progress.kimg.toFixed(1), 7],
    ['res', String(progress.resolution), 4],
    ['time', formatTime(totalSec), 11],
    ['sec/kimg', secPerKimg.toFixed(secPerKimg < 100 ? 2 : 0), 5],
    ['left', formatTime(leftSec), 11],
  ]
  return columns
    .map(([name, value, width]) => `${name} ${value.padEnd(width)}`)
    .join(' ')
    .trimEnd()
}

/** Version of what training_options.json holds. */
const formatVersion = 1
/** There if training stopped because a number was no longer finite. */
const DIVERGED = 'diverged.txt'
const OPTIONS = 'training_options.json'
/** Begins the name of an event file, as TensorBoard looks for it. */
const EVENTS = 'events.out.tfevents.'

function parseRecord(line: string): { nimg: number; logBytes: number } | undefined {
  try {
    const { nimg, logBytes } = JSON.parse(line) as Record<string, unknown>
    return typeof nimg === 'number' && typeof logBytes === 'number' ? { nimg, logBytes } : undefined
  } catch {
    return undefined // a line that was cut off, by a full disk or a loss of power
  }
}

function append(path: string, data: string | Uint8Array, flush: boolean): void {
  try {
    appendFileSync(path, data, { flush })
  } catch (error) {
    throw diskError(path, error, 'outdir')
  }
}

async function readIfThere(path: string): Promise<Buffer> {
  try {
    return await readWhole(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return Buffer.alloc(0)
    throw diskError(path, error, 'outdir')
  }
}

/** Shorten a file; one that is shorter already, or not there, stays as it is. */
async function cut(path: string, bytes: number): Promise<void> {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size > bytes) await truncate(path, bytes)
}
