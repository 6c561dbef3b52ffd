/** `npm run bench:peers`: our training and generation against PyTorch and ONNX Runtime, alternating on this machine. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { precisions, type Precision } from '../ts/networks/precision.ts'
import { machine, type NetworkShape } from '../ts/performance/benchmark.ts'
import { readSafetensors } from '../ts/files/safetensors.ts'
import { Side, SideError, type Answer } from './side.ts'
import { label, markdown, median, type Row } from './table.ts'

/** Rows of the comparison: resolution, fmap base, fmap max, batch; and how many iterations of each side. */
const shapes: readonly (NetworkShape & { runs: number })[] = [
  { resolution: 32, fmapBase: 2048, fmapMax: 128, batch: 16, runs: 9 },
  { resolution: 64, fmapBase: 4096, fmapMax: 256, batch: 16, runs: 3 },
  { resolution: 64, fmapBase: 8192, fmapMax: 512, batch: 8, runs: 3 },
  { resolution: 128, fmapBase: 8192, fmapMax: 512, batch: 4, runs: 3 },
]

const modes = ['eager', 'eager-fused', 'compiled', 'compiled-fused'] as const
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const latentSize = 512
const generationBatches = [1, 8] as const
/**
 * How far results may be apart: sums of thousands of products in f32. On a GPU PyTorch multiplies in TF32, of 11 bits, as it
 * does by itself; feature maps of 16 bits are rounded in every layer.
 */
const tolerances = { cpu: 1e-4, f32: 1e-2, bf16: 0.1, f16: 0.03 } as const
/** Losses are sums of more of them. */
const lossFactor = 10
/** Layer 0 normalises what is nearly a constant, so ONNX Runtime's other order of summation moves a byte by up to 6 of 255. */
const byteTolerance = 0.05

interface Options {
  device: string
  precision: Precision
  patience: number
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
  .option('--device <name>', 'where we compute; PyTorch takes CUDA for any GPU', 'cpu')
  .addOption(new Option('--precision <type>', 'of feature maps; PyTorch takes AMP').choices(precisions).default('f32'))
  // Compiling one function takes a minute or two, longer beside other work.
  .option('--patience <s>', 'how long one answer of a side may take', Number, 900)
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

  /** Seconds that an answer may take. */
  readonly patience: number

  constructor(patience: number) {
    this.patience = patience
  }

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
        const seconds = await this.try(name, (side) => side.time(op, request, this.patience))
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
  // What making files for the peers took is given back before training is measured.
  const oxc = ['--expose-gc', '--import', '@oxc-node/core/register']
  const file = (name: string) => join(folder, name)
  const ours = new Side('ours', process.execPath, [...oxc, here('ours.ts')], { RAYON_NUM_THREADS: String(threads) })
  contest.sides.set('ours', ours)
  const { device, precision } = options
  await ours.ask('open', { shape: { ...shape, precision }, device })
  const paths = { weights: file('weights.safetensors'), inputs: file('inputs.safetensors') }
  const training = await ours.ask('save', paths)
  const versions: Answer = {}
  for (const mode of options.modes) {
    const preload = tcmalloc()
    const env = { OMP_NUM_THREADS: String(threads), ...(preload && { LD_PRELOAD: preload }) }
    contest.sides.set(mode, new Side(mode, options.python, [here('peers/stylegan_torch.py')], env))
    const { resolution, batch } = shape
    const request = {
      ...paths,
      mode,
      threads,
      resolution,
      batch,
      device: device === 'cpu' ? 'cpu' : 'cuda',
      precision,
      ...training,
    }
    Object.assign(versions, await contest.try(mode, (side) => side.ask('open', request)))
  }
  const expected = await resultsOf(ours, file('ours.safetensors'))
  const differences: Record<string, number> = {}
  for (const mode of options.modes) {
    await contest.try(mode, async (side) => {
      const found = await resultsOf(side, file(`${mode}.safetensors`))
      const [images, scores] = (['images', 'scores'] as const).map((key) =>
        difference(found.get(key)!.values, expected.get(key)!.values),
      )
      differences[mode] = atMost(toleranceOf(options), Math.max(images!, scores!), side)
    })
  }
  return { versions, differences }
}

const toleranceOf = ({ device, precision }: Options) => tolerances[device === 'cpu' ? 'cpu' : precision]

/** @throws SideError if a side computes something else than the others */
function atMost(limit: number, found: number, { name }: Side): number {
  if (found <= limit) return found
  throw new SideError(`${name}: results within ${limit} of the largest value are expected, they differ by ${found}`)
}

async function resultsOf(side: Side, output: string) {
  await side.ask('check', { output })
  return (await readSafetensors(output)).tensors
}

/** The largest difference, as a share of the largest value. */
function difference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [largest, apart] = [0, 0]
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!))
    apart = Math.max(apart, Math.abs(expected[i]! - found[i]!))
  }
  return apart / largest
}

