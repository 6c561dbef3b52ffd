import test, { type ExecutionContext } from 'ava'
import { FeatureStatistics, frechetDistance, kernelDistance, linearSvm, neighbourhoods } from '../../ts/native/index.ts'
import { expected } from '../fixtures/linalg/expected.ts'

const { features } = expected
const { width } = features
const [x, y] = [Float32Array.from(features.x), Float32Array.from(features.y)]

function near(t: ExecutionContext, values: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  t.is(values.length, wanted.length)
  const largest = Math.max(...Array.from(wanted, Math.abs))
  Array.from(wanted).forEach((value, i) => {
    const difference = Math.abs(values[i]! - value)
    t.true(difference <= tolerance * largest, `${values[i]} instead of ${value} at ${i}`)
  })
}

const gaussian = ([mean, covariance]: number[][]) => ({
  mean: Float64Array.from(mean!),
  covariance: Float64Array.from(covariance!),
})

const { statistics } = expected
const rows = Float32Array.from(statistics.rows)

async function statisticsOf(values: Float32Array, chunk: number): Promise<FeatureStatistics> {
  const found = new FeatureStatistics(4)
  for (let at = 0; at < values.length; at += 4 * chunk) await found.add(values.subarray(at, at + 4 * chunk))
  return found
}

test('mean and covariance are those of NumPy where means are 10000 times the deviations', async (t) => {
  const found = await statisticsOf(rows, 100)
  t.is(found.count, 1100)
  // f64 sums in another order: of centred values, so that the large mean costs no digits.
  near(t, found.mean(), statistics.mean, 1e-14)
  near(t, found.covariance('N-1'), statistics['N-1'], 1e-12)
  near(t, found.covariance('N'), statistics['N'], 1e-12)
})

test('how rows are grouped does not change a bit, nor does an interruption', async (t) => {
  const whole = (await statisticsOf(rows, 1100)).covariance('N-1')
  for (const chunk of [1, 7, 512, 600]) t.deepEqual((await statisticsOf(rows, chunk)).covariance('N-1'), whole)
  const first = await statisticsOf(rows.subarray(0, 4 * 700), 300)
  const second = FeatureStatistics.restore(first.save())
  t.is(second.count, 700)
  await second.add(rows.subarray(4 * 700))
  t.deepEqual(second.covariance('N-1'), whole)
  t.deepEqual(second.save(), (await statisticsOf(rows, 1100)).save())
})

test('rows that are added without waiting are added in order', async (t) => {
  const found = new FeatureStatistics(4)
  const parts = Array.from({ length: 11 }, (_, i) => found.add(rows.subarray(400 * i, 400 * (i + 1))))
  await Promise.all(parts)
  t.deepEqual(found.save(), (await statisticsOf(rows, 1100)).save())
})

test('statistics refuse what they cannot use, and say where it is', async (t) => {
  const found = new FeatureStatistics(4)
  t.throws(() => found.mean(), { instanceOf: RangeError, message: /at least 1 row, got 0/ })
  await found.add(new Float32Array(4))
  t.throws(() => found.covariance('N-1'), { instanceOf: RangeError, message: /at least 2 rows, got 1/ })
  await t.throwsAsync(found.add(new Float32Array(6)), { instanceOf: RangeError, message: /rows of 4 values/ })
  const broken = new Float32Array(12).fill(1)
  broken[9] = NaN
  await t.throwsAsync(found.add(broken), { instanceOf: RangeError, message: /feature 1 of row 2 is NaN/ })
  t.is(found.count, 1)
  await t.notThrowsAsync(found.add(new Float32Array(4)), 'a refused row does not end the statistics')
  t.throws(() => FeatureStatistics.restore(found.save().subarray(1)), { instanceOf: RangeError })
  t.throws(() => FeatureStatistics.restore(found.save().subarray(0, 50)), { instanceOf: RangeError })
  t.throws(() => new FeatureStatistics(0), { instanceOf: RangeError })
})

test('the Fréchet distance is that of SciPy’s matrix square root', async (t) => {
  const { moments, distance } = expected.frechet.regular
  const found = await frechetDistance(gaussian(moments.slice(0, 2)), gaussian(moments.slice(2)))
  // Well-conditioned: both routes lose a few digits only.
  near(t, [found], [distance], 1e-10)
})

test('the Fréchet distance of covariances of fewer rows than features has no lost digits', async (t) => {
  const { moments, distance } = expected.frechet.singular
  const found = await frechetDistance(gaussian(moments.slice(0, 2)), gaussian(moments.slice(2)))
  // Zero eigenvalues come out as 1e-16, their roots as 1e-8.
  near(t, [found], [distance], 1e-8)
})

test('the Fréchet distance is symmetric, zero for one distribution, and |μ|² for a shift', async (t) => {
  for (const { moments } of [expected.frechet.regular, expected.frechet.singular]) {
    const [a, b] = [gaussian(moments.slice(0, 2)), gaussian(moments.slice(2))]
    const trace = moments[1]!.filter((_, i) => i % 25 === 0).reduce((sum, value) => sum + value)
    near(t, [await frechetDistance(a, b)], [await frechetDistance(b, a)], 1e-10)
    t.true(Math.abs(await frechetDistance(a, a)) < 1e-12 * trace)
    const shifted = { ...a, mean: a.mean.map((value) => value + 2) }
    near(t, [await frechetDistance(a, shifted)], [4 * 24], 1e-10)
  }
})

