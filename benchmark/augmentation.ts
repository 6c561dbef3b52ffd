/**
 * What augmentation costs of a training step, at 64² with 64 feature maps.
 *
 *     node --import @oxc-node/core/register benchmark/augmentation.ts
 *
 * Steps with and without it alternate, in pairs, so that other work of the machine meets both. A row is the median of the pairs, in
 * seconds and in processor time; the latter is right on a loaded machine too, if there is one thread: `RAYON_NUM_THREADS=1`. Numbers go
 * to `results/augmentation.json`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { Device, scope } from '../ts/native/index.ts'
import { machine } from '../ts/performance/benchmark.ts'
import { resolveConfig, scheduleOptions, type TrainConfig } from '../ts/training/config.ts'
import { progressAt } from '../ts/training/schedule.ts'
import { createState } from '../ts/training/state.ts'
import { trainingStep } from '../ts/training/step.ts'
import { median } from './median.ts'

const shape = { resolution: 64, fmapBase: 1024, fmapMax: 64, latentSize: 128, batch: 16 }
const pairs = Number(process.argv[2] ?? 15)

interface Cost {
  readonly ms: number
  readonly processorMs: number
}

/** Takes steps at full resolution, on noise. */
function stepper(device: Device, overrides: Partial<TrainConfig>): () => Promise<Cost> {
  const config = resolveConfig('stylegan', { data: 'noise', mbstdGroup: 4, ...shape, ...overrides })
  const state = createState(device, config)
  const progress = progressAt(config.kimg * 1000, scheduleOptions(config))
  const { resolution: side, minibatch } = progress
  const bytes = new Uint8Array(minibatch * side * side * 3).map((_, i) => (i * 97) % 256)
  return async () => {
    const [began, used] = [performance.now(), process.cpuUsage()]
    const stats = scope(() => {
      return trainingStep(state, device.tensor(bytes, [minibatch, side, side, 3]), progress, config)
    })
    await stats.data()
    stats.dispose()
    const { user, system } = process.cpuUsage(used)
    return { ms: performance.now() - began, processorMs: (user + system) / 1000 }
  }
}

const device = Device.open('cpu')
const plain = stepper(device, { aug: 'none' })
const rows = []
for (const p of [0.2, 0.6, 1]) {
  const augmented = stepper(device, { aug: 'fixed', p })
  await augmented()
  await plain()
  const costs: [Cost, Cost][] = []
  for (let i = 0; i < pairs; i++) costs.push([await plain(), await augmented()])
  const of = (key: keyof Cost) => ({
    without: median(costs.map(([one]) => one[key])),
    augmented: median(costs.map(([, other]) => other[key])),
    more: median(costs.map(([one, other]) => other[key] / one[key] - 1)),
  })
  const row = { ...shape, augpipe: 'bgc', p, ms: of('ms'), processorMs: of('processorMs') }
  rows.push(row)
  for (const [key, { without, augmented, more }] of Object.entries({ ms: row.ms, 'processor ms': row.processorMs })) {
    console.log(`p ${p}: ${without.toFixed(0)} → ${augmented.toFixed(0)} ${key}, ${(100 * more).toFixed(1)} % more`)
  }
}
mkdirSync(new URL('results/', import.meta.url), { recursive: true })
const file = new URL('results/augmentation.json', import.meta.url)
writeFileSync(file, JSON.stringify({ machine: machine(), pairs, rows }, null, 2) + '\n')
