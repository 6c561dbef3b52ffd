/**
 * `npm run ablation`: StyleGAN's Table 1 and the mixing of Table 2 in small, on the built-in avatars.
 *
 *     npm run ablation -- [A B C D E F mixing50 mixing100]
 *
 * All networks have one size and one length, and see the same images. Ctrl-C stops; the same command goes on, and what is done is
 * not done again. docs/ablation.md is written by hand from what this prints.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configurations, type ConfigurationName } from '../ts/networks/configurations.ts'
import { interruptible } from '../ts/cli/signals.ts'
import { resolveConfig, type ConfigOverrides } from '../ts/training/config.ts'
import {
  columns,
  drawTrials,
  judging,
  named,
  numbersOf,
  stopping,
  tableOf,
  trainTrial,
  type Row,
  type Trained,
  type Trial,
} from './trials.ts'

const outdir = 'results/ablation'

/** Every network's, so that only what Table 1 names differs. The weight of R1 is that of the paper's FFHQ. */
const common: ConfigOverrides = {
  resolution: 16,
  kimg: 40,
  glr: 0.002,
  dlr: 0.002,
  lodTrainingKimg: 6,
  lodTransitionKimg: 4,
  tick: 8,
  metrics: 'none',
  outdir,
}

const row = (config: ConfigurationName) => ({ config, mixingProb: configurations[config].mixingProb })

/** E mixes never and F in 90 % of the steps; the other shares are Table 2's. */
const rows: Readonly<Record<string, ConfigOverrides>> = {
  A: row('A'),
  B: row('B'),
  C: row('C'),
  D: row('D'),
  E: row('E'),
  mixing50: { ...row('F'), mixingProb: 0.5 },
  F: row('F'),
  mixing100: { ...row('F'), mixingProb: 1 },
}

/** The training of a row. Progressive GAN's loss has no R1. */
export function trialOf(name: string): Trial {
  const overrides = named('ablation', rows, name)
  const gamma = overrides.config === 'A' ? {} : { gamma: 10 }
  return { name, config: resolveConfig('demo', { ...common, ...gamma, ...overrides, desc: `ablation-${name}` }) }
}

const { swd, msSsim, precision, recall, separabilityZ, separabilityW, pathZ, pathW, processorSec } = columns
const shown = [swd, msSsim, precision, recall, separabilityZ, separabilityW, pathZ, pathW, processorSec]

/** Trains, measures and draws what is not done yet, and prints the table of it. */
export async function ablation(names: readonly string[]): Promise<void> {
  const trials = (names.length > 0 ? names : Object.keys(rows)).map(trialOf)
  await interruptible(stopping, async (signal) => {
    const trained: Trained[] = []
    for (const trial of trials) {
      const one = await trainTrial(trial, signal)
      if (one === undefined) return
      trained.push(one)
    }
    const measuring = await judging(16, 20_000, signal)
    const table: Row[] = []
    for (const one of trained) table.push({ trained: one, numbers: await numbersOf(one, measuring) })
    console.log(tableOf(shown, table))
    const picture = join(outdir, 'ablation.png')
    await drawTrials(picture, trained)
    console.log(picture)
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await ablation(process.argv.slice(2))
