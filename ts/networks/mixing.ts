/** Mixing regularisation (StyleGAN, section 3.1): two latents share an image. */
import type { Rng, Tensor } from '../native/index.ts'
import { numLayers } from './params.ts'

/** Layers below `cutoff` take the first latent, the others the second; `cutoff` = the number of layers: no mixing. */
export interface Mixing {
  readonly z2: Tensor
  readonly cutoff: number
}

/**
 * Mixing regularisation (StyleGAN, section 3.1): with probability `mixingProb` two latents share an image, from a random
 * layer on that the current level of detail has. The official code decides once for a minibatch.
 */
export function drawMixing(
  z: Tensor,
  rng: Rng,
  mixingProb: number,
  lod: number,
  resolution: number,
): Mixing | undefined {
  const layers = mixingLayers(numLayers(resolution), lod)
  if (mixingProb === 0 || rng.nextUniform() > mixingProb) return undefined
  return { z2: rng.normal(z.device, z.shape), cutoff: rng.nextInteger(1, layers) }
}

/** How many of the synthesis network's layers are in use at `lod`: style mixing draws its crossover among these (official G_style). */
export function mixingLayers(numLayers: number, lod: number): number {
  if (!(lod >= 0 && lod < Infinity)) throw new RangeError(`mixingLayers: lod must be finite and at least 0, got ${lod}`)
  return numLayers - 2 * Math.floor(lod)
}
