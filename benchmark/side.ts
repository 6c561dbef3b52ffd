/** One side of the comparison: a process that stays alive and answers one JSON line to each JSON line. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

export type Answer = Record<string, unknown>

/** A side that failed, ended or fell silent; the message is one line. */
export class SideError extends Error {
  override readonly name = 'SideError'
}

export class Side {
  readonly name: string
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  #waiting: ((answer: Answer) => void) | undefined
  #ended: string | undefined
  #lastWords = ''

  constructor(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.name = name
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#settle(parse(line)))
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#lastWords = (this.#lastWords + text.toString()).slice(-2000)
    })
    this.#child.stdin.on('error', () => {}) // the end of the process tells
    this.#child.on('error', (error) => this.#end(error.message))
    this.#child.on('close', (code, signal) => this.#end(`it ended with ${signal ?? `code ${code}`}${this.#words()}`))
  }

  /**
   * Asks and waits.
   *
   * @throws SideError if the side answers with an error, has ended, or is silent for too long; it is then killed
   */
  async ask(op: string, request: Answer = {}, timeoutSec = 300): Promise<Answer> {
    if (this.#ended !== undefined) throw this.#error(op, this.#ended)
    const answer = await new Promise<Answer>((resolve) => {
      const timer = setTimeout(() => {
        this.#settle({ error: `an answer within ${timeoutSec} s is expected, there was none` })
        this.close()
      }, timeoutSec * 1000)
      this.#waiting = (found) => {
        clearTimeout(timer)
        resolve(found)
      }
      this.#child.stdin.write(JSON.stringify({ op, ...request }) + '\n')
    })
    if (typeof answer['error'] === 'string') throw this.#error(op, answer['error'])
    return answer
  }

  /** Asks for `seconds`. */
  async time(op: string, request?: Answer, timeoutSec?: number): Promise<number> {
    return (await this.ask(op, request, timeoutSec))['seconds'] as number
  }

  /** Most memory that the process has had resident so far, in MiB, where the system tells. */
  peakMiB(): number | undefined {
    const path = `/proc/${this.#child.pid}/status`
    const found = existsSync(path) ? /VmHWM:\s+(\d+) kB/.exec(readFileSync(path, 'utf8')) : null
    return found ? Number(found[1]) / 1024 : undefined
  }

  /** Forgets the peak so far: what making and saving networks took. */
  resetPeak(): void {
    const path = `/proc/${this.#child.pid}/clear_refs`
    // 5 resets VmHWM (Linux, Documentation/filesystems/proc.rst).
    if (existsSync(path)) writeFileSync(path, '5')
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(answer)
  }

  #end(reason: string): void {
    this.#ended ??= reason
    this.#settle({ error: this.#ended })
  }

  #words(): string {
    const lines = this.#lastWords.trim().split('\n')
    const last = lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1)
    return last ? `: ${last}` : ''
  }

  #error(op: string, reason: string): SideError {
    return new SideError(`${this.name}: ${op}: ${reason}`)
  }
}

function parse(line: string): Answer {
  try {
    return JSON.parse(line) as Answer
  } catch {
    return { error: `one line of JSON is expected, got ${line.slice(0, 200)}` }
  }
}
