/** Images of a trained network by seed: what the commands and figures draw with. */
import { optionError } from '../files/option-names.ts'
import { nearest } from '../files/keys.ts'
import { streams } from '../data/sampler.ts'
import type { Picture } from './grid.ts'
import { toBytes } from '../data/pixels.ts'
import { Rng, scope, type Tensor } from '../native/index.ts'
import { draw, truncate, type Sampling } from '../networks/generator.ts'
import { upscale } from '../networks/layers.ts'
import { mapping } from '../networks/mapping.ts'
import type { Network, NetworkOptions } from '../networks/params.ts'
import type { Noise } from '../networks/synthesis.ts'
import { crop, rgbPicture } from './panel.ts'

/** A generator to draw with, as loadGenerator returns it. */
export interface TrainedGenerator {
  readonly Gs: Network
  readonly options: NetworkOptions
  /** Names of the classes of a conditional network, in the order of its labels; empty if the data had none. */
  readonly classes?: readonly string[]
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass?: boolean | undefined
  /** Rows that pictures show, from the middle of the images; all by default. */
  readonly height?: number | undefined
  /** Level of detail that pictures are drawn at; 0, the full resolution, by default. */
  readonly lod?: number | undefined
  /** Called after each picture. */
  readonly onPicture?: (() => void) | undefined
}

/** What all figures have in common. */
export interface FigureOptions {
  /** Classes of a conditional network's images, by number or name: those whose label is 1. */
  readonly classes?: readonly (number | string)[] | undefined
  readonly truncationPsi?: number | undefined
  readonly truncationCutoff?: number | undefined
  /** Each pixel of an image so often along both axes; by default images are at least 128 pixels wide. */
  readonly scale?: number | undefined
}

/** z of a seed, the same for every command: `[1, latentSize]`. */
export function latentOf({ Gs, options }: TrainedGenerator, seed: number): Tensor {
  return new Rng(seed, streams.grid).normal(Gs.device, [1, options.latentSize])
}

/**
 * The label of some classes, `[1, labelSize]`; none for a network without classes.
 *
 * @param classes numbers from 0, or names; digits in a string are a name if a class has it, else a number
 * @throws RangeError if a class is unknown, missing, one of several for a network of one class an image, or given to a network that
 *   has none
 */
export function labelOf(generator: TrainedGenerator, classes?: readonly (number | string)[]): Tensor | undefined {
  const { Gs, options } = generator
  const { labelSize } = options
  if (labelSize === 0) {
    if (classes === undefined) return undefined
    throw optionError(
      (name) => `${name('class')}: none is expected, since the network was trained without labels, got ${classes}`,
    )
  }
  if (classes === undefined) throw unknownClass(generator, 'nothing; the network has classes')
  const values = new Float32Array(labelSize)
  const found = new Set<number>()
  for (const one of classes) {
    const index = typeof one === 'number' ? one : classNumber(one, generator.classes)
    if (!(Number.isInteger(index) && index >= 0 && index < labelSize)) {
      const isNumber = /^\d+$/.test(String(one))
      const near = !isNumber && nearest(String(one), generator.classes ?? [])
      throw unknownClass(
        generator,
        `${isNumber ? one : JSON.stringify(one)}${near ? `; did you mean ${JSON.stringify(near)}?` : ''}`,
      )
    }
    values[index] = 1
    found.add(index)
  }
  if (generator.oneClass && found.size !== 1) {
    const got = found.size === 0 ? 'none' : classes.join(', ')
    throw optionError(
      (name) => `${name('class')}: one class is expected, as each image of the training had, got ${got}; give one`,
    )
  }
  return Gs.device.tensor(values, [1, labelSize])
}

/** The number of a class that has a name, or that is a number itself. */
function classNumber(text: string, classes: readonly string[] = []): number {
  const named = classes.indexOf(text)
  return named < 0 && /^\d+$/.test(text) ? Number(text) : named
}

