/** Images that metrics look at: real ones, and those that a network draws. Each batch depends on its number alone. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Dataset } from '../data/dataset.ts'
import { streams } from '../data/sampler.ts'
import { bytesOf, renderStyles, type TrainedGenerator } from '../figures/render.ts'
import { concat, Rng, scope, type Device, type Tensor } from '../native/index.ts'
import { configurationOf } from '../networks/configurations.ts'
import { mapping } from '../networks/mapping.ts'
import { numLayers } from '../networks/params.ts'

export interface ImageSource {
  /** What is said of it in messages. */
  readonly name: string
  /** Tells which images these are: sources of one key hold the same ones. */
  readonly key: Readonly<Record<string, unknown>>
  /** Images that there are; Infinity of a network. */
  readonly count: number
  readonly side: number
  readonly channels: number
  readonly batchSize: number
  /** Images `batchSize · index …`, uint8 `[n, side, side, channels]`; n is `batchSize`, and less at the end. */
  batch(index: number): Promise<{ bytes: Uint8Array; n: number }>
}

/** As many as make a kernel worth its launch, and no more than a million pixels. */
export function batchSizeOf(side: number): number {
  return Math.min(64, Math.max(4, 2 ** 20 / side ** 2))
}

/** SHA-256 of a file. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash)
  return hash.digest('hex')
}

export interface RealOptions {
  readonly side: number
  readonly count?: number
  readonly mirror: boolean
  readonly seed: number
  /** SHA-256 of the images of this side. */
  readonly hash: string
}

/**
 * The first `count` images of a data set, in its order, each mirrored with probability ½ if `mirror` (official metric_base.py).
 */
export function realImages(
  { info, levels }: Dataset,
  { side, count = Infinity, mirror, seed, hash }: RealOptions,
): ImageSource {
  const batchSize = batchSizeOf(side)
  const total = Math.min(count, levels.count)
  return {
    name: info.source,
    // Unmirrored images are the same for every seed.
    key: { data: hash, ...(mirror ? { mirror, seed } : {}) },
    count: total,
    side,
    channels: levels.channels,
    batchSize,
    async batch(index) {
      const first = index * batchSize
      const rows = Array.from({ length: Math.min(batchSize, total - first) }, (_, i) => first + i)
      const turned = rows.map((row) => mirror && new Rng(seed, streams.mirror, 4 * row).nextUniform() <= 0.5)
      return { bytes: await levels.batch(side, rows, turned), n: rows.length }
    },
  }
}

/** Labels of a data set, from which those of generated images are drawn. */
export interface LabelTable {
  /** `[count, labelSize]`. */
  readonly values: Float32Array
  readonly count: number
  /** Tells which labels these are. */
  readonly hash: string
}

/** A network, and how its images are drawn. */
export interface Sampled {
  readonly generator: Pick<TrainedGenerator, 'Gs' | 'options' | 'lod'>
  /** SHA-256 of the network's weights. */
  readonly hash: string
  readonly seed: number
  readonly labels?: LabelTable | undefined
}

/** Streams of random numbers of batch `index`: what is drawn for one has nothing to do with any other. */
export function rngOf({ seed }: Sampled, index: number, what: 'latents' | 'labels' | 'noise'): Rng {
  const kind = { latents: 0, labels: 1, noise: 2 }[what]
  // Training's streams are below; a step of three keeps the kinds apart.
  return new Rng(seed, 1024 * streams.metrics + 3 * index + kind)
}

/** Labels `[N, labelSize]` of images drawn from the data set, as StyleGAN2 draws them; none for a network without classes. */
export function drawLabels({ generator, labels }: Sampled, rng: Rng, N: number): Tensor | undefined {
  const { labelSize } = generator.options
  if (labelSize === 0 || labels === undefined) return undefined
  const values = new Float32Array(N * labelSize)
  for (let i = 0; i < N; i++) {
    const row = rng.nextInteger(0, labels.count)
    values.set(labels.values.subarray(row * labelSize, (row + 1) * labelSize), i * labelSize)
  }
  return generator.Gs.device.tensor(values, [N, labelSize])
}

