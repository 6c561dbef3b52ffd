import test from 'ava'
import { msSsim } from '../../ts/metrics/ms-ssim.ts'
import { ShapeError } from '../../ts/native/index.ts'
import { expected, images } from '../fixtures/linalg/expected.ts'

for (const { values, ...shape } of expected.msSsim) {
  const { n, side, channels } = shape
  test(`MS-SSIM of ${side}x${side}x${channels} is that of SciPy's convolutions`, async (t) => {
    const a = images(0, shape)
    const b = images(1, shape).map((value, i) => (a[i]! >> 1) + (value >> 1))
    const found = await msSsim(a, b, [n, side, side, channels])
    t.is(found.length, n)
    // Both f64; SciPy's go through the Fourier transform.
    found.forEach((value, i) => t.true(Math.abs(value - values[i]!) < 1e-9, `${value}, not ${values[i]}`))
  })
}

const shape = { n: 2, side: 64, channels: 3 }

test('MS-SSIM of an image with itself is 1, of an image with its negative 0, and symmetric', async (t) => {
  const a = images(0, shape)
  const b = images(1, shape).map((value, i) => (a[i]! >> 1) + (value >> 1))
  // Products of a few roundings in f64.
  for (const value of await msSsim(a, a, [2, 64, 64, 3])) t.true(Math.abs(value - 1) < 1e-14)
  t.deepEqual(
    await msSsim(
      a,
      a.map((value) => 255 - value),
      [2, 64, 64, 3],
    ),
    [0, 0],
  )
  const [there, back] = [await msSsim(a, b, [2, 64, 64, 3]), await msSsim(b, a, [2, 64, 64, 3])]
  there.forEach((value, i) => t.true(Math.abs(value - back[i]!) < 1e-14))
})

test('MS-SSIM of constant images is the luminance term of the last scale', async (t) => {
  const [a, b] = [100, 200]
  const c1 = (0.01 * 255) ** 2
  const luminance = (2 * a * b + c1) / (a * a + b * b + c1)
  const [found] = await msSsim(new Uint8Array(1024).fill(a), new Uint8Array(1024).fill(b), [1, 32, 32, 1])
  // Variances of constants are 0 but for rounding, 1e-11 beside C2 = 58.5.
  t.true(Math.abs(found! - luminance ** 0.1333) < 1e-10)
})

test('MS-SSIM refuses sides without a fifth scale and shapes that do not fit', async (t) => {
  const bytes = new Uint8Array(8 * 8)
  await t.throwsAsync(msSsim(bytes, bytes, [1, 8, 8, 1]), { instanceOf: RangeError, message: /multiples of 16/ })
  await t.throwsAsync(msSsim(bytes, bytes, [1, 16, 16, 1]), { instanceOf: ShapeError })
  await t.throwsAsync(msSsim(bytes, new Uint8Array(1), [1, 8, 8, 1]), { instanceOf: ShapeError })
})
