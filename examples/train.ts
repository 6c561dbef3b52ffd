/** Training on images in memory. Ctrl-C saves; the same program goes on where it stopped, to the same bits. */
import { resolveConfig, train, type ImageItem } from 'stylegan'

const [outdir = 'results', kimg = '8'] = process.argv.slice(2)
const images: ImageItem[] = [] // or any iterable, also an async one, of paths, bytes of image files, or pixels
for (let step = 0; step < 256; step++) {
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * step) >> 4) // stripes
  images.push({ pixels, width: 32, height: 32 })
}
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
const config = resolveConfig('demo', { outdir, kimg: Number(kimg), metrics: 'none' })
for await (const event of train(config, { images, signal: stop.signal })) {
  if (event.type === 'tick') console.log(event.line)
  if (event.type === 'end') console.log(event.aborted ? 'stopped' : `trained on ${images.length} images`)
}
// trained on 256 images
