/** What lasts for long: steps and drawings in flat memory, worker threads that are ended while they train, random calls of the API. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { LevelWriter } from '../../ts/native/index.ts'
import type { Sources } from './sources.ts'
import { eachCase, type Part } from './trial.ts'

const run = promisify(execFile)
const megabyte = 2 ** 20

export function lastingParts(sources: Sources, short: boolean): Part[] {
  const memory = (what: 'steps' | 'drawings') =>
    eachCase(`memory/${what}`, 1, async (_, dir) => {
      const count = short ? 300 : 3000
      const out = await child('memory-child.ts', [what, String(count), dir, sources.dir])
      const samples = JSON.parse(out) as { live: number; resident: number }[]
      const [early, late] = [samples[2]!, samples.at(-1)!]
      // Which steps fade or draw pictures changes what is held between two; a leak of one tensor a step would be larger.
      const most = { live: early.live + count * 16, resident: early.resident + 32 * megabyte }
      if (late.live > most.live || late.resident > most.resident) throw new Error(`memory grows: ${out}`)
      return `of ${count} ${what}`
    })
  return [
    memory('steps'),
    memory('drawings'),
    eachCase('workers', 1, async (random, dir) => {
      const count = short ? 6 : 100
      await child('workers-child.ts', [String(random.below(2 ** 31)), String(count), dir, sources.dir])
      return `of ${count} workers`
    }),
    // The short form has it as a test of its own: native/fuzz.spec.ts.
    eachCase('api', 0, async (random, dir) => {
      const dataset = join(dir, 'dataset')
      const writer = LevelWriter.create(dataset, 3, 8, 3)
      await writer.writePixels(0, new Uint8Array(3 * 8 * 8 * 3), 3, 8)
      await writer.finish(3)
      const calls = 2000
      const out = await child('../support/fuzz-child.ts', [String(random.below(2 ** 31)), String(calls), dir, dataset])
      if (!/done \{/.test(out)) throw new Error(out.slice(-500))
      return `of ${calls} calls`
    }),
  ]
}

/** What a program of this folder prints. */
async function child(name: string, args: string[]): Promise<string> {
  const program = fileURLToPath(new URL(name, import.meta.url))
  const node = ['--expose-gc', '--max-old-space-size=512', '--import', '@oxc-node/core/register', program, ...args]
  const { stdout } = await run(process.execPath, node, { maxBuffer: 64 * megabyte })
  return stdout
}
