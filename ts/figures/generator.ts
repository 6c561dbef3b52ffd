/** A trained network for programs that want images: no tensors to keep or to dispose of. */
import { streams } from '../data/sampler.ts'
import { seedsOf, type Seeds } from '../data/seeds.ts'
import { checkKeys } from '../files/keys.ts'
import { optionError } from '../files/option-names.ts'
import { shownValue } from '../files/shown.ts'
import { encodeDrawnPng, Rng, scope, ShapeError, type Tensor } from '../native/index.ts'
import { configurationOf } from '../networks/configurations.ts'
import { disposeNetwork, get, numLayers, sideOfLayer, type Network, type NetworkOptions } from '../networks/params.ts'
import type { LoadedGenerator, Origin } from '../training/imported.ts'
import { cropImages, type Picture } from './grid.ts'
import { rgbPicture } from './panel.ts'
import type { Noise } from '../networks/synthesis.ts'
import { bytesOf, latentOf, renderStyles, shownRows, stylesOfLatent, type TrainedGenerator } from './render.ts'
import { checkStyles, finite, joinStyles, Styles } from './styles.ts'

/** Which latents, and how far they are moved towards the mean. */
export interface MappingOptions {
  /** Images are those of `stylegan generate --seeds`. */
  readonly seeds?: Seeds | undefined
  /** Latents of one's own, `[count, latentSize]`, in place of seeds; only their directions matter. */
  readonly z?: ArrayLike<number> | undefined
  /** Truncation: 1 draws from all that was learned, 0 the mean image. Default 0.7; without styles (A, B) 1. */
  readonly psi?: number | undefined
  /** Layers that `psi` moves, from the coarsest. Default 8, up to 32×32, as the official generator. */
  readonly cutoff?: number | undefined
  /** Class of a conditional network, by name or number; several where images have several. */
  readonly class?: number | string | readonly (number | string)[] | undefined
}

/** How w becomes an image. */
export interface SynthesisOptions {
  /** The network's own noise (default), drawn for each image, or none. */
  readonly noise?: 'const' | 'random' | 'none' | undefined
  /** Noise of the image's own, in place of the network's: one map `[side, side]` a layer, as the projector finds them. */
  readonly noiseMaps?: readonly ArrayLike<number>[] | undefined
  /** Seeds of random noise, one an image, with noise `random` alone; by default those of the images, or 0, 1, … for w of another origin. */
  readonly noiseSeeds?: Seeds | undefined
  /** Factor of the noise, from -100 to 100: one for all layers, or one a layer from the coarsest. Default 1. */
  readonly noiseStrength?: number | readonly number[] | undefined
  /** Rows of each image, from the middle; by default all, or those of the network's preset. */
  readonly height?: number | undefined
}

const mappingKeys = ['seeds', 'z', 'psi', 'cutoff', 'class'] as const satisfies (keyof MappingOptions)[]
const synthesisKeys = [
  ...(['noise', 'noiseMaps', 'noiseSeeds', 'noiseStrength', 'height'] as const),
] satisfies (keyof SynthesisOptions)[]

/** The options of these names. */
const picked = <T extends object, K extends keyof T>(options: T, keys: readonly K[]): Pick<T, K> =>
  Object.fromEntries(keys.map((key) => [key, options[key]])) as Pick<T, K>

/** Which images are drawn, and how. */
export type ImagesOptions = MappingOptions & SynthesisOptions

/** Images of one size, as bytes. */
export class Images {
  /** `[count, height, width, channels]`. */
  readonly pixels: Uint8Array
  readonly count: number
  readonly height: number
  readonly width: number
  /** 1 is gray, 3 RGB, 4 RGBA. */
  readonly channels: number

  /** @internal */
  constructor(pixels: Uint8Array, [count, height, width, channels]: readonly [number, number, number, number]) {
    this.pixels = pixels
    this.count = count
    this.height = height
    this.width = width
    this.channels = channels
  }

  /** The bytes of image i, `[height, width, channels]`, shared with `pixels`. */
  at(i: number): Uint8Array {
    if (!(Number.isInteger(i) && i >= 0 && i < this.count)) {
      throw new RangeError(`Images: an image from 0 to ${this.count - 1} is expected, got ${i}`)
    }
    const size = this.height * this.width * this.channels
    return this.pixels.subarray(i * size, (i + 1) * size)
  }

