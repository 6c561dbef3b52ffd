/** Our side of `npm run bench:peers`: one JSON request a line from stdin, one JSON answer a line to stdout. */
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { renderLatents, type TrainedGenerator } from '../ts/figures/render.ts'
import { benchmarkConfig, type NetworkShape } from '../ts/performance/benchmark.ts'
import { networkOptions, scheduleOptions, type TrainConfig } from '../ts/training/config.ts'
import { Device, Rng, scope, type Tensor } from '../ts/native/index.ts'
import { discriminator } from '../ts/networks/discriminator.ts'
import { generate } from '../ts/networks/generator.ts'
import { numLayers } from '../ts/networks/params.ts'
import type { Precision } from '../ts/networks/precision.ts'
import { emaBeta, progressAt, type Progress } from '../ts/training/schedule.ts'
import { encodeSafetensors, type HostTensor } from '../ts/files/safetensors.ts'
import { writeAtomic } from '../ts/files/write-atomic.ts'
import { createState, encodeState, readGenerator, type TrainingState } from '../ts/training/state.ts'
import { trainingStep } from '../ts/training/step.ts'
import { featuresOf, type FeatureNetwork } from './feature-networks.ts'
import { median } from './median.ts'

/** Steps whose latents and noise the peers are given, so that their losses can be compared. */
const givenSteps = 2
const checkBatch = 4

class Ours {
  readonly device: Device
  readonly config: TrainConfig
  readonly state: TrainingState
  readonly progress: Progress
  readonly reals: Tensor
  readonly latents: Tensor

  constructor(shape: NetworkShape, device: string) {
    this.device = Device.open(device)
    this.config = benchmarkConfig(shape)
    this.state = createState(this.device, this.config)
    this.progress = progressAt(0, scheduleOptions(this.config))
    const { resolution, numChannels, latentSize } = this.config
    const rng = new Rng(1)
    this.latents = rng.normal(this.device, [checkBatch, latentSize])
    const noise = rng.uniform(this.device, [shape.batch, resolution, resolution, numChannels])
    this.reals = noise.mul(255).cast('u8')
  }

  /** The starting parameters, and what the peers compute with: real images, latents and noise as our steps will draw them. */
  async save({ weights, inputs }: { weights: string; inputs: string }) {
    await writeAtomic(weights, encodeState(this.state, this.config))
    const tensors = new Map([
      ['reals', this.reals],
      ['latents', this.latents],
    ])
    const { minibatch } = this.progress
    const rng = Rng.from(this.state.rng.state)
    for (let step = 0; step < givenSteps; step++) {
      for (const network of ['D', 'G']) {
        tensors.set(`step${step}/${network}/z`, rng.normal(this.device, [minibatch, this.config.latentSize]))
        for (let i = 0; i < numLayers(this.config.resolution); i++) {
          const side = 2 ** (Math.floor(i / 2) + 2)
          tensors.set(`step${step}/${network}/noise${i}`, rng.normal(this.device, [minibatch, side, side, 1]))
        }
      }
    }
    await writeTensors(inputs, tensors)
    const { gamma, emaKimg } = this.config
    return { gamma, rate: this.progress.gLrate, averageBeta: emaBeta(minibatch, emaKimg) }
  }

  /** Images of the running average and their scores. */
  async check({ output }: { output: string }) {
    const { Gs, D } = this.state
    const options = networkOptions(this.config)
    const images = generate(Gs.params, this.latents, { noise: 'const' }, options)
    const scores = discriminator(D.params, images, undefined, 0, options)
    await writeTensors(output, new Map(Object.entries({ images, scores })))
    return {}
  }

  /** One iteration; `enqueueSeconds` of it the JavaScript thread was busy. */
  async train() {
    const began = performance.now()
    const stats = trainingStep(this.state, this.reals, this.progress, this.config)
    const enqueued = performance.now()
    const values = await stats.data()
    await this.device.synchronize()
    const seconds = (performance.now() - began) / 1000
    stats.dispose()
    return { seconds, enqueueSeconds: (enqueued - began) / 1000, stats: [...values] }
  }

