/** `--precision bf16` on the device cpu. What computes is skipped on a CPU that has no AVX512-BF16. */
import test from 'ava'
import { Device, grad, Rng, scope, type Algorithm, type Tensor } from '../../ts/native/index.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { checkPrecision } from '../../ts/networks/precision.ts'
import type { ConfigOverrides } from '../../ts/training/config.ts'
import { readGenerator } from '../../ts/training/state.ts'
import { stylegan, tinyFlags } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { apartFromF32, snapshotOf, trained } from '../support/precision.ts'
import { tinyDataset } from '../support/tiny.ts'

const cpu = Device.open('cpu')
const inBf16 = cpu.multipliesBf16 ? test : test.skip

/** Enough feature maps for products of bf16 at 8×8. */
const sizes = { fmapBase: 64, fmapMax: 16, lodInitialResolution: 8, device: 'cpu' } as const

const run = (outdir: string, overrides: ConfigOverrides) => trained(outdir, { ...sizes, ...overrides })

const size = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0))

const shapes = { stride1: [3, 1, 16], stride2: [4, 2, 32] } as const
for (const [name, [k, stride, side]] of Object.entries(shapes)) {
  inBf16(
    `results and gradients of both orders of a convolution of ${name} are those of f32 up to its roundings`,
    async (t) => {
      const values = (algorithm: Algorithm) =>
        scope(() => {
          const rng = new Rng(3)
          const x = rng.normal(cpu, [2, side, side, 32]).tracked()
          const w = rng.normal(cpu, [k, k, 32, 48]).tracked()
          const like = (y: Tensor) => y.mul(rng.normal(cpu, y.shape)).sum()
          const y = x.conv2d(w, { stride, padding: [1, 1, 1, 1], algorithm })
          const first = grad(like(y.square()), [x, w], { createGraph: true })
          const second = grad(
            first.map(like).reduce((a, b) => a.add(b)),
            [x, w],
          )
          return [y, ...first, ...second]
        })
      const [found, expected] = [values('bf16'), values('auto')]
      for (const [i, tensor] of found.entries()) {
        const [bf16, f32] = [await tensor.data(), await expected[i]!.data()]
        const error = size(Array.from(bf16, (value, j) => value - f32[j]!)) / size(f32)
        t.log(`${error.toExponential(1)} of the size of [${tensor.shape}]`)
        // One convolution rounds to 1.2e-2 of the size of its results, and the gradients are of two in a row: 1.6e-2 was measured.
        t.true(error > 1e-3 && error < 2.5e-2, `${error}`)
      }
    },
  )
}

inBf16('the first six steps in bf16 on the CPU have nearly the losses of f32', async (t) => {
  const apart = await apartFromF32(t, 'bf16', sizes)
  // As on a GPU: precision.spec.ts.
  t.true(apart[0]! < 2 * 2 ** -8)
  t.true(apart.every((difference) => difference < 50 * 2 ** -8))
  t.true(apart[0]! > 1e-6, 'the same to f32: nothing was multiplied in bf16')
})

inBf16('training in bf16 on the CPU goes on bit for bit, and its snapshot is drawn in f32', async (t) => {
  const precision = 'bf16'
  const [whole, parts] = [await folder(), await folder()]
  const path = snapshotOf(await run(whole, { precision }))
  await run(parts, { precision, kimg: 0.032 })
  const resumed = await run(parts, { precision })
  t.is(resumed.find((event) => event.type === 'start')!.nimg, 32)
  const [expected, found] = [await readSafetensors(path), await readSafetensors(snapshotOf(resumed))]
  t.deepEqual(found.tensors, expected.tensors)
  t.is((await readGenerator(path, cpu)).options.precision, 'f32')
})

test('a CPU without AVX512-BF16 refuses bf16, and every CPU refuses f16, before anything is written', async (t) => {
  const message = (precision: string, needed: string) =>
    `precision: ${precision} needs ${needed}, device cpu stores and multiplies feature maps in 32 bits; leave it out, or set device to wgpu`
  const without = { name: 'cpu', float: 'f32', storesHalf: false, multipliesBf16: false } as const
  const bf16 = message('bf16', 'a GPU, or a CPU with AVX512-BF16')
  t.throws(() => checkPrecision({ precision: 'bf16' }, without), { instanceOf: RangeError, message: bf16 })
  t.notThrows(() => checkPrecision({ precision: 'bf16' }, { ...without, multipliesBf16: true }))
  await t.throwsAsync(run(await folder(), { precision: 'f16' }), {
    instanceOf: RangeError,
    message: message('f16', 'a GPU'),
  })
  const flags = ['--preset', 'demo', ...tinyFlags, '--data', await tinyDataset(), '--outdir', await folder()]
  const confined = { env: { STYLEGAN_ISA: 'avx2' } }
  const { code, err } = await stylegan(['train', ...flags, '--precision', 'bf16', '--device', 'cpu'], confined)
  t.is(code, 1)
  const hidden = 'bf16 needs AVX512-BF16, which this CPU has and STYLEGAN_ISA=avx2 hides; unset STYLEGAN_ISA, leave'
  const refused = cpu.multipliesBf16 ? `precision: ${hidden} precision out, or set device to wgpu` : bf16
  const asFlags = refused.replace('precision:', '--precision:').replace('leave precision', 'leave --precision')
  t.is(err.trim(), `stylegan: ${asFlags.replace('set device', 'set --device')}`)
})

inBf16('bf16 on the CPU takes any number of feature maps, since they stay in f32', async (t) => {
  const events = await run(await folder(), { precision: 'bf16', fmapMax: 6, kimg: 0.016 })
  t.is((await readGenerator(snapshotOf(events), cpu)).options.fmapMax, 6)
})

test('a convolution in bf16 is refused on a device that does not multiply it', (t) => {
  const device = Device.open('reference')
  t.false(device.multipliesBf16)
  const [x, w] = [device.zeros([1, 8, 8, 16]), device.zeros([3, 3, 16, 16])]
  t.throws(() => x.conv2d(w, { algorithm: 'bf16' }), {
    message: "conv2d: device 'reference' multiplies in f64, got algorithm bf16; choose auto",
  })
})