  /** Image i as a PNG file, with the mark that keeps drawn images out of training data. */
  async png(i: number): Promise<Uint8Array> {
    return encodeDrawnPng(this.at(i), this.width, this.height, this.channels)
  }

  /** Image i in RGB, for `encodeVideo` and `animatedPng`. */
  picture(i: number): Picture {
    return rgbPicture(this.at(i), this.width, this.height, this.channels)
  }
}

/**
 * A trained generator. Its images are those that the command line draws, byte for byte. Work runs on the device's own
 * thread: the program goes on meanwhile.
 */
export class ImageGenerator implements TrainedGenerator {
  /** The file that it was read from. */
  readonly path: string
  /** The weights: the running average of training. */
  readonly Gs: Network
  readonly options: NetworkOptions
  /** Names of the classes of a conditional network. */
  readonly classes: readonly string[]
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass: boolean | undefined
  /** Rows that images show. */
  readonly height: number
  /** Images that it was shown in training. */
  readonly nimg: number
  /** Level of detail that it is drawn at; 0 is the full resolution. */
  readonly lod: number
  /** What wrote a network of another program, and its licence. */
  readonly origin: Origin | undefined

  /** @internal */
  constructor(path: string, { Gs, options, classes, oneClass, height, nimg, lod = 0, origin }: LoadedGenerator) {
    this.path = path
    this.Gs = Gs
    this.options = options
    this.classes = classes
    this.oneClass = oneClass
    this.height = height
    this.nimg = nimg
    this.lod = lod
    this.origin = origin
  }

  /**
   * Images of seeds, exactly those that `stylegan generate` writes for the same options.
   *
   * @throws RangeError for an unknown class, or an option that the network has no use for
   */
  async images(options: ImagesOptions = {}): Promise<Images> {
    checkKeys(options, [...mappingKeys, ...synthesisKeys], 'option')
    const w = await this.mapping(picked(options, mappingKeys))
    const noiseSeeds = options.noiseSeeds ?? (options.noise === 'random' ? options.seeds : undefined)
    return this.synthesis(w, { ...picked(options, synthesisKeys), noiseSeeds })
  }

  /**
   * w of seeds or latents, truncated: `synthesis` of it gives what `images` gives.
   *
   * @throws RangeError unless there are seeds or z, and for an unknown class
   */
  async mapping(options: MappingOptions = {}): Promise<Styles> {
    checkKeys(options, mappingKeys, 'option')
    const { seeds, z, psi = defaultPsi(this.options), cutoff = defaultCutoff, ...given } = options
    finite('psi', psi)
    if (Math.abs(psi) > mostPsi) {
      throw new RangeError(`psi: a number from -${mostPsi} to ${mostPsi} is expected, got ${psi}`)
    }
    checkCutoff(this.options, cutoff, 'cutoff')
    const classes = given.class === undefined ? undefined : [given.class].flat()
    const sampling = { classes, truncationPsi: psi, truncationCutoff: cutoff }
    // One at a time, as the commands: other numbers of images could be rounded in another way.
    const parts: Promise<Styles>[] = []
    for (const latent of this.#latents(seeds, z)) {
      parts.push(stylesFrom(scope(() => stylesOfLatent(this, latent(), sampling))))
    }
    return joinStyles(await Promise.all(parts))
  }

