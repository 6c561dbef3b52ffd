/** One picture of a trained network, wholly described: the same description gives the same bytes to commands and to the studio. */
import type { ImageGenerator, Images, MappingOptions, SynthesisOptions } from './generator.ts'
import { principalComponents, shiftStyles, type Components, type Shift } from './components.ts'
import type { Styles } from './styles.ts'

export interface Look extends Omit<MappingOptions, 'seeds' | 'z'>, Omit<SynthesisOptions, 'noiseSeeds'> {
  readonly seed: number
  /** Styles of other seeds in some layers, one after the other (StyleGAN, section 3.1). */
  readonly mix?: readonly Copied[] | undefined
  /** Moves along principal components of W, after mixing and truncation. */
  readonly shifts?: readonly Shift[] | undefined
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
  { seed, mix = [], shifts = [], ...mapping }: Look,
): Promise<Styles> {
  let w = await G.mapping({ ...mapping, seeds: seed })
  for (const other of mix) w = w.mix(await G.mapping({ ...mapping, seeds: other.seed }), other.layers)
  return shifts.length === 0 ? w : shiftStyles(w, shifts, await componentsOf(G))
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
  const { seed, noise, noiseSeed = seed, noiseStrength, height } = look
  return G.synthesis(await stylesOfLook(G, look), { noise, noiseSeeds: noiseSeed, noiseStrength, height })
}
