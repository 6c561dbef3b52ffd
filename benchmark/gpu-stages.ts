/** The stages of `npm run gpu-check`: what a GPU computes is held against the reference and the cpu device, then it is timed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cases, everyAlgorithmAgrees } from '../__test__/support/oracle.ts'
import { Device } from '../ts/native/index.ts'
import { precisions, type Precision } from '../ts/networks/precision.ts'
import {
  benchmarkConfig,
  measure,
  networkWorkloads,
  trainingWorkload,
  type NetworkShape,
} from '../ts/performance/benchmark.ts'
import { measurePeak, slowest, utilisation } from '../ts/performance/profile.ts'
import { scheduleOptions } from '../ts/training/config.ts'
import { progressAt } from '../ts/training/schedule.ts'
import { createState } from '../ts/training/state.ts'
import { trainingStep } from '../ts/training/step.ts'
import { label, readResults } from './results.ts'

export interface Options {
  readonly device: string
  /** A Python that has PyTorch. */
  readonly python: string
  /** Sizes for a GPU that is a program. */
  readonly small?: boolean
  /** Where the programs of the Rust tests are; cargo builds them if this is not given. */
  readonly tests?: string
}

export type Cell = string | number
/** What a stage found. */
export interface Found {
  /** Not given where there was nothing to run. */
  readonly passed?: boolean
  readonly summary: string
  readonly columns?: readonly string[]
  readonly rows?: readonly (readonly Cell[])[]
  /** Kept in the JSON file beside the rows. */
  readonly data?: unknown
}

/** Milliseconds that are left to a stage. */
export type Left = () => number

export interface Stage {
  readonly name: string
  /** It ends after so long, in seconds; what it has found by then is kept. */
  readonly most: number
  readonly run: (options: Options, left: Left) => Promise<Found>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const digits = (value: number) => Number(value.toPrecision(3))

/** Runs a program until it ends or its time does; gives its lines. */
async function lines([program = '', ...args]: string[], left: Left, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, left())
  const read = (stream: NodeJS.ReadableStream) =>
    createInterface({ input: stream }).on('line', (line) => said.push(line))
  read(child.stdout)
  read(child.stderr)
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      said.push(error.message)
      resolve(null)
    })
    child.on('close', resolve)
  })
  clearTimeout(timer)
  return { said, code, late }
}

const suites = { conformance: 'stylegan-wgpu', gradients: 'stylegan-autograd' } as const

/** What cargo says of a program that it has built. */
interface Artifact {
  readonly target?: { readonly name: string }
  readonly executable?: string | null
  readonly manifest_path?: string
}

/**
 * Paths of the Rust tests' programs by their names.
 *
 * @throws Error if they cannot be built
 */
export async function testPrograms({ tests }: Pick<Options, 'tests'>): Promise<Map<string, string>> {
  const names = Object.keys(suites)
  if (tests !== undefined) return new Map(names.map((name) => [name, join(tests, name)]))
  const host = (await lines(['rustc', '--print', 'host-tuple'], () => 60_000)).said[0] ?? ''
  const build = ['cargo', 'test', '--workspace', '--release', '--no-run', '--message-format=json', '--target', host]
  const { said, code } = await lines([...build, ...names.flatMap((name) => ['--test', name])], () => 2 ** 30)
  const found = new Map<string, string>()
  for (const line of said.filter((line) => line.startsWith('{'))) {
    const { target, executable, manifest_path: path } = JSON.parse(line) as Artifact
    const crate = (suites as Record<string, string>)[target?.name ?? '']?.replace('stylegan-', 'crates/')
    if (target && executable && crate && path?.includes(crate)) found.set(target.name, executable)
  }
  if (found.size === names.length) return found
  throw new Error(`the Rust tests could not be built: cargo ended with ${code}: ${said.at(-1)}`)
}

/** One suite of Rust on the GPU. */
function rust(name: keyof typeof suites, filter: readonly string[]): Stage['run'] {
  return async (options, left) => {
    const program = (await testPrograms(options)).get(name)!
    const args = [...filter, '--nocapture', '--test-threads', '1']
    const { said, code, late } = await lines([program, ...args], left)
    const result = said.findLast((line) => line.startsWith('test result:'))
    const [, passed = 0, failed = 0] = /(\d+) passed; (\d+) failed/.exec(result ?? '') ?? []
    const why = said.find((line) => /panicked at/.test(line))
    const end = late ? 'it was ended, since its time was over' : `it ended with ${code}: ${why ?? said.at(-1)}`
    const summary = result ? `${passed} passed, ${failed} failed` : end
    return { passed: code === 0 && Number(passed) > 0, summary, data: said.slice(-200) }
  }
}

