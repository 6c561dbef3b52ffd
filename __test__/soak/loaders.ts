/** Every way in which files of others come in: which files are damaged, and what reads them. */
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { attributesOf } from '../../ts/data/attributes.ts'
import { openDataset } from '../../ts/data/dataset.ts'
import { readLabels } from '../../ts/data/labels.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { parseWeights } from '../../ts/files/weight-file.ts'
import { loadClassifier } from '../../ts/metrics/classifier.ts'
import { measure } from '../../ts/metrics/measure.ts'
import { readMoments } from '../../ts/metrics/moments.ts'
import { Device } from '../../ts/native/index.ts'
import { train } from '../../ts/runs/loop.ts'
import { runName } from '../../ts/training/config.ts'
import { readGenerator } from '../../ts/training/state.ts'
import { keepFeatures, newestIn, weightsOf, type Sources } from './sources.ts'

export interface Loader {
  /** Files, or folders of which one file is damaged. */
  readonly sources: (sources: Sources) => Promise<string[]>
  /** Files of a folder that are damaged; all by default. */
  readonly damaged?: RegExp
  /** Reads a copy with damage, which alone lies in `dir`. Throws one sentence, or gives what was read. */
  readonly load: (path: string, dir: string, sources: Sources) => Promise<unknown>
}

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
const crates = fileURLToPath(new URL('../../crates', import.meta.url))
const cpu = () => Device.open('cpu')

async function below(folder: string, names: RegExp): Promise<string[]> {
  const files = await readdir(folder, { recursive: true })
  return files.filter((name) => names.test(name)).map((name) => join(folder, name))
}

const compatible = join(fixtures, 'compatibility/0.1.0')

export const loaders: Readonly<Record<string, Loader>> = {
  safetensors: {
    sources: async (sources) => [
      ...[join(fixtures, 'oracle/rgb-16/inputs.safetensors'), join(fixtures, 'features/vgg.safetensors')],
      ...[sources.snapshot(), sources.classifier()],
    ],
    load: readSafetensors,
  },
  snapshots: {
    sources: async (sources) => [
      sources.snapshot(),
      ...(await below(join(compatible, 'results'), /000001\.safetensors$/)),
      ...(await below(join(fixtures, 'hostile'), /\.safetensors$/)),
    ],
    load: (path) => readGenerator(path, cpu()),
  },
  networks: {
    sources: async (sources) => [sources.networks('safetensors'), sources.networks('npz')],
    load: (path) => readGenerator(path, cpu()),
  },
  checkpoints: {
    sources: () => below(join(fixtures, 'checkpoints'), /\.(pkl|pth|pt|model)$/),
    load: (path) => readGenerator(path, cpu()),
  },
  weights: {
    sources: () => below(join(fixtures, 'features'), /\.pth$|vgg\.safetensors$/),
    load: async (path) => {
      for (const weight of parseWeights(await readFile(path), path).values()) weight.values()
    },
  },
  statistics: {
    sources: () => below(join(fixtures, 'metrics'), /\.npz$/),
    load: async (path, dir) => {
      await readMoments(path)
      const data = join(fixtures, 'metrics/b.npz')
      const given = { images: path, data, metrics: ['fid50k'] as const, cache: dir, outdir: dir }
      await measure({ ...given, seed: 0, mode: 'legacy_tensorflow', device: 'cpu' })
    },
  },
  prepared: {
    sources: async (sources) => [sources.prepared(), join(compatible, 'data')],
    load: async (path, dir) => {
      const given = { data: path, cache: join(dir, 'cache'), resolution: 8, channels: 3, skipBad: false }
      const dataset = await openDataset(given)
      const indices = Array.from({ length: dataset.levels.count }, (_, i) => i)
      await dataset.levels.batch(
        8,
        indices,
        indices.map(() => true),
      )
      await readLabels(dataset)
      if (dataset.info.labels) (await attributesOf(dataset)).of(dataset.info.labels[0]!)
      if (dataset.info.crc32c) await openDataset({ ...given, verify: true })
    },
  },
  images: {
    sources: async () => [join(fixtures, 'images'), join(crates, 'data/tests/fixtures')],
    damaged: /\.(jpg|png|gif|webp|bmp|tif|avif|heic)$/,
    load: async (path, dir) => {
      const given = { data: path, cache: join(dir, 'cache'), resolution: 8, channels: 4 }
      // Without skipBad the first bad image ends it; the fixtures hold some that are no images.
      const { levels } = await openDataset({ ...given, skipBad: true })
      await levels.batch(8, [0], [false])
      await openDataset({ ...given, skipBad: false, cache: join(dir, 'other') })
    },
  },
  labels: {
    sources: async (sources) => [sources.labelled('classes'), sources.labelled('attributes')],
    damaged: /dataset\.json$/,
    load: async (path, dir) => {
      await openDataset({
        ...{ data: path, cache: join(dir, 'cache'), resolution: 8, channels: 3, skipBad: false, labels: true },
      })
    },
  },
  classifiers: {
    sources: async (sources) => [
      sources.classifier(),
      ...(await below(join(compatible, 'classifiers'), /\.safetensors$/)),
    ],
    load: (path) => loadClassifier(path, cpu()),
  },
  runs: {
    sources: async (sources) => [sources.run()],
    async load(path, dir, sources) {
      const { config, weights } = await sources.expected()
      const outdir = join(dir, 'results')
      const given = { ...config, outdir }
      await cp(path, join(outdir, runName(given)), { recursive: true })
      await cp(join(sources.dir, 'made', 'datasets'), join(outdir, 'datasets'), {
        recursive: true,
        preserveTimestamps: true,
      })
      for await (const _ of train(given));
      const found = await weightsOf((await newestIn(outdir))!)
      if (found !== weights) throw new TypeError('the resumed run has other weights than one that was not damaged')
    },
  },
  features: {
    sources: async (sources) => [join(sources.dir, 'features')],
    load: keepFeatures,
  },
}
