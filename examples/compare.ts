/** How far drawn images are from others: here of two arrays, a folder or the network itself would do as well. */
import { loadGenerator } from 'stylegan'
import { compare } from 'stylegan/metrics'

const [network = 'results'] = process.argv.slice(2)
const G = await loadGenerator(network)
const [drawn, truncated] = [await G.images({ seeds: '0-99', psi: 1 }), await G.images({ seeds: '100-199', psi: 0.3 })]
const { swd } = await compare('swd', truncated, drawn, { num: 100 })
console.log(`sliced Wasserstein distance ${swd?.toFixed(2)}`)
// sliced Wasserstein distance 51.27