async function oracle({ device, small }: Options, left: Left): Promise<Found> {
  const t = {
    true: (value: boolean, what?: string) => (assert.ok(value, what), true),
    deepEqual: assert.deepStrictEqual,
  }
  const rows: Cell[][] = []
  for (const name of small ? cases.slice(0, 1) : cases) {
    if (left() <= 0) break
    const wrong = await everyAlgorithmAgrees(t as never, name, device).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0]!,
    )
    rows.push([name, wrong ?? 'agrees'])
  }
  const agree = rows.filter(([, result]) => result === 'agrees').length
  const wanted = small ? 1 : cases.length
  return {
    passed: agree === wanted,
    summary: `${agree} of ${wanted} networks agree`,
    columns: ['network', 'result'],
    rows,
  }
}

const steps = 6
/** How far losses may be from those of the cpu, as a share of 1 or of the loss: `first` step, and later ones. */
const allowed: Record<Precision, { first: number; later: number }> = {
  // Adam with β1 = 0, whose first step is nearly the sign of the gradient, spreads rounding.
  f32: { first: 1e-4, later: 1e-3 },
  bf16: { first: 2 * 2 ** -8, later: 50 * 2 ** -8 },
  f16: { first: 2 * 2 ** -11, later: 50 * 2 ** -11 },
}

/** Statistics of a few steps on images that are the same on every device. */
async function losses(device: Device, shape: NetworkShape, left: Left): Promise<number[][]> {
  const config = benchmarkConfig(shape)
  const state = createState(device, config)
  const { batch, resolution } = shape
  const pixels = Uint8Array.from({ length: batch * resolution ** 2 * 3 }, (_, i) => (i * 7 + ((i / 3) | 0) * 31) % 256)
  const images = device.tensor(pixels, [batch, resolution, resolution, 3])
  const progress = progressAt(0, scheduleOptions(config))
  const found: number[][] = []
  while (found.length < steps && left() > 0) {
    const stats = trainingStep(state, images, progress, config)
    found.push([...(await stats.data())])
    stats.dispose()
  }
  return found
}

async function training({ device, small }: Options, left: Left): Promise<Found> {
  const shape = small
    ? { resolution: 8, fmapBase: 32, fmapMax: 8, latentSize: 8, batch: 8 }
    : { resolution: 32, fmapBase: 512, fmapMax: 64, latentSize: 128, batch: 16 }
  const expected = await losses(Device.open('cpu'), shape, left)
  const rows: Cell[][] = []
  let passed = expected.length === steps
  for (const precision of precisions) {
    const found = await losses(Device.open(device), { ...shape, precision }, left)
    const apart = found.map((stats, step) => {
      const differences = stats.map((value, i) => {
        const wanted = expected[step]?.[i] ?? NaN
        return Math.abs(value - wanted) / Math.max(1, Math.abs(wanted))
      })
      return differences.reduce((most, value) => (value <= most ? most : value), 0)
    })
    const { first, later } = allowed[precision]
    const right = apart.length === steps && apart.every((value, step) => value <= (step === 0 ? first : later))
    passed &&= right
    rows.push([
      precision,
      ...Array.from({ length: steps }, (_, step) => apart[step]?.toExponential(1) ?? '–'),
      right ? 'yes' : 'NO',
    ])
  }
  const columns = ['feature maps', ...Array.from({ length: steps }, (_, step) => `step ${step + 1}`), 'as the cpu']
  return {
    passed,
    summary: `${rows.filter((row) => row.at(-1) === 'yes').length} of ${rows.length} precisions`,
    columns,
    rows,
  }
}

/** Rows of `bench:peers`. */
export const shapes: readonly NetworkShape[] = [
  { resolution: 32, fmapBase: 2048, fmapMax: 128, batch: 16 },
  { resolution: 64, fmapBase: 4096, fmapMax: 256, batch: 16 },
  { resolution: 64, fmapBase: 8192, fmapMax: 512, batch: 8 },
  { resolution: 128, fmapBase: 8192, fmapMax: 512, batch: 4 },
]
const tiny: readonly NetworkShape[] = [{ resolution: 8, fmapBase: 32, fmapMax: 8, latentSize: 8, batch: 4 }]

