/** Trainings that the page starts, stops and goes on with: each is a process of the command line, and outlives the studio. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUILTIN_AVATARS } from '../../data/info.ts'
import { holderOfRun } from '../../runs/run-lock.ts'
import { checkOption, checkedConfig, runName, type TrainConfig } from '../../training/config.ts'
import { configKeys, options, presetNames, type ConfigKey } from '../../training/options.ts'
import { presets } from '../../training/presets.ts'
import { commandLine } from '../commands.ts'
import type { Job, Started as StartedJob, TrainChoices, TrainOptions } from '../protocol.ts'
import { told, type Place } from './place.ts'
import { Refused } from './refused.ts'

const mostRunning = 4
const mostJobs = 20
const mostLines = 40
const tailBytes = 8192

/** Options that the studio sets itself, and those that name files outside of its folders. */
const ownOptions: readonly ConfigKey[] = ['outdir', 'data', 'preset', 'resume', 'weights', 'classifiers']

interface Started {
  readonly id: string
  readonly words: readonly string[]
  readonly isEstimate: boolean
  readonly child: ChildProcess
  readonly output: number
  readonly began: number
  ended?: { readonly code: number | null; readonly seconds: number; readonly lines: readonly string[] }
}

export interface TrainingsOptions {
  readonly outdir: Place
  readonly dataRoot: Place | undefined
  /** The program: what Node runs for `stylegan`. */
  readonly cli: readonly string[]
  /** The device of a training where the page names none. */
  readonly device: string
  /** A training in this very process, which may be stopped without ending it. */
  readonly stopOwn?: (() => void) | undefined
}

export class Trainings {
  readonly #options: TrainingsOptions
  readonly #jobs = new Map<string, Started>()

  constructor(options: TrainingsOptions) {
    this.#options = options
  }

  /** What a training can be started with. */
  async choices(): Promise<TrainChoices> {
    const root = this.#options.dataRoot
    const entries = root ? await readdir(root.given, { withFileTypes: true }).catch(() => []) : []
    const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    return {
      data: [
        { value: BUILTIN_AVATARS, title: 'Built-in avatar faces' },
        ...(root ? [{ value: '.', title: 'The whole data root' }] : []),
        ...folders.map(({ name }) => ({ value: name, title: name })),
      ],
      presets: [...presetNames],
      options: configKeys.flatMap((key) => {
        const { flag, help = '', rule } = options[key]
        if (flag === undefined || ownOptions.includes(key)) return []
        const kind = rule.reads === 'flag' || rule.reads === 'text' ? rule.reads : 'number'
        return [{ key, flag: flag.split(' ')[0]!, help, kind } as const]
      }),
    }
  }

