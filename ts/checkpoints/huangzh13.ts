/** huangzh13/StyleGAN.pytorch: a file for each network, `GAN_{GEN,DIS,GEN_SHADOW}_{depth}_{epoch}.pth`. */
import type { TorchFile } from '../files/torch.ts'
import type { Weights } from '../files/weights.ts'
import { renamed, type Networks } from './convert.ts'
import { blocksRule, hasBlur } from './nvlabs-torch.ts'

const licence = 'CC BY-NC 4.0'
const format = 'huangzh13'

/**
 * @param file name of the file, which alone says how far training came
 * @returns undefined if the file is of another format
 */
export function readHuangzh13({ value, weights }: TorchFile, file: string): Networks | undefined {
  if (!(value instanceof Map)) return undefined
  if (value.has('g_synthesis.init_block.const')) {
    if (value.has('class_embedding.weight')) throw new TypeError('conditional networks of huangzh13 are not read')
    return generator(weights(value), file)
  }
  if (!value.has('final_block.conv.weight')) return undefined
  if (value.has('class_embedding.weight') || value.has('embed.weight')) {
    throw new TypeError('conditional networks of huangzh13 are not read')
  }
  const D = weights(value)
  const blocks = count(D, /^blocks\.\d+\.conv0\.bias$/)
  const rule = blocksRule({
    block: (name) => /^(?:blocks\.(\d+)|final_block)\./.exec(name),
    side: (index) => (index === undefined ? 4 : 4 * 2 ** (blocks - Number(index))),
    rgb: (name) => numberIn(/^from_rgb\.(\d+)\./, name),
  })
  const notes = ['The discriminator has no activation after FromRGB, unlike the official one.']
  const semantics = { epsilon: 1e-5, linearFromRgb: true } as const
  return { what: 'huangzh13, a discriminator', licence, D: renamed(D, rule, format), semantics, notes }
}

function generator(Gs: Weights, file: string): Networks {
  const blocks = count(Gs, /^g_synthesis\.blocks\.\d+\.conv1\.bias$/)
  const rule = blocksRule({
    mapping: 'g_mapping.map.',
    block: (name) => /^g_synthesis\.(?:blocks\.(\d+)|init_block)\./.exec(name),
    side: (index) => (index === undefined ? 4 : 8 * 2 ** Number(index)),
    rgb: (name) => {
      const index = numberIn(/^g_synthesis\.to_rgb\.(\d+)\./, name)
      return index === undefined ? undefined : blocks - index
    },
  })
  const depth = numberIn(/^GAN_GEN(?:_SHADOW)?_(\d+)_\d+\.pth$/, file)
  const lod = depth === undefined ? 0 : Math.max(blocks - depth, 0)
  const sharp = hasBlur(Gs) ? {} : ({ sharpG: true } as const)
  return {
    what: 'huangzh13, a generator',
    licence,
    Gs: renamed(Gs, rule, format),
    lod,
    semantics: { epsilon: 1e-5, ...sharp },
    notes: depth === undefined ? ['How far training came is not in the file: lod 0 is taken.'] : [],
  }
}

function numberIn(pattern: RegExp, name: string): number | undefined {
  const found = pattern.exec(name)
  return found === null ? undefined : Number(found[1])
}

function count(weights: Weights, pattern: RegExp): number {
  return [...weights.keys()].filter((name) => pattern.test(name)).length
}
