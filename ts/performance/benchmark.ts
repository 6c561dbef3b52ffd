/** Work of known size, and the time that a device needs for it. */
import { availableParallelism, cpus, totalmem } from 'node:os'
import { networkOptions, resolveConfig, scheduleOptions, type TrainConfig } from '../training/config.ts'
import { streams } from '../data/sampler.ts'
import { Rng, scope, type Device, type Tensor } from '../native/index.ts'
import { frozen } from '../networks/params.ts'
import { algorithmOf, checkPrecision, mapsOf, type Precision } from '../networks/precision.ts'
import { renderLatents } from '../figures/render.ts'
import { progressAt } from '../training/schedule.ts'
import { createState, type TrainingState } from '../training/state.ts'
import { trainingStep } from '../training/step.ts'

/** Work that can be enqueued again and again. */
export interface Workload {
  readonly name: string
  /** What one run amounts to, in GFLOP, GB or images. */
  readonly amount: number
  readonly unit: 'GFLOP/s' | 'GB/s' | 'images/s'
  /** Enqueues it once. */
  readonly run: () => void
}

export interface Measurement {
  readonly name: string
  /** Median of the runs. */
  readonly ms: number
  /** Amount a second, in `unit`. */
  readonly rate: number
  readonly unit: Workload['unit']
}

/**
 * Times a workload, waiting for the device after each run.
 *
 * @param seconds to repeat it, after a quarter as long to warm up; at least two runs and one
 */
export async function measure(device: Device, { name, amount, unit, run }: Workload, seconds = 0.4) {
  const repeat = async (time: number, least: number) => {
    const taken: number[] = []
    const end = performance.now() + time
    while (taken.length < least || performance.now() < end) {
      const began = performance.now()
      run()
      await device.synchronize()
      taken.push(performance.now() - began)
    }
    return taken.sort((a, b) => a - b)
  }
  await repeat(seconds * 250, 1)
  const taken = await repeat(seconds * 1000, 2)
  const ms = (taken[(taken.length - 1) >> 1]! + taken[taken.length >> 1]!) / 2
  return { name, ms, rate: (amount / ms) * 1000, unit } satisfies Measurement
}

/** A measurement as one aligned line. */
export function measurementLine({ name, ms, rate, unit }: Measurement): string {
  return `${name.padEnd(62)} ${ms.toFixed(3).padStart(10)} ms ${rate.toFixed(1).padStart(9)} ${unit}`
}

/** What a measurement depends on beside the code. */
export function machine() {
  const { RAYON_NUM_THREADS: asked } = process.env
  const cores = availableParallelism()
  const threads = Number(asked) > 0 ? Number(asked) : cores
  const memoryGb = Math.round(totalmem() / 2 ** 30)
  return { cpu: cpus()[0]?.model ?? 'unknown', arch: process.arch, cores, threads, memoryGb, node: process.version }
}

/** A convolution of images `[N, side, side, C]` with `O` filters k × k. */
export interface ConvolutionShape {
  readonly N: number
  readonly side: number
  readonly C: number
  readonly O: number
  readonly k: number
  readonly stride: number
  /** What images are stored or multiplied in; default f32. */
  readonly precision?: Precision
}

/** The three members of the family on one shape; their work is counted in the direct form, 2 · outputs · k² · C. */
export function convolutionWorkloads(device: Device, shape: ConvolutionShape): Workload[] {
  const { N, side, C, O, k, stride } = shape
  checkPrecision(shape, device)
  const rng = new Rng(1)
  const pad = k === 1 ? 0 : 1
  const algorithm = algorithmOf(shape, device)
  const options = { stride, padding: [pad, pad, pad, pad] as const, algorithm }
  const x = rng.normal(device, [N, side, side, C]).cast(mapsOf(shape, device))
  const w = rng.normal(device, [k, k, C, O])
  const y = x.conv2d(w, options)
  const amount = (2 * y.size * k * k * C) / 1e9
  const label = `[${N}, ${side}, ${side}, ${C}] -> ${O}, ${k}x${k}${stride > 1 ? ` / ${stride}` : ''}${stored(shape)}`
  const workload = (name: string, op: () => Tensor): Workload => {
    return { name: `${name} ${label}`, amount, unit: 'GFLOP/s', run: () => op().dispose() }
  }
  return [
    workload('conv2d', () => x.conv2d(w, options)),
    workload('conv2d_transpose', () => y.conv2dTranspose(w, [side, side], options)),
    workload('conv2d_weight_grad', () => x.conv2dWeightGrad(y, [k, k], options)),
  ]
}

/** Networks of configuration F and a batch. */
export interface NetworkShape {
  readonly resolution: number
  readonly fmapBase: number
  readonly fmapMax: number
  readonly batch: number
  readonly latentSize?: number
  /** What feature maps are stored or multiplied in; default f32. */
  readonly precision?: Precision
}

export function networkLabel(shape: NetworkShape): string {
  return `${shape.resolution}px, fmaps ${shape.fmapBase}/${shape.fmapMax}${stored(shape)}`
}

const stored = ({ precision = 'f32' }: { precision?: Precision }) => (precision === 'f32' ? '' : `, ${precision}`)

/** The paper's training at full size from the start, with one latent an image. */
export function benchmarkConfig(shape: NetworkShape): TrainConfig {
  const wholeSize = { lodInitialResolution: shape.resolution, mixingProb: 0 }
  return resolveConfig('stylegan', { data: 'none', ...shape, ...wholeSize })
}

/** One iteration on the same real images again and again: discriminator with R1, generator, Adam, running average. */
export function trainingWorkload(state: TrainingState, images: Tensor, config: TrainConfig): Workload {
  const progress = progressAt(0, scheduleOptions(config))
  const name = `training step ${networkLabel({ ...config, batch: progress.minibatch })}, batch ${progress.minibatch}`
  const run = () => trainingStep(state, images, progress, config).dispose()
  return { name, amount: progress.minibatch, unit: 'images/s', run }
}

/** Images as bytes from fresh latents, with the network's own noise; the generator is frozen from now on. */
export function generationWorkload(state: TrainingState, config: TrainConfig, batch: number): Workload {
  const [latents, options] = [new Rng(config.seed, streams.grid), networkOptions(config)]
  const Gs = { ...state.Gs, params: frozen(state.Gs.params) }
  const run = () =>
    scope(() => {
      renderLatents({ Gs, options }, latents.normal(Gs.device, [batch, config.latentSize]), { noise: 'const' })
    })
  const name = `generate ${networkLabel({ ...config, batch })}, batch ${batch}`
  return { name, amount: batch, unit: 'images/s', run }
}

/** The training step and generation, one image and eight at a time. */
export function networkWorkloads(device: Device, shape: NetworkShape): Workload[] {
  const config = benchmarkConfig(shape)
  const state = createState(device, config)
  const { batch, resolution } = shape
  const pixels = new Uint8Array(batch * resolution ** 2 * config.numChannels).fill(100)
  const images = device.tensor(pixels, [batch, resolution, resolution, config.numChannels])
  return [
    trainingWorkload(state, images, config),
    generationWorkload(state, config, 1),
    generationWorkload(state, config, 8),
  ]
}
