/** Augmentation: each transformation against its definition in plain loops, and derivatives through all of them. */
import test from 'ava'
import { Device, grad, Rng, scope, type Tensor } from '../../ts/native/index.ts'
import { augment, augpipes, filter, recolor, warp, type Augpipe } from '../../ts/training/augment.ts'
import { largestDifference as difference } from '../support/oracle.ts'

const reference = Device.open('reference')
const cpu = Device.open('cpu')
const I = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
]

const images = (device: Device, N: number, side: number, C: number) => {
  const values = Array.from({ length: N * side * side * C }, (_, i) => Math.sin(1.7 * i + 0.3 * i * (i % 7)))
  return device.tensor(values, [N, side, side, C])
}

test('flips, quarter turns and shifts by whole pixels move pixels, and change none', async (t) => {
  const [side, C] = [16, 3]
  const x = images(reference, 1, side, C)
  const before = await x.data()
  const moves: [name: string, M: number[][], from: (i: number, j: number) => [number, number]][] = [
    ['flip', [[-1, 0, 0], I[1]!, I[2]!], (i, j) => [i, side - 1 - j]],
    ['turn', [[0, -1, 0], [1, 0, 0], I[2]!], (i, j) => [j, side - 1 - i]],
    ['shift', [[1, 0, 2], [0, 1, -1], I[2]!], (i, j) => [Math.abs(i - 1), j + 2]],
  ]
  for (const [name, M, from] of moves) {
    const after = await warp(x, [M]).data()
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side - 2; j++) {
        const [row, column] = from(i, j)
        for (let c = 0; c < C; c++) {
          const [found, expected] = [after[(i * side + j) * C + c]!, before[(row * side + column) * C + c]!]
          t.true(Math.abs(found - expected) < 1e-12, `${name} ${i} ${j}: ${found} is not ${expected}`)
        }
      }
    }
  }
})

test('a matrix that is the identity but for rounding changes nothing but rounding', async (t) => {
  const x = images(cpu, 2, 32, 3)
  const nearly = [[1, 1e-12, 0], I[1]!, I[2]!]
  t.true(difference(await warp(x, [nearly, nearly]).data(), await x.data()) < 2e-6)
})

/** Appendix B.2 as it stands, in f64: pad by reflection, upsample, look up bilinearly, downsample. One channel. */
function definition(x: ArrayLike<number>, side: number, M: number[][], taps: number[]): number[] {
  const margin = side - 1
  const padded = side + 2 * margin
  const fold = (at: number) => side - 1 - Math.abs(side - 1 - Math.abs(at))
  const up = 2 * padded + taps.length - 2
  const upsampled = Array.from({ length: up * up }, () => 0)
  for (let p = 0; p < padded; p++) {
    for (let q = 0; q < padded; q++) {
      const value = x[fold(p - margin) * side + fold(q - margin)]!
      for (const [u, a] of taps.entries()) {
        for (const [v, b] of taps.entries()) upsampled[(2 * p + u) * up + 2 * q + v]! += 2 * a * b * value
      }
    }
  }
  // A sample lies at half of its number, less the centre of the filter.
  const shift = (taps.length - 1) / 2
  const place = (sample: number) => (sample - shift) / 2 - (side - 1) / 2
  const sampleAt = (pixel: number) => 2 * (pixel + margin + (side - 1) / 2) + shift
  const at = (row: number, column: number) => {
    return row < 0 || column < 0 || row >= up || column >= up ? 0 : upsampled[row * up + column]!
  }
  const large = 2 * (side - 1) + taps.length
  const looked: number[] = []
  for (let i = 0; i < large; i++) {
    for (let j = 0; j < large; j++) {
      const [x0, y0] = [place(j), place(i)]
      const [column, row] = [0, 1].map((k) => sampleAt(M[k]![0]! * x0 + M[k]![1]! * y0 + M[k]![2]!)) as [number, number]
      const [r, c] = [Math.floor(row), Math.floor(column)]
      const mix = (a: number, b: number, part: number) => a * (1 - part) + b * part
      const line = (k: number) => mix(at(k, c), at(k, c + 1), column - c)
      looked.push(mix(line(r), line(r + 1), row - r))
    }
  }
  const y: number[] = []
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      let sum = 0
      for (const [u, a] of taps.entries()) {
        for (const [v, b] of taps.entries()) sum += (a * b * looked[(2 * i + u) * large + 2 * j + v]!) / 2
      }
      y.push(sum)
    }
  }
  return y
}

