import test from 'ava'
import { ShapeError } from '../../ts/native/index.ts'
import { SwdDescriptors, swd } from '../../ts/metrics/swd.ts'
import { expected, type ImageCase, images } from '../fixtures/linalg/expected.ts'

async function descriptors(set: 'reals' | 'fakes', bytes: Uint8Array, { n, side, channels }: ImageCase, seed = 0) {
  const found = new SwdDescriptors(set, { seed })
  await found.add(bytes, [n, side, side, channels])
  return found
}

const small = { n: 6, side: 32, channels: 3 }

for (const { levels, ...shape } of expected.swd.cases) {
  const { n, side, channels } = shape
  test(`the sliced Wasserstein distance of ${n} images of ${side}x${side}x${channels} is that of NumPy and SciPy`, async (t) => {
    const { placeSeeds, directionSeed } = expected.swd
    const reals = await descriptors('reals', images(0, shape), shape, placeSeeds[0])
    const fakes = await descriptors('fakes', images(1, shape), shape, placeSeeds[1])
    const found = await swd(reals, fakes, { seed: directionSeed })
    t.deepEqual(
      found.levels.map((level) => level.side),
      levels.map((_, i) => side >> i),
    )
    // Pyramids, projections and sorting are f32 here, f64 there.
    found.levels.forEach(({ value }, i) =>
      t.true(Math.abs(value / levels[i]! - 1) < 1e-5, `${value}, not ${levels[i]}`),
    )
    t.is(found.mean, found.levels.reduce((sum, { value }) => sum + value, 0) / levels.length)
  })
}

test('images added one by one or without waiting give the same bits', async (t) => {
  const bytes = images(0, small)
  const size = bytes.length / small.n
  const single = new SwdDescriptors('reals')
  const added = Array.from({ length: small.n }, (_, i) =>
    single.add(bytes.subarray(i * size, (i + 1) * size), [1, 32, 32, 3]),
  )
  t.is(single.count, small.n)
  await Promise.all(added)
  const fakes = await descriptors('fakes', images(1, small), small)
  t.deepEqual(await swd(single, fakes), await swd(await descriptors('reals', bytes, small), fakes))
})

test('the same descriptors are at distance 0, and so is a change of brightness or contrast', async (t) => {
  const bytes = images(0, small).map((value) => value >> 1)
  const reals = await descriptors('reals', bytes, small)
  const zero = await swd(reals, await descriptors('reals', bytes, small))
  t.deepEqual(zero, {
    levels: [
      { side: 32, value: 0 },
      { side: 16, value: 0 },
    ],
    mean: 0,
  })
  const shifted = await swd(
    reals,
    await descriptors(
      'reals',
      bytes.map((value) => value + 100),
      small,
    ),
  )
  const stretched = await swd(
    reals,
    await descriptors(
      'reals',
      bytes.map((value) => 2 * value),
      small,
    ),
  )
  // Normalisation takes both away but for f32 rounding.
  t.true(shifted.mean < 1e-3 && stretched.mean < 1e-3, `${shifted.mean}, ${stretched.mean}`)
})

test('other places of the same images are nearer than other images', async (t) => {
  const reals = await descriptors('reals', images(0, small), small)
  const same = await swd(reals, await descriptors('fakes', images(0, small), small))
  const other = await swd(reals, await descriptors('fakes', images(1, small), small))
  t.true(same.mean > 0)
  t.true(same.mean < other.mean, `${same.mean}, ${other.mean}`)
})

test('images of one level are those of 16x16; smaller ones and other shapes are refused', async (t) => {
  const tiny = { n: 2, side: 16, channels: 3 }
  const found = await swd(
    await descriptors('reals', images(0, tiny), tiny),
    await descriptors('fakes', images(1, tiny), tiny),
  )
  t.deepEqual(
    found.levels.map(({ side }) => side),
    [16],
  )
  const set = new SwdDescriptors('reals')
  t.throws(() => void set.add(new Uint8Array(8 * 8 * 3), [1, 8, 8, 3]), {
    instanceOf: RangeError,
    message: /side 16, 32, 64, … are expected, got side 8/,
  })
  t.throws(() => void set.add(new Uint8Array(24 * 24), [1, 24, 24, 1]), { instanceOf: RangeError })
  t.throws(() => void set.add(new Uint8Array(32 * 16), [1, 32, 16, 1]), { instanceOf: ShapeError })
  t.throws(() => void set.add(new Uint8Array(5), [1, 16, 16, 1]), { instanceOf: ShapeError })
})

test('sets must be as large as each other, of one shape, not empty, and not constant', async (t) => {
  const reals = await descriptors('reals', images(0, small), small)
  const refused = async (fakes: SwdDescriptors, message: RegExp) =>
    t.throwsAsync(swd(reals, fakes), { instanceOf: RangeError, message })
  await refused(await descriptors('fakes', images(0, { ...small, n: 5 }), { ...small, n: 5 }), /got 6 and 5/)
  const large = { ...small, side: 64 }
  await refused(await descriptors('fakes', images(0, large), large), /got sides 32 and 64/)
  await refused(new SwdDescriptors('fakes'), /there are no fakes/)
  await refused(
    await descriptors('fakes', new Uint8Array(6 * 32 * 32 * 3), small),
    /channel 0 of the fakes is constant/,
  )
  await t.throwsAsync(swd(reals, reals), { instanceOf: TypeError, message: /the same one twice/ })
  t.throws(() => void reals.add(images(0, large), [6, 64, 64, 3]), { instanceOf: ShapeError })
})
