/** Metrics of snapshots and folders: result lines, going on, what is kept and when it is made anew, training, bad input. */
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { resolveConfig, type ConfigOverrides } from '../../ts/training/config.ts'
import { loadClassifier, saveClassifier, trainClassifier, type ClassifierOptions } from '../../ts/metrics/classifier.ts'
import { measure, metricText, type MeasureHooks, type MeasureOptions } from '../../ts/metrics/measure.ts'
import { attributesOf } from '../../ts/data/attributes.ts'
import { openDataset } from '../../ts/data/dataset.ts'
import { Device, encodeDrawnPng, encodePng, Rng } from '../../ts/native/index.ts'
import { encodeSafetensors, SnapshotError } from '../../ts/files/safetensors.ts'
import { writeAtomic } from '../../ts/files/write-atomic.ts'
import { train } from '../../ts/runs/loop.ts'
import { createState, encodeState } from '../../ts/training/state.ts'
import { tinyConfig } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

const device = Device.open('cpu')

/** A folder of PNG files: bright and dark ones in folders of their own, with noise. */
async function shades(count: number, side = 16, seed = 5): Promise<string> {
  const dir = await folder()
  const rng = new Rng(seed)
  const labels: [string, number[]][] = []
  for (let i = 0; i < count; i++) {
    const bright = i % 3 === 0
    const pixels = Uint8Array.from({ length: side * side * 3 }, () => rng.nextInteger(0, 100) + (bright ? 155 : 0))
    const name = `${String(i).padStart(3, '0')}.png`
    await writeFile(join(dir, name), await encodePng(pixels, side, side, 3))
    labels.push([name, [Number(bright), 1, i % 2]])
  }
  await writeFile(join(dir, 'dataset.json'), JSON.stringify({ attributes: ['bright', 'all', 'odd'], labels }))
  return dir
}

let data: Promise<string> | undefined
const images = () => (data ??= shades(40))

/** An untrained network of 16×16 images. */
async function snapshot(more: ConfigOverrides = {}): Promise<string> {
  const options = { ...tinyConfig, resolution: 16, data: await images(), ...more }
  const config = resolveConfig('demo', options)
  const state = createState(device, config)
  const path = join(await folder(), 'network-snapshot-000000.safetensors')
  await writeAtomic(path, encodeState(state, config))
  return path
}

let network: Promise<string> | undefined
const untrained = () => (network ??= snapshot())

async function options(more: Partial<MeasureOptions> = {}): Promise<MeasureOptions> {
  const outdir = await folder()
  const rest = { seed: 0, mode: 'legacy_tensorflow', device: 'cpu', cache: outdir, outdir } as const
  return { network: await untrained(), metrics: ['swd', 'ms_ssim'], num: 30, ...rest, ...more }
}