  /** The median of as many iterations as fill `seconds`. */
  async iterations({ seconds }: { seconds: number }) {
    return { seconds: await medianOf(seconds, 1, async () => (await this.train()).seconds) }
  }
}

/** The median of as many times as fill `seconds`, at least `least`. */
async function medianOf(seconds: number, least: number, measure: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let total = 0; total < seconds || times.length < least; total += times.at(-1)!) times.push(await measure())
  return median(times)
}

/** A generator that was loaded to draw. */
class Drawing {
  readonly #generator: TrainedGenerator
  readonly #rng = new Rng(1)

  constructor(generator: TrainedGenerator) {
    this.#generator = generator
  }

  /** Seconds of a batch as bytes, in the memory of JavaScript. */
  async first({ batch }: { batch: number }) {
    const { Gs, options } = this.#generator
    const began = performance.now()
    scope(() => {
      renderLatents(this.#generator, this.#rng.normal(Gs.device, [batch, options.latentSize]), { noise: 'const' })
    })
    await Gs.device.synchronize()
    return { seconds: (performance.now() - began) / 1000 }
  }

  /** The median of as many as fill `seconds`, at least three. */
  async generate({ batch, seconds }: { batch: number; seconds: number }) {
    return { seconds: await medianOf(seconds, 3, async () => (await this.first({ batch })).seconds) }
  }
}

async function writeTensors(path: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const read = async ([name, tensor]: [string, Tensor]): Promise<[string, HostTensor]> => {
    return [name, { shape: tensor.shape, values: await tensor.data() }]
  }
  const values = new Map(await Promise.all([...tensors].map(read)))
  await writeFile(path, encodeSafetensors({ tensors: values, metadata: {} }))
}

/** Gives back what files were made of. */
async function collect() {
  ;(globalThis as { gc?: () => void }).gc?.()
  // Buffers are freed by another thread, after the collection.
  await setTimeout(1000)
  return { rss: process.memoryUsage.rss() }
}

interface Drawn {
  readonly path: string
  readonly device: string
  readonly precision: Precision
}

async function openDrawing({ path, device, precision }: Drawn): Promise<TrainedGenerator> {
  const { Gs, options } = await readGenerator(path, Device.open(device))
  return { Gs, options: { ...options, precision } }
}

let ours: Ours | undefined
let drawing: Drawing | undefined
let features: (() => Promise<number>) | undefined

const operations: Record<string, (request: never) => unknown> = {
  open({ shape, device }: { shape: NetworkShape; device: string }) {
    ours = new Ours(shape, device)
    return {}
  },
  async openDrawing(request: Drawn) {
    drawing = new Drawing(await openDrawing(request))
    return {}
  },
  openFeatures({ network, batch, device }: { network: FeatureNetwork; batch: number; device: string }) {
    features = featuresOf(Device.open(device), network, batch)
    return {}
  },
  save: (request: { weights: string; inputs: string }) => ours!.save(request),
  check: (request: { output: string }) => ours!.check(request),
  collect,
  train: () => ours!.train(),
  iterations: (request: { seconds: number }) => ours!.iterations(request),
  first: (request: { batch: number }) => drawing!.first(request),
  generate: (request: { batch: number; seconds: number }) => drawing!.generate(request),
  features: async () => ({ seconds: await features!() }),
}

async function answer({ op, ...request }: { op: string }): Promise<unknown> {
  const operation = operations[op]
  if (operation) return operation(request as never)
  throw new RangeError(`op: one of ${Object.keys(operations).join(', ')} is expected, got ${op}`)
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await answer(JSON.parse(line) as { op: string }).catch((error: unknown) => ({ error: String(error) }))
  console.log(JSON.stringify(result))
}
