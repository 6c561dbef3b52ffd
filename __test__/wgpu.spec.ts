/** The WebGPU device, on whatever adapter there is; `.ci/run` installs a software one. Without any, these tests fail. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { resolveConfig } from '../ts/config.ts'
import { Device, grad } from '../ts/native.ts'
import { train } from '../ts/training-loop.ts'
import { tinyConfig, tinyDataset } from './tiny.ts'

test('a gradient of a gradient on wgpu', async (t) => {
  const x = Device.open('wgpu').tensor([2, 3], [2]).tracked()
  const [first] = grad(x.square().mul(x), [x], { createGraph: true })
  t.deepEqual([...(await grad(first!, [x])[0]!.data())], [12, 18])
})

test('an adapter that is not there is refused by number', (t) => {
  t.throws(() => Device.open('wgpu:99'), { message: /wgpu/ })
})

test('cpu and wgpu train from one seed to the same losses', async (t) => {
  const losses = await Promise.all(
    ['cpu', 'wgpu'].map(async (device) => {
      const outdir = await mkdtemp(join(tmpdir(), 'stylegan-wgpu-'))
      const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, device, kimg: 0.032 })
      for await (const event of train(config)) if (event.type === 'tick') return event.stats
      throw new Error('training ended without a tick')
    }),
  )
  const [cpu, wgpu] = losses
  for (const name of ['Loss/D', 'Loss/G', 'Loss/r1_penalty', 'Loss/scores/real', 'Loss/scores/fake']) {
    // Four steps of Adam with β1 = 0, whose first is nearly the sign of the gradient, spread f32's rounding.
    const difference = Math.abs(cpu![name]! - wgpu![name]!) / Math.max(1, Math.abs(cpu![name]!))
    t.true(difference < 1e-4, `${name}: ${cpu![name]} and ${wgpu![name]}`)
  }
})