/** What the key of anything computed from a network's images says. */
export function networkKey({ hash, seed, labels, generator }: Sampled): Record<string, unknown> {
  const { Gs, lod = 0 } = generator
  const key = { network: hash, seed, device: Gs.device.name }
  return { ...key, ...(lod > 0 ? { lod } : {}), ...(labels ? { labels: labels.hash } : {}) }
}

/**
 * Images of a network: no truncation, noise drawn anew, bytes rounded as the official code does (frechet_inception_distance.py).
 *
 * @param mixed latents that each image mixes at random layers (StyleGAN, Table 2)
 */
export function generatedImages(sampled: Sampled, mixed = 1): ImageSource {
  const { Gs, options } = sampled.generator
  const { resolution: side, numChannels: channels } = options
  if (mixed > 1 && configurationOf(options).traditional) {
    throw new RangeError(`fid50k_mix${mixed}: a network with styles is expected, this one has none to mix`)
  }
  const batchSize = batchSizeOf(side)
  return {
    name: 'the network',
    key: { ...networkKey(sampled), batchSize, ...(mixed > 1 ? { mixed } : {}) },
    count: Infinity,
    side,
    channels,
    batchSize,
    async batch(index) {
      const images = scope(() => {
        const labels = drawLabels(sampled, rngOf(sampled, index, 'labels'), batchSize)
        const latents = rngOf(sampled, index, 'latents')
        const ws = Array.from({ length: mixed }, () =>
          mapping(Gs.params, latents.normal(Gs.device, [batchSize, options.latentSize]), labels, options),
        )
        const styles = mixedStyles(ws, latents, numLayers(side))
        return renderStyles(sampled.generator, styles, rngOf(sampled, index, 'noise'))
      })
      return { bytes: await bytesOf(images), n: batchSize }
    },
  }
}

/**
 * One w a layer: `ws.length` latents that share the layers at random crossover points, drawn for each image (StyleGAN, Section
 * 3.1 and Table 2).
 *
 * @param ws each `[N, dlatentSize]`
 */
export function mixedStyles(ws: readonly Tensor[], rng: Rng, layers: number): Tensor[] {
  const [first] = ws
  if (first === undefined || ws.length === 1) return Array.from({ length: layers }, () => first!)
  const [N, width] = first.dims2()
  // Row i · N + n of the table is latent i of image n.
  const table = concat([...ws], 0)
  const crossovers = Array.from({ length: N }, () =>
    rng
      .permutation(layers - 1)
      .slice(0, ws.length - 1)
      .map((layer) => layer + 1),
  )
  return Array.from({ length: layers }, (_, layer) => {
    const rows = crossovers.map((points, n) => points.filter((point) => point <= layer).length * N + n)
    return table.gatherRows(first.device.tensor(Int32Array.from(rows), [N])).reshape([N, width])
  })
}

/** The values of a tensor, which is disposed of, as features are kept. */
export async function floatsOf(rows: Tensor): Promise<Float32Array> {
  const pending = rows.data()
  rows.dispose()
  const values = await pending
  return values instanceof Float32Array ? values : Float32Array.from(values)
}

/** Images 0 … 255 as `[N, side, side, 3]`: gray ones three times, of RGBA ones the colours. */
export function rgbTensor(device: Device, bytes: Uint8Array, { side, channels }: ImageSource): Tensor {
  const N = bytes.length / (side * side * channels)
  return scope(() => toRgbChannels(device.tensor(bytes, [N, side, side, channels]).cast(device.float)))
}

/** `[N, H, W, 1, 3 or 4]` as `[N, H, W, 3]`. */
export function toRgbChannels(images: Tensor): Tensor {
  const [N, H, W, C] = images.dims4()
  if (C === 1) return images.broadcastTo([N, H, W, 3])
  return C === 3 ? images : images.slice([0, 0, 0, 0], [N, H, W, 3])
}