test('the Fréchet distance of diagonal covariances is Σ (√a − √b)²', async (t) => {
  const diagonal = (...values: number[]) => ({
    mean: new Float64Array(3),
    covariance: Float64Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? values[i / 4]! : 0)),
  })
  near(t, [await frechetDistance(diagonal(1, 4, 0), diagonal(9, 1, 16))], [4 + 1 + 16], 1e-14)
})

test('the Fréchet distance refuses sizes that differ and numbers that are none', async (t) => {
  const of = (d: number, value = 1) => ({ mean: new Float64Array(d), covariance: new Float64Array(d * d).fill(value) })
  await t.throwsAsync(frechetDistance(of(2), of(3)), { instanceOf: RangeError, message: /one width .* got 2 and 3/ })
  await t.throwsAsync(frechetDistance({ ...of(2), mean: new Float64Array(3) }, of(3)), { instanceOf: RangeError })
  await t.throwsAsync(frechetDistance(of(2), of(2, NaN)), { message: /second distribution holds NaN/ })
})

test('the kernel distance and its deviation are those of NumPy on the same subsets', async (t) => {
  const { mean, deviation, ...options } = expected.kernel
  const found = await kernelDistance(x, y, width, options)
  near(t, [found.mean, found.deviation], [mean, deviation], 1e-12)
  t.deepEqual(await kernelDistance(x, y, width, options), found)
})

test('the kernel distance of halves of one set is small beside that of different sets', async (t) => {
  const half = x.length / 2
  const same = await kernelDistance(x.subarray(0, half), x.subarray(half), width)
  const other = await kernelDistance(x, y, width)
  // 20 rows each are one subset taken whole, in 100 orders: no deviation but rounding.
  t.true(same.deviation < 1e-12)
  t.true(Math.abs(same.mean) < Math.abs(other.mean))
  await t.throwsAsync(kernelDistance(x.subarray(0, width), y, width), { message: /at least 2 rows/ })
})

test('precision, recall, density and coverage are those of all distances, one by one', async (t) => {
  for (const { k, ...wanted } of expected.neighbourhoods) t.deepEqual(await neighbourhoods(x, y, width, k), wanted)
  const [three, five] = expected.neighbourhoods
  const { precision, recall } = three!
  const { density, coverage } = five!
  t.deepEqual(await neighbourhoods(x, y, width, 3, 5), { precision, recall, density, coverage })
})

test('a set covers itself: precision, recall, density and coverage are 1, across blocks too', async (t) => {
  // 1500 rows are two blocks; on a curve, so that no two are alike and none has far neighbours.
  const rows = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(((i >> 1) + 1) ** 2 * (i % 2 ? 0.37 : 0.73)) + 5)
  t.deepEqual(await neighbourhoods(rows, rows, 2, 3, 5), { precision: 1, recall: 1, density: 1, coverage: 1 })
})

test('sets that are far apart do not cover each other', async (t) => {
  const far = x.map((value) => value + 100)
  t.deepEqual(await neighbourhoods(x, far, width, 3), { precision: 0, recall: 0, density: 0, coverage: 0 })
  await t.throwsAsync(neighbourhoods(x.subarray(0, 3 * width), y, width, 3), {
    instanceOf: RangeError,
    message: /less than the rows of either set, 3 and 55/,
  })
})

const samples = Float32Array.from(expected.svm.samples)
const labels = Uint8Array.from(expected.svm.labels)

for (const { C, weights, bias, predictions } of expected.svm.cases) {
  test(`the linear support vector machine is that of LinearSVC at C = ${C}`, async (t) => {
    const options = { C, tolerance: 1e-10, maxIterations: 1e6 }
    const found = await linearSvm(samples, labels, 6, options)
    t.true(found.converged)
    // Both stop within 1e-10 of the one optimum, in the dual's gradient.
    near(t, [...found.weights, found.bias], [...weights, bias], 1e-8)
    const score = (i: number) => found.weights.reduce((sum, w, j) => sum + w * samples[6 * i + j]!, found.bias)
    t.deepEqual(
      predictions.map((_, i) => Number(score(i) > 0)),
      predictions,
    )
    const wide = await linearSvm(Float64Array.from(samples), labels, 6, options)
    t.deepEqual(wide, found, 'f64 samples are the same numbers')
    const other = await linearSvm(samples, labels, 6, { ...options, seed: 9 })
    near(t, other.weights, found.weights, 1e-8)
  })
}

test('a linear support vector machine says when it did not converge, and is the same for a seed', async (t) => {
  const found = await linearSvm(samples, labels, 6, { maxIterations: 2 })
  t.like(found, { converged: false, iterations: 2 })
  t.deepEqual(await linearSvm(samples, labels, 6, { maxIterations: 2 }), found)
  t.notDeepEqual(await linearSvm(samples, labels, 6, { maxIterations: 2, seed: 1 }), found)
})

test('a linear support vector machine refuses one class, other labels, and sizes that do not fit', async (t) => {
  const refused = (labels: Uint8Array, message: RegExp) =>
    t.throwsAsync(linearSvm(samples, labels, 6), { instanceOf: RangeError, message })
  await refused(
    labels.map(() => 1),
    /both classes are needed, got 120 ones of 120/,
  )
  await refused(
    labels.map((label) => 2 * label),
    /0 or 1, got 2/,
  )
  await refused(labels.subarray(1), /119 labels need 119 rows of 6 values, got 720/)
  await t.throwsAsync(linearSvm(samples, labels, 6, { C: 0 }), { instanceOf: RangeError, message: /above 0/ })
})