async function kernels({ device, small }: Options): Promise<Found> {
  const gpu = Device.open(device)
  const [peak, rows, data] = [await measurePeak(gpu), [] as Cell[][], [] as unknown[]]
  const shape = small ? tiny[0]! : shapes[1]!
  for (const precision of ['f32', 'f16'] as const) {
    const config = benchmarkConfig({ ...shape, precision })
    const state = createState(gpu, config)
    const { batch, resolution } = shape
    const images = gpu.tensor(new Uint8Array(batch * resolution ** 2 * 3).fill(100), [batch, resolution, resolution, 3])
    const { run } = trainingWorkload(state, images, config)
    // The first one compiles.
    run()
    await gpu.synchronize()
    gpu.profile(true)
    await gpu.costs()
    run()
    const costs = slowest(await gpu.costs())
    gpu.profile(false)
    data.push({ precision, costs })
    for (const cost of costs.slice(0, 10)) {
      const { kernel, shapes, launches, nanoseconds, flop, bytes } = cost
      const rates = [digits(flop / (nanoseconds || Infinity)), digits(bytes / (nanoseconds || Infinity))]
      const share = `${(100 * utilisation(cost, peak)).toFixed(1)} %`
      rows.push([precision, `${kernel} ${shapes}`, launches, digits(nanoseconds / 1e6), ...rates, share])
    }
  }
  const columns = ['feature maps', 'kernel', 'launches', 'ms', 'GFLOP/s', 'GB/s', 'of the peak']
  const summary = `peak ${digits(peak.flop / 1e9)} GFLOP/s in f32, ${digits(peak.bytes / 1e9)} GB/s; a step of ${label(shape)}/${shape.batch}`
  return { passed: rows.length > 0, summary, columns, rows, data: { peak, steps: data } }
}

async function speed({ device, small }: Options, left: Left): Promise<Found> {
  const rows: Cell[][] = []
  const [chosen, seconds] = small ? [tiny, 0.001] : [shapes, 1]
  for (const shape of chosen) {
    for (const precision of precisions) {
      const cells: Cell[] = []
      const gpu = Device.open(device)
      for (const workload of networkWorkloads(gpu, { ...shape, precision })) {
        if (left() <= 0) break
        const { ms, rate } = await measure(gpu, workload, seconds)
        cells.push(cells.length === 0 ? digits(ms) : digits(rate))
      }
      if (cells.length === 3) rows.push([`${label(shape)}/${shape.batch}`, precision, ...cells])
    }
  }
  const columns = ['resolution/base/max/batch', 'feature maps', 'step, ms', 'images/s, 1', 'images/s, 8']
  const wanted = chosen.length * precisions.length
  return { passed: rows.length === wanted, summary: `${rows.length} of ${wanted} rows`, columns, rows }
}

async function peers({ device, python, small }: Options, left: Left): Promise<Found> {
  const code = 'import torch; assert torch.cuda.is_available(), "it sees no GPU"; print(torch.cuda.get_device_name())'
  const asked = await lines([python, '-c', code], left)
  if (asked.code !== 0) return { summary: `left out: PyTorch is not to be had from ${python}: ${asked.said.at(-1)}` }
  const folder = await mkdtemp(join(tmpdir(), 'stylegan-gpu-peers-'))
  const output = join(folder, 'peers.json')
  const chosen = small ? shapes.slice(0, 1) : [shapes[1]!, shapes[3]!]
  for (const shape of chosen) {
    for (const precision of ['f32', 'f16'] as const) {
      // Compiling takes most of it: what does not come in time is left out, and others go on.
      const patience = left() / 1000 / 3
      if (patience < 20) break
      const configs = `${label(shape)}/${shape.batch},${label(shape)}/1,${label(shape)}/8`
      const flags = {
        python,
        device,
        precision,
        patience,
        output,
        configs,
        runs: 5,
        threads: 1,
        what: 'training,drawing',
      }
      const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])
      const modes = ['--modes', 'eager,eager-fused,compiled-fused']
      const loader = ['--import', '@oxc-node/core/register', join(root, 'benchmark/compare.ts')]
      await lines([process.execPath, ...loader, ...args, ...modes], left)
    }
  }
  const found = existsSync(output) ? (await readResults(output)).rows : []
  await rm(folder, { recursive: true, force: true })
  const rows = found.flatMap(({ what, config, batch, precision, sides }) =>
    Object.entries(sides).map(([side, { median }]) => [what, config, batch, precision, side, digits(median)]),
  )
  const columns = ['what', 'resolution/base/max', 'batch', 'precision', 'side', 's']
  const compared = found.filter(({ sides }) => Object.keys(sides).length > 1)
  const summary = `${asked.said.at(-1)}: ${compared.length} of ${6 * chosen.length} comparisons`
  return { passed: compared.length > 0, summary, columns, rows, data: found }
}

/** In the order of what matters most, since time may be over before the last. */
export const stages: readonly Stage[] = [
  { name: 'conformance', most: 90, run: rust('conformance', ['agree']) },
  { name: 'gradients', most: 60, run: rust('gradients', ['wgpu']) },
  { name: 'oracle', most: 60, run: oracle },
  { name: 'training', most: 40, run: training },
  { name: 'kernels', most: 40, run: kernels },
  { name: 'speed', most: 60, run: speed },
  { name: 'peers', most: 200, run: peers },
]
