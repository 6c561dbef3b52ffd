/** Trainings that differ in a few options: each is trained to its length, measured and drawn once, however often this is stopped. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { avatar } from '../ts/data/avatars.ts'
import { openDataset } from '../ts/data/dataset.ts'
import { BUILTIN_AVATARS } from '../ts/data/info.ts'
import { parseJson } from '../ts/files/json.ts'
import { writeAtomic } from '../ts/files/write-atomic.ts'
import { enlarge, panel } from '../ts/figures/panel.ts'
import type { Picture } from '../ts/figures/grid.ts'
import { listClassifiers, loadClassifier, type LoadedClassifier } from '../ts/metrics/classifier.ts'
import { measure } from '../ts/metrics/measure.ts'
import { Device, encodePng } from '../ts/native/index.ts'
import { hashNetwork } from '../ts/networks/hash.ts'
import { loadGenerator } from '../ts/runs/load-generator.ts'
import { train } from '../ts/runs/loop.ts'
import { snapshotsIn } from '../ts/runs/snapshots.ts'
import { runName, type TrainConfig } from '../ts/training/config.ts'
import { readGenerator } from '../ts/training/state.ts'
import { ownMetrics } from './own-metrics.ts'

/** One training. Its `desc` is the name, so that two runs never share a folder. */
export interface Trial {
  readonly name: string
  readonly config: TrainConfig
}

/** A training that is done. */
export interface Trained {
  readonly name: string
  readonly snapshot: string
  readonly kimg: number
  /** Seconds that training took of one processor, over all its starts: the load of a machine does not change them much. */
  readonly processorSec: number
}

/** What a start of a training adds to `processor.jsonl`. */
interface Start {
  readonly kimg: number
  readonly processorSec: number
}

/** Trains to the end, or goes on with it; undefined if the signal came first. */
export async function trainTrial({ name, config }: Trial, signal?: AbortSignal): Promise<Trained | undefined> {
  const dir = join(config.outdir, runName(config))
  const log = join(dir, 'processor.jsonl')
  if (!(await isDone(dir, config))) {
    console.log(`${name}: ${config.kimg} kimg in ${dir}`)
    const before = process.cpuUsage()
    let nimg = 0
    for await (const event of train(config, { signal })) {
      if (event.type === 'tick') console.log(`${name}: ${event.line}`)
      if (event.type === 'end') nimg = event.nimg
    }
    const { user, system } = process.cpuUsage(before)
    const start: Start = { kimg: nimg / 1000, processorSec: (user + system) / 1e6 }
    await appendFile(log, `${JSON.stringify(start)}\n`)
    if (!(await isDone(dir, config))) return undefined
  }
  const lines = (await readFile(log, 'utf8')).trim().split('\n')
  const processorSec = lines.reduce((sum, line) => sum + (parseJson(line) as Start).processorSec, 0)
  return { name, snapshot: (await snapshotsIn(dir))[0]!.path, kimg: config.kimg, processorSec }
}

/** Lengths of trials are whole numbers, and snapshots are named by whole kimg. */
const isDone = async (dir: string, { kimg }: TrainConfig) =>
  ((await snapshotsIn(dir))[0]?.kimg ?? -1) >= Math.floor(kimg)

/** PNG files of the first avatars: fewer or more than the built-in ones. */
export async function drawAvatars(folder: string, count: number, side: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  const drawn = (await readdir(folder)).length
  // The last one may be cut off.
  for (let seed = Math.max(0, drawn - 1); seed < count; seed++) {
    const name = `${String(seed).padStart(5, '0')}.png`
    await writeFile(join(folder, name), await encodePng(avatar(seed, side).pixels, side, side, 3))
  }
}

/** Attributes that classifiers learn well at 16×16 and 32×32. */
const attributes = ['eyeglasses', 'facial-hair', 'hat', 'long-hair']

/** Classifiers of the built-in avatars, by the command that users have: those that are trained are not trained again. */
async function classifiersOf(resolution: number, outdir: string, signal?: AbortSignal): Promise<string> {
  const folder = join(outdir, `classifiers-${resolution}`)
  const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
  const flags = [
    '--mirror',
    '--resolution',
    resolution,
    '--attributes',
    attributes,
    '--outdir',
    folder,
    '--cache',
    outdir,
  ]
  const command = [main, 'classifier', 'train', ...flags.map(String)]
  await once(spawn(process.execPath, command, { stdio: 'inherit', ...(signal && { signal }) }), 'exit')
  return folder
}

/** How networks on the built-in avatars are judged; trains the classifiers first if they are not there. */
export async function judging(
  resolution: number,
  separability: number,
  signal?: AbortSignal,
): Promise<MeasuringOptions> {
  const classifiers = await classifiersOf(resolution, 'results', signal)
  return {
    data: BUILTIN_AVATARS,
    classifiers,
    cache: 'results',
    amounts: { pixels: 4000, separability, own: 2000 },
    signal,
  }
}

/** The one of its kind that has this name. */
export function named<T>(script: string, known: Readonly<Record<string, T>>, name: string): T {
  if (Object.hasOwn(known, name)) return known[name]!
  throw new RangeError(`${script}: some of ${Object.keys(known).join(', ')} are expected, got ${name}`)
}

/** What {@link interruptible} says. */
export const stopping = 'Stopping after this step; the same command goes on.'

/** How much is measured. */
export interface Amounts {
  /** Images of `swd`, pairs of `ms_ssim`. */
  readonly pixels: number
  /** Images of separability. */
  readonly separability: number
  /** Images of precision and recall, paths of path lengths. */
  readonly own: number
}

