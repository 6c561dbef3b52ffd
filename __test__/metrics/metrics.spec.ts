/** What the metrics compute, against closed forms and against NumPy, SciPy and scikit-learn (fixtures/metrics/make.py). */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { LockedError } from '../../ts/files/lock.ts'
import { FeatureCache } from '../../ts/metrics/feature-cache.ts'
import type { Extractor } from '../../ts/metrics/features.ts'
import { fid } from '../../ts/metrics/fid.ts'
import { mixedStyles, realImages, toRgbChannels } from '../../ts/metrics/images.ts'
import { inceptionScore, softmax, SplitScores } from '../../ts/metrics/inception-score.ts'
import type { Measurement, Side } from '../../ts/metrics/metric.ts'
import { readMoments } from '../../ts/metrics/moments.ts'
import { epsilon, pathLengths, slerp, trimmedMean, type Distance } from '../../ts/metrics/ppl.ts'
import { conditionalEntropy, mostConfident, predict } from '../../ts/metrics/separability.ts'
import { DataError, Device, encodePng, frechetDistance, linearSvm, Rng, type Tensor } from '../../ts/native/index.ts'
import { downscale } from '../../ts/networks/layers.ts'
import { folder } from '../support/folder.ts'

const fixtures = new URL('../fixtures/metrics/', import.meta.url)
const expected = JSON.parse(await readFile(new URL('expected.json', fixtures), 'utf8')) as {
  fid: number
  inceptionScore: [number, number]
  inceptionScoreOfImages: [number, number]
  conditionalEntropy: number
  separability: number
  trimmedMean: number
}
const reference = Device.open('reference')
const close = (a: number, b: number, relative: number) => Math.abs(a - b) <= relative * Math.abs(b)

/** Image `number` of fixtures/metrics/make.py. */
function formulaImage(number: number, offset: number): Uint8Array {
  return Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => {
    const [y, x, c] = [Math.floor(i / 24), Math.floor(i / 3) % 8, i % 3]
    return ((number * 37 + y * 17 + x * 29 + c * 53 + number * y * x + offset) % (199 + 7 * c)) + (offset % 31)
  })
}

async function formulaFolder(offset: number, count = 60): Promise<string> {
  const dir = await folder()
  for (let i = 0; i < count; i++) {
    const name = `${String(i).padStart(3, '0')}.png`
    await writeFile(join(dir, name), await encodePng(formulaImage(i, offset), 8, 8, 3))
  }
  return dir
}

/** In place of Inception: means of 4×4 blocks. */
const blockMeans: Extractor = {
  key: { features: 'means of blocks' },
  width: 12,
  features: (images) => downscale(images, 4).reshape([images.shape[0]!, 12]),
}

/** The images of a folder as a side of a comparison. */
async function sideOf(data: string, cache: string, hash = data): Promise<Side> {
  const dataset = await openDataset({ data, cache, resolution: 8, channels: 3, skipBad: false })
  return {
    images: async ({ count, mirror }) => realImages(dataset, { side: 8, count, mirror, seed: 0, hash }),
  }
}

const unused = () => Promise.reject(new Error('no weights here'))

async function measurement(fakes: Side, reals: Side, more: Partial<Measurement> = {}): Promise<Measurement> {
  return {
    name: 'fid50k_full',
    device: reference,
    num: 50_000,
    seed: 0,
    mode: 'legacy_tensorflow',
    networks: { inception: unused, vgg: unused, lpips: unused, classifiers: unused },
    cache: new FeatureCache(await folder()),
    fakes,
    reals,
    warn: () => {},
    progress: () => {},
    ...more,
  }
}

test("FID of two folders is SciPy's number", async (t) => {
  const cache = await folder()
  const [fakes, reals] = [await sideOf(await formulaFolder(0), cache), await sideOf(await formulaFolder(11), cache)]
  const warnings: string[] = []
  const measured = await fid(await measurement(fakes, reals, { warn: (line) => warnings.push(line) }), {
    full: true,
    extractor: async () => blockMeans,
  })
  // Features are stored as f32, as the official code does: 6e-8 of values that nearly cancel in the covariances.
  t.true(close(measured.results['fid50k_full']!, expected.fid, 1e-6), `${measured.results['fid50k_full']}`)
  t.is(measured.details['num_fakes'], 60)
  t.is(warnings.length, 2)
  t.regex(warnings[0]!, /60 images of .* are fewer than the 2048 dimensions of the features/)
})