  /** @throws Refused or RangeError saying which option cannot be */
  async start(given: TrainOptions): Promise<StartedJob> {
    const { words, run } = await this.#wordsOf(given)
    if (run !== undefined) {
      const dir = await this.#options.outdir.inside(run).catch(() => undefined)
      if (dir !== undefined) refuseHeld(dir, run)
    }
    return { job: this.#spawn(['train', ...words], false), run }
  }

  /** What training would take: a dry run in a process of its own. A new one ends an older one. */
  async estimate(given: TrainOptions): Promise<Job> {
    const { words } = await this.#wordsOf(given)
    for (const { id, isEstimate, ended, child } of this.#jobs.values()) {
      if (!isEstimate || ended) continue
      child.kill()
      this.#jobs.delete(id) // nobody waits for it, and it has not failed
    }
    return this.#spawn(['train', ...words, '--dry-run'], true)
  }

  /**
   * Goes on with the run of a folder, perhaps for longer.
   *
   * @throws Refused if somebody trains there
   */
  goOn(dir: string, run: string, saved: TrainConfig, kimg: number | undefined): Job {
    refuseHeld(dir, run)
    return this.#spawn(['train', ...this.#flagsToGoOn(kimg === undefined ? saved : { ...saved, kimg })], false)
  }

  /** The command that goes on with a run. */
  commandOf(config: TrainConfig): string {
    return commandLine(['train', ...this.#flagsToGoOn(config)])
  }

  #flagsToGoOn(config: TrainConfig): string[] {
    return flagsOf({ ...config, outdir: this.#options.outdir.given })
  }

  /** @throws Refused if nothing trains there, or on another machine */
  stop(dir: string, run: string): void {
    const holder = holderOfRun(dir)
    if (!holder) throw new Refused(409, `${run}: nothing trains there`)
    if (!holder.isHere) throw new Refused(409, `${run} is trained on another machine; stop it there`)
    if (holder.pid !== process.pid) process.kill(holder.pid, 'SIGINT')
    else if (this.#options.stopOwn) this.#options.stopOwn()
    else throw new Refused(409, `${run} is trained by the studio's own process; stop that`)
  }

  jobs(): Job[] {
    return [...this.#jobs.values()].map((job) => this.#shown(job))
  }

  /** The flags for what the page has chosen, and the run if they alone name it. */
  async #wordsOf(given: TrainOptions): Promise<{ words: string[]; run?: string }> {
    const { preset = '', data = '', ...rest } = given
    const { outdir, device } = this.#options
    const overrides: Partial<Record<ConfigKey, unknown>> = { device }
    for (const [key, text] of Object.entries(rest)) {
      if (!isKey(key) || ownOptions.includes(key) || options[key].flag === undefined) {
        throw new Refused(400, `${key.slice(0, 40)}: an option that the page may set is expected`)
      }
      if (text.trim() !== '') overrides[key] = valueOf(key, text.trim())
    }
    const path = await this.#dataOf(data === '' && preset === 'demo' ? BUILTIN_AVATARS : data)
    if (preset !== '') {
      if (overrides.hours !== undefined) throw new Refused(400, 'hours: a training without preset is expected')
      const config = checkedConfig(preset, { ...overrides, data: path, outdir: outdir.given })
      return { words: flagsOf(config), run: runName(config) }
    }
    const all = { data: path, outdir: outdir.given, ...overrides }
    const keys = configKeys.filter((key) => key in all)
    for (const key of keys) checkOption(key, all[key])
    return { words: keys.flatMap((key) => flagOf(key, all[key] as TrainConfig[ConfigKey])) }
  }

  /** The images of a training: those of the package, or a folder below the data root. */
  async #dataOf(data: string): Promise<string> {
    const { dataRoot } = this.#options
    if (data === BUILTIN_AVATARS) return data
    if (data === '') throw new Refused(400, 'data: a folder of images is expected')
    if (!dataRoot) throw new Refused(400, 'data: folders need a studio that was started with --data-root')
    if (data === '.') return dataRoot.given
    await dataRoot.inside(data)
    return dataRoot.pathOf(data)
  }

  #spawn(words: readonly string[], isEstimate: boolean): Job {
    const running = [...this.#jobs.values()].filter((job) => !job.ended)
    if (running.length >= mostRunning) throw new Refused(429, `${mostRunning} trainings of this studio run already`)
    const isSame = (job: Started) => !job.isEstimate && commandLine(job.words) === commandLine(words)
    if (!isEstimate && running.some(isSame)) throw new Refused(409, 'this training runs already')
    // A file without a name: it is gone when the last process closes it.
    const path = join(tmpdir(), `stylegan-studio-${randomUUID()}`)
    const output = openSync(path, 'wx+', 0o600)
    const [program, ...first] = this.#options.cli
    const child = spawn(program!, [...first, ...words], { detached: !isEstimate, stdio: ['ignore', output, output] })
    rmSync(path, { force: true })
    const started: Started = { id: randomUUID(), words, isEstimate, child, output, began: performance.now() }
    this.#jobs.set(started.id, started)
    for (const [id, { ended }] of this.#jobs) if (ended && this.#jobs.size > mostJobs) this.#jobs.delete(id)
    const end = (code: number | null) => {
      if (started.ended) return
      started.ended = { code, seconds: secondsSince(started), lines: linesOf(output) }
      closeSync(output)
    }
    child.on('error', () => end(null)).on('exit', end)
    if (!isEstimate) child.unref()
    return this.#shown(started)
  }

  #shown(job: Started): Job {
    const { outdir, dataRoot } = this.#options
    const places = dataRoot ? [outdir, dataRoot] : [outdir]
    const lines = job.ended?.lines ?? linesOf(job.output)
    // Ctrl-C and the page's own button end a training as it should.
    const isGood = job.ended?.code === 0 || (!job.isEstimate && job.ended?.code === 130)
    return {
      id: job.id,
      command: commandLine(job.words),
      state: job.ended === undefined ? 'running' : isGood ? 'done' : 'failed',
      lines: lines.map((line) => told(line, places)),
      seconds: Math.round(job.ended?.seconds ?? secondsSince(job)),
    }
  }

  /** Trainings go on; what only this studio wanted to know ends. */
  close(): void {
    for (const { isEstimate, ended, child } of this.#jobs.values()) if (isEstimate && !ended) child.kill()
  }
}

function refuseHeld(dir: string, run: string): void {
  if (holderOfRun(dir)) throw new Refused(409, `${run} is being trained already`)
}

const secondsSince = ({ began }: Started) => (performance.now() - began) / 1000

/** The last lines of what a process has printed. */
function linesOf(output: number): string[] {
  const { size } = fstatSync(output)
  const bytes = Buffer.alloc(Math.min(size, tailBytes))
  readSync(output, bytes, 0, bytes.length, size - bytes.length)
  const lines = bytes.toString('utf8').split('\n')
  return lines.filter((line) => line.trim() !== '').slice(-mostLines)
}

const isKey = (key: string): key is ConfigKey => Object.hasOwn(options, key)

/** The value of an option that a person has typed. */
function valueOf(key: ConfigKey, text: string): unknown {
  const { reads } = options[key].rule
  if (reads === 'text') return text
  if (reads === 'flag') return text === 'true'
  return text === reads.word ? text : Number(text)
}

/**
 * The flags that give a configuration again. What a measurement has chosen follows from what it was chosen for.
 *
 * @throws Refused if an option has no flag that gives its value
 */
export function flagsOf(config: TrainConfig): string[] {
  const { preset, outdir, desc, device, kimg } = config
  if (config.chosenFor !== null) {
    const given = { ...(JSON.parse(config.chosenFor) as Partial<TrainConfig>), outdir, desc, device }
    const keys = configKeys.filter((key) => given[key] !== undefined && given[key] !== '')
    return [...keys.flatMap((key) => flagOf(key, given[key]!)), ...flagOf('kimg', kimg)]
  }
  const changed = configKeys.filter((key) => key !== 'preset' && config[key] !== presets[preset][key])
  // The width of labels follows from the data.
  return [
    '--preset',
    preset,
    ...changed.filter((key) => key !== 'labelSize').flatMap((key) => flagOf(key, config[key])),
  ]
}

/** @throws Refused if the option has no flag that gives this value */
function flagOf(key: ConfigKey, value: TrainConfig[ConfigKey]): string[] {
  const { flag, noHelp } = options[key]
  const name = flag?.split(' ')[0]
  if (name !== undefined && value === true) return [name]
  if (name !== undefined && value === false && noHelp !== undefined) return [name.replace('--', '--no-')]
  if (name !== undefined && value !== null && typeof value !== 'boolean') return [name, String(value)]
  throw new Refused(400, `${key} ${JSON.stringify(value)} has no flag; this run goes on from a program only`)
}
