/** SiskonEmilia/StyleGAN-PyTorch: rosinality's scales in networks of another order, without blur. */
import type { TorchFile } from '../files/torch.ts'
import type { Weights } from '../files/weights.ts'
import { asDict, conv, renamed, weightOrBias, zeros, type Networks, type Rule } from './convert.ts'
import { folds } from './folds.ts'

const levels = 9

/** @returns undefined if the file is of another format */
export function readSiskonEmilia({ value, weights }: TorchFile): Networks | undefined {
  const file = asDict(value)
  const dict = asDict(file?.get('generator'))
  if (!dict?.has('convs.0.constant')) return undefined
  const parameters: unknown = file?.get('parameters')
  const [step, , , , alpha] = Array.isArray(parameters) ? (parameters as unknown[]) : []
  if (typeof step !== 'number' || !Number.isInteger(step) || step < 0 || step >= levels) {
    throw new TypeError("its 'parameters' must say how far training came, a step from 0 to 8")
  }
  const fade = typeof alpha === 'number' && alpha >= 0 && alpha < 1 && step > 0 ? 1 - alpha : 0
  const inner = asDict(file?.get('discriminator'))
  const D = inner && weights(inner)
  return {
    what: 'SiskonEmilia, a checkpoint of its trainer',
    licence: 'MIT',
    Gs: generator(weights(dict), step),
    D: D && renamed(D, discriminatorRule(step), 'SiskonEmilia'),
    lod: fade,
    semantics: {
      ...({ epsilon: 1e-5, styleBeforeActivation: true, bilinear: true, sharpG: true, sharpD: true } as const),
      ...({ linearFromRgb: true, activationBeforePooling: true, wholeBatchStddev: true } as const),
    },
  }
}

function generator(weights: Weights, step: number): Weights {
  const official = new Map(renamed(weights, generatorRule(step), 'SiskonEmilia'))
  const maps = official.get('G_synthesis/4x4/Const/const')?.shape[1]
  if (maps !== undefined) official.set('G_synthesis/4x4/Const/bias', zeros(maps))
  return official
}

function generatorRule(step: number): Rule {
  return (name) => {
    const mapping = /^fcs\.mapping\.(\d+)\.linear\.(weight_orig|bias)$/.exec(name)
    if (mapping) return folds.mapping(Number(mapping[1]), mapping[2]!)
    const rgb = /^to_rgbs\.(\d)\.conv\.(weight_orig|bias)$/.exec(name)
    if (rgb) return folds.rgb(step - Number(rgb[1]), rgb[2]!)
    const [, level, part] = /^convs\.(\d)\.(.+)$/.exec(name) ?? []
    if (part === undefined) return undefined
    if (Number(level) > step) return 'ignored'
    if (part === 'constant') return ['G_synthesis/4x4/Const/const']
    const layer = (second: boolean) => folds.layer(Number(level), second)
    const epilogue = /^(noise|style)([12])\.(?:transform\.linear\.)?(weight_orig|bias)$/.exec(part)
    if (epilogue) {
      const at = layer(epilogue[2] === '2')
      return epilogue[1] === 'noise' ? folds.noise(at) : folds.style(at, epilogue[3]!)
    }
    // The first level has one convolution.
    const found = /^conv([12]?)\.conv\.(weight_orig|bias)$/.exec(part)
    if (found === null) return undefined
    return weightOrBias(layer(found[1] !== '1'), found[2]!, conv)
  }
}

function discriminatorRule(step: number): Rule {
  return (name) => {
    const linear = /^fc\.linear\.(weight_orig|bias)$/.exec(name)
    if (linear) return folds.scores(linear[1]!)
    const [, kind, number, part] = /^(from_rgbs|convs)\.(\d)\.(.+)$/.exec(name) ?? []
    if (part === undefined) return undefined
    const level = levels - 1 - Number(number)
    if (level > step) return 'ignored'
    const found = /^conv\.(?:([02])\.conv\.)?(weight_orig|bias)$/.exec(part)
    if (found === null) return undefined
    if (kind === 'from_rgbs') return folds.fromRgb(step - level, found[2]!)
    return folds.block(level, found[1] === '2', found[2]!)
  }
}
