/** Where the networks of other code bases differ from the official ones in more than names and scales. */

import { shown } from '../files/shown.ts'

/** What is not named is as in the official networks, which name none of these. */
export interface Semantics {
  /** Added to the variance by instance normalisation, 1e-8 in the official networks; PyTorch's own is 1e-5. */
  readonly epsilon?: number
  /** The generator's up-convolutions add their bias before the blur, so that it fades at the border. */
  readonly biasBeforeBlur?: true
  /** The style comes before the leaky ReLU, not after it. */
  readonly styleBeforeActivation?: true
  /** The generator upscales bilinearly instead of repeating pixels. */
  readonly bilinear?: true
  /** The generator has no blur. */
  readonly sharpG?: true
  /** The discriminator has no blur. */
  readonly sharpD?: true
  /** The discriminator has no activation after FromRGB. */
  readonly linearFromRgb?: true
  /** The discriminator halves its feature maps after the activation, not before. */
  readonly activationBeforePooling?: true
  /** The first convolution of a discriminator's block brings the feature maps to their new number, not the second. */
  readonly widensFirst?: true
  /** The discriminator compares all images of a batch, not groups of them. */
  readonly wholeBatchStddev?: true
}

const texts: { readonly [K in keyof Required<Semantics>]: string } = {
  epsilon: 'instance normalisation with epsilon',
  biasBeforeBlur: 'bias before the blur',
  styleBeforeActivation: 'style before the activation',
  bilinear: 'bilinear upscaling',
  sharpG: 'no blur in G',
  sharpD: 'no blur in D',
  linearFromRgb: 'no activation after FromRGB',
  activationBeforePooling: 'activation before halving in D',
  widensFirst: 'the first convolution of a block of D widens',
  wholeBatchStddev: 'deviation over the whole batch in D',
}

/** In words, for people; empty for the official networks. */
export function describeSemantics(semantics: Semantics = {}): string {
  const named = Object.entries(semantics) as [keyof Semantics, number | true][]
  return named.map(([key, value]) => (value === true ? texts[key] : `${texts[key]} ${value}`)).join(', ')
}

/**
 * Semantics from a file, which anybody may have written.
 *
 * @throws TypeError naming the first one that is unknown or has another value
 */
export function checkSemantics(value: unknown): Semantics {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null) throw new TypeError("its 'semantics' are none")
  for (const [key, one] of Object.entries(value)) {
    const fits = key === 'epsilon' ? typeof one === 'number' && one > 0 && one < 1 : one === true
    if (!Object.hasOwn(texts, key) || !fits)
      throw new TypeError(`its semantics name '${shown(key)}', which is not known`)
  }
  return value
}
