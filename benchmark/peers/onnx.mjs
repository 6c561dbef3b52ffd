/** ONNX Runtime: one JSON request a line from stdin, one JSON answer a line to stdout. */
import { createInterface } from 'node:readline'
import ort from 'onnxruntime-node'

let session
let latentSize

const operations = {
  /** @param request `path` of the generator that PyTorch exported */
  async open({ path, threads, ...request }) {
    latentSize = request.latentSize
    session = await ort.InferenceSession.create(path, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
    })
    return { onnxruntime: ort.env.versions.node }
  },

  /** Bytes of images of latents. */
  async check({ latents }) {
    const shape = [latents.length / latentSize, latentSize]
    const { images } = await session.run({ z: new ort.Tensor('float32', Float32Array.from(latents), shape) })
    return { images: [...images.data] }
  },

  /** Time of the first batch. */
  async first({ batch }) {
    return { seconds: await timed(latents(batch)) }
  },

  /** Median time of a batch, over at least `seconds` and three runs. */
  async generate({ batch, seconds }) {
    const z = latents(batch)
    const times = []
    let total = 0
    while (total < seconds || times.length < 3) {
      times.push(await timed(z))
      total += times.at(-1)
    }
    return { seconds: times.sort((a, b) => a - b)[times.length >> 1] }
  },
}

function latents(batch) {
  return new ort.Tensor('float32', Float32Array.from({ length: batch * latentSize }, normal), [batch, latentSize])
}

async function timed(z) {
  const began = performance.now()
  await session.run({ z })
  return (performance.now() - began) / 1000
}

/** Box–Muller; the values do not matter to the time, but denormal or infinite ones would. */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
}

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...request } = JSON.parse(line)
  const answer = await operations[op](request).catch((error) => ({ error: String(error).split('\n')[0] }))
  console.log(JSON.stringify(answer))
}
