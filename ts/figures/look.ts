/** One picture of a trained network, wholly described: the same description gives the same bytes to commands and to the studio. */
import type { ImageGenerator, Images, MappingOptions, SynthesisOptions } from './generator.ts'
import { principalComponents, type Components } from './components.ts'
import { directionsOf, readDirections, shiftStyles, type AttributeDirection, type Shift } from './directions.ts'
import { optionError } from '../files/option-names.ts'
import type { Projected } from './projected.ts'
import type { Styles } from './styles.ts'

/** One picture of a generator, with all that changes it. */
export interface Look extends Omit<MappingOptions, 'seeds' | 'z'>, Omit<SynthesisOptions, 'noiseSeeds'> {
  readonly seed: number
  /** A picture that was projected, with its noise, in place of that of the seed. It is not truncated. */
  readonly projected?: Projected | undefined
  /** Styles of other seeds in some layers, one after the other (StyleGAN, section 3.1). */
  readonly mix?: readonly Copied[] | undefined
  /** Moves along principal components or attributes, after mixing and truncation. */
  readonly shifts?: readonly Shift[] | undefined
  /** File of the attributes, as `stylegan directions` writes it; by default the one beside the network. */
  readonly directions?: string | undefined
  /** Seed of random noise; by default `seed`. */
  readonly noiseSeed?: number | undefined
}

/** What style mixing takes from another seed. */
export interface Copied {
  readonly seed: number
  /** Numbers from 0, the coarsest. */
  readonly layers: readonly number[]
}

/** w of a look, one a layer. */
export async function stylesOfLook(
  G: ImageGenerator,
  { seed, projected, mix = [], shifts = [], directions, psi, cutoff, class: one }: Look,
): Promise<Styles> {
  const mapping = { psi, cutoff, class: one }
  let w = projected?.w ?? (await G.mapping({ ...mapping, seeds: seed }))
  const layer = mix.flatMap(({ layers }) => layers).find((layer) => !(Number.isInteger(layer) && layer < w.layers))
  if (layer !== undefined) {
    throw optionError((name) => `${name('mix')}: layers from 0 to ${w.layers - 1} are expected, got ${layer}`)
  }
  for (const other of mix) w = w.mix(await G.mapping({ ...mapping, seeds: other.seed }), other.layers)
  const isNamed = shifts.some(({ direction }) => typeof direction === 'string')
  const isNumbered = shifts.some(({ direction }) => typeof direction === 'number')
  return shiftStyles(w, shifts, {
    components: isNumbered ? await componentsOf(G) : undefined,
    attributes: isNamed ? await attributesOf(G, directions) : undefined,
  })
}

/** The directions of a file, or of the network's own, which must have been found in these weights. */
function attributesOf(G: ImageGenerator, file?: string): Promise<readonly AttributeDirection[]> {
  return file === undefined ? directionsOf(G) : readDirections(file).then(({ attributes }) => attributes)
}

const known = new WeakMap<ImageGenerator, Promise<Components>>()

/** The principal components of a network, computed once. */
export function componentsOf(G: ImageGenerator): Promise<Components> {
  const components = known.get(G) ?? principalComponents(G)
  known.set(G, components)
  return components
}

/** The picture of a look. */
export async function drawLook(G: ImageGenerator, look: Look): Promise<Images> {
  const { seed, projected, noise, noiseSeed = seed, noiseStrength, height } = look
  // A look keeps its seed of noise while it has none.
  const noiseSeeds = noise === 'random' ? noiseSeed : undefined
  const noises = { noise, noiseMaps: projected?.noiseMaps, noiseSeeds, noiseStrength }
  return G.synthesis(await stylesOfLook(G, look), { ...noises, height })
}
