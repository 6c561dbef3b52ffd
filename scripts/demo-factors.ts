/**
 * What makes the demo's faces better: trainings that each differ in one setting, and take as long as the demo.
 *
 *     node --import @oxc-node/core/register scripts/demo-factors.ts [--seed 1] [name …]
 *
 * Ctrl-C stops; the same command goes on, and what is done is not done again. The table of docs/training.md is what this prints.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { interruptible } from '../ts/cli/signals.ts'
import { parseJson } from '../ts/files/json.ts'
import { writeAtomic } from '../ts/files/write-atomic.ts'
import { Device, scope } from '../ts/native/index.ts'
import { resolveConfig, scheduleOptions, type ConfigOverrides, type TrainConfig } from '../ts/training/config.ts'
import { progressAt, timeline } from '../ts/training/schedule.ts'
import { createState } from '../ts/training/state.ts'
import { trainingStep } from '../ts/training/step.ts'
import {
  columns,
  drawAvatars,
  drawTrials,
  judging,
  named,
  numbersOf,
  stopping,
  tableOf,
  trainTrial,
  type MeasuringOptions,
  type Row,
} from './trials.ts'

const outdir = 'results/demo'

/** The demo as it was when the dots were looked into; all other settings are its preset's. */
const before: ConfigOverrides = {
  kimg: 135,
  batch: 8,
  gamma: 20,
  glr: 0.003,
  dlr: 0.003,
  lodTrainingKimg: 12,
  lodTransitionKimg: 8,
}

/** Images of the factor that has more than the built-in avatars: the first 4,000 are those. */
const manyAvatars = { folder: join(outdir, 'avatars'), count: 10_000 }

/** The most promising first. */
const factors: Readonly<Record<string, ConfigOverrides>> = {
  gamma5: { gamma: 5 },
  demo: {},
  gamma1: { gamma: 1 },
  rates: { gamma: 5, glr: 0.002, dlr: 0.002 },
  minibatch: { gamma: 5, batch: 16 },
  maps: { gamma: 5, fmapBase: 1024 },
  growing: { gamma: 5, lodTrainingKimg: 6, lodTransitionKimg: 4 },
  both: { gamma: 5, batch: 16, lodTrainingKimg: 6, lodTransitionKimg: 4 },
  avatars: { gamma: 5, data: manyAvatars.folder },
}

/** The options of a factor, with the demo's own length. */
export function configOf(name: string, seed = 0): TrainConfig {
  const overrides = named('demo-factors', factors, name)
  const run = { metrics: 'none', keep: 'all', outdir, desc: name, seed } as const
  return resolveConfig('demo', { ...before, ...overrides, ...run })
}

/** Seconds of one processor that a kimg takes at a side. */
export type Cost = (side: number) => number

/** The length at which a training takes as long as another one of a given length; whole kimg. */
export function equalLength(config: TrainConfig, cost: Cost, other: TrainConfig, otherCost: Cost): number {
  const budget = secondsOf(other, otherCost, other.kimg)
  let kimg = 1
  while (secondsOf(config, cost, kimg + 1) <= budget) kimg++
  return kimg
}

function secondsOf(config: TrainConfig, cost: Cost, kimg: number): number {
  const phases = timeline(scheduleOptions(config), kimg)
  return phases.reduce((sum, { fromKimg, toKimg, resolution }) => sum + (toKimg - fromKimg) * cost(resolution), 0)
}

/** Measures training steps on noise, those of both trainings in turn: what else a machine does then meets both. */
async function measuredCosts(configs: readonly TrainConfig[]): Promise<Cost[]> {
  const device = Device.open('cpu')
  const states = configs.map((config) => createState(device, config))
  const seconds = configs.map(() => new Map<number, number>())
  for (const side of [8, 16, 32]) {
    for (const repeat of Array(6).keys()) {
      for (const [i, config] of configs.entries()) {
        const phase = timeline(scheduleOptions(config), config.kimg).findLast(({ resolution }) => resolution === side)!
        const at = progressAt(500 * (phase.fromKimg + phase.toKimg), scheduleOptions(config))
        const N = at.minibatch
        const before = process.cpuUsage()
        for (let images = 0; images < 128; images += N) {
          const reals = () => device.full([N, side, side, 3], 0.5)
          const stats = scope(() => trainingStep(states[i]!, reals(), { ...at, lod: Math.floor(at.lod) }, config))
          await stats.data()
          stats.dispose()
        }
        const { user, system } = process.cpuUsage(before)
        // The first repeat lets the memory pool grow.
        if (repeat > 0) seconds[i]!.set(side, (seconds[i]!.get(side) ?? 0) + (user + system) / 1e6 / 128 / 5)
      }
    }
  }
  return seconds.map((costs) => (side: number) => costs.get(side)! * 1000)
}

/** Options that change what an image costs. */
const costly: ReadonlySet<string> = new Set(['batch', 'fmapBase', 'lodTrainingKimg'])

/** The options of a factor at the length of the demo's time; what was measured for it stays, so that a run goes on. */
async function timed(name: string, seed: number): Promise<TrainConfig> {
  const config = configOf(name, seed)
  if (!Object.keys(factors[name]!).some((key) => costly.has(key))) return config
  const path = join(outdir, 'kimg.json')
  const known = (await readFile(path, 'utf8').then(parseJson, () => ({}))) as Record<string, number>
  if (known[name] === undefined) {
    const demo = configOf('demo')
    const [cost, demoCost] = (await measuredCosts([config, demo])) as [Cost, Cost]
    known[name] = equalLength(config, cost, demo, demoCost)
    await writeAtomic(path, Buffer.from(JSON.stringify(known, null, 2)))
  }
  return { ...config, kimg: known[name] }
}

const shown = [columns.kimg, columns.swd, columns.msSsim, columns.precision, columns.recall, columns.processorSec]

async function demoFactors(names: readonly string[], seed: number): Promise<void> {
  await interruptible(stopping, async (signal) => {
    await mkdir(outdir, { recursive: true })
    const table: Row[] = []
    let measuring: MeasuringOptions | undefined
    for (const name of names.length > 0 ? names : Object.keys(factors)) {
      if (name === 'avatars') await drawAvatars(manyAvatars.folder, manyAvatars.count, 32)
      const trained = await trainTrial({ name, config: await timed(name, seed) }, signal)
      if (trained === undefined) return
      measuring ??= await judging(32, 20_000, signal)
      table.push({ trained, numbers: await numbersOf(trained, measuring) })
      console.log(tableOf(shown, table))
      const picture = join(outdir, `factors-seed${seed}.png`)
      const done = table.map(({ trained }) => trained)
      await drawTrials(picture, done)
      console.log(picture)
    }
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { seed: { type: 'string', default: '0' } },
    allowPositionals: true,
  })
  await demoFactors(positionals, Number(values.seed))
}
