/** `npm run bench:peers`: our training, drawing and features against PyTorch and ONNX Runtime, alternating on this machine. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { readSafetensors } from '../ts/files/safetensors.ts'
import { listDevices } from '../ts/native/index.ts'
import { precisions, type Precision } from '../ts/networks/precision.ts'
import type { NetworkShape } from '../ts/performance/benchmark.ts'
import { atMost, Contest, difference } from './contest.ts'
import { thisKind } from './kind.ts'
import { median } from './median.ts'
import { label, markdown, merge, readResults, resultsFolder, verdicts, withTable, type Row } from './results.ts'
import type { Answer, Side } from './side.ts'

type Shape = Omit<NetworkShape, 'batch'>

/** Trainings: resolution, fmap base, fmap max, batch; and how many iterations of each side. */
const trainings: readonly (NetworkShape & { runs: number })[] = [
  { resolution: 32, fmapBase: 2048, fmapMax: 128, batch: 16, runs: 9 },
  { resolution: 64, fmapBase: 4096, fmapMax: 256, batch: 16, runs: 3 },
  { resolution: 64, fmapBase: 8192, fmapMax: 512, batch: 8, runs: 3 },
  { resolution: 128, fmapBase: 8192, fmapMax: 512, batch: 4, runs: 3 },
  { resolution: 256, fmapBase: 8192, fmapMax: 512, batch: 4, runs: 3 },
]
const published = [256, 512, 1024].map((resolution) => ({ resolution, fmapBase: 8192, fmapMax: 512, batches: [1, 4] }))
/** Networks that draw, and how many pictures at once. */
const drawings: readonly (Shape & { batches: readonly number[] })[] = [
  ...[0, 1, 2, 3].map((i) => ({ ...trainings[i]!, batches: [1, 8] })),
  ...published,
]
const featureBatch = 8

const modes = ['eager', 'eager-fused', 'compiled', 'compiled-fused'] as const
/** PyTorch's own layout, for drawing. */
const layouts = ['', '-nchw'] as const
const featureModes = ['eager', 'eager-last', 'compiled-last', 'frozen-last'] as const
const latentSize = 512
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
  isa?: 'avx2'
  patience: number
  python: string
  what: Row['what'][]
  configs: string[]
  modes: string[]
  threads: number[]
  runs?: number
  quick?: boolean
  report?: boolean
  output: string
}

const list = (text: string) => text.split(',')
const whats = ['training', 'drawing', 'features'] as const
const program = new Command('bench:peers')
  .description(
    'Compare training, drawing and features with PyTorch and ONNX Runtime; benchmark/README.md says how to install them.',
  )
  .option('--python <path>', 'a Python that has PyTorch', 'python3')
  .option('--device <name>', 'where we compute; PyTorch takes CUDA for any GPU', 'cpu')
  .addOption(new Option('--precision <type>', 'of feature maps; PyTorch takes AMP').choices(precisions).default('f32'))
  .addOption(
    new Option('--isa <name>', 'confine all sides to it; ONNX Runtime cannot be, and is left out').choices(['avx2']),
  )
  // Compiling one function takes a minute or two, longer beside other work.
  .option('--patience <s>', 'how long one answer of a side may take', Number, 900)
  .addOption(new Option('--what <list>', 'kinds of rows').argParser(list).default([...whats]))
  .option('--configs <list>', 'rows whose resolution/fmap base/fmap max/batch begins so', list, [''])
  .addOption(new Option('--modes <list>', 'ways of PyTorch').argParser(list).default([...modes]))
  .option('--threads <list>', 'threads of every side', (text) => list(text).map(Number), [availableParallelism()])
  .option('--runs <n>', 'iterations of each side (default: by size)', Number)
  .option('--quick', 'only the first row')
  .option('--report', 'measure nothing: print the table and what holds')
  .option('--output <file>', 'where the rows go, beside those that it has', join(resultsFolder, `${thisKind()}.json`))

const isGpu = ({ device }: Options) => device !== 'cpu'
const toleranceOf = (options: Options) =>
  tolerances[isGpu(options) || options.precision !== 'f32' ? options.precision : 'cpu']
