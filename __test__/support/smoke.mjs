// The built package on the Node that runs this: import, a tiny training, a picture, and going on. Prints TAP.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'stylegan-smoke-'))
let number = 0

/** One line of TAP. */
async function test(/** @type {string} */ what, /** @type {() => Promise<unknown>} */ body) {
  try {
    await body()
    console.log(`ok ${++number} - Node ${process.version}: ${what}`)
  } catch (error) {
    console.error(error)
    console.log(`not ok ${++number} - Node ${process.version}: ${what}`)
    process.exitCode = 1
  }
}

/** @type {typeof import('../../ts/index.ts')} */
let stylegan
/** @type {string} */
let snapshot

/** Trains to `kimg`, and tells after how many images it began. */
async function trainTo(/** @type {number} */ kimg) {
  const config = stylegan.resolveConfig('demo', {
    ...{ data: join(folder, 'images'), outdir: join(folder, 'results'), kimg, metrics: 'none' },
    ...{ resolution: 8, batch: 8, tick: 0.032, snap: 1, fmapBase: 32, fmapMax: 8, latentSize: 8, mappingLayers: 2 },
    ...{ lodInitialResolution: 4, lodTrainingKimg: 0.032, lodTransitionKimg: 0.032 },
  })
  let began = -1
  for await (const event of stylegan.train(config)) {
    if (event.type === 'start') began = event.nimg
    if (event.type === 'snapshot') snapshot = event.path
  }
  return began
}

await test('the package is imported', async () => {
  // By its own name, as users do: this tests `exports` and the addon too. A constant would be type-checked against `dist/`.
  const name = ['stylegan'].join()
  stylegan = /** @type {typeof stylegan} */ (await import(name))
  assert.ok(stylegan.listDevices().length > 0)
})
await test('a tiny network is trained', async () => {
  const pixels = (/** @type {number} */ i) => Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => (at * 7 + i * 31) % 256)
  mkdirSync(join(folder, 'images'))
  for (let i = 0; i < 10; i++) {
    writeFileSync(join(folder, 'images', `${i}.png`), await stylegan.encodePng(pixels(i), 8, 8, 3))
  }
  assert.equal(await trainTo(0.064), 0)
})
await test('a picture is drawn', async () => {
  const images = await (await stylegan.loadGenerator(snapshot)).images({ seeds: 7 })
  assert.deepEqual([images.count, images.height, images.width, images.channels], [1, 8, 8, 3])
  assert.equal(images.pixels.length, 8 * 8 * 3)
})
await test('training goes on where it ended', async () => assert.equal(await trainTo(0.096), 64))

rmSync(folder, { recursive: true })
