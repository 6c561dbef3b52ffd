/** `npm run bench`: every op, the training step and generation on this machine; one table, and JSON beside it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { Bench } from 'tinybench'
import { networkOptions, resolveConfig, scheduleOptions } from '../ts/config.ts'
import { streams } from '../ts/dataset.ts'
import { Device, Rng, scope, type Tensor } from '../ts/native.ts'
import { imagesOf } from '../ts/pictures.ts'
import { progressAt } from '../ts/schedule.ts'
import { createState } from '../ts/training-state.ts'
import { trainingStep } from '../ts/training-step.ts'

const name = process.argv[2] ?? 'cpu'
const device = Device.open(name)

interface Row {
  name: string
  /** Median of the runs. */
  ms: number
  /** What the work amounts to: GFLOP/s, GB/s, or images a second. */
  rate: number
  unit: 'GFLOP/s' | 'GB/s' | 'images/s'
}

const rows: Row[] = []

/** Times `work`, waiting for the device each time. `amount` is its work in GFLOP, GB or images. */
async function time(label: string, amount: number, unit: Row['unit'], work: () => void): Promise<void> {
  const bench = new Bench({ time: 400, warmupTime: 100, iterations: 5, warmupIterations: 2 })
  bench.add(label, async () => {
    work()
    await device.synchronize()
  })
  const [task] = await bench.run()
  const result = task!.result
  if (result.state !== 'completed') throw new Error(`${label}: ${result.state}`)
  const ms = result.latency.p50
  rows.push({ name: label, ms, rate: (amount / ms) * 1000, unit })
  console.log(line(rows.at(-1)!))
}

function line({ name: label, ms, rate, unit }: Row): string {
  return `${label.padEnd(58)} ${ms.toFixed(3).padStart(10)} ms ${rate.toFixed(1).padStart(9)} ${unit}`
}

/** Runs one op and forgets its result. */
const run = (op: () => Tensor) => () => op().dispose()

async function ops(): Promise<void> {
  const rng = new Rng(1)
  const [N, H, W, C] = [16, 32, 32, 64]
  const x = rng.normal(device, [N, H, W, C])
  const y = rng.normal(device, [N, H, W, C])
  const channel = rng.normal(device, [C])
  const gb = (tensors: number) => (tensors * x.size * 4) / 1e9
  const elementwise: [string, number, () => Tensor][] = [
    ['add', 3, () => x.add(y)],
    ['mul by a channel', 2, () => x.mul(channel)],
    ['exp', 2, () => x.exp()],
    ['softplus', 2, () => x.softplus()],
    ['sum over pixels', 1, () => x.sum([0, 1, 2])],
    ['mean over all', 1, () => x.mean()],
    ['permute to channels first', 2, () => x.permute([0, 3, 1, 2])],
    ['bias_act', 2, () => x.biasAct(channel, 0.2)],
    ['add_noise', 2, () => x.addNoise(y.slice([0, 0, 0, 0], [N, H, W, 1]), channel)],
    ['blur', 2, () => x.upfirdn2d({ taps: [0.25, 0.5, 0.25], padding: [1, 1, 1, 1] })],
    ['nearest upscale', 5, () => x.upfirdn2d({ up: 2, taps: [1, 1], padding: [1, 0, 1, 0] })],
    ['box downscale', 1.25, () => x.upfirdn2d({ down: 2, taps: [0.5, 0.5] })],
    ['adain', 2, () => x.adain(rng.normal(device, [N, 2 * C]))],
    ['minibatch_stddev', 1, () => x.minibatchStddev(4)],
    ['normal', 1, () => new Rng(2).normal(device, [N, H, W, C])],
    ['cast to u8', 1.25, () => x.cast('u8')],
  ]
  for (const [label, tensors, op] of elementwise) {
    await time(
      `${label} [${N}, ${H}, ${W}, ${C}]`,
      gb(tensors),
      'GB/s',
      run(() => scope(op)),
    )
  }
  for (const size of [256, 1024]) {
    const [a, b] = [rng.normal(device, [size, size]), rng.normal(device, [size, size])]
    await time(
      `matmul ${size}`,
      (2 * size ** 3) / 1e9,
      'GFLOP/s',
      run(() => a.matmul(b)),
    )
  }
}

