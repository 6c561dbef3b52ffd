/** The pictures that `stylegan generate --network results --seeds 0-15` writes, from a program. */
import { writeFile } from 'node:fs/promises'
import { loadGenerator } from 'stylegan'

const [network = 'results'] = process.argv.slice(2)
const G = await loadGenerator(network, { device: 'auto' })
const images = await G.images({ seeds: '0-15', psi: 0.7 })
for (let i = 0; i < images.count; i++) await writeFile(`image${i}.png`, await images.png(i))
console.log(`${images.count} images of ${images.width}x${images.height}`)
// 16 images of 32x32