const started = (options: Options, threads: number) =>
  new Contest(options.patience, { threads, avx2: options.isa === 'avx2' })

async function resultsOf(side: Side, output: string) {
  await side.ask('check', { output })
  return (await readSafetensors(output)).tensors
}

/** What the peers start from, made by a process of its own. */
async function makeFiles(shape: NetworkShape, threads: number, options: Options, folder: string) {
  const contest = started(options, threads)
  try {
    const ours = contest.startOurs()
    const { device, precision } = options
    await ours.ask('open', { shape: { ...shape, precision }, device })
    const paths = { weights: join(folder, 'weights.safetensors'), inputs: join(folder, 'inputs.safetensors') }
    const schedule = await ours.ask('save', paths)
    const { resolution, batch } = shape
    const common = {
      ...paths,
      threads,
      resolution,
      batch,
      device: isGpu(options) ? 'cuda' : 'cpu',
      precision,
      ...schedule,
    }
    return { common, expected: await resultsOf(ours, join(folder, 'ours.safetensors')) }
  } finally {
    contest.close()
  }
}

type Found = Pick<Row, 'sides' | 'versions' | 'failures'>

/** @throws SideError if the images or scores of a side are not ours */
async function check(
  contest: Contest,
  name: string,
  expected: Awaited<ReturnType<typeof resultsOf>>,
  options: Options,
  folder: string,
) {
  await contest.try(name, async (side) => {
    const found = await resultsOf(side, join(folder, `${name}.safetensors`))
    for (const [key, { values }] of found)
      atMost(toleranceOf(options), difference(values, expected.get(key)!.values), side)
  })
}

async function compareTraining(
  shape: NetworkShape,
  runs: number,
  threads: number,
  options: Options,
  folder: string,
): Promise<Found> {
  const { common, expected } = await makeFiles(shape, threads, options, folder)
  const contest = started(options, threads)
  try {
    const { device, precision } = options
    await contest.startOurs().ask('open', { shape: { ...shape, precision }, device })
    for (const mode of options.modes) {
      contest.startPython(mode, options.python, 'stylegan_torch.py')
      await contest.open(mode, { ...common, mode, avx2: options.isa === 'avx2' })
      await check(contest, mode, expected, options, folder)
    }
    await firstSteps(contest, toleranceOf(options))
    await contest.settle()
    const sides = contest.withPeaks(await contest.alternate(runs, 'iterations', { seconds: 1 }))
    return { sides, versions: contest.versions, failures: contest.failures }
  } finally {
    contest.close()
  }
}

/** Two iterations of every side on the same latents and noise; they also warm up, and compile. */
async function firstSteps(contest: Contest, tolerance: number): Promise<void> {
  let ours: number[][] = []
  for (const name of [...contest.sides.keys()]) {
    const [began, losses] = [performance.now(), [] as number[][]]
    for (let step = 0; step < 2; step++) {
      const answer = await contest.try(name, (side) => side.ask('train', {}, contest.patience))
      if (answer) losses.push(answer['stats'] as number[])
      await contest.try(name, async (side) => {
        // Later ones part: with β1 = 0 Adam's first step is nearly the sign of the gradient.
        if (step === 0 && name !== 'ours') atMost(lossFactor * tolerance, difference(losses[0]!, ours[0]!), side)
      })
    }
    if (name === 'ours') ours = losses
    const apart = losses.map((stats, i) => difference(stats, ours[i]!).toExponential(0)).join(', then ')
    const took = ((performance.now() - began) / 1000).toFixed(1)
    console.error(`${name}: two first iterations in ${took} s, losses and scores are ${apart} from ours`)
  }
}

