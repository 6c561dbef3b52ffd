/** Feature maps in 16 bits, on whatever GPU there is; `.ci/run` installs a software one. Without any, these tests fail. */
import test from 'ava'
import {
  checkPrecisionOf,
  networkOptions,
  resolveConfig,
  scheduleOptions,
  type ConfigOverrides,
} from '../../ts/training/config.ts'
import { chooseDevice, Device, grad, Rng, scope } from '../../ts/native/index.ts'
import { configurations } from '../../ts/networks/configurations.ts'
import { pixelNorm } from '../../ts/networks/layers.ts'
import { checkProducts } from '../../ts/networks/precision.ts'
import { renderLatents } from '../../ts/figures/render.ts'
import { progressAt } from '../../ts/training/schedule.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { createState, readGenerator } from '../../ts/training/state.ts'
import { trainingStep } from '../../ts/training/step.ts'
import { folder } from '../support/folder.ts'
import { apartFromF32, snapshotOf, trained } from '../support/precision.ts'

const device = 'wgpu'
const precision = 'bf16'

const run = (outdir: string, overrides: ConfigOverrides) => trained(outdir, { device, ...overrides })

for (const [precision, halfStep] of [
  ['bf16', 2 ** -8],
  ['f16', 2 ** -11],
] as const) {
  test(`the first six steps in ${precision} have nearly the losses of f32`, async (t) => {
    const apart = await apartFromF32(t, precision, { device, lodInitialResolution: 8 })
    // A feature map is off by half a step. Adam's first steps, nearly signs of gradients, enlarge that.
    t.true(apart[0]! < 2 * halfStep)
    t.true(apart.every((difference) => difference < 50 * halfStep))
    t.true(apart[0]! > 1e-5, 'the same to f32: nothing was stored in 16 bits')
  })
}

test('a GPU that multiplies wrongly in f16 is refused before it trains', async (t) => {
  const gpu = Device.open(device)
  await checkProducts({ precision: 'f16' }, gpu)
  const live = gpu.memory().live
  const wrong = checkProducts({ precision: 'f16' }, gpu, (x, w, algorithm) => {
    const right = x.conv2d(w, { padding: [1, 1, 1, 1], algorithm })
    return algorithm === 'direct' ? right : right.mul(1.01)
  })
  await t.throwsAsync(wrong, {
    name: 'RangeError',
    message: /wgpu multiplies wrongly in f16: off by 0.0\d+ of .*bf16/,
  })
  t.is(gpu.memory().live, live)
})

test('vectors whose squares f16 cannot hold are normalised, and so are their gradients', async (t) => {
  const x = Device.open(device).tensor([600, -600, 1200, 0], [1, 1, 1, 4]).cast('f16').tracked()
  const y = pixelNorm(x)
  const [dx] = grad(y.cast('f32').square().sum(), [x])
  const scale = Math.hypot(600, 600, 1200) / 2
  const values = [...(await y.cast('f32').data())]
  // One rounding to f16 of a number between ½ and 2.
  for (const [i, wanted] of [600, -600, 1200, 0].entries()) t.true(Math.abs(values[i]! - wanted / scale) <= 2 ** -11)
  // The length is always the same.
  t.true([...(await dx!.cast('f32').data())].every((value) => Math.abs(value) < 1e-5))
})

for (const precision of ['bf16', 'f16'] as const) {
  test(`training in ${precision} goes on bit for bit, and its snapshot is drawn in it, or in f32 on a device without`, async (t) => {
    const [whole, parts] = [await folder(), await folder()]
    const path = snapshotOf(await run(whole, { precision }))
    await run(parts, { precision, kimg: 0.032 })
    const resumed = await run(parts, { precision })
    t.is(resumed.find((event) => event.type === 'start')!.nimg, 32)
    const [expected, found] = [await readSafetensors(path), await readSafetensors(snapshotOf(resumed))]
    t.deepEqual(found.tensors, expected.tensors)
    t.is(expected.tensors.has('D_adam/loss_scale'), precision === 'f16')
    const [steps, skipped] = expected.tensors.get('D_adam/state')!.values
    t.true(steps! >= 4 && steps! + skipped! <= 12, `${steps} steps, ${skipped} skipped`)

    const draw = async (device: Device) => {
      const generator = await readGenerator(path, device)
      const { options } = generator
      const z = new Rng(1).normal(device, [4, options.latentSize])
      const images = scope(() => renderLatents(generator, z, { noise: 'const' }))
      return { precision: options.precision, bytes: await images.data() }
    }
    const [gpu, cpu] = [await draw(Device.open(device)), await draw(Device.open('cpu'))]
    t.deepEqual([gpu.precision, cpu.precision], [precision, 'f32'])
    const differences = Array.from(gpu.bytes, (byte, i) => Math.abs(byte - cpu.bytes[i]!))
    const mean = differences.reduce((a, b) => a + b) / differences.length
    // A step between two bytes is 1/128; values around 1 are off by up to 1/256 in each layer.
    t.log(`${mean.toFixed(3)} bytes apart`)
    t.true(mean > 0 && mean < 2, `${mean}`)
  })
}

