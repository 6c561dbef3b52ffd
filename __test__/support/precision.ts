/** Tiny trainings in several precisions. */
import type { ExecutionContext } from 'ava'
import type { Precision } from '../../ts/networks/precision.ts'
import { train, type TrainEvent } from '../../ts/runs/loop.ts'
import { resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { folder } from './folder.ts'
import { tinyConfig, tinyDataset } from './tiny.ts'

/** What a tiny training tells. */
export async function trained(outdir: string, overrides: ConfigOverrides): Promise<TrainEvent[]> {
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, ...overrides })
  const events: TrainEvent[] = []
  for await (const event of train(config)) events.push(event)
  return events
}

export const snapshotOf = (events: readonly TrainEvent[]) => events.findLast((event) => event.type === 'snapshot')!.path

/** How far the losses of the first six steps are from those of f32, at most, relative to those above 1: step by step. */
export async function apartFromF32(
  t: ExecutionContext,
  precision: Precision,
  overrides: ConfigOverrides,
): Promise<number[]> {
  const six = { tick: 0.008, kimg: 0.048, snap: 100 }
  const [wide, half] = await Promise.all(
    (['f32', precision] as const).map(async (precision) => {
      const events = await trained(await folder(), { ...overrides, ...six, precision })
      return events.filter((event) => event.type === 'tick').map(({ stats }) => stats)
    }),
  )
  t.is(wide!.length, 6)
  const names = ['Loss/D', 'Loss/G', 'Loss/r1_penalty', 'Loss/scores/real', 'Loss/scores/fake']
  const apart = wide!.map((expected, step) => {
    const differences = names.map((name) => {
      return Math.abs(expected[name]! - half![step]![name]!) / Math.max(1, Math.abs(expected[name]!))
    })
    return Math.max(...differences)
  })
  t.log(`at most ${apart.map((difference) => difference.toFixed(4)).join(', ')} apart`)
  return apart
}
