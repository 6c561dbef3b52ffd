/** A grid of pictures of an exported network: those of `stylegan generate` with the same seeds and truncation. */
import { InferenceSession, Tensor, env } from './ort/ort.wasm.min.mjs'
import { latents } from './latents.js'

const at = (id) => document.getElementById(id)
const [status, grid, seed, psi, classes] = ['status', 'grid', 'seed', 'psi', 'class'].map(at)
const count = 12

async function open() {
  env.wasm.wasmPaths = new URL('./ort/', document.baseURI).href
  const session = await InferenceSession.create('network.onnx')
  const { type, shape } = session.outputMetadata[0]
  const shapes = new Map(session.inputMetadata.map((input) => [input.name, input.shape]))
  const odd = [...shapes.keys()].filter((name) => !['z', 'labels', 'psi'].includes(name))
  if (type !== 'uint8' || !shapes.has('z') || odd.length > 0) {
    throw new Error('A network with --pixels bytes, and inputs z, labels and psi alone is expected: export it so.')
  }
  return { session, shapes, side: shape[1], channels: shape[3] }
}

const { session, shapes, side, channels } = await open().catch((error) => {
  status.textContent = error.message
  throw error
})

/** The picture of a seed. */
async function pixelsOf(seed) {
  const width = shapes.get('z')[1]
  const feeds = { z: new Tensor('float32', latents(seed, width), [1, width]) }
  if (shapes.has('psi')) feeds.psi = new Tensor('float32', [psi.valueAsNumber], [])
  if (shapes.has('labels')) {
    const values = new Float32Array(shapes.get('labels')[1])
    values[classes.selectedIndex] = 1
    feeds.labels = new Tensor('float32', values, [1, values.length])
  }
  const { images } = await session.run(feeds)
  const pixels = new ImageData(side, side)
  for (let i = 0; i < side * side; i++) {
    const pixel = images.data.subarray(channels * i, channels * (i + 1))
    const [red, green = red, blue = red, alpha = 255] = pixel
    pixels.data.set([red, green, blue, alpha], 4 * i)
  }
  return pixels
}

const tiles = Array.from({ length: count }, () => {
  const tile = grid.appendChild(document.createElement('figure'))
  const canvas = tile.appendChild(document.createElement('canvas'))
  canvas.width = canvas.height = side
  return { canvas, caption: tile.appendChild(document.createElement('figcaption')) }
})

let asked = 0
let drawing = Promise.resolve()

/** Draws all tiles; a later call ends an earlier one. */
function draw() {
  const mine = ++asked
  at('truncation').querySelector('output').value = psi.valueAsNumber.toFixed(2)
  drawing = drawing.then(async () => {
    const began = performance.now()
    for (const [i, { canvas, caption }] of tiles.entries()) {
      if (mine !== asked) return
      const each = (seed.valueAsNumber || 0) + i
      canvas.getContext('2d').putImageData(await pixelsOf(each), 0, 0)
      caption.textContent = `seed ${each}`
      // The screen shows each as it comes.
      await new Promise(requestAnimationFrame)
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    status.textContent = `${count} pictures of ${side}×${side} in ${seconds} s`
  })
}

at('truncation').hidden = !shapes.has('psi')
at('classes').hidden = !shapes.has('labels')
for (let i = 0; i < (shapes.get('labels')?.[1] ?? 0); i++) classes.add(new Option(String(i)))
for (const control of [seed, psi, classes]) control.addEventListener('input', draw)
at('more').addEventListener('click', () => {
  seed.value = (seed.valueAsNumber || 0) + count
  draw()
})
draw()