/** Two iterations of every side on the same latents and noise; they also warm up, and compile. */
async function firstSteps(contest: Contest, tolerance: number) {
  const losses: Record<string, number[][]> = {}
  for (const name of [...contest.sides.keys()]) {
    const began = performance.now()
    for (let step = 0; step < 2; step++) {
      const answer = await contest.try(name, (side) => side.ask('train', {}, contest.patience))
      if (answer) (losses[name] ??= []).push(answer['stats'] as number[])
      await contest.try(name, async (side) => {
        // Later ones part: with β1 = 0 Adam's first step is nearly the sign of the gradient.
        if (step === 0) atMost(lossFactor * tolerance, difference(losses[name]![0]!, losses['ours']![0]!), side)
      })
    }
    console.error(`${name}: two first iterations in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
  for (const [name, steps] of Object.entries(losses)) {
    const apart = steps.map((stats, i) => difference(stats, losses['ours']![i]!).toExponential(0))
    if (name !== 'ours') console.error(`${name}: losses and scores differ from ours by ${apart.join(', then ')}`)
  }
  return losses
}

/** The generator through ONNX Runtime, in both forms; its images are checked against those of PyTorch, which are trained by now. */
async function openOnnx(contest: Contest, threads: number, folder: string) {
  const { tensors: inputs } = await readSafetensors(join(folder, 'inputs.safetensors'))
  const latents = [...inputs.get('latents')!.values]
  const versions: Answer = {}
  const differences: Record<string, number> = {}
  for (const mode of ['eager', 'eager-fused']) {
    const path = join(folder, `${mode}.onnx`)
    if (!(await contest.try(mode, (side) => side.ask('export', { path })))) continue
    const expected = await contest.try(mode, (side) => resultsOf(side, join(folder, 'trained.safetensors')))
    const name = mode === 'eager' ? 'onnx' : 'onnx-fused'
    contest.sides.set(name, new Side(name, process.execPath, [here('peers/onnx.mjs')], {}))
    const answer = await contest.try(name, (side) => side.ask('open', { path, threads, latentSize }))
    if (answer) versions['onnxruntime'] = answer['version']
    if (!expected) continue
    const bytes = Array.from(expected.get('images')!.values, (x) =>
      Math.min(255, Math.max(0, Math.floor(127.5 * x + 128))),
    )
    await contest.try(name, async (side) => {
      const { images } = await side.ask('check', { latents })
      differences[name] = atMost(byteTolerance, difference(images as number[], bytes), side)
    })
  }
  return { versions, differences }
}

async function compare(shape: NetworkShape, runs: number, threads: number, options: Options): Promise<Row> {
  const contest = new Contest(options.patience)
  const folder = await mkdtemp(join(tmpdir(), 'stylegan-peers-'))
  try {
    const { versions, differences } = await open(contest, shape, threads, options, folder)
    const losses = await firstSteps(contest, toleranceOf(options))
    const trainers = [...contest.sides.keys()]
    await contest.try('ours', (side) => side.ask('collect'))
    for (const side of contest.sides.values()) side.resetPeak()
    const iteration = await contest.alternate(trainers, runs, 'train')
    const alive = trainers.flatMap((name) => contest.sides.get(name) ?? [])
    const peakMiB = Object.fromEntries(alive.map((side) => [side.name, side.peakMiB()]))
    const { seconds, enqueueSeconds } = (await contest.sides.get('ours')!.ask('train')) as Record<string, number>
    const javascriptShare = enqueueSeconds! / seconds!
    // ONNX Runtime is a peer on the processor alone.
    if (options.device === 'cpu') {
      const onnx = await openOnnx(contest, threads, folder)
      Object.assign(versions, onnx.versions)
      Object.assign(differences, onnx.differences)
    }
    console.error(`images and scores differ from ours by ${JSON.stringify(differences)}`)
    const generation: Row['generation'] = {}
    for (const batch of generationBatches) {
      const names = [...contest.sides.keys()]
      // JavaScript is compiled while it runs, in the first second or two.
      await contest.alternate(names, 1, 'generate', { batch, seconds: 2 })
      generation[batch] = await contest.alternate(names, 3, 'generate', { batch, seconds: 1 })
    }
    const { failures } = contest
    return { shape, threads, differences, losses, iteration, javascriptShare, peakMiB, generation, versions, failures }
  } finally {
    contest.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>()
  const chosen = (options.quick ? shapes.slice(0, 1) : shapes).filter((shape) => options.configs.includes(label(shape)))
  const unknown = options.modes.find((mode) => !modes.some((known) => known === mode))
  if (unknown !== undefined) throw new RangeError(`--modes: some of ${modes.join(', ')} are expected, got ${unknown}`)
  if (!options.threads.every((threads) => Number.isInteger(threads) && threads > 0)) {
    throw new RangeError(`--threads: whole numbers from 1 are expected, got ${options.threads}`)
  }
  if (chosen.length === 0) {
    throw new RangeError(`--configs: some of ${shapes.map(label).join(', ')} are expected, got ${options.configs}`)
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
      const { device, precision } = options
      const about = { commit, date: new Date().toISOString(), machine: host, device, precision }
      const result = { ...about, tcmalloc: tcmalloc() ?? null, rows }
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