async function convolutions(): Promise<void> {
  const rng = new Rng(1)
  const shapes = [
    { N: 16, size: 32, C: 64, O: 64, k: 3, stride: 1 },
    { N: 16, size: 32, C: 64, O: 64, k: 4, stride: 2 },
    { N: 16, size: 8, C: 64, O: 64, k: 3, stride: 1 },
    { N: 8, size: 64, C: 128, O: 128, k: 3, stride: 1 },
    { N: 16, size: 32, C: 64, O: 3, k: 1, stride: 1 },
  ]
  for (const { N, size, C, O, k, stride } of shapes) {
    const pad = k === 1 ? 0 : 1
    const options = { stride, padding: [pad, pad, pad, pad] as const }
    const x = rng.normal(device, [N, size, size, C])
    const w = rng.normal(device, [k, k, C, O])
    const y = x.conv2d(w, options)
    const gflop = (2 * y.size * k * k * C) / 1e9
    const label = `[${N}, ${size}, ${size}, ${C}] -> ${O}, ${k}x${k}${stride > 1 ? ` / ${stride}` : ''}`
    await time(
      `conv2d ${label}`,
      gflop,
      'GFLOP/s',
      run(() => x.conv2d(w, options)),
    )
    await time(
      `conv2d_transpose ${label}`,
      gflop,
      'GFLOP/s',
      run(() => y.conv2dTranspose(w, [size, size], options)),
    )
    await time(
      `conv2d_weight_grad ${label}`,
      gflop,
      'GFLOP/s',
      run(() => x.conv2dWeightGrad(y, [k, k], options)),
    )
  }
}

async function networks(): Promise<void> {
  const cases = [
    { resolution: 32, fmapBase: 2048, fmapMax: 64, latentSize: 128, batch: 16 },
    { resolution: 32, fmapBase: 2048, fmapMax: 128, latentSize: 512, batch: 16 },
    { resolution: 64, fmapBase: 2048, fmapMax: 128, latentSize: 512, batch: 16 },
  ]
  for (const shape of cases) {
    const lod = { lodInitialResolution: shape.resolution }
    const config = resolveConfig('demo', { ...shape, ...lod })
    const state = createState(device, config)
    const progress = progressAt(0, scheduleOptions(config))
    const images = device.tensor(new Uint8Array(shape.batch * shape.resolution ** 2 * 3).fill(100), [
      shape.batch,
      shape.resolution,
      shape.resolution,
      3,
    ])
    const label = `${shape.resolution}px, fmaps ${shape.fmapBase}/${shape.fmapMax}`
    await time(`training step ${label}, batch ${shape.batch}`, shape.batch, 'images/s', () => {
      trainingStep(state, images, progress, config).dispose()
    })
    for (const n of [1, 8]) {
      const noise = new Rng(0, streams.noise)
      await time(`generate ${label}, batch ${n}`, n, 'images/s', () => {
        scope(() => {
          const z = new Rng(0).normal(device, [n, shape.latentSize])
          imagesOf(state.Gs, z, { noise, truncationPsi: 0.7 }, networkOptions(config))
        })
      })
    }
  }
}

await ops()
await convolutions()
await networks()
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version }
mkdirSync('benchmark/results', { recursive: true })
const file = `benchmark/results/${name}.json`
writeFileSync(file, JSON.stringify({ commit, device: name, machine, rows }, null, 1) + '\n')
console.log(`\n${machine.cpu}, ${machine.cores} cores, ${commit}; saved in ${file}`)
