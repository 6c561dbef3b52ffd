/** What the official variables themselves say of the networks they belong to. */
import { shown } from '../files/shown.ts'
import type { Weights } from '../files/weights.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { featureMaps, type NetworkOptions, type ParamSpec } from '../networks/params.ts'
import type { Networks } from './convert.ts'

/**
 * Options of the networks that the variables make, and the networks without what does not belong together.
 *
 * @throws TypeError naming the first variable that is missing, has another shape, or is too much
 */
export function checkNetworks(networks: Networks): {
  options: NetworkOptions
  D: Weights | undefined
  notes: string[]
} {
  const { Gs, D, semantics = {}, fusedScale = 'auto' } = networks
  if (Gs === undefined && D === undefined) throw new TypeError('it holds no network')
  const stages = Gs ? generatorMaps(Gs) : discriminatorMaps(D!)
  if (stages.length < 2)
    throw new TypeError(`'${Gs ? prefixOf(Gs) : ''}4x4/Conv/bias' is missing: it holds no whole network`)
  if (stages.includes(0)) throw new TypeError('a layer of it has no feature maps')
  // The width of the discriminator's first dense layer, which the generator has no part in.
  stages[0] = D?.get('4x4/Dense0/bias')?.shape[0] ?? stages[1]!
  const widens = D !== undefined && widensFirst(D, stages)
  const all = { ...semantics, ...(widens ? ({ widensFirst: true } as const) : {}) }
  const options: NetworkOptions = {
    ...widths(stages),
    resolution: 2 ** stages.length,
    ...(Gs ? generatorOptions(Gs, networks) : unknownGenerator(D!)),
    mappingLrmul: networks.options?.mappingLrmul ?? 0.01,
    mbstdGroup: D && D.get('4x4/Conv/weight')?.shape[2] === stages[1] ? 1 : (networks.options?.mbstdGroup ?? 4),
    fusedScale,
    ...(Object.keys(all).length > 0 ? { semantics: all } : {}),
  }
  return checkGroups(networks, options)
}

function checkGroups({ Gs, G, D }: Networks, options: NetworkOptions): ReturnType<typeof checkNetworks> {
  for (const weights of [Gs, G]) if (weights) checkVariables(weights, generatorSpecs(options), isMade)
  const notes: string[] = []
  if (D === undefined) return { options, D, notes }
  try {
    checkVariables(D, discriminatorSpecs(options), isMade)
    return { options, D, notes }
  } catch (error) {
    // A generator alone can be drawn from.
    if (Gs === undefined) throw error
    notes.push(`Its discriminator does not fit its generator and is left out: ${(error as Error).message}.`)
    return { options, D: undefined, notes }
  }
}

/** Variables that a network can do without: they are made, or have not been trained. */
function isMade(name: string): boolean {
  return /^(G_synthesis\/)?lod$|^dlatent_avg$|^G_synthesis\/noise\d+$|(To|From)RGB_lod[1-9]/.test(name)
}

function checkVariables(weights: Weights, specs: readonly ParamSpec[], optional: (name: string) => boolean): void {
  for (const { name, shape } of specs) {
    const found = weights.get(name)
    if (found === undefined && optional(name)) continue
    if (found === undefined) throw new TypeError(`'${name}' [${shape.join(', ')}] is missing`)
    if (found.shape.join() === shape.join()) continue
    throw new TypeError(`'${name}' must be [${shape.join(', ')}], got [${found.shape.join(', ')}]`)
  }
  const expected = new Set(specs.map(({ name }) => name))
  for (const name of weights.keys()) {
    if (!expected.has(name)) throw new TypeError(`'${shown(name)}' is no variable of this network`)
  }
}

const prefixOf = (Gs: Weights) => (Gs.has('4x4/Conv/bias') ? '' : 'G_synthesis/')

/** Feature maps from stage 1 on; the block of side 2^r has stage r − 1. */
function generatorMaps(Gs: Weights): number[] {
  const at = prefixOf(Gs)
  const maps: number[] = []
  for (let r = 2; r <= 20; r++) {
    const found = Gs.get(`${at}${2 ** r}x${2 ** r}/${r === 2 ? 'Conv' : 'Conv1'}/bias`)?.shape[0]
    if (found === undefined) break
    maps[r - 1] = found
  }
  return maps
}