/** Every number of a trained network; those in a file beside it are not computed again. */
export async function numbersOf(
  { name, snapshot }: Pick<Trained, 'name' | 'snapshot'>,
  { data, classifiers, cache, amounts, signal }: MeasuringOptions,
): Promise<Record<string, number>> {
  const path = snapshot.replace(/network-snapshot-(\d+)\.safetensors$/, 'numbers-$1.json')
  const device = Device.open('cpu')
  const loaded: LoadedClassifier[] = []
  for (const file of await listClassifiers(classifiers)) loaded.push(await loadClassifier(file, device))
  if (loaded.length === 0) throw new Error(`${classifiers}: classifiers are expected, there are none`)
  const of = { snapshot: basename(snapshot), amounts, classifiers: loaded.map(({ sha256 }) => sha256) }
  const known = await readFile(path, 'utf8').then(parseJson, () => undefined)
  const { numbers, ...rest } = (known ?? {}) as { numbers?: Record<string, number> }
  if (numbers && JSON.stringify(rest) === JSON.stringify(of)) return numbers
  console.log(`${name}: measuring ${snapshot}`)
  const measured = async (metrics: ('swd' | 'ms_ssim' | 'ls')[], num: number) => {
    const options = { network: snapshot, data, mirror: true, metrics, num, classifiers, cache }
    const lines = await measure({ ...options, seed: 0, mode: 'legacy_tensorflow', device: 'cpu' }, { device, signal })
    return Object.fromEntries(lines.flatMap(({ results }) => Object.entries(results)))
  }
  const generator = await readGenerator(snapshot, device)
  const { resolution, numChannels } = generator.options
  const prepare = { data, cache: join(cache, 'datasets'), resolution, channels: numChannels }
  const dataset = await openDataset({ ...prepare, skipBad: false })
  const sampled = { generator, hash: await hashNetwork(generator.Gs), seed: 0 }
  const found = {
    ...(await measured(['swd', 'ms_ssim'], amounts.pixels)),
    ...(await measured(['ls'], amounts.separability)),
    ...(await ownMetrics(sampled, { classifiers: loaded, dataset, num: amounts.own, paths: amounts.own, signal })),
  }
  await writeAtomic(path, Buffer.from(JSON.stringify({ ...of, numbers: found }, null, 2)))
  return found
}

export interface MeasuringOptions {
  /** Real images that the networks are compared with. */
  readonly data: string
  /** Folder of the classifiers that judge. */
  readonly classifiers: string
  /** Folder of prepared data sets and features. */
  readonly cache: string
  readonly amounts: Amounts
  readonly signal?: AbortSignal | undefined
}

/** The first images of a network, not chosen and not truncated; small ones about as large as one looks at them. */
async function firstImages(snapshot: string, count: number): Promise<Picture[]> {
  const generator = await loadGenerator(snapshot)
  const images = await generator.images({ seeds: `0-${count - 1}`, psi: 1 })
  const factor = Math.max(1, Math.round(48 / images.width))
  return Array.from({ length: count }, (_, i) => enlarge(images.picture(i), factor))
}

/** Pictures of the same seeds of several networks, some rows each, with the network's name. */
export async function drawTrials(
  path: string,
  trained: readonly Pick<Trained, 'name' | 'snapshot'>[],
  { rows = 2, columns = 20 } = {},
): Promise<void> {
  const pictures: Picture[][] = []
  const rowLabels: string[] = []
  for (const { name, snapshot } of trained) {
    const images = await firstImages(snapshot, rows * columns)
    for (const row of Array(rows).keys()) {
      pictures.push(images.slice(row * columns, (row + 1) * columns))
      rowLabels.push(row === 0 ? name : '')
    }
  }
  const { pixels, width, height } = panel(pictures, { rowLabels, gap: 4 })
  await writeFile(path, await encodePng(pixels, width, height, 3))
}

/** What tables may show. */
export const columns = {
  kimg: { key: 'kimg', title: 'kimg', digits: 0 },
  swd: { key: 'swd', title: 'swd', digits: 1 },
  msSsim: { key: 'ms_ssim', title: 'ms_ssim', digits: 3 },
  precision: { key: 'classifier_precision', title: 'precision', digits: 3 },
  recall: { key: 'classifier_recall', title: 'recall', digits: 3 },
  separabilityZ: { key: 'ls_z', title: 'separability Z', digits: 2 },
  separabilityW: { key: 'ls_w', title: 'separability W', digits: 2 },
  pathZ: { key: 'classifier_path_z', title: 'classifier path Z', digits: 2 },
  pathW: { key: 'classifier_path_w', title: 'classifier path W', digits: 2 },
  processorSec: { key: 'processorSec', title: 'processor seconds', digits: 0 },
} as const satisfies Readonly<Record<string, Column>>

/** A table in Markdown, a row a network. */
export function tableOf(columns: readonly Column[], rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const value = ({ trained, numbers }: Row, { key, digits }: Column) => {
    const found = key === 'processorSec' || key === 'kimg' ? trained[key] : numbers[key]
    return found === undefined ? '–' : found.toFixed(digits)
  }
  return [
    line(['', ...columns.map(({ title }) => title)]),
    line(['---', ...columns.map(() => '---')]),
    ...rows.map((row) => line([row.trained.name, ...columns.map((column) => value(row, column))])),
  ].join('\n')
}

export interface Row {
  readonly trained: Trained
  readonly numbers: Readonly<Record<string, number>>
}

export interface Column {
  readonly key: string
  readonly title: string
  readonly digits: number
}