/** Every side is a fresh process that has drawn nothing yet, for each number of pictures. */
async function compareDrawing(
  shape: Shape,
  batches: readonly number[],
  threads: number,
  options: Options,
  folder: string,
) {
  const { common, expected } = await makeFiles({ ...shape, batch: 1 }, threads, options, folder)
  const confined = options.isa !== undefined
  const found = new Map<number, Found>()
  const graphs =
    isGpu(options) || confined || options.precision !== 'f32' ? [] : await exportGraphs(common, options, folder)
  const torch = options.modes.flatMap((mode) => layouts.map((layout) => mode + layout))
  const opened = { path: common.weights, device: options.device, precision: options.precision }
  for (const batch of batches) {
    const first = await firstPicture(opened, batch, threads, options)
    const contest = started(options, threads)
    try {
      await contest.startOurs().ask('openDrawing', opened)
      for (const mode of torch) {
        contest.startPython(mode, options.python, 'stylegan_torch.py')
        await contest.open(mode, { ...common, mode, avx2: confined, drawing: true })
      }
      for (const [name, path] of graphs) {
        contest.startOnnx(name)
        await contest.open(name, { path, threads, latentSize })
      }
      found.set(batch, await draw(contest, batch, first, options.runs ?? 3))
      for (const mode of torch) await check(contest, mode, expected, options, folder)
      for (const [name] of graphs) await checkBytes(contest, name, common.inputs, expected)
      const { sides } = found.get(batch)!
      const right = Object.entries(sides).filter(([name]) => contest.sides.has(name))
      found.set(batch, { sides: Object.fromEntries(right), versions: contest.versions, failures: contest.failures })
    } finally {
      contest.close()
    }
  }
  return found
}

/** Seconds of the first picture: the median of processes that are alone, since each has only one. */
async function firstPicture(opened: Answer, batch: number, threads: number, options: Options): Promise<number> {
  const seconds: number[] = []
  for (let process = 0; process < 5; process++) {
    const contest = started(options, threads)
    try {
      const ours = contest.startOurs()
      await ours.ask('openDrawing', opened)
      await contest.settle()
      seconds.push(await ours.time('first', { batch }))
    } finally {
      contest.close()
    }
  }
  return Number(median(seconds).toPrecision(4))
}

async function draw(contest: Contest, batch: number, first: number, runs: number): Promise<Found> {
  await contest.settle()
  // A compiled mode of PyTorch compiles.
  for (const name of [...contest.sides.keys()]) {
    await contest.try(name, (side) => side.time('first', { batch }, contest.patience))
  }
  // JavaScript is compiled while it runs, in the first second or two.
  await contest.try('ours', (side) => side.ask('generate', { batch, seconds: 2 }))
  const times = contest.withPeaks(await contest.alternate(runs, 'generate', { batch, seconds: 1 }))
  return { sides: { ...times, ours: { ...times['ours']!, first } }, versions: contest.versions }
}

/** The generator as graphs for ONNX Runtime, in both forms. */
async function exportGraphs(common: object, options: Options, folder: string): Promise<[string, string][]> {
  const graphs: [string, string][] = []
  for (const mode of ['eager', 'eager-fused']) {
    const contest = started(options, availableParallelism())
    contest.startPython(mode, options.python, 'stylegan_torch.py')
    await contest.open(mode, { ...common, mode, drawing: true })
    const path = join(folder, `${mode}.onnx`)
    const done = await contest.try(mode, (side) => side.ask('export', { path }))
    if (done) graphs.push([mode.replace('eager', 'onnx'), path])
    contest.close()
  }
  return graphs
}

async function checkBytes(
  contest: Contest,
  name: string,
  inputs: string,
  expected: Awaited<ReturnType<typeof resultsOf>>,
) {
  const latents = [...(await readSafetensors(inputs)).tensors.get('latents')!.values]
  const byte = (x: number) => Math.min(255, Math.max(0, Math.floor(127.5 * x + 128)))
  const bytes = Array.from(expected.get('images')!.values, byte)
  await contest.try(name, async (side) => {
    atMost(byteTolerance, difference((await side.ask('check', { latents }))['images'] as number[], bytes), side)
  })
}

