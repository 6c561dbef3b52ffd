/** The comparison as a Markdown table of ratios. */
import type { NetworkShape } from '../ts/performance/benchmark.ts'
import type { Answer } from './side.ts'

/** What was measured for one shape and number of threads; seconds by side. */
export interface Row {
  readonly shape: NetworkShape
  readonly threads: number
  /** Largest difference of images and scores from ours. */
  readonly differences: Record<string, number>
  /** Statistics of the first two iterations. */
  readonly losses: Record<string, number[][]>
  readonly iteration: Record<string, number[]>
  /** Share of one of our iterations that the JavaScript thread is busy, beside the device. */
  readonly javascriptShare: number
  /** Most resident memory of the processes after their iterations. */
  readonly peakMiB: Record<string, number | undefined>
  readonly generation: Record<number, Record<string, number[]>>
  readonly versions: Answer
  readonly failures: readonly string[]
}

/** A shape as rows and options name it. */
export function label({ resolution, fmapBase, fmapMax, batch }: NetworkShape): string {
  return [resolution, fmapBase, fmapMax, batch].join('/')
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The fastest side other than ours. */
export function bestPeer(times: Record<string, number[]>): { name: string; seconds: number } | undefined {
  const peers = Object.entries(times).filter(([name]) => name !== 'ours')
  const medians = peers.map(([name, values]) => ({ name, seconds: median(values) }))
  return medians.sort((a, b) => a.seconds - b.seconds)[0]
}

const columns = [
  'resolution/base/max/batch',
  'threads',
  'iteration',
  'vs eager',
  'vs best',
  'images/s, 1',
  'vs best',
  'images/s, 8',
  'vs best',
  'peak MiB',
  'of eager',
]

/** One line a row; a ratio above 1 says how many times faster we are, of memory a ratio below 1 how much less we take. */
export function markdown(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map((row) => line(cells(row)))].join('\n')
}

function cells({ shape, threads, iteration, generation, peakMiB }: Row): string[] {
  const ours = median(iteration['ours']!)
  const eager = iteration['eager'] && median(iteration['eager'])
  const [memory, eagerMemory] = [peakMiB['ours'], peakMiB['eager']]
  const drawn = Object.entries(generation).flatMap(([n, times]) => {
    const seconds = median(times['ours']!)
    return [(Number(n) / seconds).toFixed(1), versus(bestPeer(times), seconds)]
  })
  return [
    label(shape),
    String(threads),
    `${ours.toPrecision(3)} s`,
    eager === undefined ? '–' : (eager / ours).toFixed(2),
    versus(bestPeer(iteration), ours),
    ...drawn,
    memory === undefined ? '–' : memory.toFixed(0),
    memory === undefined || eagerMemory === undefined ? '–' : (memory / eagerMemory).toFixed(2),
  ]
}

function versus(peer: { name: string; seconds: number } | undefined, ours: number): string {
  return peer ? `${(peer.seconds / ours).toFixed(2)} (${peer.name})` : '–'
}
