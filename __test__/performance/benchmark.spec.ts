/** Measurements are of the work that they name, and a peer that fails says so in one line. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { Side } from '../../benchmark/side.ts'
import {
  benchmarkConfig,
  convolutionWorkloads,
  measure,
  networkWorkloads,
  trainingWorkload,
  type Workload,
} from '../../ts/performance/benchmark.ts'
import { Device } from '../../ts/native/index.ts'
import { createState } from '../../ts/training/state.ts'

const device = Device.open('cpu')
const tiny = { resolution: 8, fmapBase: 32, fmapMax: 8, latentSize: 8, batch: 4 }
const stylegan = (...args: string[]) => {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
  return promisify(execFile)(process.execPath, [main, ...args])
}

test('a measurement waits for the device, and its rate is the amount over the median time', async (t) => {
  let runs = 0
  let waits = 0
  const counting = Object.assign(Object.create(device) as Device, {
    synchronize: async () => {
      waits++
    },
  })
  const workload: Workload = { name: 'count', amount: 3, unit: 'images/s', run: () => runs++ }
  const { ms, rate } = await measure(counting, workload, 0.01)
  t.true(runs >= 3)
  t.is(waits, runs)
  t.is(rate, (3 / ms) * 1000)
})

test('what a workload throws ends its measurement', async (t) => {
  const run = () => {
    throw new RangeError('no such work')
  }
  await t.throwsAsync(measure(device, { name: 'broken', amount: 1, unit: 'GB/s', run }, 0.01), {
    message: /no such work/,
  })
})

test('the work of a convolution is two operations for each output, tap and channel', async (t) => {
  const workloads = convolutionWorkloads(device, { N: 2, side: 8, C: 3, O: 5, k: 4, stride: 2 })
  // 4x4 outputs of 5 channels, from 4x4 taps of 3 channels.
  for (const { amount } of workloads) t.is(amount, (2 * (2 * 4 * 4 * 5) * (4 * 4 * 3)) / 1e9)
  t.deepEqual(
    workloads.map(({ name }) => name.split(' ')[0]),
    ['conv2d', 'conv2d_transpose', 'conv2d_weight_grad'],
  )
  for (const workload of workloads) t.true((await measure(device, workload, 0.001)).ms > 0)
})

test('the training workload trains: each run is a step of both networks on a whole minibatch', async (t) => {
  const config = benchmarkConfig(tiny)
  const state = createState(device, config)
  const images = device.tensor(new Uint8Array(4 * 8 * 8 * 3), [4, 8, 8, 3])
  const { amount, run } = trainingWorkload(state, images, config)
  t.is(amount, 4)
  run()
  run()
  t.is(state.position.step, 2)
  t.is(state.position.nimg, 8)
  for (const workload of networkWorkloads(device, tiny)) t.true((await measure(device, workload, 0.001)).rate > 0)
})

test('stylegan bench prints every measurement as JSON, and refuses a length that is none', async (t) => {
  const { stdout } = await stylegan('bench', '--json', '--seconds', '0.001')
  const result = JSON.parse(stdout) as {
    device: string
    machine: { threads: number }
    measurements: { unit: string; rate: number }[]
  }
  t.is(result.device, 'cpu')
  t.true(result.machine.threads >= 1)
  const units = result.measurements.map(({ unit, rate }) => (rate > 0 ? unit : 'none'))
  t.deepEqual(units, [...Array<string>(9).fill('GFLOP/s'), ...Array<string>(6).fill('images/s')])
  await t.throwsAsync(stylegan('bench', '--seconds', '0'), { message: /a number above 0 is expected, got '0'/ })
  await t.throwsAsync(stylegan('bench', '--precision', 'f16'), { message: /--precision: f16 needs a GPU, device cpu/ })
})

test('a workload on a GPU stores what it is told to', async (t) => {
  const gpu = Device.open('wgpu')
  const names = []
  for (const workload of [
    ...convolutionWorkloads(gpu, { N: 1, side: 4, C: 4, O: 8, k: 3, stride: 1, precision: 'bf16' }),
    ...networkWorkloads(gpu, { ...tiny, precision: 'bf16' }),
  ]) {
    t.true((await measure(gpu, workload, 0.001)).rate > 0)
    names.push(workload.name)
  }
  t.is(names[0], 'conv2d [1, 4, 4, 4] -> 8, 3x3, bf16')
  t.is(names[3], 'training step 8px, fmaps 32/8, bf16, batch 4')
})

/** A side that runs a line of JavaScript for each request. */
const side = (onRequest: string) =>
  new Side('peer', process.execPath, ['-e', `process.stdin.on('data', (line) => { ${onRequest} })`], {})

test('a side answers; one that fails, ends or is silent is named in one line', async (t) => {
  const good = side(`console.log(JSON.stringify({ seconds: JSON.parse(line).batch }))`)
  t.is(await good.time('generate', { batch: 8 }), 8)
  t.is(process.platform === 'linux', good.peakMiB()! > 1)
  good.close()
  await t.throwsAsync(good.ask('generate'), { name: 'SideError', message: /^peer: generate: it ended with SIGKILL/ })
  const failures: [string, RegExp, number?][] = [
    [`console.log('{"error":"no such mode"}')`, /^peer: open: no such mode$/],
    [`throw new TypeError('broken')`, /^peer: open: it ended with code 1: TypeError: broken$/],
    [`console.log('hello')`, /^peer: open: one line of JSON is expected, got hello$/],
    [``, /^peer: open: an answer within 1 s is expected, there was none$/, 1],
  ]
  for (const [onRequest, message, timeoutSec] of failures) {
    const failing = side(onRequest)
    await t.throwsAsync(failing.ask('open', {}, timeoutSec), { name: 'SideError', message })
    failing.close()
  }
})
