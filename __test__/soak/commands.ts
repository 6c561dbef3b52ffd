/** Commands that are interrupted, starved and run side by side, and the answer that each must give in the end. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { main, flagsOf } from '../support/command.ts'
import { classifierOptions, newestIn, soakConfig, weightsOf, type Sources } from './sources.ts'
import { sentenceFault } from './trial.ts'

export interface Ended {
  /** Exit code, or the signal that ended it. */
  readonly code: number | NodeJS.Signals
  readonly err: string
}

/** A command whose results lie below a folder. */
export interface Command {
  readonly name: string
  readonly args: (dir: string) => string[]
  /** What it found, in a text that is the same for the same bits; undefined before it is there. */
  readonly answer: (dir: string) => Promise<string | undefined>
}

export function commandsOf(sources: Sources): Record<'train' | 'metrics' | 'classifier' | 'video', Command> {
  const photos = ['--data', sources.photos()]
  const { kimg, batch, rate } = classifierOptions
  const classifier = { resolution: 8, fmapBase: 32, fmapMax: 8, kimg, batch, lr: rate }
  return {
    // Preparing the images is a good part of it.
    train: {
      name: 'train',
      args: (dir) => ['train', '--preset', 'demo', ...flagsOf(soakConfig), ...photos, '--outdir', join(dir, 'results')],
      answer: async (dir) => {
        const newest = await newestIn(join(dir, 'results'))
        return newest?.endsWith('000001.safetensors') ? weightsOf(newest) : undefined
      },
    },
    metrics: {
      name: 'metrics',
      args: (dir) => [
        ...['metrics', '--network', sources.snapshot(), ...photos, '--metrics', 'swd,ms_ssim', '--metrics-num', '256'],
        ...['--cache', join(dir, 'cache'), '--outdir', join(dir, 'metrics')],
      ],
      answer: async (dir) => {
        const found = await Promise.all(
          ['swd', 'ms_ssim'].map((name) => results(join(dir, 'metrics', `metric-${name}.jsonl`))),
        )
        return found.includes(undefined) ? undefined : found.join()
      },
    },
    classifier: {
      name: 'classifier',
      args: (dir) => [
        ...['classifier', 'train', ...flagsOf(classifier), ...photos],
        ...['--outdir', join(dir, 'classifiers'), '--cache', join(dir, 'results')],
      ],
      answer: async (dir) => {
        const files = ['a', 'b'].map((name) => join(dir, 'classifiers', `classifier-${name}.safetensors`))
        return files.every(existsSync) ? (await Promise.all(files.map(weightsOf))).join() : undefined
      },
    },
    video: {
      name: 'video',
      args: (dir) => [
        ...['video', '--network', sources.snapshot(), '--seeds', '0-2', '--w-frames', '40', '--scale', '2'],
        ...['--output', join(dir, 'walk.png')],
      ],
      // A file that is there is whole.
      answer: async (dir) => {
        const file = await readFile(join(dir, 'walk.png')).catch(() => undefined)
        return file && createHash('sha256').update(file).digest('hex')
      },
    },
  }
}

/** The numbers of the lines of a file, which must be the same in each; undefined if there is none. */
async function results(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const lines = text.split('\n').filter((line) => line !== '')
  const found = new Set(lines.map((line) => JSON.stringify((JSON.parse(line) as { results: unknown }).results)))
  if (found.size > 1) throw new Error(`${path}: different numbers: ${[...found].join(' and ')}`)
  return [...found][0]
}

/** Starts a command; `through` is a program that starts it. */
export function start(command: Command, dir: string, through: readonly string[] = []) {
  const [program, ...args] = [...through, process.execPath, main, ...command.args(dir)]
  // Own signals are sent to it; a shell that is nohup's child would hide them.
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, _: '' } })
  let err = ''
  child.stdout.resume()
  child.stderr.on('data', (data: Buffer) => (err += data.toString()))
  const ended = new Promise<Ended>((resolve) =>
    // Commands that draw say first which network they draw with: that is no fault.
    child.on('close', (code, signal) => resolve({ code: signal ?? code!, err: err.replace(/^Network {8}.*\n/, '') })),
  )
  return { child, ended }
}

/** What a command that may fail must have done: given its answer, or told why not in one sentence. */
export async function judge(command: Command, dir: string, { code, err }: Ended, expected: string): Promise<string> {
  const lines = err.trimEnd()
  if (code === 0) {
    if (lines !== '') throw new Error(`${command.name} ended with 0 and printed ${JSON.stringify(err)}`)
    const found = await command.answer(dir)
    if (found !== expected)
      throw new Error(`${command.name} ended with 0 and ${found === undefined ? 'nothing' : 'another answer'} is there`)
    return 'done'
  }
  if (code !== 1) throw new Error(`${command.name} ended with ${code}: ${err}`)
  if (!lines.startsWith('stylegan: '))
    throw new Error(`${command.name} ended with 1 and printed ${JSON.stringify(err)}`)
  const fault = sentenceFault(lines)
  if (fault !== undefined) throw new Error(`${command.name}: ${fault}`)
  return 'refused'
}

/** Runs a command undisturbed. */
export async function finish(command: Command, dir: string, expected: string): Promise<void> {
  const ended = await start(command, dir).ended
  const what = await judge(command, dir, ended, expected)
  if (what !== 'done') throw new Error(`${command.name} does not go on: ${ended.err}`)
}

/** What each command answers undisturbed, and the milliseconds that it takes; found once. */
export class Undisturbed {
  readonly #dir: string
  readonly #known = new Map<string, Promise<{ answer: string; ms: number }>>()

  constructor(dir: string) {
    this.#dir = dir
  }

  of(command: Command): Promise<{ answer: string; ms: number }> {
    const known = this.#known.get(command.name) ?? this.#find(command)
    this.#known.set(command.name, known)
    return known
  }

  async #find(command: Command): Promise<{ answer: string; ms: number }> {
    const dir = join(this.#dir, command.name)
    const began = performance.now()
    const { code, err } = await start(command, dir).ended
    const ms = performance.now() - began
    const answer = await command.answer(dir)
    if (code !== 0 || answer === undefined) {
      throw new Error(
        `${command.name}, undisturbed, ended with ${code}: ${err} ${(await readdir(dir).catch(() => [])).join()}`,
      )
    }
    return { answer, ms }
  }
}
