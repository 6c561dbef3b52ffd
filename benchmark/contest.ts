/** The sides of a comparison: started with the same numbers, asked in turn, and left out when they fail. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { bestPeer, timesOf, type Times } from './results.ts'
import { Side, SideError, type Answer } from './side.ts'

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))
/** A peer that takes so many times as long as the fastest one in its first run is not asked again. */
const hopeless = 1.3

export interface Confinement {
  readonly threads: number
  /** Leaves AVX-512 unused. */
  readonly avx2: boolean
}

/** PyTorch's usual allocator returns memory to the system at every step; tcmalloc keeps it. */
function tcmalloc(): string | undefined {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib']
  const names = ['libtcmalloc_minimal.so.4', 'libtcmalloc.so.4']
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(existsSync)
}

let bundle: string | undefined

/** Our side as JavaScript, which is what people run: the loader of TypeScript takes 50 MiB. It is built once. */
function built(): string {
  return (bundle ??= build())
}

function build(): string {
  const outfile = here('../out/benchmark/ours.js')
  const node = { platform: 'node', format: 'esm', target: 'node20.19', packages: 'external' } as const
  buildSync({ entryPoints: [here('ours.ts')], outfile, bundle: true, ...node })
  return outfile
}

/** Sides that are still alive; one that fails is named once and left out. */
export class Contest {
  readonly sides = new Map<string, Side>()
  readonly failures: string[] = []
  readonly versions: Answer = {}

  /** Seconds that an answer may take. */
  readonly patience: number
  readonly #confinement: Confinement

  constructor(patience: number, confinement: Confinement) {
    this.patience = patience
    this.#confinement = confinement
  }

  startOurs(): Side {
    const { threads, avx2 } = this.#confinement
    // What making files for the peers took is given back before anything is measured.
    const args = ['--expose-gc', built()]
    const env = { RAYON_NUM_THREADS: String(threads), STYLEGAN_ISA: avx2 ? 'avx2' : '' }
    return this.#add(new Side('ours', process.execPath, args, env))
  }

  /** @param script of `peers/` */
  startPython(name: string, python: string, script: string): Side {
    const { threads, avx2 } = this.#confinement
    const preload = tcmalloc()
    const env = {
      OMP_NUM_THREADS: String(threads),
      ...(preload && { LD_PRELOAD: preload }),
      ...(avx2 && { ONEDNN_MAX_CPU_ISA: 'AVX2', ATEN_CPU_CAPABILITY: 'avx2', MKL_ENABLE_INSTRUCTIONS: 'AVX2' }),
    }
    return this.#add(new Side(name, python, [here(`peers/${script}`)], env))
  }

  startOnnx(name: string): Side {
    return this.#add(new Side(name, process.execPath, [here('peers/onnx.mjs')], {}))
  }

  #add(side: Side): Side {
    this.sides.set(side.name, side)
    return side
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

  /** Opens a side; what it answers are versions. */
  async open(name: string, request: Answer): Promise<void> {
    Object.assign(this.versions, await this.try(name, (side) => side.ask('open', request, this.patience)))
  }

  /** Asks every side in turn, `runs` times over, so that what the machine does meanwhile meets all of them. */
  async alternate(runs: number, op: string, request: Answer = {}): Promise<Record<string, Times>> {
    const seconds: Record<string, number[]> = {}
    for (let run = 0; run < runs; run++) {
      const firsts = Object.entries(seconds).map(([name, [first]]) => [name, timesOf([first!])] as const)
      const best = bestPeer(Object.fromEntries(firsts))
      for (const name of [...this.sides.keys()]) {
        if (run > 0 && name !== 'ours' && (seconds[name]?.[0] ?? 0) > hopeless * (best?.median ?? Infinity)) continue
        const taken = await this.try(name, (side) => side.time(op, request, this.patience))
        if (taken !== undefined) (seconds[name] ??= []).push(taken)
      }
    }
    const entries = Object.entries(seconds).filter(([name]) => this.sides.has(name))
    return Object.fromEntries(entries.map(([name, seconds]) => [name, timesOf(seconds)]))
  }

  /** Forgets the memory that opening took. */
  async settle(): Promise<void> {
    await this.try('ours', (side) => side.ask('collect'))
    for (const side of this.sides.values()) side.resetPeak()
  }

  /** Times with the most memory since {@link settle}. */
  withPeaks(times: Record<string, Times>): Record<string, Times> {
    const peak = (name: string) => this.sides.get(name)?.peakMiB()
    const rounded = (name: string) => peak(name) && Math.round(peak(name)!)
    return Object.fromEntries(Object.entries(times).map(([name, own]) => [name, { ...own, peakMiB: rounded(name) }]))
  }

  close(): void {
    for (const side of this.sides.values()) side.close()
  }
}

/** The largest difference, as a share of the largest value. */
export function difference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [largest, apart] = [0, 0]
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!))
    apart = Math.max(apart, Math.abs(expected[i]! - found[i]!))
  }
  return apart / largest
}

/** @throws SideError if a side computes something else than the others */
export function atMost(limit: number, found: number, { name }: Side): void {
  if (found <= limit) return
  throw new SideError(`${name}: results within ${limit} of the largest value are expected, they differ by ${found}`)
}
