/** Results of `npm run bench:peers` by kind of machine, what is wanted of them, and their tables. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Precision } from '../ts/networks/precision.ts'
import type { NetworkShape } from '../ts/performance/benchmark.ts'
import { median } from './median.ts'

/** Seconds of one side, and the most MiB that its process had resident meanwhile. */
export interface Times {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly runs: number
  /** Seconds of the first picture. */
  readonly first?: number | undefined
  readonly peakMiB?: number | undefined
}

/** One comparison. */
export interface Row {
  readonly what: 'training' | 'drawing' | 'features'
  /** `resolution/fmap base/fmap max`, or a feature network. */
  readonly config: string
  readonly batch: number
  readonly threads: number
  /** What the sides were confined to, or all that the machine has. */
  readonly isa: string
  readonly precision: Precision
  readonly commit: string
  readonly date: string
  readonly versions: Record<string, unknown>
  readonly sides: Record<string, Times>
  /** Sides that were left out, and why. */
  readonly failures?: readonly string[] | undefined
}

/** A file of results. */
export interface Results {
  readonly machine: { readonly cpu: string; readonly isa: string; readonly cores: number }
  readonly rows: readonly Row[]
}

/** What is wanted of some rows: at least `speed` and `gain`, at most `memory` and `first`. */
interface Target {
  readonly point: string
  readonly what: Row['what']
  /** All that the machine has by default. */
  readonly isa?: string
  readonly precision?: Precision
  /** The end of the name of machines that it is for; all by default. */
  readonly machines?: string
  readonly configs: readonly string[]
  readonly batches: readonly number[]
  readonly limits: Partial<Record<Figure, number>>
}

const targets = JSON.parse(await readFile(new URL('targets.json', import.meta.url), 'utf8')) as readonly Target[]

/** Where the files are. */
export const resultsFolder = fileURLToPath(new URL('results/', import.meta.url))

/** A network's shape as rows and options name it. */
export function label({ resolution, fmapBase, fmapMax }: Omit<NetworkShape, 'batch'>): string {
  return [resolution, fmapBase, fmapMax].join('/')
}

export function timesOf(seconds: readonly number[]): Times {
  const digits = (value: number) => Number(value.toPrecision(4))
  const [min, max] = [Math.min(...seconds), Math.max(...seconds)]
  return { median: digits(median(seconds)), min: digits(min), max: digits(max), runs: seconds.length }
}

/** The fastest side other than ours. */
export function bestPeer(sides: Row['sides']): (Times & { name: string }) | undefined {
  const peers = Object.entries(sides).filter(([name]) => name !== 'ours')
  return peers.map(([name, times]) => ({ name, ...times })).sort((a, b) => a.median - b.median)[0]
}

/** What a row says by the others of its file; a number, and what it is of. */
const figures = {
  speed: ({ sides }: Row) => {
    const peer = bestPeer(sides)
    return peer && { value: peer.median / sides['ours']!.median, of: `as fast as ${peer.name}` }
  },
  /** Of our own step in f32. */
  gain: (row: Row, rows: readonly Row[]) => {
    const f32 = rows.find((other) => keyOf(other) === keyOf({ ...row, precision: 'f32' }))
    return f32 && { value: f32.sides['ours']!.median / row.sides['ours']!.median, of: 'as fast as f32' }
  },
  memory: ({ sides }: Row) => {
    const { ours, ...peers } = sides
    const found = Object.entries(peers).map(([name, { peakMiB }]) => ({ name, peak: peakMiB ?? Infinity }))
    const least = found.sort((a, b) => a.peak - b.peak)[0]
    if (ours?.peakMiB === undefined || !Number.isFinite(least?.peak)) return undefined
    return { value: ours.peakMiB / least!.peak, of: `the memory of ${least!.name}` }
  },
  first: ({ sides: { ours } }: Row) =>
    ours?.first === undefined ? undefined : { value: ours.first / ours.median, of: 'a later picture, the first one' },
} as const
type Figure = keyof typeof figures

function keyOf({ what, config, batch, threads, isa, precision }: Omit<Row, 'sides'>): string {
  return [what, config, batch, threads, isa, precision].join(' ')
}

/** Writes rows into a file; rows that it has and that were not measured again stay. */
export async function merge(path: string, machine: Results['machine'], rows: readonly Row[]): Promise<Results> {
  const before = existsSync(path) ? await readResults(path) : { rows: [] }
  const measured = new Set(rows.map(keyOf))
  const all = [...before.rows.filter((row) => !measured.has(keyOf(row))), ...rows].sort(byName)
  const results = { machine, rows: all }
  await mkdir(dirname(path), { recursive: true })
  const lines = all.map((row) => `  ${JSON.stringify(row)}`)
  await writeFile(path, `{\n "machine": ${JSON.stringify(machine)},\n "rows": [\n${lines.join(',\n')}\n ]\n}\n`)
  return results
}

export async function readResults(path: string): Promise<Results> {
  return JSON.parse(await readFile(path, 'utf8')) as Results
}

