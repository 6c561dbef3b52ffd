// An addon that was built for another processor: operators, gradients, one training step and one picture, all small, since they run
// in an emulator. `node emulated.mjs ADDON` copies it to where the built package looks for it. Prints TAP.
import assert from 'node:assert/strict'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { test } from './tap.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'stylegan-emulated-'))
const place = join(scratch, 'node_modules', 'stylegan')
mkdirSync(join(place, 'native'), { recursive: true })
cpSync(join(root, 'dist'), join(place, 'dist'), { recursive: true })
copyFileSync(join(root, 'package.json'), join(place, 'package.json'))
symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'))
// What the emulated Node takes itself for decides the name.
/** @type {typeof import('../../ts/native/load.ts')} */
const { platformName } = await import(pathToFileURL(join(place, 'dist/native/load.js')).href)
copyFileSync(process.argv[2] ?? '', join(place, 'native', `stylegan.${platformName()}.node`))

const entry = (/** @type {string} */ name) => pathToFileURL(join(place, 'dist', `${name}.js`)).href
/** @type {typeof import('../../ts/tensor.ts')} */
const { Device, grad, Rng } = await import(entry('tensor'))
/** @type {typeof import('../../ts/index.ts')} */
const { encodePng, loadGenerator, resolveConfig, train } = await import(entry('index'))

/** Values and gradients of a few operators with every algorithm that their shapes choose, on a device. @param {string} name */
async function operators(name) {
  const device = Device.open(name)
  const values = []
  for (const [side, C, O, k, stride] of /** @type {const} */ ([
    [8, 16, 16, 3, 1],
    [8, 16, 32, 4, 2],
    [4, 3, 5, 1, 1],
    [16, 8, 8, 3, 1],
  ])) {
    const rng = new Rng(1)
    const x = rng.normal(device, [2, side, side, C]).tracked()
    const w = rng.normal(device, [k, k, C, O]).tracked()
    const pad = k === 1 ? 0 : 1
    const y = x.conv2d(w, { stride, padding: [pad, pad, pad, pad] })
    const loss = y.mul(y).sum()
    values.push(y, ...grad(loss, [x, w]))
  }
  const rng = new Rng(2)
  const [a, b] = [rng.normal(device, [33, 65]).tracked(), rng.normal(device, [65, 17]).tracked()]
  const product = a.matmul(b)
  values.push(product, ...grad(product.exp().sum(), [a, b]), a.sin(), a.sum([0]))
  return Promise.all(values.map((value) => value.data()))
}

await test(`${platformName()}: convolutions, products and their gradients agree with the loops that define them`, async () => {
  const [fast, exact] = [await operators('cpu'), await operators('reference')]
  fast.forEach((values, index) => {
    const wanted = exact[index] ?? []
    const scale = Math.max(...wanted.map(Math.abs))
    // f32 against f64, sums of at most a few hundred products.
    values.forEach((value, i) => assert.ok(Math.abs(value - (wanted[i] ?? NaN)) <= 1e-4 * scale, `${index}: ${i}`))
  })
})
await test(`${platformName()}: a tiny network is trained, and draws`, async () => {
  const images = join(scratch, 'images')
  mkdirSync(images)
  const pixels = (/** @type {number} */ i) => Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => (at * 7 + i * 31) % 256)
  for (let i = 0; i < 8; i++) writeFileSync(join(images, `${i}.png`), await encodePng(pixels(i), 8, 8, 3))
  const config = resolveConfig('demo', {
    ...{ data: images, outdir: join(scratch, 'results'), kimg: 0.008, metrics: 'none', device: 'cpu' },
    ...{ resolution: 8, batch: 8, tick: 0.008, snap: 1, fmapBase: 32, fmapMax: 8, latentSize: 8, mappingLayers: 2 },
    ...{ lodInitialResolution: 8 },
  })
  let snapshot = ''
  for await (const event of train(config)) if (event.type === 'snapshot') snapshot = event.path
  const drawn = await (await loadGenerator(snapshot, { device: 'cpu' })).images({ seeds: 7 })
  assert.equal(drawn.pixels.length, 8 * 8 * 3)
})
rmSync(scratch, { recursive: true })
process.exit()
