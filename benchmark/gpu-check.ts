/** `npm run gpu-check`: whether a GPU computes what it should, and how fast, in at most eight minutes; a page and JSON. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Command } from 'commander'
import { chooseDevice, listDevices, type GpuInfo } from '../ts/native/index.ts'
import { machine } from '../ts/performance/benchmark.ts'
import { prepare } from './gpu-prepare.ts'
import { page, type Report, type Result } from './gpu-report.ts'
import { stages, testPrograms, type Options } from './gpu-stages.ts'

interface Flags extends Options {
  readonly seconds: number
  readonly only?: readonly string[]
  readonly output?: string
  readonly prepare?: string
}

const program = new Command('gpu-check')
  .description('Hold a GPU against the reference and the cpu device, and time it; no network is needed.')
  .option('--device <name>', 'a GPU of `stylegan devices`', 'wgpu')
  .option('--python <path>', 'a Python whose PyTorch sees the same GPU', 'python3')
  .option('--seconds <s>', 'how long it may take', Number, 480)
  .option('--only <list>', `some of ${stages.map(({ name }) => name).join(', ')}`, (text) => text.split(','))
  .option('--small', 'small sizes, for a GPU that is a program')
  .option('--tests <folder>', 'where the programs of the Rust tests are; without it cargo builds them')
  .option('--output <path>', 'of the page and of the JSON, without .md (default: benchmark/results/gpu-NAME)')
  .option('--prepare <file>', 'write all that a machine without Node.js and cargo needs into this .tar.xz, and end')

/** Name and driver of the GPU. */
function adapter(device: string): GpuInfo {
  const { device: chosen } = chooseDevice(device)
  const gpus = listDevices().filter((info) => 'kind' in info)
  const found =
    chosen === 'wgpu' ? (gpus.find(({ auto }) => auto) ?? gpus[0]) : gpus.find((gpu) => gpu.device === chosen)
  if (found) return found
  throw new RangeError(`--device: a GPU is expected, got ${device}; 'stylegan devices' names those that there are`)
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}

/** Runs stages until time is over, and writes what is known after each. */
async function check(flags: Flags): Promise<Report> {
  const gpu = adapter(flags.device)
  const chosen = stages.filter(({ name }) => flags.only?.includes(name) ?? true)
  const unknown = flags.only?.find((name) => !stages.some((stage) => stage.name === name))
  if (unknown !== undefined || !(flags.seconds > 0)) {
    throw new RangeError(
      `--only and --seconds: names of stages and a number above 0 are expected, got ${unknown ?? flags.seconds}`,
    )
  }
  // Compiling is not what is measured here.
  if (chosen.some(({ name }) => name === 'conformance' || name === 'gradients')) await testPrograms(flags)
  const output = flags.output ?? `benchmark/results/gpu-${gpu.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`
  const began = performance.now()
  const end = began + 1000 * flags.seconds
  const results: Result[] = []
  const report = (): Report => {
    const seconds = (performance.now() - began) / 1000
    return {
      commit: commit(),
      date: new Date().toISOString(),
      seconds,
      small: flags.small === true,
      gpu,
      machine: machine(),
      results,
    }
  }
  const write = () => {
    mkdirSync(dirname(output), { recursive: true })
    writeFileSync(`${output}.json`, JSON.stringify(report(), null, 1) + '\n')
    writeFileSync(`${output}.md`, page(report()))
  }
  for (const { name, most, run } of chosen) {
    const start = performance.now()
    const last = Math.min(end, start + 1000 * most)
    const left = () => last - performance.now()
    const result =
      left() <= 0
        ? { summary: 'left out: time was over' }
        : await within(run(flags, left), left, `${name} took too long`)
    results.push({ name, seconds: (performance.now() - start) / 1000, ...result })
    const mark = result.passed === undefined ? 'left out' : result.passed ? 'passed' : 'FAILED'
    console.log(
      `${name.padEnd(12)} ${mark.padEnd(9)} ${results.at(-1)!.seconds.toFixed(1).padStart(6)} s  ${result.summary}`,
    )
    write()
  }
  console.log(`${output}.md and .json say more`)
  return report()
}

/** What a stage found, or why it found nothing: a GPU that hangs must not keep the others from being told. */
async function within(work: ReturnType<(typeof stages)[number]['run']>, left: () => number, late: string) {
  let timer: NodeJS.Timeout | undefined
  // A stage looks at the time between two pieces of work, and one piece may be long.
  const over = new Promise<Error>((resolve) => (timer = setTimeout(resolve, left() + 15_000, new Error(late))))
  const found = await Promise.race([work, over]).catch((error: unknown) => error)
  clearTimeout(timer)
  if (!(found instanceof Error)) return found as Awaited<typeof work>
  return { passed: false, summary: found.message.split('\n')[0]! }
}

async function main(): Promise<void> {
  const flags = program.parse().opts<Flags>()
  if (flags.prepare !== undefined) {
    prepare(flags.prepare, await testPrograms(flags))
    return
  }
  const { results } = await check(flags)
  // A stage that hung must not keep the process.
  process.exit(results.some(({ passed }) => passed === false) ? 1 : 0)
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