/** PyWavelets, Wavelet('sym6').dec_lo. */
const sym6 = [
  0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
  0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
  0.0017677118642428036, -0.007800708325034148,
]

test('warping equals its definition: reflection, sym6, bilinear lookup, sym6, whatever part of the image is seen', async (t) => {
  const side = 8
  const around = (angle: number, scale: number, x: number, y: number) => {
    const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)]
    return [[cos, -sin, x], [sin, cos, y], I[2]!]
  }
  const matrices = [
    around(0.5, 1, 0.3, -1.2),
    around(2, 1.4, 2, 3),
    around(-1, 0.6, 0, 0),
    [[1.3, 0.2, 0.5], [0, 0.8, -0.4], I[2]!],
    around(0.3, 3, -6, 20),
  ]
  for (const device of [reference, cpu]) {
    const x = images(device, matrices.length, side, 1)
    const [before, after] = [await x.data(), await warp(x, matrices).data()]
    for (const [n, M] of matrices.entries()) {
      const one = (values: ArrayLike<number>) => Array.from(values).slice(n * side * side, (n + 1) * side * side)
      const error = difference(one(after), definition(one(before), side, M, sym6))
      t.true(error < (device === cpu ? 5e-5 : 1e-12), `${device.name} ${n}: ${error}`)
    }
  }
})

const someColors = [
  [
    [0.5, 0.2, -0.1, 0.3],
    [0.1, 0.9, 0.2, -0.2],
    [-0.3, 0.4, 1.1, 0.1],
    [0, 0, 0, 1],
  ],
]

test('colours of RGB go through the matrix, alpha stays, gray sees the mean of the three', async (t) => {
  const [M] = someColors as [number[][]]
  const pixel = [0.3, -0.7, 0.5, 0.9]
  const expected = M.slice(0, 3).map(([r, g, b, one]) => r! * 0.3 + g! * -0.7 + b! * 0.5 + one!)
  const recolored = async (values: number[]) => {
    const C = values.length
    const pixels = Array.from({ length: 16 }, () => values).flat()
    return Array.from(await recolor(reference.tensor(pixels, [1, 4, 4, C]), [M]).data()).slice(-C)
  }
  t.true(difference(await recolored(pixel.slice(0, 3)), expected) < 1e-12)
  t.true(difference(await recolored(pixel), [...expected, 0.9]) < 1e-12)
  const ofGray = M.slice(0, 3).map(([r, g, b, one]) => (r! + g! + b!) * 0.4 + one!)
  t.true(difference(await recolored([0.4]), [ofGray.reduce((a, b) => a + b) / 3]) < 1e-12)
})

test('colour keeps a gray pixel gray under hue and saturation', async (t) => {
  // Contrast and brightness change all three alike, so whatever is drawn, gray stays gray.
  const gray = reference.full([64, 4, 4, 3], 0.25)
  const values = await augment(gray, new Rng(3), { p: 1, augpipe: 'color' }).data()
  for (let n = 0; n < 64 * 16; n++) {
    t.true(difference([values[3 * n]!, values[3 * n]!], [values[3 * n + 1]!, values[3 * n + 2]!]) < 1e-12)
  }
  t.true(new Set(values).size > 32, 'each image has its own')
})

// The wavelets' coefficients are orthogonal to 1e-12.
test('octave bands with gains of 1 add up to the image, and a constant has the gain of the lowest', async (t) => {
  for (const side of [4, 8, 64]) {
    const x = images(reference, 2, side, 3)
    t.true(
      difference(
        await filter(x, [
          [1, 1, 1, 1],
          [1, 1, 1, 1],
        ]).data(),
        await x.data(),
      ) < 1e-11,
      `${side}`,
    )
    const constant = await filter(reference.full([1, side, side, 1], 0.5), [[3, 0.1, 7, 2]]).data()
    t.true(
      difference(
        constant,
        Array.from(constant, () => 0.5 * 9),
      ) < 1e-11,
      'along both axes',
    )
  }
})

