/** Draws on request while it trains, with the newest snapshot: http://localhost:8000/5 is the image of seed 5. */
import { createServer } from 'node:http'
import { loadGenerator, resolveConfig, train, type ImageGenerator } from 'stylegan'

const [data = 'builtin:avatars', outdir = 'results', kimg = '8', port = '8000'] = process.argv.slice(2)
let G: ImageGenerator | undefined
const draw = async (seeds: string) => (await G!.images({ seeds })).png(0)
const server = createServer(({ url = '/0' }, response) => {
  const failed = (error: Error) => response.writeHead(400).end(error.message)
  if (G) draw(url.slice(1)).then((png) => response.end(png), failed)
  else response.writeHead(503).end('there is no snapshot yet')
}).listen(Number(port), '127.0.0.1')
const config = resolveConfig('demo', { data, outdir, kimg: Number(kimg), tick: 0.25, snap: 1, metrics: 'none' })
for await (const event of train(config))
  if (event.type === 'snapshot') console.log('drawing with', (G = await loadGenerator(event.path)).path)
server.close()
console.log('trained')
// trained
