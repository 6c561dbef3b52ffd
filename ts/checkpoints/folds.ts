/**
 * Scales of rosinality's layers, which SiskonEmilia took over, as official variables: every weight is used times √(2 / fan-in), and
 * a style's scales start at 1 instead of being read as less 1.
 */
import {
  chain,
  conv,
  dense,
  layerName,
  permuted,
  reshaped,
  scaled,
  weightOrBias,
  type Change,
  type Rule,
} from './convert.ts'

type Found = ReturnType<Rule>

/** What the official code scales with a gain of 1. */
const gain = scaled(Math.SQRT2)
/** The official mapping network multiplies by its learning-rate multiplier of 0.01. */
const lrmul = scaled(100)

/** Noise strengths `[1, C, 1, 1]`, scaled with a fan-in of C there, and not at all in the official code. */
const strength: Change = (weight) => {
  const C = weight.shape[1] ?? 1
  return chain(
    reshaped(() => [C]),
    scaled(Math.sqrt(2 / C)),
  )(weight)
}

const styleBias: Change = (weight) => {
  const half = (weight.shape[0] ?? 0) / 2
  return { ...weight, values: () => weight.values().map((value, i) => (i < half ? value - 1 : value)) }
}

export const folds = {
  /** @param index place in a sequence that begins with a normalisation and has an activation after each layer */
  mapping: (index: number, part: string): Found => {
    return weightOrBias(`G_mapping/Dense${(index - 1) / 2}`, part, chain(dense, lrmul), lrmul)
  },
  rgb: (lod: number, part: string): Found => {
    return lod < 0 ? 'ignored' : weightOrBias(`G_synthesis/ToRGB_lod${lod}`, part, chain(conv, gain))
  },
  fromRgb: (lod: number, part: string): Found => weightOrBias(`FromRGB_lod${lod}`, part, conv),
  /** The discriminator's last layer. */
  scores: (part: string): Found => weightOrBias('4x4/Dense1', part, chain(dense, gain)),
  layer: (level: number, second: boolean): string => `G_synthesis/${layerName(2 * level + (second ? 1 : 0))}`,
  noise: (layer: string): Found => [`${layer}/Noise/weight`, strength],
  style: (layer: string, part: string): Found => {
    return weightOrBias(`${layer}/StyleMod`, part, chain(dense, gain), styleBias)
  },
  /** A convolution of a discriminator's block; the dense layer at 4×4 is a convolution there. */
  block: (level: number, second: boolean, part: string): Found => {
    const side = 4 * 2 ** level
    const names = level === 0 ? ['Conv', 'Dense0'] : ['Conv0', 'Conv1_down']
    const layer = `${side}x${side}/${names[second ? 1 : 0]}`
    const rows = reshaped(([C, h, w, O]) => [C! * h! * w!, O!])
    return weightOrBias(layer, part, level === 0 && second ? chain(permuted(1, 2, 3, 0), rows) : conv)
  },
} as const
