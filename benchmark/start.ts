/**
 * How long commands take to start: whole processes, over the start of Node itself.
 *
 *     npm run build
 *     chrt -r 1 node --import @oxc-node/core/register benchmark/start.ts
 *
 * `chrt` keeps a core for it where other work runs. Each round runs Node alone and every command once, so that all see the same machine. Numbers go to `results/start.json`, with the
 * load of the machine; processor time says more than the clock where other work runs.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { machine } from '../ts/performance/benchmark.ts'
import { median } from './median.ts'

const rounds = Number(process.argv[2] ?? 15)
const bin = 'dist/cli/bin.js'
const outdir = mkdtempSync(join(tmpdir(), 'stylegan-start-'))
const generate = ['generate', '--network', 'avatars', '--seeds', '1', '--outdir', outdir]
const rows = [
  { command: '--version', args: [bin, '--version'], wantedMs: 30 },
  { command: '--help', args: [bin, '--help'], wantedMs: 100 },
  { command: 'generate --network avatars --seeds 1', args: [bin, ...generate], wantedMs: 350 },
]

interface Spent {
  readonly ms: number
  readonly processorMs: number
}

/** One whole process. The shell tells the processor time of its children, in hundredths of a second or finer. */
function timed(args: readonly string[]): Spent {
  const began = performance.now()
  const { stdout, status } = spawnSync('sh', ['-c', '"$@" > /dev/null 2>&1 && times', 'sh', process.execPath, ...args])
  const ms = performance.now() - began
  if (status !== 0) throw new Error(`${args.join(' ')}: it should end well, it ended with ${status}`)
  const children = String(stdout).trim().split('\n').at(-1)!
  const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => (60 * Number(m) + Number(s)) * 1000)
  return { ms, processorMs: times.reduce((sum, time) => sum + time, 0) }
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

const load = loadavg().map((value) => Number(value.toFixed(1)))
const node: Spent[] = []
const found = rows.map((row) => ({ row, spent: [] as Spent[] }))
for (let round = 0; round < rounds; round++) {
  node.push(timed(['-e', '0']))
  for (const { row, spent } of found) spent.push(timed(row.args))
}
rmSync(outdir, { recursive: true })

/** Medians by the clock; means of processor time, which is counted coarsely. */
const told = (spent: readonly Spent[]) => ({
  ms: Math.round(median(spent.map(({ ms }) => ms))),
  fastestMs: Math.round(Math.min(...spent.map(({ ms }) => ms))),
  processorMs: Math.round(mean(spent.map(({ processorMs }) => processorMs))),
})
const alone = told(node)
const results = found.map(({ row: { command, wantedMs }, spent }) => {
  const own = told(spent)
  const more = {
    ms: own.ms - alone.ms,
    fastestMs: own.fastestMs - alone.fastestMs,
    processorMs: own.processorMs - alone.processorMs,
  }
  return { command, wantedMs, overNode: more, isReached: more.ms <= wantedMs }
})
console.table(results.map(({ command, wantedMs, overNode }) => ({ command, wantedMs, ...overNode })))
writeFileSync(
  'benchmark/results/start.json',
  `${JSON.stringify({ machine: machine(), load, rounds, node: alone, rows: results }, null, 2)}\n`,
)