test("FID of two statistics files of NumPy, stored and deflated, is SciPy's number", async (t) => {
  const [a, b] = await Promise.all(['a.npz', 'b.npz'].map((name) => readMoments(new URL(name, fixtures).pathname)))
  t.deepEqual([a!.mean.length, a!.covariance.length], [12, 144])
  t.true(close(await frechetDistance(a!, b!), expected.fid, 1e-9))
  const measured = await fid(await measurement(a!, b!))
  t.true(close(measured.results['fid50k_full']!, expected.fid, 1e-9))
})

test('FID of statistics with other features is refused, and so is a file that is none', async (t) => {
  const a = await readMoments(new URL('a.npz', fixtures).pathname)
  const other = { mean: new Float64Array(3), covariance: new Float64Array(9), name: 'other.npz' }
  await t.throwsAsync(fid(await measurement(a, other)), {
    message: /features of equal width are expected, got 3 of other\.npz and 12 of .*a\.npz/,
  })
  const path = join(await folder(), 'bad.npz')
  await writeFile(path, 'not a zip')
  await t.throwsAsync(readMoments(path), { message: /bad\.npz: statistics \(\.npz with mu and sigma\) are expected/ })
})

test('fid50k mirrors its reals, fid50k_full does not, and each has its own statistics', async (t) => {
  const cache = await folder()
  const data = await formulaFolder(0)
  const sides = [await sideOf(data, cache), await sideOf(data, cache)] as const
  const of = await measurement(...sides)
  const extractor = async () => blockMeans
  const full = await fid(of, { full: true, extractor })
  t.true(Math.abs(full.results['fid50k_full']!) < 1e-6, 'the same images')
  const mirrored = await fid({ ...of, name: 'fid50k' }, { extractor })
  t.true(mirrored.results['fid50k']! > 1)
})

/** Images `[N, 8, 8, 3]` = w · A / 127.5, so that 0 … 255 is w · A + 127.5. */
function linearGenerator(A: Tensor) {
  return {
    mapping: (z: Tensor) => z,
    synthesis: (w: Tensor) =>
      w
        .matmul(A)
        .mul(1 / 127.5)
        .reshape([w.shape[0]!, 8, 8, 3]),
  }
}
const l2: Distance = (a, b) => a.sub(b).square().sum([1, 2, 3])

test('path length in W of a linear generator under L2 is |A (b − a)|², cropped or not', async (t) => {
  const rng = new Rng(3)
  const [A, a, b] = [
    [5, 192],
    [4, 5],
    [4, 5],
  ].map((shape) => rng.normal(reference, shape)) as [Tensor, Tensor, Tensor]
  const step = b.sub(a).matmul(A).reshape([4, 8, 8, 3])
  const times = rng.uniform(reference, [4, 1])
  for (const crop of [false, true]) {
    const found = await pathLengths(linearGenerator(A), [a, b], times, l2, { space: 'w', crop }).data()
    // Rows 3 to 7, columns 2 to 6 of 8.
    const seen = crop ? step.slice([0, 3, 2, 0], [4, 4, 4, 3]) : step
    const exact = await seen.square().sum([1, 2, 3]).data()
    // Differences of 1e-4 in numbers of 100 keep ten digits of f64.
    exact.forEach((value, i) => t.true(close(found[i]!, value, 1e-8), `${found[i]} ${value}`))
  }
})