  /** How to make each z `[1, latentSize]`. */
  #latents(seeds: Seeds | undefined, z: ArrayLike<number> | undefined): (() => Tensor)[] {
    const { latentSize } = this.options
    if ((seeds === undefined) === (z === undefined)) {
      throw new RangeError(`seeds and z: one of them is expected, got ${seeds === undefined ? 'none' : 'both'}`)
    }
    if (seeds !== undefined) {
      const list = seedsOf(seeds)
      if (list.length === 0) throw new RangeError('seeds: one or more are expected, got none')
      return list.map((seed) => () => latentOf(this, seed))
    }
    const values = Float64Array.from(z!)
    const wrong = Array.from<unknown>(z!).findIndex((value) => !Number.isFinite(value))
    if (wrong >= 0) throw new RangeError(`z[${wrong}]: a finite number is expected, got ${shownValue(z![wrong])}`)
    if (values.length === 0 || values.length % latentSize !== 0) {
      throw new ShapeError(`z: [count, ${latentSize}] is expected, got ${values.length} values`)
    }
    return Array.from({ length: values.length / latentSize }, (_, i) => () => {
      return this.Gs.device.tensor(Array.from(values.subarray(i * latentSize, (i + 1) * latentSize)), [1, latentSize])
    })
  }

  /**
   * The mean of W, in all layers, as one image: what truncation moves towards.
   *
   * @throws RangeError for a network of configuration A, which keeps no mean
   */
  async mean(): Promise<Styles> {
    if (this.options.config === 'A') throw new RangeError('mean: configuration A keeps no mean of w')
    const w = scope(() => get(this.Gs.params, 'dlatent_avg').reshape([1, this.options.dlatentSize]))
    return stylesFrom(Array.from({ length: numLayers(this.options.resolution) }, () => w))
  }

  /**
   * Images of w of any origin.
   *
   * @throws ShapeError for w of a network of another shape, RangeError for an impossible height or noise
   */
  async synthesis(w: Styles, options: SynthesisOptions = {}): Promise<Images> {
    checkStyles(w)
    // What readProjected gives has the w beside the noise.
    checkKeys(options, [...synthesisKeys, 'w'], 'option')
    const { noise = 'const', noiseMaps, noiseSeeds, noiseStrength = 1, height = this.height } = options
    if (!['const', 'random', 'none'].includes(noise)) {
      throw new RangeError(`noise: one of const, random, none is expected, got ${shownValue(noise)}`)
    }
    const { resolution, dlatentSize, numChannels: c } = this.options
    const layers = numLayers(resolution)
    if (w.layers !== layers || w.width !== dlatentSize) {
      throw new ShapeError(
        `w: [count, ${layers}, ${dlatentSize}] is expected, got [${w.count}, ${w.layers}, ${w.width}]`,
      )
    }
    if (noiseSeeds !== undefined && noise !== 'random') {
      throw new RangeError(`noiseSeeds: noise random is expected beside them, got ${noise}; leave them out`)
    }
    if (noiseMaps !== undefined) checkMaps(noiseMaps, layers)
    const seeds = noiseSeeds === undefined ? Array.from({ length: w.count }, (_, i) => i) : seedsOf(noiseSeeds)
    if (noise === 'random' && seeds.length !== w.count) {
      throw new RangeError(`noiseSeeds: one an image, ${w.count}, are expected, got ${seeds.length}`)
    }
    const strengths = strengthsOf(noiseStrength, layers)
    const shown = shownRows({ options: this.options, height })
    const size = shown.height * resolution * c
    const pixels = new Uint8Array(w.count * size)
    for (let i = 0; i < w.count; i++) {
      const image = scope(() => {
        const styles = this.#tensorsOf(w.at(i))
        return renderStyles(this, styles, this.#noise(noise === 'random' ? seeds[i]! : noise, strengths, noiseMaps))
      })
      pixels.set(cropImages(await bytesOf(image), { n: 1, h: resolution, w: resolution, c }, shown), i * size)
    }
    return new Images(pixels, [w.count, shown.height, resolution, c])
  }

  /** Noise of some strength in each layer; of full strength it is the network's own affair. */
  #noise(
    noise: number | 'const' | 'none',
    strengths: readonly number[],
    maps: readonly ArrayLike<number>[] | undefined,
  ): Noise {
    const rng = typeof noise === 'number' ? new Rng(noise, streams.noise) : undefined
    const own = noise === 'const' ? maps : undefined
    if (noise === 'none' || (!own && strengths.every((strength) => strength === 1))) {
      return rng ?? (noise as 'const' | 'none')
    }
    if (!configurationOf(this.options).noise) return 'none'
    return strengths.map((strength, layer) => {
      const side = sideOfLayer(layer)
      const shape = [1, side, side, 1]
      const full = own
        ? this.Gs.device.tensor(own[layer]!, shape)
        : (rng?.normal(this.Gs.device, shape) ?? get(this.Gs.params, `G_synthesis/noise${layer}`).reshape(shape))
      return full.mul(strength)
    })
  }

  /** One w `[1, dlatentSize]` a layer. */
  #tensorsOf({ values, layers, width }: Styles): Tensor[] {
    const { device } = this.Gs
    return Array.from({ length: layers }, (_, layer) =>
      device.tensor(values.slice(layer * width, (layer + 1) * width), [1, width]),
    )
  }

  /** Gives the weights' memory back. What was drawn stays. */
  dispose(): void {
    disposeNetwork(this.Gs, 'generator')
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** With so much noise nothing else is left of a picture; what overflows in f32 is far larger. */
const mostStrength = 100

/** @throws RangeError unless there is one number of at most {@link mostStrength}, or one a layer */
function strengthsOf(strength: number | readonly number[], layers: number): readonly number[] {
  const list = typeof strength === 'number' ? Array.from({ length: layers }, () => strength) : strength
  const wrong = list.findIndex((one) => !(Math.abs(one) <= mostStrength))
  if (list.length === layers && wrong < 0) return list
  throw optionError((name) =>
    list.length === layers
      ? `${name('noiseStrength')}: numbers from -${mostStrength} to ${mostStrength} are expected, got ${shownValue(list[wrong])}`
      : `${name('noiseStrength')}: one number or ${layers}, one a layer, are expected, got [${list.join(', ')}]`,
  )
}

/** @throws RangeError unless there is one map `[side, side]` a layer */
function checkMaps(maps: readonly ArrayLike<number>[], layers: number): void {
  if (!Array.isArray(maps) || maps.length !== layers) {
    const got = Array.isArray(maps) ? maps.length : shownValue(maps)
    throw new RangeError(`noiseMaps: ${layers} maps, one a layer, are expected, got ${got}`)
  }
  for (const [layer, map] of (maps as readonly unknown[]).entries()) {
    const side = sideOfLayer(layer)
    const length = (map as ArrayLike<number> | undefined | null)?.length
    if (length === side ** 2) continue
    const got = length === undefined ? shownValue(map) : `${length} numbers`
    throw new RangeError(`noiseMaps[${layer}]: [${side}, ${side}] is expected, got ${got}`)
  }
}

/** The numbers of one w `[1, width]` a layer; the tensors are disposed of. */
async function stylesFrom(tensors: readonly Tensor[]): Promise<Styles> {
  const distinct = new Map<Tensor, Promise<ArrayLike<number>>>()
  for (const tensor of tensors) if (!distinct.has(tensor)) distinct.set(tensor, tensor.data())
  for (const tensor of distinct.keys()) tensor.dispose()
  const rows = await Promise.all(tensors.map((tensor) => distinct.get(tensor)!))
  return joinLayers(rows as (Float32Array | Float64Array)[])
}

function joinLayers(rows: readonly (Float32Array | Float64Array)[]): Styles {
  const width = rows[0]!.length
  const size = rows.length * width
  const values = rows[0] instanceof Float64Array ? new Float64Array(size) : new Float32Array(size)
  rows.forEach((row, layer) => values.set(row, layer * width))
  return new Styles(values, [1, rows.length, width])
}

/** The official generator truncates the layers up to 32×32 (networks_stylegan.py). */
export const defaultCutoff = 8

/** Far more than any picture survives, and far less than what overflows in f32. */
export const mostPsi = 100

/**
 * @param name what the caller calls it
 * @throws RangeError unless it is a number of layers that there are, {@link defaultCutoff}, or Infinity for all
 */
export function checkCutoff({ resolution }: NetworkOptions, cutoff: unknown, name: string): void {
  if (!(Number.isInteger(cutoff) || cutoff === Infinity) || Number(cutoff) < 0) {
    throw new RangeError(`${name}: a number of layers from 0 is expected, got ${shownValue(cutoff)}`)
  }
  const layers = numLayers(resolution)
  if (cutoff === Infinity || Number(cutoff) <= Math.max(layers, defaultCutoff)) return
  throw new RangeError(`${name}: at most the ${layers} layers of the network are expected, got ${Number(cutoff)}`)
}

/** The official networks without styles are not truncated, the others to 0.7 (official train.py, networks_stylegan.py). */
export function defaultPsi(options: NetworkOptions): number {
  return configurationOf(options).traditional ? 1 : 0.7
}
