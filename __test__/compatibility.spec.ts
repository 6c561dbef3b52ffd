/**
 * What earlier versions wrote is read by this one: runs go on to the same bits, networks draw the same pictures, and nothing that was
 * computed is computed again.
 *
 * The same bits are promised for one instruction set, since the choice of an algorithm depends on it. So bits are compared on
 * `reference`, whose loops in f64 are the same on every machine, and `cpu` is held to a tolerance.
 */
import { createHash } from 'node:crypto'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openDataset } from '../ts/data/dataset.ts'
import { readSafetensors, type TensorFile } from '../ts/files/safetensors.ts'
import { FeatureCache } from '../ts/metrics/feature-cache.ts'
import { featureRows, momentsOf } from '../ts/metrics/features.ts'
import { realImages } from '../ts/metrics/images.ts'
import type { Measurement } from '../ts/metrics/metric.ts'
import { Device, type Tensor } from '../ts/native/index.ts'
import { train } from '../ts/runs/loop.ts'
import { configFromJson } from '../ts/training/config.ts'
import { stylegan } from './support/command.ts'
import { pngPixels } from './support/png.ts'
import { folder } from './support/folder.ts'

const fixtures = fileURLToPath(new URL('fixtures/compatibility', import.meta.url))
const runs = { plain: 'results/demo-data-16px-gamma20-seed0', cond: 'results/demo-data-16px-cond-gamma20-seed0' }
type Kind = keyof typeof runs

/** A copy to work in: runs name their data relative to where they were started. */
async function enter(version: string): Promise<void> {
  const copy = await folder()
  await cp(join(fixtures, version), copy, { recursive: true })
  process.chdir(copy)
}

/** Goes on with a run for three more steps. Gives its losses and what it saved. */
async function goOn(
  kind: Kind,
  device: string,
): Promise<{ losses: [name: string, value: number][]; file: TensorFile }> {
  const saved = configFromJson(JSON.parse(await readFile(join(runs[kind], 'training_options.json'), 'utf8')))
  let losses: [string, number][] = []
  for await (const event of train({ ...saved, device, kimg: 1.536 })) {
    if (event.type === 'tick') losses = Object.entries(event.stats).filter(([name]) => name.startsWith('Loss/'))
    if (event.type === 'start' && event.nimg !== 1512) throw new Error(`it went on after ${event.nimg} images`)
  }
  return { losses, file: await readSafetensors(join(runs[kind], 'network-snapshot-000001.safetensors')) }
}

function hashes({ tensors }: TensorFile): Record<string, string> {
  return Object.fromEntries(
    [...tensors].map(([name, { values }]) => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      return [name, createHash('sha256').update(bytes).digest('hex').slice(0, 16)]
    }),
  )
}

for (const version of (await readdir(fixtures)).filter((name) => !name.endsWith('.mjs'))) {
  for (const kind of ['plain', 'cond'] as const) {
    test.serial(`a ${kind} run of ${version} goes on to the same bits, and on 'cpu' nearly so`, async (t) => {
      await enter(version)
      const exact = await goOn(kind, 'reference')
      const expected = JSON.parse(await readFile('expected/resumed.json', 'utf8')) as Record<Kind, object>
      t.deepEqual(hashes(exact.file), expected[kind])
      await enter(version)
      const near = new Map((await goOn(kind, 'cpu')).losses)
      t.is(near.size, 6)
      // Losses, since some weights have no effect: Adam makes steps of the rounding errors that are their gradients.
      for (const [name, value] of exact.losses) {
        const off = Math.abs(near.get(name)! - value) / Math.abs(value)
        t.true(off < 1e-3, `${name}: ${off}`)
      }
    })

    test.serial(`a ${kind} network of ${version} draws the same pictures, and on 'cpu' nearly so`, async (t) => {
      await enter(version)
      for (const device of ['reference', 'cpu']) {
        const network = ['--network', runs[kind], '--seeds', '0-1', '--device', device, '--outdir', device]
        const { code, err } = await stylegan(['generate', ...network, ...(kind === 'cond' ? ['--class', 'warm'] : [])])
        t.is(code, 0, err)
        for (const name of ['seed0000.png', 'seed0001.png']) {
          const [drawn, expected] = [await pixels(join(device, name)), await pixels(join('expected', kind, name))]
          // Rounding may turn a value that lies between two bytes.
          const most = device === 'reference' ? 0 : 1
          t.true(
            drawn.length === expected.length && drawn.every((value, i) => Math.abs(value - expected[i]!) <= most),
            `${name} on ${device}`,
          )
        }
      }
    })
  }

  test.serial(`a classifier of ${version} is not trained again`, async (t) => {
    await enter(version)
    const small = ['--resolution', '16', '--fmap-base', '64', '--fmap-max', '4', '--kimg', '0.064']
    const { code, out, err } = await stylegan([
      'classifier',
      'train',
      '--data',
      'data',
      '--attributes',
      'warm',
      ...small,
    ])
    t.is(code, 0, err)
    t.regex(out, /trained before/)
  })

  test.serial(`features and statistics that ${version} kept are not computed again`, async (t) => {
    await enter(version)
    const data = await openDataset({ data: 'data', cache: 'none', resolution: 16, channels: 3, skipBad: false })
    const cache = new FeatureCache('results/metrics')
    const of = { device: Device.open('reference'), cache, progress() {} } as unknown as Measurement
    const source = realImages(data, { side: 16, mirror: false, seed: 0, hash: 'sixteen' })
    const features = (): Tensor => {
      throw new Error('the features were computed again')
    }
    const extractor = { key: { features: 'mean colour' }, width: 3, features }
    const rows = await (await featureRows(of, extractor, source, 24)).all()
    const { mean } = await momentsOf(of, { images: async () => source }, async () => extractor, {
      count: 24,
      mirror: false,
    })
    for (const channel of [0, 1, 2]) {
      const column = rows.filter((_, i) => i % 3 === channel)
      t.true(Math.abs(column.reduce((sum, value) => sum + value, 0) / 24 - mean[channel]!) < 1e-9)
    }
  })
}

async function pixels(path: string): Promise<Uint8Array> {
  return pngPixels(await readFile(path))
}
