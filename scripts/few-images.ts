/**
 * 300 avatars with and without adaptive augmentation, about two hours each on two free cores.
 *
 *     node --import @oxc-node/core/register scripts/few-images.ts [none ada]
 *
 * Ctrl-C stops; the same command goes on, and what is done is not done again. It prints how each snapshot compares with all built-in
 * avatars, most of which the networks have never seen.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { interruptible } from '../ts/cli/signals.ts'
import { BUILTIN_AVATARS } from '../ts/data/info.ts'
import { snapshotsIn } from '../ts/runs/snapshots.ts'
import { resolveConfig, type TrainConfig } from '../ts/training/config.ts'
import {
  classifiersOf,
  drawAvatars,
  drawTrials,
  numbersOf,
  tableOf,
  trainTrial,
  type Column,
  type Row,
} from './trials.ts'

const outdir = 'results/few-images'
const images = { folder: join(outdir, 'avatars'), count: 300 }

const augmentations = ['none', 'ada'] as const

/** The settings of the built-in network; 12 seconds a kimg on two free cores. */
export function configOf(aug: (typeof augmentations)[number]): TrainConfig {
  const size = { resolution: 64, fmapBase: 1024, fmapMax: 64 }
  const rates = { batch: 16, gamma: 5, glr: 0.002, dlr: 0.002, mixingProb: 0.9, emaKimg: 10 }
  const schedule = { kimg: 600, lodTrainingKimg: 30, lodTransitionKimg: 20, tick: 10, snap: 6, keep: 'all' } as const
  const run = { data: images.folder, metrics: 'none', outdir, desc: `300-${aug}` }
  return resolveConfig('demo', { ...size, ...rates, ...schedule, ...run, aug })
}

const columns: readonly Column[] = [
  { key: 'kimg', title: 'kimg', digits: 0 },
  { key: 'swd', title: 'swd', digits: 1 },
  { key: 'ms_ssim', title: 'ms_ssim', digits: 3 },
  { key: 'classifier_precision', title: 'precision', digits: 3 },
  { key: 'classifier_recall', title: 'recall', digits: 3 },
]

async function fewImages(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !augmentations.some((aug) => aug === name))
  if (unknown !== undefined) throw new RangeError(`few-images: some of none, ada are expected, got ${unknown}`)
  await drawAvatars(images.folder, images.count, 64)
  await interruptible('Stopping after this step; the same command goes on.', async (signal) => {
    const classifiers = await classifiersOf(32, 'results', signal)
    const amounts = { pixels: 4000, separability: 4000, own: 2000 }
    const measuring = { data: BUILTIN_AVATARS, classifiers, cache: 'results', amounts, signal }
    for (const aug of augmentations.filter((aug) => names.length === 0 || names.includes(aug))) {
      const trained = await trainTrial({ name: aug, config: configOf(aug) }, signal)
      if (trained === undefined) return
      const rows: Row[] = []
      for (const { path: snapshot, kimg } of (await snapshotsIn(dirname(trained.snapshot))).reverse()) {
        const one = { ...trained, snapshot, kimg }
        rows.push({ trained: one, numbers: await numbersOf(one, measuring) })
      }
      console.log(tableOf(columns, rows))
      const drawn = rows.map(({ trained }) => ({ ...trained, name: `${trained.kimg}` }))
      await drawTrials(join(outdir, `${aug}.png`), drawn, { rows: 1, columns: 16 })
    }
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await fewImages(process.argv.slice(2))
