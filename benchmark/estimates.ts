/**
 * How far the estimates of `train --dry-run` are from real training steps: eight configurations from 16² to 1024².
 *
 *     node --import @oxc-node/core/register benchmark/estimates.ts
 *
 * Each row estimates a run, then takes steps at its largest resolution with its whole minibatch and compares. Run it on a quiet
 * machine: numbers go to `results/estimates.json`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { Device, scope } from '../ts/native/index.ts'
import { machine } from '../ts/performance/benchmark.ts'
import { estimateRun } from '../ts/runs/estimate.ts'
import { resolveConfig, scheduleOptions, type TrainConfig } from '../ts/training/config.ts'
import { progressAt } from '../ts/training/schedule.ts'
import { createState } from '../ts/training/state.ts'
import { trainingStep } from '../ts/training/step.ts'

const rows = [
  { resolution: 16, fmapBase: 512, fmapMax: 64, latentSize: 128, batch: 8 },
  { resolution: 32, fmapBase: 2048, fmapMax: 128, batch: 16 },
  { resolution: 64, fmapBase: 1024, fmapMax: 64, latentSize: 128, batch: 16 },
  { resolution: 64, fmapBase: 8192, fmapMax: 512, batch: 8 },
  { resolution: 128, fmapBase: 4096, fmapMax: 256, batch: 8 },
  { resolution: 256, fmapBase: 2048, fmapMax: 128, batch: 4 },
  { resolution: 512, fmapBase: 8192, fmapMax: 128, batch: 4 },
  { resolution: 1024, fmapBase: 8192, fmapMax: 512, batch: 4 },
]

/** Seconds for a thousand images at full resolution: the best of two steps, after one that takes memory. */
async function measured(config: TrainConfig): Promise<number> {
  const device = Device.open('cpu')
  const state = createState(device, config)
  const progress = progressAt(config.kimg * 1000, scheduleOptions(config))
  const { resolution: side, minibatch } = progress
  const bytes = new Uint8Array(minibatch * side * side * 3).map((_, i) => (i * 97) % 256)
  const seconds: number[] = []
  for (let step = 0; step < 3; step++) {
    const began = performance.now()
    const stats = scope(() => {
      const images = device.tensor(bytes, [minibatch, side, side, 3])
      return trainingStep(state, images, progress, config)
    })
    await stats.data()
    stats.dispose()
    seconds.push((performance.now() - began) / 1000)
  }
  return (Math.min(...seconds.slice(1)) / minibatch) * 1000
}

const results = []
for (const row of rows) {
  const config = resolveConfig('stylegan', { data: 'x', ...row })
  const { costs, measuringSec } = await estimateRun(config, Device.open('cpu'))
  const { secPerKimg: estimated, measuredImages } = costs.at(-1)!
  const truth = await measured(config)
  results.push({ ...row, estimated, measured: truth, ratio: estimated / truth, measuredImages, measuringSec })
  const name = `${row.resolution}/${row.fmapBase}/${row.fmapMax}/${row.batch}`
  console.log(
    `${name.padEnd(20)} estimated ${estimated.toFixed(1).padStart(9)}  measured ${truth.toFixed(1).padStart(9)} sec/kimg  ratio ${(estimated / truth).toFixed(2)}`,
  )
}
mkdirSync('benchmark/results', { recursive: true })
writeFileSync('benchmark/results/estimates.json', JSON.stringify({ machine: machine(), rows: results }, null, 1) + '\n')
