/**
 * 300 avatars with and without adaptive augmentation, about an hour each on two free cores.
 *
 *     node --import @oxc-node/core/register scripts/few-images.ts [none ada]
 *
 * Ctrl-C stops; the same command goes on, and what is done is not done again. It prints how each snapshot compares with all built-in
 * avatars, most of which the networks have never seen.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { interruptible } from '../ts/cli/signals.ts'
import { snapshotsIn } from '../ts/runs/snapshots.ts'
import { resolveConfig, type TrainConfig } from '../ts/training/config.ts'
import {
  columns,
  drawAvatars,
  drawTrials,
  judging,
  numbersOf,
  stopping,
  tableOf,
  trainTrial,
  type Row,
} from './trials.ts'

const outdir = 'results/few-images'
const images = { folder: join(outdir, 'avatars'), count: 300 }

const augmentations = ['none', 'ada'] as const

/** The settings of the built-in network; 12 seconds a kimg on two free cores. */
export function configOf(aug: (typeof augmentations)[number]): TrainConfig {
  const size = { resolution: 64, fmapBase: 1024, fmapMax: 64 }
  const rates = { batch: 16, gamma: 5, glr: 0.002, dlr: 0.002, mixingProb: 0.9, emaKimg: 10 }
  const schedule = { kimg: 300, lodTrainingKimg: 30, lodTransitionKimg: 20, tick: 10, snap: 6, keep: 'all' } as const
  const run = { data: images.folder, metrics: 'none', outdir, desc: `300-${aug}` }
  return resolveConfig('demo', { ...size, ...rates, ...schedule, ...run, aug })
}

const shown = [columns.kimg, columns.swd, columns.msSsim, columns.precision, columns.recall]

async function fewImages(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !augmentations.some((aug) => aug === name))
  if (unknown !== undefined) throw new RangeError(`few-images: some of none, ada are expected, got ${unknown}`)
  await drawAvatars(images.folder, images.count, 64)
  await interruptible(stopping, async (signal) => {
    const measuring = await judging(32, 4000, signal)
    for (const aug of augmentations.filter((aug) => names.length === 0 || names.includes(aug))) {
      const trained = await trainTrial({ name: aug, config: configOf(aug) }, signal)
      if (trained === undefined) return
      const rows: Row[] = []
      for (const { path: snapshot, kimg } of (await snapshotsIn(dirname(trained.snapshot))).reverse()) {
        const one = { ...trained, snapshot, kimg }
        rows.push({ trained: one, numbers: await numbersOf(one, measuring) })
      }
      console.log(tableOf(shown, rows))
      const drawn = rows.map(({ trained }) => ({ ...trained, name: `${trained.kimg}` }))
      await drawTrials(join(outdir, `${aug}.png`), drawn, { rows: 1, columns: 16 })
    }
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await fewImages(process.argv.slice(2))
