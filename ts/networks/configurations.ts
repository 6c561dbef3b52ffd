/** Configurations A to F: the rows of StyleGAN's Table 1, each adding one thing to the one before. */

export type ConfigurationName = 'A' | 'B' | 'C' | 'D' | 'E' | 'F'

/** What a configuration's networks are made of. Its schedule and loss are in presets.ts. */
export interface Configuration {
  /** z enters at the first layer alone, and feature vectors are normalised (Progressive GAN); else styles and AdaIN. */
  readonly traditional: boolean
  /** Low-pass filter [1, 2, 1] after upscaling and before downscaling, in place of nearest and box ("bilinear"). */
  readonly blur: boolean
  /** The synthesis network starts from a learned constant instead of a dense layer of w. */
  readonly constInput: boolean
  readonly noise: boolean
  /** Layers of the mapping network where the options name no other number. */
  readonly mappingLayers: number
  /** Mixing regularisation where the options name no other share. */
  readonly mixingProb: number
}

const progressive = { traditional: true, constInput: false, noise: false, mappingLayers: 0, mixingProb: 0 }
const styled = { traditional: false, blur: true, mappingLayers: 8, mixingProb: 0 }

/** FID on CelebA-HQ and FFHQ: StyleGAN, Table 1. */
export const configurations: Readonly<Record<ConfigurationName, Configuration>> = Object.freeze({
  A: Object.freeze({ ...progressive, blur: false }), // Progressive GAN: 7.79, 8.04
  B: Object.freeze({ ...progressive, blur: true }), // + tuning, bilinear up/down: 6.11, 5.25
  C: Object.freeze({ ...styled, constInput: false, noise: false }), // + mapping and styles: 5.34, 4.85
  D: Object.freeze({ ...styled, constInput: true, noise: false }), // - traditional input: 5.07, 4.88
  E: Object.freeze({ ...styled, constInput: true, noise: true }), // + noise inputs: 5.06, 4.42
  F: Object.freeze({ ...styled, constInput: true, noise: true, mixingProb: 0.9 }), // + mixing regularisation: 5.17, 4.40
})

/** The configuration of some options; F, as published, where they name none. */
export function configurationOf({ config = 'F' }: { readonly config?: ConfigurationName | undefined }): Configuration {
  return configurations[config]
}
