/**
 * Inception features a second on this machine, beside `peers/features.py`; with `--profile`, where the time goes.
 *
 *     node --import @oxc-node/core/register benchmark/features.ts [device] [batch] [--profile]
 */
import { Device, scope } from '../ts/native/index.ts'
import { inceptionFeatures, inceptionLayers, inceptionOf } from '../ts/metrics/networks/inception.ts'
import { measurePeak, profileTable } from '../ts/performance/profile.ts'
import { type Weight, type Weights } from '../ts/files/weights.ts'

const [name = 'cpu', batch = '8'] = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const device = Device.open(name)

/** Means of what comes in: activations stay numbers of an ordinary size. */
function weights(): Weights {
  const filled = (shape: readonly number[], value: number): Weight => {
    return { shape, dtype: 'f32', values: () => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) }
  }
  const layers = inceptionLayers.flatMap(([layer, kh, kw, C, O]) => [
    [`${layer}.conv.weight`, filled([O, C, kh, kw], 1 / (C * kh * kw))] as const,
    ...['weight', 'running_var'].map((part) => [`${layer}.bn.${part}`, filled([O], 1)] as const),
    ...['bias', 'running_mean'].map((part) => [`${layer}.bn.${part}`, filled([O], 0)] as const),
  ])
  return new Map([...layers, ['fc.weight', filled([1008, 2048], 1 / 2048)]])
}

const net = inceptionOf(device, { weights: weights(), sha256: '' }, 'benchmark')
const images = device.full([Number(batch), 299, 299, 3], 0.5)
const run = async () => {
  scope(() => void inceptionFeatures(net, images))
  await device.synchronize()
}
await run()

const seconds: number[] = []
for (let i = 0; i < 7; i++) {
  const start = performance.now()
  await run()
  seconds.push((performance.now() - start) / 1000)
}
const [best, median] = [0, 3].map((i) => (Number(batch) / seconds.toSorted((a, b) => a - b)[i]!).toFixed(1))
console.log(`Inception-v3, batch ${batch}, ${name}: ${median} images/s, at best ${best}`)

if (process.argv.includes('--profile')) {
  const peak = await measurePeak(device)
  device.profile(true)
  await run()
  console.log(profileTable(await device.costs(), peak, 1))
}
