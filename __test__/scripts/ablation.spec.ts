/** What `npm run ablation` trains, and that what is done is not done again. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { trialOf } from '../../scripts/ablation.ts'
import { numbersOf, tableOf, trainTrial } from '../../scripts/trials.ts'
import { attributesOf } from '../../ts/data/attributes.ts'
import { openDataset } from '../../ts/data/dataset.ts'
import { saveClassifier, trainClassifier } from '../../ts/metrics/classifier.ts'
import { Device, encodePng, Rng } from '../../ts/native/index.ts'
import { resolveConfig, sameRun } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig } from '../support/tiny.ts'

/** Images in two folders, each a class. */
async function shades(): Promise<string> {
  const dir = await folder()
  const rng = new Rng(5)
  for (const [name, level] of [
    ['bright', 155],
    ['dark', 0],
  ] as const) {
    await mkdir(join(dir, name))
    for (let i = 0; i < 8; i++) {
      const pixels = Uint8Array.from({ length: 16 * 16 * 3 }, () => level + rng.nextInteger(0, 100))
      await writeFile(join(dir, name, `${i}.png`), await encodePng(pixels, 16, 16, 3))
    }
  }
  return dir
}

const rows = ['A', 'B', 'C', 'D', 'E', 'mixing50', 'F', 'mixing100']

test('the rows of an ablation differ in what the paper changes, and in nothing else', (t) => {
  const configs = rows.map((name) => trialOf(name).config)
  t.deepEqual(configs.map(({ config }) => config).join(''), 'ABCDEFFF')
  t.deepEqual(
    configs.map(({ mixingProb }) => mixingProb),
    [0, 0, 0, 0, 0, 0.5, 0.9, 1],
  )
  const differing = configs.map((config) => sameRun(config, configs.at(-2)!))
  t.deepEqual(differing[0], ['config', 'loss', 'gamma', 'mappingLayers', 'mixingProb', 'lodInitialResolution'])
  t.deepEqual(differing[1], ['config', 'mappingLayers', 'mixingProb'])
  t.deepEqual(differing[4], ['config', 'mixingProb'])
  t.deepEqual(new Set(configs.map(({ kimg }) => kimg)).size, 1)
})

test('an ablation has the rows that it knows', (t) => {
  t.throws(() => trialOf('G'), { message: /some of A, B, C, D, E, mixing50, F, mixing100 are expected, got G/ })
})

test('a trial that was stopped goes on, and one that is done is neither trained nor measured again', async (t) => {
  const [outdir, data] = [await folder(), await shades()]
  const tiny = {
    ...tinyConfig,
    data,
    resolution: 16,
    lodInitialResolution: 16,
    mappingLayers: 0,
    kimg: 1,
    tick: 1,
  } as const
  const trial = { name: 'B', config: resolveConfig('demo', { ...tiny, config: 'B', outdir, desc: 'B' }) }
  const stop = AbortSignal.abort()
  t.is(await trainTrial(trial, stop), undefined)
  const trained = await trainTrial(trial)
  t.is(trained?.kimg, 1)
  const log = join(trained!.snapshot, '../processor.jsonl')
  const starts = (await readFile(log, 'utf8')).trim().split('\n')
  t.is(starts.length, 2)
  t.deepEqual(await trainTrial(trial), trained)
  t.true(trained!.processorSec > 0)

  const device = Device.open('cpu')
  const prepare = { data, cache: join(outdir, 'datasets'), resolution: 16, channels: 3 }
  const dataset = await openDataset({ ...prepare, skipBad: false, labels: true })
  const has = (await attributesOf(dataset)).of('bright')
  const size = { resolution: 16, numChannels: 3, fmapBase: 32, fmapMax: 4 }
  const options = { ...size, kimg: 0.1, batch: 8, rate: 1e-3, mirror: false, seed: 0 }
  const classifiers = await folder()
  const classifier = await trainClassifier(device, dataset, 'bright', has, options)
  await saveClassifier(join(classifiers, 'classifier-bright.safetensors'), classifier)
  const measuring = { data, classifiers, cache: outdir, amounts: { pixels: 16, separability: 64, own: 16 } }
  const numbers = await numbersOf(trained!, measuring)
  const keys = ['swd', 'swd_16', 'ms_ssim', 'ls_z', 'classifier_precision', 'classifier_recall', 'classifier_path_z']
  t.deepEqual(Object.keys(numbers), keys)
  t.true(numbers['classifier_path_z']! > 0)
  const file = join(trained!.snapshot, '../numbers-000001.json')
  const { mtimeMs } = await stat(file)
  t.deepEqual(await numbersOf(trained!, measuring), numbers)
  t.is((await stat(file)).mtimeMs, mtimeMs)
  const columns = [{ key: 'ls_w', title: 'W', digits: 1 }, { key: 'kimg', title: 'kimg', digits: 3 }] // prettier-ignore
  t.is(tableOf(columns, [{ trained: trained!, numbers }]), '|  | W | kimg |\n| --- | --- | --- |\n| B | – | 1.000 |')
})
