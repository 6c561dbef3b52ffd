/**
 * No argument of any function that `ts/native` exports ends the process: random calls in child processes with a limit on their
 * memory. `FUZZ_CALLS=100000 FUZZ_SEED=7 npx ava __test__/native/fuzz.spec.ts` goes on for longer.
 */
import { spawn } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { LevelWriter } from '../../ts/native/index.ts'

const child = fileURLToPath(new URL('../support/fuzz-child.ts', import.meta.url))
const seed = Number(process.env['FUZZ_SEED'] ?? 2018)
const calls = Number(process.env['FUZZ_CALLS'] ?? 4000)
/** Calls of one child: the one after it begins with other random numbers. */
const perChild = 2000
/** Address space of a child; Node itself reserves about 1.5 GB. */
const limitKib = 6 * 1024 * 1024

async function folder(): Promise<{ dir: string; dataset: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'stylegan-fuzz-'))
  const dataset = join(dir, 'dataset')
  const writer = LevelWriter.create(dataset, 3, 8, 3)
  await writer.writePixels(0, new Uint8Array(3 * 8 * 8 * 3), 3, 8)
  await writer.finish(3)
  return { dir, dataset }
}

function run(args: string[]): Promise<{ code: number | null; signal: string | null; last: string }> {
  const node = [process.execPath, '--import', '@oxc-node/core/register', child, ...args]
  const limited =
    process.platform === 'linux' ? ['sh', '-c', `ulimit -v ${limitKib} && exec "$@"`, 'sh', ...node] : node
  const started = spawn(limited[0]!, limited.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let last = ''
  const read = (chunk: Buffer) => (last = (last + chunk.toString()).slice(-2000))
  started.stdout.on('data', read)
  started.stderr.on('data', read)
  return new Promise((resolve) => started.on('close', (code, signal) => resolve({ code, signal, last })))
}

test(`${calls} random calls of the native module return or throw its errors, seed ${seed}`, async (t) => {
  const { dir, dataset } = await folder()
  for (let from = 0; from < calls; from += perChild) {
    const one = seed + from / perChild
    const { code, signal, last } = await run([String(one), String(Math.min(perChild, calls - from)), dir, dataset])
    const how = `seed ${one} ended with ${signal ?? code}: ${last}`
    if (!t.is(code, 0, how)) return
    t.regex(last, /done \{"returned":\d+,"refused":\d+\}\s*$/)
    t.log(last.trim().split('\n').at(-1))
  }
})
