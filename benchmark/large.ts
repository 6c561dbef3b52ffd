/**
 * What a network of 1024² pixels takes: writing and reading a whole training state, `info`, one picture and the exports.
 *
 *     npm run build
 *     node --import @oxc-node/core/register benchmark/large.ts
 *
 * Each step is a process of its own, so that its peak of memory is its own. The disk's speed is that of as many bytes of noise, written
 * and synced, and read back from the page cache, as the state is. Numbers go to `results/large.json` with the load of the machine.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeAtomic } from '../ts/files/write-atomic.ts'
import { Device } from '../ts/native/index.ts'
import { machine } from '../ts/performance/benchmark.ts'
import { resolveConfig } from '../ts/training/config.ts'
import { createState, encodeState, loadState } from '../ts/training/state.ts'

const self = fileURLToPath(import.meta.url)
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const config = resolveConfig('stylegan', { data: 'x', batch: 4 })
const [step, folder = ''] = process.argv.slice(2)
const state = join(folder, 'network-snapshot-000000.safetensors')
const MB = 1e6

const resident = () => process.resourceUsage().maxRSS * 1024

/** Seconds of some work, of the clock and of the cores, and how far the peak of memory rose above what the process had before. */
async function timed(work: () => Promise<unknown>): Promise<void> {
  const [before, used] = [resident(), process.cpuUsage()]
  const began = performance.now()
  await work()
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(used)
  const cpuSeconds = (user + system) / MB
  process.stdout.write(
    JSON.stringify({ seconds, cpuSeconds, peakMB: resident() / MB, riseMB: (resident() - before) / MB }),
  )
}

const device = () => Device.open('cpu')
const steps: Readonly<Record<string, () => Promise<void>>> = {
  write: async () => {
    const made = createState(device(), config)
    await device().synchronize()
    await timed(() => writeAtomic(state, encodeState(made, config)))
  },
  read: () =>
    timed(async () => {
      await loadState(state, device(), config)
      await device().synchronize()
    }),
  disk: async () => {
    const noise = Buffer.alloc(16 * MB).map((_, i) => (i * 2654435761) >>> 13)
    const pieces = Array.from({ length: Math.ceil(statSync(state).size / noise.length) }, () => noise)
    await timed(() => writeAtomic(join(folder, 'noise'), pieces))
  },
  'disk-read': () => timed(async () => readFileSync(join(folder, 'noise')).length),
}

interface Row {
  name: string
  seconds: number
  /** Of all threads: what it would take on one free core. */
  cpuSeconds: number
  peakMB: number
  riseMB?: number
  load: number
}

function row(name: string, args: readonly string[]): Row {
  const [load] = loadavg()
  const out = execFileSync(process.execPath, ['--import', '@oxc-node/core/register', self, ...args], {
    encoding: 'utf8',
  })
  return { name, ...(JSON.parse(out) as Omit<Row, 'name' | 'load'>), load: load! }
}

/** A command from its start to its end; the best of three, with its own peak of memory. */
function command(name: string, args: readonly string[]): Row {
  const [load] = loadavg()
  const runs = [0, 1, 2].map(() => {
    const began = performance.now()
    const timing = ['time', '-f', '%M %U %S', process.execPath, main, ...args]
    const { status, stderr } = spawnSync('/usr/bin/env', timing, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${name}: ${stderr}`)
    const [kilobytes, user, system] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number) as [
      number,
      number,
      number,
    ]
    const seconds = (performance.now() - began) / 1000
    return { seconds, cpuSeconds: user + system, peakMB: (kilobytes * 1024) / MB }
  })
  return { name, ...runs.reduce((a, b) => (b.seconds < a.seconds ? b : a)), load: load! }
}

async function all(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'stylegan-large-'))
  const snapshot = join(dir, 'network-snapshot-000000.safetensors')
  const generator = join(dir, 'generator.safetensors')
  const rows: Row[] = []
  const add = (one: Row) => {
    rows.push(one)
    const rise = one.riseMB === undefined ? '' : `, ${one.riseMB.toFixed(0)} more than before`
    console.log(
      `${one.name.padEnd(34)} ${one.seconds.toFixed(2).padStart(7)} s  of cores ${one.cpuSeconds.toFixed(2).padStart(6)} s  peak ${one.peakMB.toFixed(0).padStart(5)} MB${rise}  (load ${one.load.toFixed(1)})`,
    )
  }
  try {
    add(row('write a training state', ['write', dir]))
    add(row('write as many bytes', ['disk', dir]))
    add(row('read a training state', ['read', dir]))
    add(row('read as many bytes', ['disk-read', dir]))
    add(command('info of the state', ['info', snapshot]))
    add(command('export as safetensors', ['export', '--network', snapshot, '--output', generator]))
    for (const format of ['npz', 'onnx']) {
      const output = join(dir, `generator.${format}`)
      add(command(`export as ${format}`, ['export', '--network', snapshot, '--format', format, '--output', output]))
    }
    add(command('info of a generator', ['info', generator]))
    const draw = ['--seeds', '1', '--outdir', dir]
    add(command('generate a picture, of the state', ['generate', '--network', snapshot, ...draw]))
    add(command('generate a picture, of a generator', ['generate', '--network', generator, ...draw]))
    const results = new URL('results/', import.meta.url)
    mkdirSync(results, { recursive: true })
    const file = { ...machine(), stateMB: statSync(snapshot).size / MB, rows }
    writeFileSync(new URL('large.json', results), `${JSON.stringify(file, null, 2)}\n`)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

await (step === undefined ? all() : steps[step]!())
