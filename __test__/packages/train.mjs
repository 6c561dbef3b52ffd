// The same tiny training and picture in whatever runtime runs this; prints one hash of weights and pixels.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

const { encodePng, loadGenerator, resolveConfig, train } = await import('stylegan')
const folder = process.argv[2] ?? 'work'
mkdirSync(join(folder, 'images'), { recursive: true })
for (let i = 0; i < 10; i++) {
  const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => (at * 7 + i * 31) % 256)
  writeFileSync(join(folder, 'images', `${i}.png`), await encodePng(pixels, 8, 8, 3))
}
const config = resolveConfig('demo', {
  ...{ data: join(folder, 'images'), outdir: join(folder, 'results'), kimg: 0.032, metrics: 'none', device: 'cpu' },
  ...{ resolution: 8, batch: 8, tick: 0.032, snap: 1, fmapBase: 32, fmapMax: 8, latentSize: 8, mappingLayers: 2 },
  ...{ lodInitialResolution: 4, lodTrainingKimg: 0.016, lodTransitionKimg: 0.016 },
})
let snapshot = ''
for await (const event of train(config)) if (event.type === 'snapshot') snapshot = event.path
const G = await loadGenerator(snapshot, { device: 'cpu' })
const { pixels } = await G.images({ seeds: '0-3' })
// A safetensors file begins with a header, whose dates and paths differ from run to run.
const file = readFileSync(snapshot)
const weights = file.subarray(8 + Number(file.readBigUInt64LE(0)))
console.log(createHash('sha256').update(weights).update(pixels).digest('hex'))
process.exit(0)