function unknownClass({ options, classes = [] }: TrainedGenerator, found: string): RangeError {
  // Names that are the classes' own numbers say nothing; of many, some show what they look like.
  const names = classes.filter((name, number) => name !== String(number)).map((name) => JSON.stringify(name))
  const some = names.length > 8 ? [...names.slice(0, 8), '…'] : names
  const named = some.length > 0 ? ` or one of ${some.join(', ')}` : ''
  return optionError(
    (name) => `${name('class')}: a whole number from 0 to ${options.labelSize - 1}${named} is expected, got ${found}`,
  )
}

/** The w of a seed for each layer, truncated. */
export function stylesOf(generator: TrainedGenerator, seed: number, sampling: FigureOptions): Tensor[] {
  return scope(() => stylesOfLatent(generator, latentOf(generator, seed), sampling))
}

/**
 * The w of a latent for each layer, truncated.
 *
 * @param z `[1, latentSize]`
 */
export function stylesOfLatent(generator: TrainedGenerator, z: Tensor, sampling: FigureOptions): Tensor[] {
  const { Gs, options } = generator
  return scope(() => {
    const w = mapping(Gs.params, z, labelOf(generator, sampling.classes), options)
    const { truncationPsi = 1, truncationCutoff = Infinity } = sampling
    return truncate(Gs.params, w, { truncationPsi, truncationCutoff }, options)
  })
}

/** Rows of the generator's pictures, and the first of them in its images. */
export function shownRows({ options, height = options.resolution }: Pick<TrainedGenerator, 'options' | 'height'>): {
  height: number
  top: number
} {
  const { resolution } = options
  if (!(Number.isInteger(height) && height > 0 && height <= resolution && (resolution - height) % 2 === 0)) {
    throw optionError(
      (name) => `${name('height')}: an even number of at most ${resolution} rows is expected, got ${height}`,
    )
  }
  return { height, top: (resolution - height) / 2 }
}

/**
 * Images of latents as bytes, at full size whatever the level of detail.
 *
 * @param z `[N, latentSize]`
 * @returns uint8 `[N, resolution, resolution, C]`
 */
export function renderLatents(
  generator: TrainedGenerator,
  z: Tensor,
  { labels, noise, lod, ...psi }: Sampling,
): Tensor {
  const { Gs, options } = generator
  return scope(() => {
    const w = mapping(Gs.params, z, labels, options)
    return renderStyles(generator, truncate(Gs.params, w, psi, options), noise, lod)
  })
}

/**
 * Images of styles as bytes, at full size whatever the level of detail.
 *
 * @param styles a w `[N, dlatentSize]` for each layer
 * @returns uint8 `[N, resolution, resolution, C]`
 */
export function renderStyles(
  generator: TrainedGenerator,
  styles: readonly Tensor[],
  noise: Noise,
  lod?: number,
): Tensor {
  return scope(() => toBytes(imagesOfStyles(generator, styles, noise, lod)))
}

/** As {@link renderStyles}, nominally −1 … 1. */
export function imagesOfStyles(
  { Gs, options, lod: own = 0 }: TrainedGenerator,
  styles: readonly Tensor[],
  noise: Noise,
  lod = own,
): Tensor {
  return scope(() => {
    const images = draw(Gs.params, styles, noise, lod, options)
    return upscale(images, options.resolution / images.dims4()[1])
  })
}

/** The bytes of a tensor, which is disposed of. */
export async function bytesOf(images: Tensor): Promise<Uint8Array> {
  const bytes = images.data()
  images.dispose()
  return (await bytes) as Uint8Array
}

/** The image of one w a layer, in RGB; its rows are {@link shownRows}. */
export async function pictureOf(
  generator: TrainedGenerator,
  styles: readonly Tensor[],
  noise: Noise,
): Promise<Picture> {
  const { resolution, numChannels } = generator.options
  const { height, top } = shownRows(generator)
  const pixels = await bytesOf(renderStyles(generator, styles, noise))
  generator.onPicture?.()
  return crop(rgbPicture(pixels, resolution, resolution, numChannels), 0, top, resolution, height)
}