test('path length in Z of a linear generator under L2 is the squared angle times |A tangent|²', async (t) => {
  const rng = new Rng(4)
  const [A, a, b] = [
    [5, 192],
    [3, 5],
    [3, 5],
  ].map((shape) => rng.normal(reference, shape)) as [Tensor, Tensor, Tensor]
  const start = reference.zeros([3, 1])
  const found = await pathLengths(linearGenerator(A), [a, b], start, l2, { space: 'z', crop: false }).data()
  const unit = (x: Tensor) => x.div(x.square().sum([1], true).sqrt())
  const [p, q] = [unit(a), unit(b)]
  const cosine = p.mul(q).sum([1], true)
  const tangent = unit(q.sub(p.mul(cosine))).mul(cosine.acos())
  const exact = await tangent.matmul(A).square().sum([1]).data()
  // The curve bends: a step of ε differs from the tangent by a share of ε.
  exact.forEach((value, i) => t.true(close(found[i]!, value, 10 * epsilon), `${found[i]} ${value}`))
})

test('slerp goes from one direction to the other at a steady pace on the unit sphere', async (t) => {
  const [a, b] = [reference.tensor([3, 0], [1, 2]), reference.tensor([0, 0.1], [1, 2])]
  const at = async (where: number) => [...(await slerp(a, b, reference.tensor([where], [1, 1])).data())]
  const third = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)]
  ;(await at(1 / 3)).forEach((value, i) => t.true(Math.abs(value - third[i]!) < 1e-12))
  ;(await at(1)).forEach((value, i) => t.true(Math.abs(value - [0, 1][i]!) < 1e-12))
})

test("the trimmed mean is NumPy's with 'lower' and 'higher' percentiles", (t) => {
  const lengths = Array.from({ length: 537 }, (_, i) => Math.sin(i ** 2 * 0.37) ** 4 * 1000)
  t.true(close(trimmedMean(lengths), expected.trimmedMean, 1e-12))
})

test("the inception score is NumPy's, with splits of unequal size", (t) => {
  const score = new SplitScores(105, 10)
  for (let row = 0; row < 105; row++) {
    score.add(softmax(Array.from({ length: 7 }, (_, i) => Math.sin((7 * row + i) * 0.37) * 3)))
  }
  const { mean, deviation } = score.result()
  t.true(close(mean, expected.inceptionScore[0], 1e-12))
  t.true(close(deviation, expected.inceptionScore[1], 1e-10))
})

test("the inception score of a folder, through a network's last layer, is NumPy's", async (t) => {
  const fakes = await sideOf(await formulaFolder(0), await folder())
  const weight = reference.tensor(
    Array.from({ length: 7 * 12 }, (_, i) => Math.sin(i) * 0.05),
    [7, 12],
  )
  const inception = async () => ({ device: reference, params: new Map([['fc/weight', weight]]), sha256: '' })
  const networks = { inception, vgg: unused, lpips: unused, classifiers: unused }
  const of = await measurement(fakes, fakes, { name: 'is50k', networks })
  const { results } = await inceptionScore(of, { extractor: async () => blockMeans })
  // Features are kept as f32: 6e-8 of exponents of up to 30.
  t.true(close(results['is50k_mean']!, expected.inceptionScoreOfImages[0], 1e-5), JSON.stringify(results))
  t.true(close(results['is50k_std']!, expected.inceptionScoreOfImages[1], 1e-4), JSON.stringify(results))
})

test("conditional entropy is scikit-learn's entropy less mutual information", (t) => {
  const x = Uint8Array.from({ length: 1000 }, (_, i) => Number((i * 7) % 11 < 5))
  const y = x.map((value, i) => value ^ Number(i % 13 === 0))
  t.true(close(conditionalEntropy(x, y), expected.conditionalEntropy, 1e-12))
  t.is(conditionalEntropy(x, x), 0)
  t.is(conditionalEntropy(new Uint8Array(4), Uint8Array.of(0, 1, 0, 1)), 1)
})

test("separability from latents and logits to the entropy is scikit-learn's", async (t) => {
  const z = Float32Array.from({ length: 600 * 4 }, (_, i) => Math.sin(i ** 2 * 0.013))
  const logits = Float32Array.from({ length: 600 }, (_, i) => {
    const [a, c] = [Math.sin((4 * i) ** 2 * 0.013), Math.sin((4 * i + 2) ** 2 * 0.013)]
    return a - 0.5 * c + 0.8 * Math.sin(i * 1.7)
  })
  const { kept, labels } = mostConfident(logits, 300)
  const x = Float32Array.from(kept.flatMap((row) => [...z.subarray(4 * row, 4 * row + 4)]))
  const { weights, bias } = await linearSvm(x, labels, 4, { tolerance: 1e-8, maxIterations: 100_000 })
  // The same predictions give the same number.
  t.true(close(conditionalEntropy(predict(x, weights, bias), labels), expected.separability, 1e-12))
})