for (const [config, precision] of [
  ['A', 'bf16'],
  ['A', 'f16'],
  ['C', 'bf16'],
] as const) {
  test(`configuration ${config} trains in ${precision} through a fade`, async (t) => {
    const mappingLayers = configurations[config].mappingLayers === 0 ? 0 : 2
    const events = await run(await folder(), { config, mappingLayers, precision })
    const { stats } = events.findLast((event) => event.type === 'tick')!
    t.true(Object.values(stats).every(Number.isFinite))
  })
}

test('a step in bf16 takes three fifths of the memory where feature maps are most of it', async (t) => {
  const sizes = { resolution: 32, lodInitialResolution: 32, batch: 16, fmapBase: 256, fmapMax: 16, latentSize: 8 }
  const peak = async (precision: 'f32' | 'bf16') => {
    const config = resolveConfig('demo', { ...sizes, mappingLayers: 2, precision, device, data: 'none' })
    const state = createState(Device.open(device), config)
    const bytes = Uint8Array.from({ length: 16 * 32 * 32 * 3 }, (_, i) => (i * 97) % 256)
    for (let i = 0; i < 2; i++) {
      const reals = state.G.device.tensor(bytes, [16, 32, 32, 3])
      const stats = trainingStep(state, reals, progressAt(0, scheduleOptions(config)), config)
      t.true((await stats.data()).every(Number.isFinite))
    }
    return state.G.device.memory().peak
  }
  const [wide, half] = [await peak('f32'), await peak(precision)]
  t.log(
    `${(wide / 2 ** 20).toFixed(1)} MiB in f32, ${(half / 2 ** 20).toFixed(1)} in bf16: ${(half / wide).toFixed(2)}`,
  )
  // Beside feature maps: noise, a sixteenth of 16 of them, images and weights.
  t.true(half / wide < 0.65)
})

test('a run in f16 starts from weights of bf16 with a loss scale of its own', async (t) => {
  const resume = snapshotOf(await run(await folder(), { precision, kimg: 0.032 }))
  const events = await run(await folder(), { precision: 'f16', resume, kimg: 0.064 })
  t.is(events.find((event) => event.type === 'start')!.nimg, 32)
  const { tensors } = await readSafetensors(snapshotOf(events))
  const [scale] = tensors.get('G_adam/loss_scale')!.values
  t.true(scale! > 8 && scale! < 16.1, `${scale}`)
})

test('feature maps that are no multiple of 4 are refused with their side', (t) => {
  const gpu = Device.open(chooseDevice(device).device)
  const refused = (overrides: ConfigOverrides) => () => {
    checkPrecisionOf(networkOptions(resolveConfig('demo', { ...overrides, precision })), gpu)
  }
  t.throws(refused({ fmapMax: 6 }), {
    instanceOf: RangeError,
    message:
      'precision: f32 or multiples of 4 feature maps are expected, got bf16 and 6 feature maps at 4x4; change fmapBase or fmapMax, or leave precision out',
  })
  t.throws(refused({ fmapBase: 32 }), { message: /bf16 and 2 feature maps at 32x32/ })
  t.throws(() => resolveConfig('demo', { precision: 'f64' as 'f32' }), {
    message: /precision: one of f32, bf16, f16 is expected, got "f64"/,
  })
})

test('only GPUs store feature maps in 16 bits', (t) => {
  t.false(Device.open('cpu').storesHalf)
  t.false(Device.open('reference').storesHalf)
  t.true(Device.open(chooseDevice(device).device).storesHalf)
})