const order = ['training', 'drawing', 'features']
function byName(a: Row, b: Row): number {
  const parts = ({ what, isa, precision, threads, config, batch }: Row) => [
    order.indexOf(what),
    isa,
    precision,
    -threads,
    ...config.split('/').map((part) => Number(part) || part),
    batch,
  ]
  const [x, y] = [parts(a), parts(b)]
  const at = x.findIndex((part, i) => part !== y[i])
  return at < 0 ? 0 : x[at]! < y[at]! ? -1 : 1
}

/** One line for each row that is wanted: whether it holds, falls short, or is open on this kind of machine. */
export function verdicts(machine: string, { machine: { isa, cores }, rows }: Results): string[] {
  const lines: string[] = []
  for (const { point, what, configs, batches, limits, precision = 'f32', ...target } of targets) {
    if (target.machines !== undefined && !machine.endsWith(`-${target.machines}`)) continue
    for (const config of configs) {
      for (const batch of batches) {
        const wanted = { what, config, batch, threads: cores, isa: target.isa ?? isa, precision }
        const row = rows.find((row) => keyOf(row) === keyOf(wanted as Row))
        const name = [`${point} ${what} ${config}`, `batch ${batch}`]
        if (target.isa) name.push(target.isa)
        if (precision !== 'f32') name.push(precision)
        const found = (Object.entries(limits) as [Figure, number][]).map(([figure, limit]) => {
          // A peer's compiler may make the fastest form: without it a speed says too little.
          const tells =
            row && (figure !== 'speed' || Object.keys(row.sides).some((side) => /^(compiled|frozen)/.test(side)))
          return verdict(figure, limit, tells ? figures[figure](row, rows) : undefined)
        })
        lines.push(`${name.join(', ')}: ${found.join('; ')}`)
      }
    }
  }
  return lines
}

function verdict(figure: Figure, limit: number, found: { value: number; of: string } | undefined): string {
  const [bound, holds] =
    figure === 'speed' || figure === 'gain'
      ? [`at least ${limit}`, (value: number) => value >= limit]
      : [`at most ${limit}`, (value: number) => value <= limit]
  if (!found) return `${figure} ${bound}: open`
  return `${found.value.toFixed(2)} times ${found.of}, ${bound}: ${holds(found.value) ? 'holds' : 'falls short'}`
}

/** The smallest and largest speed over the fastest peer, with all that the machine has. */
export function range({ machine, rows }: Results, what: Row['what'], precision: Precision = 'f32'): string {
  const own = rows
    .filter((row) => row.what === what && row.isa === machine.isa && row.precision === precision)
    .filter(({ threads }) => threads === machine.cores)
  const speeds = own.flatMap((row) => figures.speed(row)?.value ?? [])
  return [Math.min(...speeds), Math.max(...speeds)].map((speed) => speed.toFixed(2)).join(' to ')
}

const columns = [
  'what',
  'network',
  'batch',
  'ours',
  'fastest peer',
  'times as fast',
  'MiB',
  'peer with least',
  'commit',
]

/** The rows as a Markdown table; spreads are the shortest and longest run. */
export function markdown({ machine, rows }: Results): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const table = rows.map((row) => line(cells(row, machine)))
  return [line(columns), line(columns.map(() => '---')), ...table].join('\n')
}

function cells(row: Row, machine: Results['machine']): string[] {
  const { what, config, batch, threads, isa, precision, sides, commit } = row
  const [peer, ours, speed] = [bestPeer(sides), sides['ours']!, figures.speed(row)?.value]
  const peaks = Object.entries(sides).filter(([name, { peakMiB }]) => name !== 'ours' && peakMiB !== undefined)
  const least = peaks.sort(([, a], [, b]) => a.peakMiB! - b.peakMiB!)[0]
  const notes = [
    isa !== machine.isa && isa,
    precision !== 'f32' && precision,
    threads !== machine.cores && `${threads} thread`,
  ]
  return [
    [what, ...notes.filter(Boolean)].join(', '),
    config,
    String(batch),
    seconds(ours),
    peer ? `${seconds(peer)} ${peer.name}` : '–',
    speed?.toFixed(2) ?? '–',
    ours.peakMiB?.toFixed(0) ?? '–',
    least ? `${least[1].peakMiB!.toFixed(0)} ${least[0]}` : '–',
    commit,
  ]
}

function seconds({ median, min, max }: Times): string {
  const [unit, factor] = median < 1 ? ['ms', 1000] : ['s', 1]
  const [middle, from, to] = [median, min, max].map((value) => (value * factor).toPrecision(3))
  return `${Number(middle)} ${unit} (${Number(from)}–${Number(to)})`
}

/** A page with the table of a kind of machine between its marks. */
export function withTable(page: string, machine: string, results: Results): string {
  const marks = new RegExp(`(<!-- ${machine} -->\\n)[^]*?(\\n<!-- end -->)`)
  return page.replace(marks, (_, begin: string, end: string) => `${begin}\n${markdown(results)}\n${end}`)
}
