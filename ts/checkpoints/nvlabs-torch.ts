/** The modules of lernapparat's port, which huangzh13 took over: official layers under PyTorch's names. */
import type { Weights } from '../files/weights.ts'
import { conv, dense, weightOrBias, type Change, type Rule } from './convert.ts'

interface Names {
  /** What the mapping network's layers begin with; none in a discriminator. */
  readonly mapping?: string
  /** A tensor of a block: what it begins with, and the number of the block. */
  readonly block: (name: string) => RegExpExecArray | null
  /** Side of a block's images, by its number. */
  readonly side: (number: string | undefined) => number
  /** The lod of a ToRGB or FromRGB. */
  readonly rgb: (name: string) => number | undefined
}

/** Whether the generator has the blur's kernels. */
export function hasBlur(weights: Weights): boolean {
  return [...weights.keys()].some((name) => name.endsWith('conv0_up.intermediate.kernel'))
}

/** Layers of a block by their names in the port: official name, and how its weight is turned. */
const layers: Readonly<Record<string, readonly [string, Change?]>> = {
  conv0_up: ['Conv0_up', conv],
  conv0: ['Conv0', conv],
  conv1: ['Conv1', conv],
  conv1_down: ['Conv1_down', conv],
  conv: ['Conv', conv],
  dense0: ['Dense0', dense],
  dense1: ['Dense1', dense],
}

export function blocksRule({ mapping, block, side, rgb }: Names): Rule {
  return (name) => {
    const part = /(weight|bias)$/.exec(name)?.[0]
    if (mapping !== undefined) {
      if (name === 'truncation.avg_latent') return ['dlatent_avg']
      const layer = name.startsWith(mapping) ? /^dense(\d+)\.(weight|bias)$/.exec(name.slice(mapping.length)) : null
      if (layer) return weightOrBias(`G_mapping/Dense${layer[1]}`, part!, dense)
    }
    if (name.endsWith('.kernel')) return 'ignored'
    const prefix = mapping === undefined ? '' : 'G_synthesis/'
    const lod = rgb(name)
    if (lod !== undefined && part) {
      return weightOrBias(`${prefix}${mapping === undefined ? 'From' : 'To'}RGB_lod${lod}`, part, conv)
    }
    const found = block(name)
    if (!found) return undefined
    const pixels = side(found[1])
    return blockTensor(`${prefix}${pixels}x${pixels}`, pixels, name.slice(found[0].length))
  }
}

function blockTensor(at: string, side: number, name: string): ReturnType<Rule> {
  if (name === 'const' || name === 'bias') return [`${at}/Const/${name}`]
  const epilogue = /^epi([12])\.(?:top_epi\.noise\.weight|style_mod\.lin\.(weight|bias))$/.exec(name)
  if (epilogue) {
    const [, number, style] = epilogue
    const first = side === 4 ? 'Const' : 'Conv0_up'
    const layer = `${at}/${number === '1' ? first : side === 4 ? 'Conv' : 'Conv1'}`
    return style === undefined ? [`${layer}/Noise/weight`] : weightOrBias(`${layer}/StyleMod`, style, dense)
  }
  const [, layer, part] = /^(\w+)\.(weight|bias)$/.exec(name) ?? []
  if (layer === undefined || !Object.hasOwn(layers, layer)) return undefined
  const [official, change] = layers[layer]!
  return weightOrBias(`${at}/${official}`, part!, change!)
}
