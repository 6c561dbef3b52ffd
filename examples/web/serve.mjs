// Serves the page with a network and ONNX Runtime to this machine alone; nothing is fetched from anywhere else.
//
//   npm install onnxruntime-web
//   npx stylegan export --network results --format onnx --trunc input --pixels bytes --output faces.onnx
//   node examples/web/serve.mjs faces.onnx
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [network = 'out/network.onnx', port = '8018'] = process.argv.slice(2)
const here = dirname(fileURLToPath(import.meta.url))
const runtime = dirname(fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm')))
const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' }
const files = new Map([
  ['/', join(here, 'index.html')],
  ['/network.onnx', network],
  ...['page.js', 'latents.js'].map((name) => [`/${name}`, join(here, name)]),
  ...['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'].map((name) => [
    `/ort/${name}`,
    join(runtime, name),
  ]),
])

const server = createServer(async (request, response) => {
  const path = files.get(new URL(request.url, 'http://localhost').pathname)
  const found = path && (await stat(path).catch(() => undefined))
  if (!found) return response.writeHead(404).end()
  response.writeHead(200, {
    'content-type': types[extname(path)] ?? 'application/octet-stream',
    'content-length': found.size,
    // With these two the runtime may use several threads.
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  })
  createReadStream(path).pipe(response)
})
server.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`))
