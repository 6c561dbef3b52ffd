/** Seeded damage to every kind of file, read in child processes with a limit on their memory. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { loaders } from './loaders.ts'
import type { Sources } from './sources.ts'
import type { Outcome, Part, Request } from './trial.ts'

const child = fileURLToPath(new URL('loader-child.ts', import.meta.url))
/** A case that takes as long hangs: most take milliseconds, but the machine may be busy. */
const hangMs = 60_000
/** Address space; Node itself reserves about 1.5 GB, and the bound on what is used is checked for each case. */
const limitKib = 8 * 1024 * 1024

/** How many cases a child reads in about a second. */
const batches: Readonly<Record<string, number>> = { runs: 4, images: 30, prepared: 60, labels: 30 }

export function damageParts(sources: Sources): Part[] {
  return Object.keys(loaders).map((name) => {
    const batch = batches[name] ?? 100
    return {
      name: `loaders/${name}`,
      short: Math.ceil(batch / 2),
      batch,
      run: (request) => damaged(name, request, sources),
    }
  })
}

async function* damaged(name: string, request: Request, sources: Sources): AsyncGenerator<Outcome> {
  const { seed, first, count, dir } = request
  const args = [name, String(seed), String(first), String(count), dir, sources.dir]
  const node = [process.execPath, '--import', '@oxc-node/core/register', '--max-old-space-size=512', child, ...args]
  const limited = ['sh', '-c', `ulimit -v ${limitKib} && exec "$@"`, 'sh', ...node]
  const [command, ...rest] = process.platform === 'linux' ? limited : node
  const started = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let err = ''
  started.stderr.on('data', (data: Buffer) => (err = (err + data.toString()).slice(-2000)))
  const closed = once(started, 'close')
  let next = first
  const watch = () => setTimeout(() => started.kill('SIGKILL'), hangMs)
  let timer = watch()
  for await (const line of createInterface({ input: started.stdout })) {
    clearTimeout(timer)
    timer = watch()
    const outcome = JSON.parse(line) as Outcome
    next = outcome.index + 1
    yield outcome
  }
  await closed
  clearTimeout(timer)
  if (next >= first + count && started.exitCode === 0) return
  const hangs = started.killed
  const how = hangs ? `it took more than ${hangMs / 1000} s` : `${started.signalCode ?? started.exitCode}: ${err}`
  yield {
    index: Math.min(next, first + count - 1),
    what: hangs ? 'hung' : 'crashed',
    fault: `the process ended: ${how}`,
  }
  // What comes after it is tried in a new process.
  const left = first + count - next - 1
  if (left > 0) yield* damaged(name, { ...request, first: next + 1, count: left }, sources)
}
