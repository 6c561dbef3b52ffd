/** `npm run bench`: every op, the training step and generation on this machine; one table, and JSON beside it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import {
  convolutionWorkloads,
  machine,
  measure,
  measurementLine,
  networkWorkloads,
  type Measurement,
  type Workload,
} from '../ts/performance/benchmark.ts'
import { Device, Rng, scope, type Tensor } from '../ts/native/index.ts'

const name = process.argv[2] ?? 'cpu'
const device = Device.open(name)

const rows: Measurement[] = []

async function time(workload: Workload): Promise<void> {
  rows.push(await measure(device, workload))
  console.log(measurementLine(rows.at(-1)!))
}

/** Runs one op and forgets its result. */
const run = (op: () => Tensor) => () => op().dispose()

async function ops(): Promise<void> {
  const rng = new Rng(1)
  const [N, H, W, C] = [16, 32, 32, 64]
  const x = rng.normal(device, [N, H, W, C])
  const y = rng.normal(device, [N, H, W, C])
  const channel = rng.normal(device, [C])
  const noise = rng.normal(device, [N, H, W, 1])
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
    ['noise_bias_act', 2, () => x.noiseBiasAct(noise, channel, channel, 0.2)],
    ['blur', 2, () => x.upfirdn2d({ taps: [0.25, 0.5, 0.25], padding: [1, 1, 1, 1] })],
    ['nearest upscale', 5, () => x.upfirdn2d({ up: 2, taps: [1, 1], padding: [1, 0, 1, 0] })],
    ['box downscale', 1.25, () => x.upfirdn2d({ down: 2, taps: [0.5, 0.5] })],
    ['adain', 2, () => x.adain(rng.normal(device, [N, 2 * C]))],
    ['minibatch_stddev', 1, () => x.minibatchStddev(4)],
    ['normal', 1, () => new Rng(2).normal(device, [N, H, W, C])],
    ['cast to u8', 1.25, () => x.cast('u8')],
  ]
  for (const [label, tensors, op] of elementwise) {
    const name = `${label} [${N}, ${H}, ${W}, ${C}]`
    await time({ name, amount: gb(tensors), unit: 'GB/s', run: run(() => scope(op)) })
  }
  for (const size of [256, 1024]) {
    const [a, b] = [rng.normal(device, [size, size]), rng.normal(device, [size, size])]
    const amount = (2 * size ** 3) / 1e9
    await time({ name: `matmul ${size}`, amount, unit: 'GFLOP/s', run: run(() => a.matmul(b)) })
  }
}

async function convolutions(): Promise<void> {
  const shapes = [
    { N: 16, side: 32, C: 64, O: 64, k: 3, stride: 1 },
    { N: 16, side: 32, C: 64, O: 64, k: 4, stride: 2 },
    { N: 16, side: 8, C: 64, O: 64, k: 3, stride: 1 },
    { N: 8, side: 64, C: 128, O: 128, k: 3, stride: 1 },
    { N: 16, side: 32, C: 64, O: 3, k: 1, stride: 1 },
  ]
  for (const shape of shapes) {
    for (const workload of convolutionWorkloads(device, shape)) await time(workload)
  }
}

async function networks(): Promise<void> {
  const shapes = [
    { resolution: 32, fmapBase: 2048, fmapMax: 64, latentSize: 128, batch: 16 },
    { resolution: 32, fmapBase: 2048, fmapMax: 128, batch: 16 },
    { resolution: 64, fmapBase: 2048, fmapMax: 128, batch: 16 },
  ]
  for (const shape of shapes) {
    for (const workload of networkWorkloads(device, shape)) await time(workload)
  }
}

await ops()
await convolutions()
await networks()
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const host = machine()
mkdirSync('benchmark/results', { recursive: true })
const file = `benchmark/results/${name}.json`
writeFileSync(file, JSON.stringify({ commit, device: name, machine: host, rows }, null, 1) + '\n')
console.log(`\n${host.cpu}, ${host.cores} cores, ${commit}; saved in ${file}`)
