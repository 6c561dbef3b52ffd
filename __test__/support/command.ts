/** The built command line in a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { tinyConfig } from './tiny.ts'

export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface Surroundings {
  /** Called with all that was printed so far. */
  readonly onOutput?: (out: string, kill: (signal: NodeJS.Signals) => void) => void
  /** Where programs are looked for. */
  readonly path?: string
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>
}

export function stylegan(args: readonly string[], { onOutput, path, env: more }: Surroundings = {}): Promise<Result> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...(path === undefined ? {} : { PATH: path }), ...more }
    const child = spawn(process.execPath, [main, ...args], { env })
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString()
      onOutput?.(out, (signal) => child.kill(signal))
    })
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const kebab = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** Options as flags of a command. */
export const flagsOf = (options: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(options).flatMap(([key, value]) => [kebab(key), String(value)])

/** Options that make a training run of `--preset demo` tiny. */
export const tinyFlags = flagsOf(tinyConfig)

/** The address that a command with a studio prints; it is stopped then. */
export async function openedStudio(args: readonly string[], cwd: string): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], { cwd })
  const ended = once(child, 'exit')
  let out = ''
  for await (const data of child.stdout as AsyncIterable<Buffer>) {
    out += data.toString()
    const url = /^Studio +(\S+)/m.exec(out)?.[1]
    if (url === undefined) continue
    child.kill('SIGINT')
    await ended
    return url
  }
  throw new Error(`no studio opened: ${out}`)
}
