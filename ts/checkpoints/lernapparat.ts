/** lernapparat/lernapparat: the official networks converted to PyTorch, and the file of official variables on the way there. */
import type { TorchFile } from '../files/torch.ts'
import type { Weights } from '../files/weights.ts'
import { renamed, type Networks } from './convert.ts'
import { blocksRule, hasBlur } from './nvlabs-torch.ts'

const licence = "none is stated for the code (NVIDIA's networks are CC BY-NC 4.0)"
const format = 'lernapparat'

/**
 * @param file name of the file: those of NVIDIA's networks were trained with the official epsilon
 * @returns undefined if the file is of another format
 */
export function readLernapparat({ value, weights }: TorchFile, file: string): Networks | undefined {
  // Its own code normalises with PyTorch's epsilon, to which NVIDIA's networks were not trained.
  const semantics = file.startsWith('karras2019stylegan-') ? {} : { epsilon: 1e-5 }
  if (Array.isArray(value) && value.length === 3 && value.every((one) => one instanceof Map)) {
    const [G, D, Gs] = (value as Map<string, never>[]).map(weights) as [Weights, Weights, Weights]
    if (!Gs.has('G_synthesis/4x4/Const/const')) return undefined
    return { what: 'lernapparat, official variables in a file of PyTorch', licence, Gs, G, D, semantics }
  }
  if (!(value instanceof Map)) return undefined
  if (value.has('g_synthesis.blocks.4x4.const')) {
    const Gs = weights(value)
    const sharp = hasBlur(Gs) ? {} : ({ sharpG: true } as const)
    const rule = blocksRule({
      mapping: 'g_mapping.',
      block: (name) => /^g_synthesis\.blocks\.(\d+)x\d+\./.exec(name),
      side: Number,
      rgb: (name) => (name.startsWith('g_synthesis.torgb.') ? 0 : undefined),
    })
    const notes = ['The file has ToRGB of the full resolution alone: the smaller ones start anew.']
    return {
      what: 'lernapparat, a generator',
      licence,
      Gs: renamed(Gs, rule, format),
      semantics: { ...semantics, ...sharp },
      notes,
    }
  }
  if (!value.has('fromrgb.weight') || !value.has('4x4.dense0.weight')) return undefined
  const rule = blocksRule({
    block: (name) => /^(\d+)x\d+\./.exec(name),
    side: Number,
    rgb: (name) => (name.startsWith('fromrgb.') ? 0 : undefined),
  })
  const D = renamed(weights(value), rule, format)
  return { what: 'lernapparat, a discriminator', licence, D, semantics }
}