function discriminatorMaps(D: Weights): number[] {
  const maps: number[] = []
  for (let r = 2; r <= 20; r++) {
    const found = D.get(r === 2 ? '4x4/Conv/bias' : `${2 ** r}x${2 ** r}/Conv0/bias`)?.shape[0]
    if (found === undefined) break
    maps[r - 1] = r === 2 ? found : D.get(`${2 ** r}x${2 ** r}/Conv0/weight`)!.shape[2]!
  }
  return maps
}

/** Whether the first convolution of some block has the maps of the next one. */
function widensFirst(D: Weights, stages: readonly number[]): boolean {
  return stages.some((maps, stage) => {
    const side = 2 ** (stage + 1)
    const out = D.get(`${side}x${side}/Conv0/weight`)?.shape[3]
    return stage > 1 && out !== maps && out === stages[stage - 1]
  })
}

type GeneratorKeys =
  'config' | 'numChannels' | 'latentSize' | 'dlatentSize' | 'mappingLayers' | 'mappingFmaps' | 'labelSize'

function generatorOptions(Gs: Weights, { options = {} }: Networks): Pick<NetworkOptions, GeneratorKeys> {
  const at = prefixOf(Gs)
  const axis = (name: string, index: number) => Gs.get(name)?.shape[index]
  const config = at === '' ? 'A' : configurationOf(Gs, options.config)
  const styled = axis(`${at}4x4/Conv/StyleMod/weight`, 0)
  const dlatentSize = styled ?? axis(`${at}4x4/Dense/weight`, 0) ?? 0
  let mappingLayers = 0
  while (Gs.has(`G_mapping/Dense${mappingLayers}/weight`)) mappingLayers++
  const labelSize = axis('G_mapping/LabelConcat/weight', 0) ?? (config === 'A' ? (options.labelSize ?? 0) : 0)
  const first = axis('G_mapping/Dense0/weight', 0) ?? dlatentSize
  return {
    config,
    numChannels: axis(`${at}ToRGB_lod0/bias`, 0) ?? 3,
    latentSize: axis('G_mapping/LabelConcat/weight', 1) ?? (config === 'A' ? dlatentSize - labelSize : first),
    dlatentSize,
    mappingLayers,
    mappingFmaps: mappingLayers > 1 ? (axis('G_mapping/Dense0/weight', 1) ?? dlatentSize) : dlatentSize,
    labelSize,
  }
}

function configurationOf(Gs: Weights, unmixed: NetworkOptions['config']): 'B' | 'C' | 'D' | 'E' | 'F' {
  if (!Gs.has('G_synthesis/4x4/Conv/StyleMod/weight')) return 'B'
  if (!Gs.has('G_synthesis/4x4/Const/const')) return 'C'
  if (!Gs.has('G_synthesis/4x4/Conv/Noise/weight')) return 'D'
  return unmixed === 'E' ? 'E' : 'F'
}

/** A discriminator alone: its generator is taken to be the official one. */
function unknownGenerator(D: Weights): Pick<NetworkOptions, GeneratorKeys> {
  const labels = D.get('4x4/Dense1/bias')?.shape[0] ?? 1
  return {
    config: 'F',
    numChannels: D.get('FromRGB_lod0/weight')?.shape[2] ?? 3,
    ...{ latentSize: 512, dlatentSize: 512, mappingLayers: 8, mappingFmaps: 512 },
    labelSize: labels > 1 ? labels : 0,
  }
}

/** The official formula where it makes these feature maps, else the list of them. */
function widths(stages: readonly number[]): Pick<NetworkOptions, 'fmapBase' | 'fmapDecay' | 'fmapMax' | 'fmaps'> {
  const fmapMax = Math.max(...stages)
  const fmapBase = Math.max(...stages.map((maps, stage) => maps * 2 ** stage))
  const formula = { fmapBase, fmapDecay: 1, fmapMax }
  if (stages.every((maps, stage) => featureMaps(formula, stage) === maps)) return formula
  return { ...formula, fmaps: stages }
}
