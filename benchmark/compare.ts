/** `npm run bench:peers`: our training and generation against PyTorch and ONNX Runtime, alternating on this machine. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { machine, type NetworkShape } from '../ts/benchmark.ts'
import { readSafetensors } from '../ts/snapshot.ts'
import { Side, SideError, type Answer } from './side.ts'
import { markdown, median, type Row } from './table.ts'

/** Rows of the comparison: resolution, fmap base, fmap max, batch; and how many iterations of each side. */
const shapes: readonly (NetworkShape & { runs: number })[] = [
  { resolution: 32, fmapBase: 2048, fmapMax: 128, batch: 16, runs: 9 },
  { resolution: 64, fmapBase: 4096, fmapMax: 256, batch: 16, runs: 3 },
  { resolution: 64, fmapBase: 8192, fmapMax: 512, batch: 8, runs: 3 },
  { resolution: 128, fmapBase: 8192, fmapMax: 512, batch: 4, runs: 3 },
]
const label = ({ resolution, fmapBase, fmapMax, batch }: NetworkShape) =>
  [resolution, fmapBase, fmapMax, batch].join('/')

const modes = ['eager', 'eager-fused', 'compiled', 'compiled-fused'] as const
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const latentSize = 512
const generationBatches = [1, 8] as const
/** Compiling one function takes a minute or two, longer beside other work. */
const compileSec = 900

interface Options {
  python: string
  configs: string[]
  modes: string[]
  threads: number[]
  runs?: number
  quick?: boolean
  output: string
}

const list = (text: string) => text.split(',')
const program = new Command('bench:peers')
  .description(
    'Compare training and generation with PyTorch and ONNX Runtime; benchmark/README.md says how to install them.',
  )
  .option('--python <path>', 'a Python that has PyTorch', 'python3')
  .option('--configs <list>', 'rows: resolution/fmap base/fmap max/batch', list, shapes.map(label))
  .addOption(new Option('--modes <list>', 'ways of PyTorch').argParser(list).default([...modes]))
  .option('--threads <list>', 'threads of every side', (text) => list(text).map(Number), [availableParallelism()])
  .option('--runs <n>', 'iterations of each side (default: by size)', Number)
  .option('--quick', 'only the first row')
  .option('--output <file>', 'where the numbers go', 'benchmark/results/peers.json')

/** Sides that are still alive; one that fails is named once and left out. */
class Contest {
  readonly sides = new Map<string, Side>()
  readonly failures: string[] = []

  /** Asks one side; undefined if it fails. */
  async try<T>(name: string, work: (side: Side) => Promise<T>): Promise<T | undefined> {
    const side = this.sides.get(name)
    if (side === undefined) return undefined
    try {
      return await work(side)
    } catch (error) {
      if (!(error instanceof SideError) || name === 'ours') throw error
      console.error(error.message)
      this.failures.push(error.message)
      side.close()
      this.sides.delete(name)
      return undefined
    }
  }

  /** Asks every side in turn, `runs` times over, so that what the machine does meanwhile meets all of them. */
  async alternate(names: readonly string[], runs: number, op: string, request: Answer = {}) {
    const times: Record<string, number[]> = {}
    for (let run = 0; run < runs; run++) {
      for (const name of names) {
        const seconds = await this.try(name, (side) => side.time(op, request, compileSec))
        if (seconds !== undefined) (times[name] ??= []).push(seconds)
      }
    }
    return times
  }

  close(): void {
    for (const side of this.sides.values()) side.close()
  }
}

/** PyTorch's usual allocator returns memory to the system at every step; tcmalloc keeps it. */
function tcmalloc(): string | undefined {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib']
  const names = ['libtcmalloc_minimal.so.4', 'libtcmalloc.so.4']
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(existsSync)
}

/** Starts our side and PyTorch's modes with the same parameters; checks that they compute the same. */
async function open(contest: Contest, shape: NetworkShape, threads: number, options: Options, folder: string) {
  const oxc = ['--import', '@oxc-node/core/register']
  const file = (name: string) => join(folder, name)
  const ours = new Side('ours', process.execPath, [...oxc, here('ours.ts')], { RAYON_NUM_THREADS: String(threads) })
  contest.sides.set('ours', ours)
  await ours.ask('open', { shape })
  const paths = { weights: file('weights.safetensors'), inputs: file('inputs.safetensors') }
  const training = await ours.ask('save', paths)
  const versions: Answer = {}
  for (const mode of options.modes) {
    const preload = tcmalloc()
    const env = { OMP_NUM_THREADS: String(threads), ...(preload && { LD_PRELOAD: preload }) }
    contest.sides.set(mode, new Side(mode, options.python, [here('peers/stylegan_torch.py')], env))
    const { resolution, batch } = shape
    const request = { ...paths, mode, threads, resolution, batch, ...training }
    Object.assign(versions, await contest.try(mode, (side) => side.ask('open', request)))
  }
  const expected = await resultsOf(ours, file('ours.safetensors'))
  const differences: Record<string, number> = {}
  for (const mode of options.modes) {
    const found = await contest.try(mode, (side) => resultsOf(side, file(`${mode}.safetensors`)))
    if (found) differences[mode] = Math.max(...['images', 'scores'].map((key) => difference(found, expected, key)))
  }
  return { versions, differences, expected }
}