test('of an oscillation from pixel to pixel the highest band is all', async (t) => {
  const wave = reference.tensor(
    Array.from({ length: 256 }, (_, i) => (-1) ** (i + Math.floor(i / 16))),
    [1, 16, 16, 1],
  )
  t.true(difference(await filter(wave, [[5, 6, 7, 1]]).data(), await wave.data()) < 1e-11)
})

test('p 0 draws nothing and changes nothing; p is the share of images that a transformation happens to', async (t) => {
  const x = images(reference, 4, 8, 1)
  const rng = new Rng(1)
  t.is(augment(x, rng, { p: 0, augpipe: 'bgcfnc' }), x)
  t.is(rng.state.offset, 0)
  const N = 600
  const ones = reference.full([N, 4, 4, 1], 1)
  const cut = Array.from(await augment(ones, new Rng(2), { p: 0.3, augpipe: 'cutout' }).data())
  const changed = Array.from({ length: N }, (_, n) => cut.slice(16 * n, 16 * n + 16).includes(0))
  const share = changed.filter(Boolean).length / N
  // Three deviations of a share of 600.
  t.true(Math.abs(share - 0.3) < 3 * Math.sqrt((0.3 * 0.7) / N), `${share}`)
})

test('cutout sets a square of half the side to 0, and noise has the deviation of its image', async (t) => {
  const cut = await augment(reference.full([20, 16, 16, 1], 1), new Rng(5), { p: 1, augpipe: 'cutout' }).data()
  for (let n = 0; n < 20; n++) {
    const zeros = cut.slice(256 * n, 256 * n + 256).filter((value) => value === 0).length
    t.true(zeros >= 16 && zeros <= 64, `${zeros}`)
  }
  const noisy = await augment(reference.zeros([200, 16, 16, 1]), new Rng(5), { p: 1, augpipe: 'noise' }).data()
  const deviation = Math.sqrt(Array.from(noisy).reduce((sum, value) => sum + value ** 2, 0) / noisy.length)
  t.true(Math.abs(deviation - 0.1) < 0.02, `${deviation}`)
})

test('the same position of the random numbers gives the same images, and fresh ones others', async (t) => {
  const x = images(cpu, 4, 16, 3)
  const rng = new Rng(9)
  const options = { p: 0.8, augpipe: 'bgcfnc' } as const
  const [first, second] = [await augment(x, rng, options).data(), await augment(x, rng, options).data()]
  t.deepEqual(await augment(x, new Rng(9), options).data(), first)
  t.notDeepEqual(first, second)
})

for (const C of [1, 3, 4]) {
  test(`every group keeps shape and finite values with ${C} channels, at the smallest size too`, async (t) => {
    for (const augpipe of Object.keys(augpipes) as Augpipe[]) {
      for (const side of [4, 16]) {
        const y = augment(images(cpu, 3, side, C), new Rng(4), { p: 1, augpipe })
        t.deepEqual([...y.shape], [3, side, side, C])
        t.true((await y.data()).every(Number.isFinite), augpipe)
      }
    }
  })
}

test('gradients of both orders go through all groups to the images', async (t) => {
  const [N, side, C] = [2, 8, 3]
  const values = Float64Array.from(await images(reference, N, side, C).data())
  const T = (x: Tensor) => augment(x, new Rng(7), { p: 0.9, augpipe: 'bgcfnc' })
  // A score that is not linear in T(x), and R1's penalty on it.
  const score = (x: Tensor) =>
    scope(() =>
      T(x)
        .square()
        .mul(images(reference, N, side, C))
        .sum(),
    )
  const penalty = (x: Tensor) => scope(() => grad(score(x), [x], { createGraph: true })[0]!.square().sum())
  for (const f of [score, penalty]) {
    const x = reference.tensor(values, [N, side, side, C]).tracked()
    const found = await grad(f(x), [x])[0]!.data()
    for (const at of [0, 17, 100, 191, 250, 383]) {
      const moved = async (step: number) => {
        const there = values.slice()
        there[at]! += step
        return f(reference.tensor(there, [N, side, side, C]).tracked()).item()
      }
      const expected = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5
      t.true(
        Math.abs(found[at]! - expected) < 1e-5 * Math.max(1, Math.abs(expected)),
        `${at}: ${found[at]} ${expected}`,
      )
    }
  }
})
