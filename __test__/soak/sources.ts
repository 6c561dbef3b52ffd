/** What is damaged, interrupted and compared: a small data set, a finished run on it, a classifier and files of its network. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { writeGenerator } from '../../ts/checkpoints/index.ts'
import { attributesOf } from '../../ts/data/attributes.ts'
import { openDataset } from '../../ts/data/dataset.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { saveClassifier, trainClassifier } from '../../ts/metrics/classifier.ts'
import { FeatureCache } from '../../ts/metrics/feature-cache.ts'
import { Device, encodePng, FeatureStatistics, Rng } from '../../ts/native/index.ts'
import { train } from '../../ts/runs/loop.ts'
import { resolveConfig, type ConfigOverrides, type TrainConfig } from '../../ts/training/config.ts'
import { readGenerator } from '../../ts/training/state.ts'
import { tinyConfig } from '../support/tiny.ts'

/** A training of a second or two: three ticks, with snapshots 0 and 1. */
export const soakConfig = {
  ...tinyConfig,
  resolution: 16,
  batch: 16,
  kimg: 1.2,
  tick: 0.4,
  lodTrainingKimg: 0.2,
  lodTransitionKimg: 0.2,
} satisfies ConfigOverrides

export const classifierOptions = {
  ...{ resolution: 8, numChannels: 3, fmapBase: 32, fmapMax: 8 },
  ...{ kimg: 0.8, batch: 8, rate: 1e-3, mirror: false, seed: 0 },
} as const

export class Sources {
  readonly dir: string
  constructor(dir: string) {
    this.dir = dir
  }
  /** Class folders a and b with images. */
  photos = () => join(this.dir, 'photos')
  results = () => join(this.dir, 'results')
  /** The run directory. */
  run = () => join(this.results(), 'run')
  snapshot = () => join(this.run(), 'network-snapshot-000001.safetensors')
  prepared = () => join(this.dir, 'prepared')
  networks = (format: string) => join(this.dir, `network.${format}`)
  /** Images beside a dataset.json. */
  labelled = (kind: 'classes' | 'attributes') => join(this.dir, `labelled-${kind}`)
  classifier = () => join(this.dir, 'classifier-a.safetensors')
  /** The run's configuration, and the weights that it ends with. */
  expected = async () =>
    JSON.parse(await readFile(join(this.dir, 'expected.json'), 'utf8')) as { config: TrainConfig; weights: string }
}

/** Makes them; images are noise, so that no two are alike. */
export async function makeSources(dir: string): Promise<Sources> {
  const sources = new Sources(dir)
  await makePhotos(sources.photos())
  await makeLabelled(sources)
  const outdir = join(dir, 'made')
  const config = resolveConfig('demo', { ...soakConfig, data: sources.photos(), outdir })
  let made = ''
  for await (const event of train(config)) if (event.type === 'start') made = event.dir
  await cp(made, sources.run(), { recursive: true })
  const [name] = (await readdir(join(outdir, 'datasets'))).filter((one) => !one.startsWith('.'))
  await cp(join(outdir, 'datasets', name!), sources.prepared(), { recursive: true })

  const device = Device.open('cpu')
  const { Gs, options } = await readGenerator(sources.snapshot(), device)
  for (const format of ['safetensors', 'npz'] as const) {
    await writeGenerator(sources.networks(format), Gs.params, format, { what: 'soak', licence: 'none', options })
  }
  const dataset = await openDataset({
    ...{ data: sources.prepared(), cache: dir, resolution: 16, channels: 3, skipBad: false },
  })
  const attributes = await attributesOf(dataset)
  const short = { ...classifierOptions, kimg: 0.008 }
  await saveClassifier(sources.classifier(), await trainClassifier(device, dataset, 'a', attributes.of('a'), short))
  await keepFeatures(join(dir, 'features'))
  const expected = { config, weights: await weightsOf(sources.snapshot()) }
  await writeFile(join(dir, 'expected.json'), JSON.stringify(expected))
  return sources
}

async function makePhotos(dir: string): Promise<void> {
  const rng = new Rng(5)
  for (let i = 0; i < 240; i++) {
    const folder = join(dir, i % 2 ? 'a' : 'b')
    await mkdir(folder, { recursive: true })
    const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, () => rng.nextInteger(0, 256))
    await writeFile(join(folder, `${i}.png`), await encodePng(pixels, 32, 32, 3))
  }
}

async function makeLabelled(sources: Sources): Promise<void> {
  const names = Array.from({ length: 6 }, (_, i) => `${i}.png`)
  const files = {
    classes: { labels: names.map((name, i) => [name, i % 3]) },
    attributes: { attributes: ['smiling', 'hat'], labels: names.map((name, i) => [name, [i % 2, i > 3 ? 1 : 0]]) },
  }
  for (const kind of ['classes', 'attributes'] as const) {
    await mkdir(sources.labelled(kind))
    for (const [i, name] of names.entries()) {
      const png = await encodePng(new Uint8Array(8 * 8 * 3).fill(i), 8, 8, 3)
      await writeFile(join(sources.labelled(kind), name), png)
    }
    await writeFile(join(sources.labelled(kind), 'dataset.json'), JSON.stringify(files[kind], null, 1))
  }
}

/** Features and statistics that are kept in a folder, made where they are not there. */
export async function keepFeatures(dir: string): Promise<void> {
  const cache = new FeatureCache(dir)
  const [width, count, batchSize] = [16, 32, 8]
  const rows = await cache.rows({
    ...{ key: { soak: 'rows' }, width, count, batchSize, keep: true },
    compute: async (index) => Float32Array.from({ length: batchSize * width }, (_, i) => Math.sin(index + i)),
    describe: (row) => `row ${row}`,
  })
  const statistics = new FeatureStatistics(width)
  for await (const block of rows.blocks()) await statistics.add(block)
  const key = { soak: 'statistics' }
  const known = await cache.result(key)
  if (known) FeatureStatistics.restore(known).mean()
  else await cache.saveResult(key, statistics.save())
}

/** A hash of the tensors of a file: what must be the same bits. */
export async function weightsOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  const { tensors } = await readSafetensors(path)
  for (const [name, { values }] of tensors) hash.update(name).update(new Uint8Array(values.buffer))
  return hash.digest('hex')
}

/** The newest snapshot below a folder. */
export async function newestIn(outdir: string): Promise<string | undefined> {
  const files = await readdir(outdir, { recursive: true }).catch(() => [])
  const names = files.filter((name) => /network-snapshot-\d+\.safetensors$/.test(name))
  const newest = names.sort().at(-1)
  return newest === undefined ? undefined : join(outdir, newest)
}