async function compareFeatures(network: string, threads: number, options: Options): Promise<Found> {
  const contest = started(options, threads)
  try {
    await contest.startOurs().ask('openFeatures', { network, batch: featureBatch, device: options.device })
    for (const mode of featureModes) {
      contest.startPython(mode, options.python, 'features.py')
      await contest.open(mode, { mode, network, batch: featureBatch, threads, avx2: options.isa === 'avx2' })
    }
    await contest.alternate(1, 'features')
    await contest.settle()
    const sides = contest.withPeaks(await contest.alternate(options.runs ?? 7, 'features'))
    return { sides, versions: contest.versions, failures: contest.failures }
  } finally {
    contest.close()
  }
}

/** What is asked for, as functions that measure it. */
function* chosen(options: Options, threads: number, folder: string) {
  const asked = (name: string) => options.configs.some((config) => name.startsWith(config))
  const is = (what: Row['what']) => options.what.includes(what)
  for (const { runs, ...shape } of options.quick ? trainings.slice(0, 1) : trainings) {
    if (!is('training') || !asked(`${label(shape)}/${shape.batch}`)) continue
    const measure = () => compareTraining({ ...shape, latentSize }, options.runs ?? runs, threads, options, folder)
    yield {
      what: 'training' as const,
      config: label(shape),
      measure: async () => new Map([[shape.batch, await measure()]]),
    }
  }
  for (const { batches, resolution, fmapBase, fmapMax } of options.quick ? drawings.slice(0, 1) : drawings) {
    const shape = { resolution, fmapBase, fmapMax, latentSize }
    const own = batches.filter((batch) => asked(`${label(shape)}/${batch}`))
    if (!is('drawing') || own.length === 0) continue
    yield {
      what: 'drawing' as const,
      config: label(shape),
      measure: () => compareDrawing(shape, own, threads, options, folder),
    }
  }
  for (const network of options.quick || isGpu(options) ? [] : ['inception', 'vgg']) {
    if (!is('features') || !asked(network)) continue
    const measure = () => compareFeatures(network, threads, options)
    yield {
      what: 'features' as const,
      config: network,
      measure: async () => new Map([[featureBatch, await measure()]]),
    }
  }
}

function checkOptions({ modes: asked, threads, what }: Options): void {
  const unknown = asked.find((mode) => !modes.some((known) => known === mode))
  if (unknown !== undefined) throw new RangeError(`--modes: some of ${modes.join(', ')} are expected, got ${unknown}`)
  const other = what.find((word) => !whats.includes(word))
  if (other !== undefined) throw new RangeError(`--what: some of ${whats.join(', ')} are expected, got ${other}`)
  if (!threads.every((threads) => Number.isInteger(threads) && threads > 0)) {
    throw new RangeError(`--threads: whole numbers from 1 are expected, got ${threads}`)
  }
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>()
  checkOptions(options)
  const { output, precision, report } = options
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const { simd, cores } = listDevices()[0]
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', isa: simd, cores }
  const isa = options.isa?.toUpperCase() ?? simd
  let count = 0
  for (const threads of report ? [] : options.threads) {
    const folder = await mkdtemp(join(tmpdir(), 'stylegan-peers-'))
    try {
      for (const { what, config, measure } of chosen(options, threads, folder)) {
        for (const [batch, found] of await measure()) {
          const about = { what, config, batch, threads, isa, precision, commit, date: new Date().toISOString() }
          const row: Row = { ...about, ...found, versions: { node: process.version, ...found.versions } }
          await merge(output, machine, [row])
          count++
          const sides = Object.entries(row.sides).map(([name, { median }]) => `${name} ${median} s`)
          console.error(`${what} ${config}, batch ${batch}, ${threads} threads: ${sides.join(', ')}`)
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  if (count === 0 && !report) throw new RangeError(`--what, --configs: no row is called ${options.configs}`)
  const results = await readResults(output)
  console.log(`\n${markdown(results)}\n`)
  for (const line of verdicts(basename(output, '.json'), results)) console.log(line)
  if (output === join(resultsFolder, basename(output))) {
    const readme = fileURLToPath(new URL('README.md', import.meta.url))
    await writeFile(readme, withTable(await readFile(readme, 'utf8'), basename(output, '.json'), results))
  }
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
