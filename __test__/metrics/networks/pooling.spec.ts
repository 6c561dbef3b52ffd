/** Pooling against its definition in loops. */
import test from 'ava'
import { Device, Rng, type Tensor } from '../../../ts/native/index.ts'
import { averagePoolAround, maxPool, maxPoolAround } from '../../../ts/metrics/networks/pooling.ts'

const cpu = Device.open('cpu')

type Value = (n: number, i: number, j: number, c: number) => number | undefined

/** What `of` says of each window's values inside of the image. */
async function windows(x: Tensor, size: number, stride: number, pad: number, of: (values: number[]) => number) {
  const [N, H, W, C] = x.dims4()
  const values = (await x.data()) as Float32Array
  const at: Value = (n, i, j, c) =>
    i >= 0 && i < H && j >= 0 && j < W ? values[((n * H + i) * W + j) * C + c] : undefined
  const [h, w] = [H, W].map((length) => Math.floor((length + 2 * pad - size) / stride) + 1)
  const result: number[] = []
  for (let n = 0; n < N; n++)
    for (let i = 0; i < h!; i++)
      for (let j = 0; j < w!; j++)
        for (let c = 0; c < C; c++) {
          const taps = Array.from({ length: size * size }, (_, k) => {
            return at(n, i * stride - pad + Math.floor(k / size), j * stride - pad + (k % size), c)
          })
          result.push(of(taps.filter((value) => value !== undefined)))
        }
  return Float32Array.from(result)
}

for (const [H, W] of [
  [9, 12],
  [8, 7],
  [8, 6],
] as const) {
  test(`of ${H} × ${W} pixels, windows have their largest value`, async (t) => {
    const x = new Rng(5).normal(cpu, [2, H, W, 5])
    const largest = (values: number[]) => Math.max(...values)
    for (const [size, stride] of [
      [3, 2],
      [2, 2],
      [3, 1],
    ] as const) {
      const y = maxPool(x, size, stride)
      const expected = await windows(x, size, stride, 0, largest)
      t.deepEqual(await y.data(), expected, `${size} ${stride}`)
      t.deepEqual(await maxPool(x.tracked(), size, stride).data(), expected, `${size} ${stride} with a history`)
    }
    const positive = x.square()
    t.deepEqual(await maxPoolAround(positive).data(), await windows(positive, 3, 1, 1, largest))
  })

  test(`of ${H} × ${W} pixels, averages leave out what lies outside of the image`, async (t) => {
    const x = new Rng(6).normal(cpu, [2, H, W, 5])
    const expected = await windows(x, 3, 1, 1, (values) => values.reduce((a, b) => a + b, 0) / values.length)
    const found = (await averagePoolAround(x).data()) as Float32Array
    // Sums of 9 numbers near 1 in f32.
    t.true(found.every((value, i) => Math.abs(value - expected[i]!) < 1e-6))
  })
}

test('a NaN anywhere in a window is its largest value', async (t) => {
  const x = cpu.tensor([1, NaN, 3, 4], [1, 2, 2, 1])
  for (const stride of [1, 2]) t.deepEqual(await maxPool(x, 2, stride).data(), new Float32Array([NaN]))
})