async function resultsOf(side: Side, output: string) {
  await side.ask('check', { output })
  return (await readSafetensors(output)).tensors
}

type Results = Awaited<ReturnType<typeof resultsOf>>

/** The largest difference of a tensor, as a share of its largest value. */
function difference(found: Results, expected: Results, key: string): number {
  const [a, b] = [found.get(key)!.values, expected.get(key)!.values]
  return Math.max(...[...b].map((value, i) => Math.abs(value - a[i]!))) / Math.max(...[...b].map(Math.abs))
}

/** Two iterations of every side on the same latents and noise; they also warm up, and compile. */
async function firstSteps(contest: Contest) {
  const losses: Record<string, number[][]> = {}
  for (const name of [...contest.sides.keys()]) {
    const began = performance.now()
    for (let step = 0; step < 2; step++) {
      const answer = await contest.try(name, (side) => side.ask('train', {}, compileSec))
      if (answer) (losses[name] ??= []).push(answer['stats'] as number[])
    }
    console.error(`${name}: two first iterations in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
  return losses
}

/** The generator through ONNX Runtime, in both forms. */
async function openOnnx(contest: Contest, threads: number, folder: string, expected: Results) {
  const { tensors: inputs } = await readSafetensors(join(folder, 'inputs.safetensors'))
  const latents = [...inputs.get('latents')!.values]
  // Bytes as imagesOf makes them; a rounding error may move one by 1.
  const bytes = [...expected.get('images')!.values].map((x) => Math.min(255, Math.max(0, Math.floor(127.5 * x + 128))))
  const versions: Answer = {}
  const differences: Record<string, number> = {}
  for (const mode of ['eager', 'eager-fused']) {
    const path = join(folder, `${mode}.onnx`)
    if (!(await contest.try(mode, (side) => side.ask('export', { path })))) continue
    const name = mode === 'eager' ? 'onnx' : 'onnx-fused'
    contest.sides.set(name, new Side(name, process.execPath, [here('peers/onnx.mjs')], {}))
    const answer = await contest.try(name, (side) => side.ask('open', { path, threads, latentSize }))
    if (answer) versions['onnxruntime'] = answer['version']
    const images = await contest.try(name, async (side) => (await side.ask('check', { latents }))['images'] as number[])
    if (images) differences[name] = Math.max(...images.map((value, i) => Math.abs(value - bytes[i]!))) / 255
  }
  return { versions, differences }
}

async function compare(shape: NetworkShape, runs: number, threads: number, options: Options): Promise<Row> {
  const contest = new Contest()
  const folder = await mkdtemp(join(tmpdir(), 'stylegan-peers-'))
  try {
    const { versions, differences, expected } = await open(contest, shape, threads, options, folder)
    const losses = await firstSteps(contest)
    const trainers = [...contest.sides.keys()]
    const iteration = await contest.alternate(trainers, runs, 'train')
    const alive = trainers.flatMap((name) => contest.sides.get(name) ?? [])
    const peakMiB = Object.fromEntries(alive.map((side) => [side.name, side.peakMiB()]))
    const onnx = await openOnnx(contest, threads, folder, expected)
    Object.assign(versions, onnx.versions)
    Object.assign(differences, onnx.differences)
    console.error(`${label(shape)}, ${threads} threads: largest differences of images and scores:`, differences)
    const generation: Row['generation'] = {}
    for (const batch of generationBatches) {
      const request = { batch, seconds: 0.5 }
      const names = [...contest.sides.keys()]
      await contest.alternate(names, 1, 'generate', request) // warms up
      generation[batch] = await contest.alternate(names, 3, 'generate', request)
    }
    const { failures } = contest
    return { shape, threads, differences, losses, iteration, peakMiB, generation, versions, failures }
  } finally {
    contest.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>()
  const chosen = (options.quick ? shapes.slice(0, 1) : shapes).filter((shape) => options.configs.includes(label(shape)))
  if (chosen.length === 0) {
    throw new RangeError(`--configs: some of ${shapes.map(label).join(', ')} are expected, found ${options.configs}`)
  }
  const rows: Row[] = []
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const { threads: _, ...host } = machine()
  for (const threads of options.threads) {
    for (const { runs, ...shape } of chosen) {
      rows.push(await compare({ ...shape, latentSize }, options.runs ?? runs, threads, options))
      const row = rows.at(-1)!
      const seconds = Object.entries(row.iteration).map(([name, times]) => `${name} ${median(times).toFixed(3)} s`)
      console.error(`${label(shape)}, ${threads} threads: ${seconds.join(', ')}`)
      await mkdir(join(options.output, '..'), { recursive: true })
      const result = { commit, date: new Date().toISOString(), machine: host, tcmalloc: tcmalloc() ?? null, rows }
      await writeFile(options.output, JSON.stringify(result, null, 1) + '\n')
    }
  }
  console.log(
    `\n${host.cpu}, ${host.cores} cores, ${JSON.stringify(rows[0]!.versions)}, ${commit}\n\n${markdown(rows)}`,
  )
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
