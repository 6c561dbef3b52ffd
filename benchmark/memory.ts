/**
 * What an image of a data set takes of memory: how much more a whole process has at its peak with a million images than with a
 * thousand.
 *
 *     npm run build
 *     node --import @oxc-node/core/register benchmark/memory.ts
 *
 * The images are PNG files of 4x4 pixels, no two alike, in a zip with the names of StyleGAN3's tool, and 400 MB are needed in the
 * system's folder for temporary files. Numbers are medians of three rounds: when JavaScript's memory is collected differs from one
 * process to the next. They go to `results/memory.json`.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { centralDirectory, localHeader, zipEntry, type ZipEntry } from '../ts/files/zip-writer.ts'
import { encodePng } from '../ts/native/index.ts'
import { machine } from '../ts/performance/benchmark.ts'
import { median } from './median.ts'

const [few, many, rounds] = [1000, 1_000_000, 3]
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'stylegan-memory-'))
const zip = (count: number) => join(dir, `${count}.zip`)
const prepared = (count: number) => join(dir, `set-${count}`)
const runs = join(dir, 'runs')

/** 4x4 RGB pixels that follow from a number and look like no other's. */
const image = (number: number) =>
  encodePng(createHash('shake256', { outputLength: 48 }).update(String(number)).digest(), 4, 4, 3)

async function* archive(count: number): AsyncGenerator<Uint8Array> {
  const entries: ZipEntry[] = []
  while (entries.length < count) {
    const files = await Promise.all(Array.from({ length: 1000 }, (_, i) => image(entries.length + i)))
    for (const bytes of files) {
      const number = String(entries.length).padStart(8, '0')
      const entry = zipEntry(`${number.slice(0, 5)}/img${number}.png`, bytes)
      entries.push(entry)
      yield localHeader(entry)
      yield bytes
    }
  }
  yield* centralDirectory(entries)
}

const prepare = (count: number) => ['dataset', 'prepare', zip(count), '--output', prepared(count), '--resolution', '4']
const small = '--fmap-base 64 --fmap-max 16 --latent-size 16 --mapping-layers 2 --batch 16 --aug none --metrics none'
const length = '--kimg 10 --tick 10 --lod-initial-resolution 4 --resolution 4'

/** Commands in an order in which each finds what it needs. */
const commands: readonly { readonly what: string; readonly args: (count: number) => readonly string[] }[] = [
  { what: 'dataset inspect', args: (count) => ['dataset', 'inspect', zip(count), '--no-contact-sheet'] },
  { what: 'dataset prepare --dedupe near', args: (count) => [...prepare(count), '--dedupe', 'near'] },
  { what: 'dataset prepare', args: prepare },
  {
    what: 'train',
    args: (count) => ['train', '--data', prepared(count), '--outdir', runs, ...`${small} ${length}`.split(' ')],
  },
]

/** The most bytes that a process had resident. */
function peak(args: readonly string[]): number {
  const timing = ['time', '-f', '%M', process.execPath, main, ...args]
  const { status, stderr } = spawnSync('/usr/bin/env', timing, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  return 1024 * Number(stderr.trim().split('\n').at(-1))
}

/** After each round, since one takes several minutes. */
function write(found: readonly { what: string; few: number[]; many: number[] }[]): void {
  const rows = found.map(({ what, few: withFew, many: withMany }) => ({
    what,
    bytesAnImage: Math.round((median(withMany) - median(withFew)) / (many - few)),
    peakMB: { few: withFew.map((bytes) => bytes / 1e6), many: withMany.map((bytes) => bytes / 1e6) },
  }))
  console.table(rows.map(({ what, bytesAnImage }) => ({ what, bytesAnImage })))
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const file = { ...machine(), commit, load: loadavg(), few, many, zipMB: statSync(zip(many)).size / 1e6, rows }
  writeFileSync(new URL('results/memory.json', import.meta.url), `${JSON.stringify(file, null, 2)}\n`)
}

try {
  for (const count of [few, many]) await pipeline(archive(count), createWriteStream(zip(count)))
  const found = commands.map(({ what, args }) => ({ what, args, few: [] as number[], many: [] as number[] }))
  for (let round = 0; round < rounds; round++) {
    for (const { what, args, few: withFew, many: withMany } of found) {
      for (const [count, peaks] of [
        [few, withFew],
        [many, withMany],
      ] as const) {
        for (const made of [runs, ...(what.includes('prepare') ? [prepared(count)] : [])]) {
          rmSync(made, { recursive: true, force: true })
        }
        peaks.push(peak(args(count)))
      }
      console.log(`${what}: ${((withMany[round]! - withFew[round]!) / (many - few)).toFixed(0)} bytes an image`)
    }
    write(found)
  }
} finally {
  rmSync(dir, { recursive: true })
}
