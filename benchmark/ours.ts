/** Our side of `npm run bench:peers`: one JSON request a line from stdin, one JSON answer a line to stdout. */
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import {
  benchmarkConfig,
  generationWorkload,
  measure,
  type NetworkShape,
  type Workload,
} from '../ts/performance/benchmark.ts'
import { networkOptions, scheduleOptions, type TrainConfig } from '../ts/training/config.ts'
import { Device, Rng, type Tensor } from '../ts/native/index.ts'
import { discriminator } from '../ts/networks/discriminator.ts'
import { generate } from '../ts/networks/generator.ts'
import { numLayers } from '../ts/networks/params.ts'
import { emaBeta, progressAt, type Progress } from '../ts/training/schedule.ts'
import { encodeSafetensors, type HostTensor } from '../ts/files/safetensors.ts'
import { writeAtomic } from '../ts/files/write-atomic.ts'
import { createState, encodeState, type TrainingState } from '../ts/training/state.ts'
import { trainingStep } from '../ts/training/step.ts'

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
  readonly #generation = new Map<number, Workload>()

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

  /** Gives back what files were made of. */
  async collect() {
    await this.device.synchronize()
    ;(globalThis as { gc?: () => void }).gc?.()
    // Buffers are freed by another thread, after the collection.
    await setTimeout(1000)
    return { rss: process.memoryUsage.rss() }
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

  /** The generator is prepared once, when the first images are asked for. */
  async generate({ batch, seconds }: { batch: number; seconds: number }) {
    const workload = this.#generation.get(batch) ?? generationWorkload(this.state, this.config, batch)
    this.#generation.set(batch, workload)
    const { ms } = await measure(this.device, workload, seconds)
    return { seconds: ms / 1000 }
  }
}

async function writeTensors(path: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const read = async ([name, tensor]: [string, Tensor]): Promise<[string, HostTensor]> => {
    return [name, { shape: tensor.shape, values: await tensor.data() }]
  }
  const values = new Map(await Promise.all([...tensors].map(read)))
  await writeFile(path, encodeSafetensors({ tensors: values, metadata: {} }))
}

let ours: Ours | undefined

async function answer({ op, ...request }: { op: string } & Record<string, unknown>): Promise<unknown> {
  if (op === 'open') {
    ours = new Ours(request['shape'] as NetworkShape, request['device'] as string)
    return {}
  }
  const side = ours!
  if (op === 'save') return side.save(request as { weights: string; inputs: string })
  if (op === 'check') return side.check(request as { output: string })
  if (op === 'collect') return side.collect()
  if (op === 'train') return side.train()
  if (op === 'generate') return side.generate(request as { batch: number; seconds: number })
  throw new RangeError(`op: open, save, check, collect, train or generate is expected, got ${op}`)
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await answer(JSON.parse(line) as { op: string }).catch((error: unknown) => ({ error: String(error) }))
  console.log(JSON.stringify(result))
}