test('an attribute that a plane separates leaves nothing open, a random one nearly a bit', async (t) => {
  const rng = new Rng(8)
  const x = (await rng.normal(Device.open('cpu'), [4000, 8]).data()) as Float32Array
  const entropyOf = async (labels: Uint8Array) => {
    const { weights, bias } = await linearSvm(x, labels, 8)
    return conditionalEntropy(predict(x, weights, bias), labels)
  }
  const plane = Uint8Array.from({ length: 4000 }, (_, i) => Number(x[8 * i]! + 2 * x[8 * i + 5]! > 0.3))
  t.true((await entropyOf(plane)) < 0.05)
  const coins = Uint8Array.from({ length: 4000 }, () => rng.nextInteger(0, 2))
  // Nine numbers fitted to 4000 coins learn some thousandths of a bit.
  t.true((await entropyOf(coins)) > 0.98)
})

test('each image mixes its latents in their order, at layers of its own', async (t) => {
  const ws = [0, 1, 2].map((value) => reference.full([6, 1], value))
  const styles = mixedStyles(ws, new Rng(2), 8)
  const layers = await Promise.all(styles.map((style) => style.data()))
  const images = Array.from({ length: 6 }, (_, n) => layers.map((layer) => layer[n]!))
  for (const image of images) {
    t.is(image[0], 0)
    t.deepEqual([...new Set(image)], [0, 1, 2], 'every latent, rising')
  }
  t.true(new Set(images.map((image) => image.join())).size > 1)
})

test('gray images are replicated, of RGBA ones the colours count', async (t) => {
  const gray = reference.tensor([1, 2], [1, 1, 2, 1])
  t.deepEqual([...(await toRgbChannels(gray).data())], [1, 1, 1, 2, 2, 2])
  const rgba = reference.tensor([1, 2, 3, 9], [1, 1, 1, 4])
  t.deepEqual([...(await toRgbChannels(rgba).data())], [1, 2, 3])
})

/** Rows of a cache, and how many batches were computed for them. */
function counted(cache: FeatureCache, key: Record<string, unknown>, compute = (index: number) => index) {
  const request = { computed: 0 }
  const rows = (count: number, signal?: AbortSignal) =>
    cache.rows({
      ...{ key, width: 3, count, batchSize: 4, keep: false, signal, describe: (row: number) => `image ${row}` },
      async compute(index) {
        request.computed++
        return new Float32Array(12).fill(compute(index))
      },
    })
  return { request, rows }
}

test('features go on after an interruption, and a batch that was cut off is made again', async (t) => {
  const cache = new FeatureCache(await folder())
  const stop = new AbortController()
  const first = counted(cache, { a: 1, b: 2 }, (index) => {
    if (index === 2) stop.abort()
    return index
  })
  await t.throwsAsync(first.rows(40, stop.signal), { any: true, name: 'AbortError' })
  const again = counted(cache, { b: 2, a: 1 })
  const rows = await again.rows(40)
  t.is(again.request.computed, 7, 'three batches were there')
  // Cut in the middle of the last batch.
  const bytes = await readFile(rows.path)
  await writeFile(rows.path, bytes.subarray(0, bytes.length - 5))
  const repaired = counted(cache, { a: 1, b: 2 })
  const whole = await (await repaired.rows(40)).all()
  t.is(repaired.request.computed, 1)
  t.deepEqual(
    [...whole],
    Array.from({ length: 120 }, (_, i) => Math.floor(i / 12)),
  )
})

