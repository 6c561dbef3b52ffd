/** The layers of ARCHITECTURE.md, read off the imports. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'

const root = new URL('..', import.meta.url).pathname

/** Data flows down this list: a file imports from its own line or from lines above. */
const layers = [
  ['native/addon'],
  ['native/tensor', 'native/images', 'native/linalg', 'native/devices'],
  ['native/random'],
  ['native'],
  ['avatars', 'emitting', 'events', 'grid', 'panel', 'profile'],
  ['dataset', 'schedule'],
  ['attributes'],
  ['networks/configurations'],
  ['networks/precision'],
  ['networks/params'],
  ['networks/layers'],
  ['networks/mapping', 'networks/synthesis', 'networks/traditional'],
  ['networks/generator', 'networks/discriminator'],
  ['layer-table'],
  ['losses'],
  ['optimizer'],
  ['snapshot'],
  ['weights/weights', 'weights/pickle', 'weights/zip'],
  ['weights/torch-file'],
  ['weights/weight-file'],
  ['metrics/pooling', 'metrics/resize'],
  ['metrics/inception', 'metrics/vgg'],
  ['metrics/lpips'],
  ['metrics/ms-ssim', 'metrics/swd'],
  ['metrics/catalogue'],
  ['presets'],
  ['config'],
  ['cost', 'run-dir', 'pictures', 'training-state', 'drawing'],
  ['figures', 'video'],
  ['paper-figures'],
  ['metrics/feature-cache', 'metrics/images', 'metrics/moments'],
  ['metrics/classifier'],
  ['metrics/metric'],
  ['metrics/feature-networks', 'metrics/features'],
  ['metrics/fid', 'metrics/inception-score', 'metrics/kid', 'metrics/pixels'],
  ['metrics/ppl', 'metrics/precision-recall'],
  ['metrics/separability'],
  ['metrics/measure'],
  ['training-metrics'],
  ['training-step'],
  ['benchmark'],
  ['training-loop', 'estimate'],
  ['cli/arguments', 'cli/progress', 'index'],
  [
    'cli/bench',
    'cli/devices',
    'cli/generate',
    'cli/info',
    'cli/mix',
    'cli/noise',
    'cli/train',
    'cli/truncate',
    'cli/video',
  ],
  ['cli/classifier', 'cli/metrics'],
  ['cli/main'],
]

async function imports(file: string): Promise<string[]> {
  const source = await readFile(join(root, 'ts', file), 'utf8')
  return [...source.matchAll(/from '([^']+)'/g)].map((match) => match[1]!)
}

test('imports in ts point to the left, and only one file imports the addon', async (t) => {
  const rank = new Map<string, number>(layers.flatMap((names, i) => names.map((name) => [`${name}.ts`, i] as const)))
  const files = (await readdir(join(root, 'ts'), { recursive: true })).filter((name) => name.endsWith('.ts'))
  for (const file of files) {
    t.true(rank.has(file), `${file} stands in no layer: add it to the list and to ARCHITECTURE.md`)
    for (const source of await imports(file)) {
      if (source === '#native') t.is(file, 'native/addon.ts')
      if (!source.startsWith('.')) continue
      const target = join(file, '..', source)
      t.true(rank.get(target)! <= rank.get(file)!, `${file} must not import ${target}`)
    }
  }
})
