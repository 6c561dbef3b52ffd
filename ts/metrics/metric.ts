/** What a metric is, and what it is computed from. */
import type { Device } from '../native/index.ts'
import type { MetricName } from '../training/metric-names.ts'
import type { LoadedClassifier } from './classifier.ts'
import type { FeatureCache } from './feature-cache.ts'
import type { ImageSource, Sampled } from './images.ts'
import type { Inception } from './networks/inception.ts'
import type { Lpips } from './networks/lpips.ts'
import type { Moments } from './moments.ts'
import type { ResizeMode } from './networks/resize.ts'
import type { Vgg } from './networks/vgg.ts'

/** The networks of published weights, opened when a metric first needs them. */
export interface FeatureNetworks {
  inception(): Promise<Inception>
  vgg(): Promise<Vgg>
  lpips(): Promise<Lpips>
  classifiers(): Promise<readonly LoadedClassifier[]>
}

/** The images on one side of a comparison, or their statistics alone. */
export type Side = { readonly images: (options: { count: number; mirror: boolean }) => Promise<ImageSource> } | Moments

export interface Measurement {
  readonly name: MetricName
  readonly device: Device
  /** Images that are generated: see the catalogue. */
  readonly num: number
  readonly seed: number
  /** How images come to Inception's size. */
  readonly mode: ResizeMode
  readonly networks: FeatureNetworks
  readonly cache: FeatureCache
  /** The network that is measured; none where a folder of images is. */
  readonly sampled?: Sampled | undefined
  readonly fakes: Side
  readonly reals?: Side | undefined
  /** Tells what may make the number hard to compare. */
  readonly warn: (line: string) => void
  readonly progress: (what: string, done: number, total: number) => void
  readonly signal?: AbortSignal | undefined
}

export interface Measured {
  /** Numbers by the names that StyleGAN3 gives them. */
  readonly results: Readonly<Record<string, number>>
  /** Everything else that a difference to another number could come from. */
  readonly details: Readonly<Record<string, unknown>>
}
