/**
 * rosinality/style-based-gan-pytorch: all nine levels whatever was trained; weights with one gain for all layers, which is
 * folded into the official variables.
 */
import type { TorchFile } from '../files/torch.ts'
import type { Weights } from '../files/weights.ts'
import {
  asDict,
  chain,
  conv,
  permuted,
  renamed,
  scaled,
  weightOrBias,
  zeros,
  type Networks,
  type ReadOptions,
  type Rule,
} from './convert.ts'
import { folds } from './folds.ts'

const levels = 9

/**
 * @param file name of the file: `train_step-{k}.model` is saved when step k begins, so level k − 1 is the last one trained
 * @returns undefined if the file is of another format
 */
export function readRosinality(torch: TorchFile, file: string, { resolution }: ReadOptions): Networks | undefined {
  const { value, weights } = torch
  const dict = asDict(value)
  const mark = 'generator.progression.0.conv1.input'
  const read = (key: string) => {
    const inner = asDict(dict?.get(key))
    return inner?.has(mark) ? weights(inner) : undefined
  }
  const bare = dict?.has(mark) === true
  const [average, G] = bare ? [weights(value), undefined] : [read('g_running'), read('generator')]
  const Gs = average ?? G
  if (Gs === undefined) return undefined
  const named = /^train_step-(\d)\.model$/.exec(file)?.[1]
  const step =
    resolution !== undefined ? Math.log2(resolution) - 2 : named !== undefined ? Number(named) - 1 : levels - 1
  if (!Number.isInteger(step) || step < 0 || step >= levels) {
    throw new RangeError(`a resolution from 4 to 1024 is expected, got ${4 * 2 ** step}`)
  }
  const inner = asDict(dict?.get('discriminator'))
  const D = inner && weights(inner)
  const linear = D?.has('from_rgb.0.conv.bias') ? ({ linearFromRgb: true } as const) : {}
  const side = 4 * 2 ** step
  return {
    what: bare ? 'rosinality, a generator' : 'rosinality, a checkpoint of its trainer',
    licence: 'MIT',
    Gs: generator(Gs, step),
    G: average && G && generator(G, step),
    D: D && renamed(D, discriminatorRule(step), 'rosinality'),
    semantics: { epsilon: 1e-5, biasBeforeBlur: true, wholeBatchStddev: true, ...linear },
    notes:
      resolution === undefined
        ? [`The file does not say how far training came: ${side}x${side} is taken; --resolution tells otherwise.`]
        : [],
  }
}

function generator(weights: Weights, step: number): Weights {
  const official = new Map(renamed(weights, generatorRule(step), 'rosinality'))
  // The constant has no bias there.
  const maps = official.get('G_synthesis/4x4/Const/const')?.shape[1]
  if (maps !== undefined) official.set('G_synthesis/4x4/Const/bias', zeros(maps))
  return official
}

function generatorRule(step: number): Rule {
  return (name) => {
    const mapping = /^style\.(\d+)\.linear\.(weight_orig|bias)$/.exec(name)
    if (mapping) return folds.mapping(Number(mapping[1]), mapping[2]!)
    const rgb = /^generator\.to_rgb\.(\d)\.conv\.(weight_orig|bias)$/.exec(name)
    if (rgb) return folds.rgb(step - Number(rgb[1]), rgb[2]!)
    const [, level, part] = /^generator\.progression\.(\d)\.(.+)$/.exec(name) ?? []
    if (part === undefined) return undefined
    if (Number(level) > step) return 'ignored'
    if (part === 'conv1.input') return ['G_synthesis/4x4/Const/const']
    const layer = (second: boolean) => folds.layer(Number(level), second)
    const epilogue = /^(noise|adain)([12])\.(?:style\.linear\.)?(weight_orig|bias)$/.exec(part)
    if (epilogue) {
      const at = layer(epilogue[2] === '2')
      return epilogue[1] === 'noise' ? folds.noise(at) : folds.style(at, epilogue[3]!)
    }
    const found = /^conv(?:1\.1|(2))\.conv\.(weight_orig|bias)$/.exec(part)
    if (found) return weightOrBias(layer(found[1] !== undefined), found[2]!, conv)
    // The fused ones are stored [in, out, height, width], and used with a quarter.
    const fused = /^conv1\.0\.(weight|bias)$/.exec(part)
    if (fused) return weightOrBias(layer(false), fused[1]!, chain(permuted(2, 3, 0, 1), scaled(1 / 4)))
    return /^conv1\.[12]\.weight(_flip)?$/.test(part) ? 'ignored' : undefined
  }
}

function discriminatorRule(step: number): Rule {
  return (name) => {
    const linear = /^linear\.linear\.(weight_orig|bias)$/.exec(name)
    if (linear) return folds.scores(linear[1]!)
    const [, kind, number, part] = /^(from_rgb|progression)\.(\d)\.(.+)$/.exec(name) ?? []
    if (part === undefined) return undefined
    const level = levels - 1 - Number(number)
    if (level > step) return 'ignored'
    if (kind === 'from_rgb') {
      const found = /^(?:0\.)?conv\.(weight_orig|bias)$/.exec(part)?.[1]
      return found === undefined ? undefined : folds.fromRgb(step - level, found)
    }
    // Blurs.
    if (/^conv2\.0\.weight(_flip)?$/.test(part)) return 'ignored'
    const found = /^conv([12])\.(?:[01]\.)(?:conv\.)?(weight|weight_orig|bias)$/.exec(part)
    return found === null ? undefined : folds.block(level, found[1] === '2', found[2]!)
  }
}
