/** Trainings that the page starts, stops and goes on with: each is a process of the command line, and outlives the studio. */
import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { BUILTIN_AVATARS } from '../../data/info.ts'
import { begunRun } from '../../runs/choose.ts'
import { holderOfRun } from '../../runs/run-lock.ts'
import { checkOption, checkedConfig, runName, type ConfigOverrides, type TrainConfig } from '../../training/config.ts'
import { configKeys, options, presetNames, type ConfigKey } from '../../training/options.ts'
import { presets } from '../../training/presets.ts'
import { commandLine } from '../commands.ts'
import type { Job, Started as StartedJob, TrainChoices, TrainOptions } from '../protocol.ts'
import type { Jobs } from './jobs.ts'
import type { Place } from './place.ts'
import { Refused } from './refused.ts'

/** Options that the studio sets itself, and those that name files outside of its folders. */
const ownOptions: readonly ConfigKey[] = ['outdir', 'data', 'preset', 'resume', 'weights', 'classifiers']

export interface TrainingsOptions {
  readonly outdir: Place
  readonly dataRoot: Place | undefined
  readonly jobs: Jobs
  /** The device of a training where the page names none. */
  readonly device: string
  /** A training in this very process, which may be stopped without ending it. */
  readonly stopOwn?: (() => void) | undefined
}

export class Trainings {
  readonly #options: TrainingsOptions

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
    return { job: this.#options.jobs.start(['train', ...words], 'training'), run }
  }

  /** What training would take: a dry run in a process of its own. A new one ends an older one. */
  async estimate(given: TrainOptions): Promise<Job> {
    const { words } = await this.#wordsOf(given)
    this.#options.jobs.dropEstimates()
    return this.#options.jobs.start(['train', ...words, '--dry-run'], 'estimate')
  }

  /**
   * Goes on with the run of a folder, perhaps for longer.
   *
   * @throws Refused if somebody trains there
   */
  goOn(dir: string, run: string, saved: TrainConfig, kimg: number | undefined): Job {
    refuseHeld(dir, run)
    const flags = this.#flagsToGoOn(kimg === undefined ? saved : { ...saved, kimg })
    return this.#options.jobs.start(['train', ...flags], 'training')
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
    if (holder.pid !== process.pid) this.#options.jobs.interrupt(dir, holder.pid)
    else if (this.#options.stopOwn) this.#options.stopOwn()
    else throw new Refused(409, `${run} is trained by the studio's own process; stop that`)
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
    const words = keys.flatMap((key) => flagOf(key, all[key] as TrainConfig[ConfigKey]))
    const begun = await begunRun(all as ConfigOverrides)
    return { words, ...(begun !== undefined && { run: basename(begun) }) }
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
}

function refuseHeld(dir: string, run: string): void {
  if (holderOfRun(dir)) throw new Refused(409, `${run} is being trained already`)
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
