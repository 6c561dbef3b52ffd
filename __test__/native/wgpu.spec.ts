/** The WebGPU device, on whatever adapter there is; `.ci/run` installs a software one. Without any, these tests fail. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { resolveConfig } from '../../ts/training/config.ts'
import { Device, DeviceError, grad } from '../../ts/native/index.ts'
import { train, type TrainEvent } from '../../ts/runs/loop.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

const child = fileURLToPath(new URL('../support/wgpu-child.ts', import.meta.url))
const loader = ['--import', '@oxc-node/core/register']

test('a gradient of a gradient on wgpu', async (t) => {
  const x = Device.open('wgpu').tensor([2, 3], [2]).tracked()
  const [first] = grad(x.square().mul(x), [x], { createGraph: true })
  t.deepEqual([...(await grad(first!, [x])[0]!.data())], [12, 18])
})

test('an adapter that is not there is refused by number', (t) => {
  t.throws(() => Device.open('wgpu:99'), { message: /wgpu/ })
})

test('memory that is exhausted names the op, the size and the limit, and says what needs less', (t) => {
  const device = Device.open('wgpu', { memoryLimit: 2 ** 20 })
  const error = t.throws(() => device.zeros([1024, 1024]), { instanceOf: DeviceError })
  t.regex(error.message, /full: .*4194304 bytes.*1048576; a smaller minibatch or network needs less/)
})

test('the first steps of cpu and wgpu from one seed have the same losses', async (t) => {
  const ticks = await Promise.all(
    ['cpu', 'wgpu'].map(async (device) => {
      const config = { ...tinyConfig, data: await tinyDataset(), outdir: await folder(), device, tick: 0.008 }
      const stats = []
      for await (const event of train(resolveConfig('demo', { ...config, kimg: 0.048, snap: 100 }))) {
        if (event.type === 'tick') stats.push(event.stats)
      }
      return stats
    }),
  )
  const [cpu, wgpu] = ticks
  t.is(cpu!.length, 6)
  for (const [step, expected] of cpu!.entries()) {
    for (const name of ['Loss/D', 'Loss/G', 'Loss/r1_penalty', 'Loss/scores/real', 'Loss/scores/fake']) {
      // Adam with β1 = 0, whose first step is nearly the sign of the gradient, spreads f32's rounding.
      const difference = Math.abs(expected[name]! - wgpu![step]![name]!) / Math.max(1, Math.abs(expected[name]!))
      t.true(difference < 1e-4, `${name} of step ${step}: ${expected[name]} and ${wgpu![step]![name]}`)
    }
  }
})

test('a lost GPU ends training with one line, and the cpu goes on from the last snapshot', async (t) => {
  const device = Device.open('wgpu')
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir: await folder() })
  let snapshot: TrainEvent | undefined
  const lose = async () => {
    for await (const event of train(config, { device })) {
      if (event.type !== 'snapshot' || snapshot) continue
      snapshot = event
      device.injectFault(100)
    }
  }
  const error = await t.throwsAsync(lose(), { instanceOf: DeviceError })
  t.regex(error.message, /^\w+: the device failed: the GPU was lost.*start again from the last snapshot$/)
  const starts = []
  for await (const event of train(config)) if (event.type === 'start' || event.type === 'end') starts.push(event)
  t.like(starts, [
    { type: 'start', snapshot: snapshot?.type === 'snapshot' ? snapshot.path : 'none', nimg: 32 },
    { type: 'end', nimg: 96, aborted: false },
  ])
})

test('worker threads have devices of their own, and end', async (t) => {
  const workers = [1, 2, 3].map(() => new Worker(child, { workerData: 'result', execArgv: loader }))
  const results = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<{ value: unknown; code: number }>((resolve, reject) => {
          let value: unknown
          worker.on('message', (message: unknown) => (value = message))
          worker.on('error', reject)
          worker.on('exit', (code) => resolve({ value, code }))
        }),
    ),
  )
  for (const { value, code } of results) {
    t.is(code, 0)
    t.is(value, results[0]!.value)
  }
  t.true(Number(results[0]!.value) > 1000)
})

// Through the driver of `.ci/matrices` if there is one: its validation layer crashes where a device outlives it.
const runner = process.env['STYLEGAN_MATRICES']
const through = runner === undefined ? [] : [runner]

for (const [task, expected] of [
  ['exit', 7],
  ['result', 0],
] as const) {
  test(`a process ends by itself: ${task}`, async (t) => {
    const [command, ...args] = [...through, process.execPath, ...loader, child, task] as const
    const process_ = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    const code = await new Promise((resolve) => process_.on('close', (code, signal) => resolve(signal ?? code)))
    t.is(code, expected)
  })
}
