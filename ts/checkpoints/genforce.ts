/** genforce/genforce: the official variables under other names; the zoo's files and the trainer's. */
import type { TorchFile } from '../files/torch.ts'
import type { Weights } from '../files/weights.ts'
import {
  asDict,
  conv,
  dense,
  layerName,
  renamed,
  scalarOf,
  weightOrBias,
  type Change,
  type Networks,
  type Rule,
} from './convert.ts'

/** @returns undefined if the file is of another format */
export function readGenforce({ value, weights }: TorchFile): Networks | undefined {
  const dict = asDict(value)
  const models = asDict(dict?.get('models')) ?? dict
  if (models === undefined) return undefined
  const read = (key: string, mark: string): Weights | undefined => {
    const inner = asDict(models.get(key))
    return inner?.has(mark) ? weights(inner) : undefined
  }
  const [G, Gs] = ['generator', 'generator_smooth'].map((key) => read(key, 'synthesis.layer0.const'))
  const D = read('discriminator', 'input0.weight')
  if ((Gs ?? G) === undefined) return undefined
  const drawn = generator((Gs ?? G)!)
  return {
    what: models === dict ? 'genforce, a file of its model zoo' : 'genforce, a checkpoint of its trainer',
    licence: "MIT (a file that was converted from NVIDIA's keeps theirs, CC BY-NC 4.0)",
    Gs: drawn,
    G: Gs && G && generator(G),
    D: D && renamed(D, discriminatorRule(D), 'genforce'),
    lod: scalarOf(drawn, 'G_synthesis/lod'),
  }
}

function generator(weights: Weights): Weights {
  const official = new Map(renamed(weights, generatorRule(weights), 'genforce'))
  const lod = official.get('G_synthesis/lod')
  if (lod) official.set('lod', lod)
  return official
}

const parts: Readonly<Record<string, readonly [string, Change?]>> = {
  const: ['const'],
  bias: ['bias'],
  weight: ['weight', conv],
  'apply_noise.weight': ['Noise/weight'],
  'style.weight': ['StyleMod/weight', dense],
  'style.bias': ['StyleMod/bias'],
}

function generatorRule(weights: Weights): Rule {
  const outputs = [...weights.keys()].filter((name) => /^synthesis\.output\d+\.bias$/.test(name)).length
  return (name) => {
    if (name === 'mapping.label_weight') return ['G_mapping/LabelConcat/weight']
    if (name === 'truncation.w_avg') return ['dlatent_avg']
    if (name === 'synthesis.lod') return ['G_synthesis/lod']
    const mapping = /^mapping\.dense(\d+)\.(weight|bias)$/.exec(name)
    if (mapping) return weightOrBias(`G_mapping/Dense${mapping[1]}`, mapping[2]!, dense)
    const rgb = /^synthesis\.output(\d+)\.(weight|bias)$/.exec(name)
    if (rgb) return weightOrBias(`G_synthesis/ToRGB_lod${outputs - 1 - Number(rgb[1])}`, rgb[2]!, conv)
    const [, index, part] = /^synthesis\.layer(\d+)\.(.+)$/.exec(name) ?? []
    if (part === 'apply_noise.noise') return [`G_synthesis/noise${index}`]
    if (part === 'blur.kernel') return 'ignored'
    if (part === undefined || !Object.hasOwn(parts, part)) return undefined
    const [to, change] = parts[part]!
    const official = `G_synthesis/${layerName(Number(index))}/${to}`
    return change ? [official, change] : [official]
  }
}

function discriminatorRule(weights: Weights): Rule {
  const layers = [...weights.keys()].filter((name) => /^layer\d+\.bias$/.test(name)).length
  const last = ['4x4/Conv', '4x4/Dense0', '4x4/Dense1']
  return (name) => {
    if (name === 'lod') return ['lod']
    const [, kind, number, part] = /^(input|layer)(\d+)\.(weight|bias|blur\.kernel)$/.exec(name) ?? []
    if (part === undefined) return undefined
    if (part === 'blur.kernel') return 'ignored'
    const index = Number(number)
    const side = 2 ** ((layers - 3) / 2 + 2 - Math.floor(index / 2))
    const block = `${side}x${side}/${index % 2 === 0 ? 'Conv0' : 'Conv1_down'}`
    const layer = kind === 'input' ? `FromRGB_lod${index}` : (last[index - layers + 3] ?? block)
    return weightOrBias(layer, part, layer.includes('Dense') ? dense : conv)
  }
}
