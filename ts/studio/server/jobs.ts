/** Commands that run beside the studio, each a process of its own, and what they have said so far. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRecord, parseJson } from '../../files/json.ts'
import { outsideJob } from '../../runs/processes.ts'
import { commandLine } from '../commands.ts'
import type { Job, JobProgress } from '../protocol.ts'
import { told, type Place } from './place.ts'
import { Refused } from './refused.ts'

const mostRunning = 4
const mostJobs = 20
const mostLines = 40
const tailBytes = 8192

interface Started {
  readonly id: string
  readonly words: readonly string[]
  readonly kind: Job['kind']
  readonly child: ChildProcess
  readonly output: number
  readonly began: number
  ended?: { readonly code: number | null; readonly seconds: number; readonly lines: readonly string[] }
}

export interface JobsOptions {
  /** The program: what Node runs for `stylegan`. */
  readonly cli: readonly string[]
  /** Folders that messages may speak of. */
  readonly places: readonly Place[]
}

export class Jobs {
  readonly #options: JobsOptions
  readonly #jobs = new Map<string, Started>()
  /** The process that was told to stop in each folder. */
  readonly #stopping = new Map<string, number>()

  constructor(options: JobsOptions) {
    this.#options = options
  }

  /**
   * Starts a command. Estimates end with the studio, all others outlive it.
   *
   * @throws Refused if it runs already, or if too many run
   */
  start(words: readonly string[], kind: Job['kind']): Job {
    const running = this.#running()
    if (running.length >= mostRunning) throw new Refused(429, `${mostRunning} jobs of this studio run already`)
    const command = commandLine(words)
    if (kind !== 'estimate' && running.some((job) => commandLine(job.words) === command)) {
      throw new Refused(409, kind === 'training' ? 'this training runs already' : 'this runs already')
    }
    // A file without a name: it is gone when the last process closes it.
    const path = join(tmpdir(), `stylegan-studio-${randomUUID()}`)
    const output = openSync(path, 'wx+', 0o600)
    const [program, ...first] = this.#options.cli
    const detached = kind !== 'estimate'
    const child = spawn(program!, [...first, ...words], {
      detached,
      stdio: ['ignore', output, output],
      env: outsideJob(),
    })
    rmSync(path, { force: true })
    const started: Started = { id: randomUUID(), words, kind, child, output, began: performance.now() }
    this.#jobs.set(started.id, started)
    for (const [id, { ended }] of this.#jobs) if (ended && this.#jobs.size > mostJobs) this.#jobs.delete(id)
    const end = (code: number | null) => {
      if (started.ended) return
      started.ended = { code, seconds: secondsSince(started), lines: linesOf(output) }
      closeSync(output)
    }
    child.on('error', () => end(null)).on('exit', end)
    if (detached) child.unref()
    return this.#shown(started)
  }

  /** Tells the process that works in a folder to save and stop, once: a second SIGINT would end it at once, without saving. */
  interrupt(dir: string, pid: number): void {
    if (this.#stopping.get(dir) === pid) return
    process.kill(pid, 'SIGINT')
    this.#stopping.set(dir, pid)
  }

  /** Ends the estimates that run: nobody waits for them, and they have not failed. */
  dropEstimates(): void {
    for (const { id, kind, child } of this.#running()) {
      if (kind !== 'estimate') continue
      child.kill()
      this.#jobs.delete(id)
    }
  }

  list(): Job[] {
    return [...this.#jobs.values()].map((job) => this.#shown(job))
  }

  #running(): Started[] {
    return [...this.#jobs.values()].filter((job) => !job.ended)
  }

  #shown(job: Started): Job {
    const { id, kind, words, ended } = job
    const lines = ended?.lines ?? linesOf(job.output)
    // Ctrl-C and the page's own button end a job as it should.
    const isGood = ended?.code === 0 || (kind !== 'estimate' && ended?.code === 130)
    return {
      id,
      kind,
      command: commandLine(words),
      state: ended === undefined ? 'running' : isGood ? 'done' : 'failed',
      lines: lines.map((line) => told(line, this.#options.places)),
      progress: progressOf(lines),
      seconds: Math.round(ended?.seconds ?? secondsSince(job)),
    }
  }

  /** What only this studio wanted to know ends. */
  close(): void {
    this.dropEstimates()
  }
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

/** The newest event of `--json` that says how far it is. */
function progressOf(lines: readonly string[]): JobProgress | undefined {
  for (const line of lines.toReversed()) {
    if (!line.startsWith('{')) continue
    const event = eventOf(line)
    const done = event?.['step'] ?? event?.['done']
    const { total, distance } = event ?? {}
    if (typeof done !== 'number' || typeof total !== 'number') continue
    return { done, total, ...(typeof distance === 'number' && { distance }) }
  }
  return undefined
}

function eventOf(line: string): Record<string, unknown> | undefined {
  try {
    const event = parseJson(line)
    return isRecord(event) ? event : undefined
  } catch {
    return undefined // cut off
  }
}