async function linesOf(dir: string, metric: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(dir, `metric-${metric}.jsonl`), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Stops a measurement after so many batches of images. */
function stopAfter(reports: number): MeasureHooks {
  const stop = new AbortController()
  const onProgress = () => {
    if (--reports === 0) stop.abort()
  }
  return { device, signal: stop.signal, onProgress }
}

test("a result is a line of StyleGAN3's fields and all that explains a difference", async (t) => {
  const of = await options()
  const lines = await measure(of, { device })
  t.deepEqual(
    lines.map(({ metric }) => metric),
    ['swd', 'ms_ssim'],
  )
  const [line] = await linesOf(of.outdir!, 'swd')
  t.deepEqual(line, JSON.parse(JSON.stringify(lines[0])))
  t.deepEqual(Object.keys(line!['results'] as object), ['swd', 'swd_16'])
  t.is(line!['snapshot_pkl'], 'network-snapshot-000000.safetensors')
  t.is(line!['device'], 'cpu')
  t.is(line!['seed'], 0)
  t.is(line!['num_reals'], 30)
  t.regex(String(line!['network_sha256']), /^[0-9a-f]{64}$/)
  t.regex(metricText(lines[0]!), /^swd {16}\s+\d+\.\d{4} {3}network-snapshot-000000\.safetensors \(\d+s\)\nswd_16/)
  await measure(of, { device })
  t.is((await linesOf(of.outdir!, 'swd')).length, 2)
})

test('an interrupted measurement goes on to the same number', async (t) => {
  const whole = await measure(await options({ num: 200 }), { device })
  const of = await options({ num: 200 })
  await t.throwsAsync(measure(of, stopAfter(3)), { any: true, name: 'AbortError' })
  t.deepEqual(
    (await readdir(of.outdir!)).filter((name) => name.endsWith('.jsonl')),
    [],
  )
  t.true((await readdir(join(of.cache, 'metrics'))).some((name) => name.endsWith('.u8')))
  const resumed = await measure(of, { device })
  t.deepEqual(
    resumed.map(({ results }) => results),
    whole.map(({ results }) => results),
  )
  t.deepEqual(await readdir(join(of.cache, 'metrics')), ['version.json'], 'images of a network are not kept')
})

test('another seed is another number', async (t) => {
  const [a, b] = await Promise.all([0, 1].map(async (seed) => measure(await options({ seed }), { device })))
  t.notDeepEqual(a![1]!.results, b![1]!.results)
})

test('too few images are said, with their number and what they do', async (t) => {
  const warnings: string[] = []
  await measure(await options({ num: 64 }), { device, onWarning: (line) => warnings.push(line) })
  t.is(warnings.length, 1)
  t.is(warnings[0], 'swd: 40 images are compared, 64 are expected: fewer make the distance larger')
})

test('two folders of images are compared without a network', async (t) => {
  const of = await options({
    network: undefined,
    images: await shades(30, 16, 6),
    data: await images(),
    resolution: 16,
  })
  const [line] = await measure(of, { device })
  t.is(line!.snapshot_pkl, null)
  const same = await measure({ ...of, images: await images(), num: 40, metrics: ['swd'] }, { device })
  t.true(same[0]!.results['swd']! < line!.results['swd']!)
})

test('pictures that this program drew are measured, and bad ones are left out where that is asked for', async (t) => {
  const drawn = await folder()
  for (let i = 0; i < 16; i++) {
    await writeFile(join(drawn, `${i}.png`), await encodeDrawnPng(new Uint8Array(768).fill(i), 16, 16, 3))
  }
  await writeFile(join(drawn, 'bad.png'), '')
  const given = { network: undefined, images: drawn, data: await images(), resolution: 16, num: 16 }
  const of = await options({ ...given, metrics: ['swd'] })
  await t.throwsAsync(measure(of, { device }), { message: /bad\.png: the file is empty .* skipBad/ })
  const warnings: string[] = []
  await measure({ ...of, skipBad: true }, { device, onWarning: (line) => warnings.push(line) })
  t.regex(warnings[0]!, /^1 file was left out: 1 × image that cannot be read; /)
})

const classifierOptions: ClassifierOptions = {
  ...{ resolution: 16, numChannels: 3, fmapBase: 64, fmapMax: 8, kimg: 0.4, batch: 8, rate: 1e-2 },
  ...{ mirror: false, seed: 0 },
}

async function shadeAttributes(count = 40) {
  const data = count === 40 ? await images() : await shades(count)
  const prepare = { data, cache: await folder(), resolution: 16, channels: 3, skipBad: false }
  const dataset = await openDataset(prepare)
  return { dataset, attributes: await attributesOf(dataset) }
}

test('a classifier learns what can be seen, and is the same after it was saved', async (t) => {
  const { dataset, attributes } = await shadeAttributes(100)
  t.deepEqual(attributes.names, ['bright', 'all', 'odd'])
  const values = attributes.of('bright')
  t.deepEqual([...values.subarray(0, 4)], [1, 0, 0, 1])
  const trained = await trainClassifier(device, dataset, 'bright', values, classifierOptions)
  t.is(trained.info.accuracy, 1)
  t.is(trained.info.heldOut, 10)
  const path = join(await folder(), 'classifier-bright.safetensors')
  await saveClassifier(path, trained)
  const loaded = await loadClassifier(path, device)
  t.deepEqual(loaded.info, trained.info)
  t.deepEqual(await loaded.network.flat.data(), await trained.network.flat.data())
})

test('a file that says of its classifier what is none is refused by name', async (t) => {
  const path = join(await folder(), 'classifier-x.safetensors')
  for (const [classifier, says] of [
    ['null', 'an attribute and options are expected'],
    ['{"attribute": "x"}', 'an attribute and options are expected'],
    ['{"attribute": >', 'no JSON: expected value at line 1 column 15'],
  ] as const) {
    const metadata = { format: 'stylegan-classifier-1', classifier }
    await writeFile(path, Buffer.concat([...encodeSafetensors({ tensors: new Map(), metadata })]))
    const message = `${path}: what it says of the classifier cannot be used: ${says}`
    await t.throwsAsync(loadClassifier(path, device), { instanceOf: SnapshotError, message })
  }
})

test('an attribute of one class, an unknown one, and labels of another length are refused', async (t) => {
  const { dataset, attributes } = await shadeAttributes()
  await t.throwsAsync(trainClassifier(device, dataset, 'all', attributes.of('all'), classifierOptions), {
    message: "attribute 'all': images with and without it are expected, all of the 40 have it; leave it out",
  })
  t.throws(() => attributes.of('dull'), { message: "attributes: some of bright, all, odd are expected, got 'dull'" })
  const bad = await shades(2)
  await writeFile(join(bad, 'dataset.json'), '{"attributes": ["a", "b"], "labels": [["000.png", [1]], ["001.png", 1]]}')
  await t.throwsAsync(
    openDataset({ data: bad, cache: await folder(), resolution: 16, channels: 3, skipBad: false, labels: true }),
    {
      message: /the label of 000\.png must be 2 times 0 or 1, one for each attribute, got \[1\]/,
    },
  )
})

test('separability of a network needs classifiers of its size, and goes on after an interruption', async (t) => {
  const { dataset, attributes } = await shadeAttributes()
  const classifiers = await folder()
  for (const name of ['bright', 'odd']) {
    const trained = await trainClassifier(device, dataset, name, attributes.of(name), {
      ...classifierOptions,
      kimg: 0.1,
    })
    await saveClassifier(join(classifiers, `classifier-${name}.safetensors`), trained)
  }
  const of = await options({ metrics: ['ls'], classifiers, num: 200 })
  const [whole] = await measure({ ...of, cache: await folder() }, { device })
  const { ls_z: z, ls_w: w } = whole!.results
  // Two attributes: between nothing and two bits left open.
  t.true(z! >= 1 && z! <= 4 && w! >= 1 && w! <= 4)
  t.is((whole!['attributes'] as unknown[]).length, 2)
  await t.throwsAsync(measure(of, stopAfter(2)), { any: true, name: 'AbortError' })
  const [resumed] = await measure(of, { device })
  t.deepEqual(resumed!.results, whole!.results)
  const traditional = await snapshot({ config: 'B', mappingLayers: 0 })
  const [inZ] = await measure({ ...of, network: traditional }, { device })
  t.deepEqual(Object.keys(inZ!.results), ['ls_z'], 'without a mapping network there is Z alone')
  const small = await snapshot({ resolution: 8 })
  await t.throwsAsync(measure({ ...of, network: small }, { device }), {
    message: /a classifier of at most 8x8 images with 3 channels is expected, 'bright' is for 16x16/,
  })
})

test('a conditional network is measured with labels of the data set', async (t) => {
  const network = await snapshot({ cond: true, labelSize: 3 })
  const [line] = await measure(await options({ network, metrics: ['ms_ssim'] }), { device })
  t.true(line!.results['ms_ssim']! > 0)
  await t.throwsAsync(measure(await options({ network, metrics: ['ms_ssim'], data: await unlabelled() }), { device }), {
    message: /labels of 3 classes are expected, as the network was trained with, got 0/,
  })
})

async function unlabelled(): Promise<string> {
  const dir = await shades(3)
  await writeFile(join(dir, 'dataset.json'), '{"labels": null}')
  return dir
}

test('what a metric lacks is said in one line before anything is computed', async (t) => {
  const cases: [Partial<MeasureOptions>, RegExp][] = [
    [
      { metrics: ['fid50k'] },
      /fid50k: the weights pt_inception-2015-12-05-6726825d\.pth \(SHA-256 6726825d0af5.*, published at https.*\) are expected, got none; give the file as inception, or its folder as weights/,
    ],
    [{ metrics: ['ppl_wend'], weights: '/nowhere' }, /vgg16-397923af\.pth .*got nothing at \/nowhere\/vgg16/],
    [{ metrics: ['ls'] }, /attribute classifiers are expected, got none; train some with 'stylegan classifier train'/],
    [{ num: 2.5 }, /num: a whole number above 0 is expected, got 2\.5/],
    [{ images: await images() }, /network and images: one of them is expected, got both/],
    [{ network: undefined }, /one of them is expected, got none/],
    [
      { network: undefined, images: await images(), metrics: ['ls'] },
      /ls: a network is expected, since it moves latents/,
    ],
    [{ network: undefined, images: await images() }, /the side of the images is expected, got none; give resolution/],
    [{ network: await snapshot({ resolution: 8 }) }, /at least 16x16 pixels are expected, got 8x8/],
    [
      { network: await snapshot({ data: 'photos-elsewhere' }) },
      /^photos-elsewhere: a folder of images is expected, got nothing; photos-elsewhere is the data that \S+\.safetensors was trained on, relative to the folder of training; give data$/,
    ],
    [
      { network: await snapshot({ data: '/photos-elsewhere' }) },
      /; \/photos-elsewhere is the data that \S+\.safetensors was trained on; give data$/,
    ],
    [{ data: 'x.npz' }, /x\.npz: statistics \(\.npz with mu and sigma\) are expected; ENOENT/],
  ]
  for (const [more, message] of cases) await t.throwsAsync(measure(await options(more), { device }), { message })
})

test('results that cannot be written are told before images are prepared', async (t) => {
  const cache = await folder()
  const file = join(await folder(), 'file')
  await writeFile(file, '')
  await t.throwsAsync(measure(await options({ cache, outdir: join(file, 'results') }), { device }), {
    message: `${join(file, 'results')}: a folder is expected, got a file (ENOTDIR); choose another outdir`,
  })
  t.deepEqual(await readdir(cache), [])
})

test('a weight file of another hash is refused by name', async (t) => {
  const inception = join(await folder(), 'pt_inception-2015-12-05-6726825d.pth')
  await writeFile(inception, 'something else')
  const hash = createHash('sha256').update('something else').digest('hex')
  const error = await t.throwsAsync(measure(await options({ metrics: ['is50k'], inception }), { device }))
  t.true(error.message.includes(`${inception}: SHA-256 ${hash} is not that of pt_inception`), error.message)
})

test('training measures each snapshot once, and what an interruption cut off when it goes on', async (t) => {
  const outdir = await folder()
  const config = resolveConfig('demo', {
    ...{ ...tinyConfig, resolution: 16, data: await images(), outdir, metrics: 'swd', metricsNum: 70 },
  })
  const stop = new AbortController()
  let dir = ''
  for await (const event of train(config, { device, signal: stop.signal })) {
    if (event.type === 'start') dir = event.dir
    if (event.type === 'measuring' && event.done > 0) stop.abort()
  }
  await t.throwsAsync(readFile(join(dir, 'metric-swd.jsonl')))
  const results: unknown[] = []
  for await (const event of train(config, { device }))
    if (event.type === 'metric' && event.results) results.push(event.results)
  const lines = await linesOf(dir, 'swd')
  t.deepEqual(
    lines.map((line) => line['results']),
    results,
  )
  const snapshots = (await readdir(dir)).filter((name) => name.startsWith('network-snapshot'))
  t.deepEqual(
    lines.map((line) => line['snapshot_pkl']),
    snapshots,
  )
  const events = (await readdir(dir)).find((name) => name.startsWith('events.out.tfevents'))!
  const scalars = (await readFile(join(dir, events), 'latin1')).match(/Metrics\/swd(?!_)/g)
  t.is(scalars?.length, results.length, "TensorBoard's file has them too")
  for await (const event of train(config, { device })) t.not(event.type, 'metric')
})

test('training with metrics that lack something does not begin', async (t) => {
  const more = { ...tinyConfig, data: await images(), outdir: await folder() }
  const begin = (metrics: string) => train(resolveConfig('demo', { ...more, metrics }), { device }).next()
  await t.throwsAsync(begin('fid50k'), { message: /pt_inception/ })
  await t.throwsAsync(async () => begin('fid50'), {
    message: /metrics: some of .* are expected, got "fid50"; did you mean fid50k\?/,
  })
})
