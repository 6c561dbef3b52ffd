/** Points of W from anywhere: a mean of faces, the coarse styles of one in another, and a walk between them. */
import { writeFile } from 'node:fs/promises'
import { animatedPng, loadGenerator } from 'stylegan'

const [network = 'results'] = process.argv.slice(2)
const G = await loadGenerator(network)
const [faces, other] = [await G.mapping({ seeds: '0-9' }), await G.mapping({ seeds: 42 })]
const mixed = faces.mean().mix(other, [0, 1, 2, 3])
const frames = []
for (let t = 0; t < 1; t += 0.125) frames.push((await G.synthesis(mixed.lerp(other, t))).picture(0))
await writeFile('walk.png', await animatedPng(frames, 8))
console.log(`${frames.length} frames, from a mean of ${faces.count} faces to seed 42`)
// 8 frames, from a mean of 10 faces to seed 42