test('a kept result with any flipped bit, or cut off, is computed again', async (t) => {
  const dir = await folder()
  const cache = new FeatureCache(dir)
  const key = { statistics: 1 }
  await cache.saveResult(key, Uint8Array.of(1, 2, 3))
  t.deepEqual([...(await cache.result(key))!], [1, 2, 3])
  const path = join(
    dir,
    (await readdir(dir)).find((name) => name.endsWith('.result'))!,
  )
  const whole = await readFile(path)
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const damaged = Buffer.from(whole)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    await writeFile(path, damaged)
    t.is(await cache.result(key), undefined)
  }
  await writeFile(path, whole.subarray(0, 2))
  t.is(await cache.result(key), undefined)
})

test('kept features that are no longer finite are refused by name', async (t) => {
  const rows = await counted(new FeatureCache(await folder()), { damaged: 1 }).rows(4)
  const bytes = await readFile(rows.path)
  bytes.writeFloatLE(NaN, 12)
  await writeFile(rows.path, bytes)
  const message = `${rows.path}: the file is damaged; delete it and run again`
  await t.throwsAsync(rows.all(), { instanceOf: DataError, message })
})

test('a damaged version of kept features is refused by name', async (t) => {
  const dir = await folder()
  const path = join(dir, 'version.json')
  for (const [text, says] of [
    ['{"version": ', 'no JSON: EOF while parsing a value at line 1 column 12'],
    ['null', 'an object with a version is expected'],
  ] as const) {
    await writeFile(path, text)
    const message = `${path}: ${says}; delete this folder, its features are computed again`
    await t.throwsAsync(counted(new FeatureCache(dir), {}).rows(1), { instanceOf: DataError, message })
  }
})

test('fewer rows are a prefix, more are added, other keys have files of their own', async (t) => {
  const cache = new FeatureCache(await folder())
  const { request, rows } = counted(cache, { network: 'a' })
  t.is((await rows(5)).count, 5)
  t.is((await (await rows(5)).all()).length, 15)
  await rows(12)
  t.is(request.computed, 3)
  await counted(cache, { network: 'b' }).rows(4)
  t.is((await (await rows(12)).all())[35], 2)
  await cache.removeTemporary()
  await rows(12)
  t.is(request.computed, 6)
})

test('features that another command adds to are refused, and so are those that it will remove', async (t) => {
  const dir = await folder()
  const [first, second] = [new FeatureCache(dir), new FeatureCache(dir)]
  await counted(first, {}).rows(12)
  const message =
    /^another 'stylegan metrics' or training that measures this network or these images is under way: process \d+ holds it since .*; wait for it, or give another cache$/
  await t.throwsAsync(counted(second, {}).rows(12), { instanceOf: LockedError, message })
  await first.removeTemporary()
  const { request, rows } = counted(second, {})
  t.is((await rows(12)).count, 12)
  t.is(request.computed, 3)
})

test('a file system without locks is told once, and features are computed', async (t) => {
  const warnings: string[] = []
  const lock = () => ({ state: 'unsupported', text: 'No locks available', release() {} }) as const
  const cache = new FeatureCache(await folder(), { warn: (line) => warnings.push(line), lock })
  for (const network of ['a', 'b']) await counted(cache, { network }).rows(4)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /this file system has no locks \(No locks available\)/)
})

test('features that are not finite name the image', async (t) => {
  const cache = new FeatureCache(await folder())
  const { rows } = counted(cache, {}, (index) => (index === 3 ? NaN : index))
  await t.throwsAsync(rows(40), { message: 'image 12: finite features are expected, got NaN' })
})

test('statistics of images are computed once, and again when the images change', async (t) => {
  const cache = await folder()
  const data = await formulaFolder(0)
  let looked = 0
  const extractor = async (): Promise<Extractor> => ({
    ...blockMeans,
    features: (images) => {
      looked += images.shape[0]!
      return blockMeans.features(images)
    },
  })
  const reals = await readMoments(new URL('b.npz', fixtures).pathname)
  const of = await measurement(await sideOf(data, cache, 'one'), reals)
  const first = await fid(of, { full: true, extractor })
  const second = await fid(of, { full: true, extractor })
  t.deepEqual(second.results, first.results)
  t.is(looked, 60)
  await fid({ ...of, fakes: await sideOf(data, cache, 'two') }, { full: true, extractor })
  t.is(looked, 120)
})
