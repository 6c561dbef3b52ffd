/** Files of a newer version of each format are refused by name, and nothing takes their place. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { checkVersion, VersionError } from '../../ts/files/version.ts'
import { loadClassifier } from '../../ts/metrics/classifier.ts'
import { FeatureCache } from '../../ts/metrics/feature-cache.ts'
import { Device } from '../../ts/native/index.ts'
import { train } from '../../ts/runs/loop.ts'
import { configFromJson } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'

const written = fileURLToPath(new URL('../fixtures/compatibility/0.1.0', import.meta.url))

async function copy(): Promise<string> {
  const dir = await folder()
  await cp(written, dir, { recursive: true })
  return dir
}

/** Replaces text of the same length in a file. */
async function edit(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, 'latin1')
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`)
  await writeFile(path, text.replace(from, to), 'latin1')
}

test('a file without a version is of version 1, and only a newer one is refused', (t) => {
  t.notThrows(() => checkVersion('a', undefined, 1))
  t.notThrows(() => checkVersion('a', 1, 2))
  for (const version of [3, '3', 'x', {}]) t.throws(() => checkVersion('a', version, 2), { instanceOf: VersionError })
  t.throws(() => checkVersion('a.json', 3, 2), {
    message:
      'a.json: version 2 of its format or an older one is expected, got 3; install the stylegan that wrote it, or a newer one',
  })
})

const newer = { instanceOf: VersionError, message: /version 1 of its format or an older one is expected, got 2;/ }

test('a newer snapshot stops a run instead of being passed over for an older one', async (t) => {
  const dir = await copy()
  const run = join(dir, 'results/demo-data-16px-gamma20-seed0')
  const path = join(run, 'network-snapshot-000001.safetensors')
  await edit(path, 'stylegan-training-1', 'stylegan-training-2')
  const options = JSON.parse(await readFile(join(run, 'training_options.json'), 'utf8')) as object
  const before = await readFile(path)
  const config = { ...configFromJson(options), data: join(dir, 'data'), outdir: join(dir, 'results') }
  await edit(join(run, 'training_options.json'), '"data": "data"', `"data": ${JSON.stringify(config.data)}`)
  await t.throwsAsync(async () => {
    for await (const _ of train(config));
  }, newer)
  t.deepEqual(await readFile(path), before)
})

test('newer training options, classifiers, prepared data sets and caches are refused', async (t) => {
  const dir = await copy()
  const run = join(dir, 'results/demo-data-16px-gamma20-seed0')
  const options = configFromJson(JSON.parse(await readFile(join(run, 'training_options.json'), 'utf8')) as object)
  await edit(join(run, 'training_options.json'), '{', '{ "version": 2,')
  const config = { ...options, data: join(dir, 'data'), outdir: join(dir, 'results') }
  await t.throwsAsync(async () => {
    for await (const _ of train(config));
  }, newer)

  const classifier = join(dir, 'classifiers/classifier-warm.safetensors')
  await edit(classifier, 'stylegan-classifier-1', 'stylegan-classifier-2')
  await t.throwsAsync(loadClassifier(classifier, Device.open('reference')), newer)

  await edit(join(dir, 'data/dataset.json'), '{', '{ "version": 2,')
  const prepared = { data: join(dir, 'data'), cache: dir, resolution: 16, channels: 3, skipBad: false }
  await t.throwsAsync(openDataset(prepared), newer)

  const cache = new FeatureCache(join(dir, 'results/metrics'))
  await cache.saveResult({ a: 1 }, new Uint8Array(1))
  await edit(join(dir, 'results/metrics/version.json'), '1', '2')
  await t.throwsAsync(cache.result({ a: 1 }), newer)
})
