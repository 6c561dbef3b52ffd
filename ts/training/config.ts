/** The options of a training run as one frozen value that JSON can hold: a preset plus overrides, checked. */
import { basename, resolve } from 'node:path'
import { checkKeys, checkObject, nearest, show } from '../files/keys.ts'
import { optionError, type NameOf } from '../files/option-names.ts'
import { BUILTIN_AVATARS } from '../data/info.ts'
import { isCustomLoss, losses } from './losses.ts'
import { isMetric, metricNames, type MetricName } from './metric-names.ts'
import { configurationOf } from '../networks/configurations.ts'
import { featureMaps, type NetworkOptions } from '../networks/params.ts'
import { checkPrecision } from '../networks/precision.ts'
import type { Device } from '../native/index.ts'
import { configKeys, options, type ConfigKey, type PresetName, type TrainConfig } from './options.ts'
import { configurationRow, presets } from './presets.ts'
import type { ScheduleOptions } from './schedule.ts'
import { OFFICIAL_LRATE, OFFICIAL_MINIBATCH, OFFICIAL_TICK_KIMG } from './schedule.ts'

export type { ConfigKey, PresetName, TrainConfig } from './options.ts'
export { presets } from './presets.ts'

/** Overrides of a preset; `undefined` means "not given". */
export type ConfigOverrides = { readonly [K in ConfigKey]?: TrainConfig[K] | undefined }

/**
 * A preset with overrides, checked.
 *
 * @throws RangeError naming the first option that is unknown or impossible: what was expected, what was found, what to do
 */
export function resolveConfig(preset: PresetName, overrides: ConfigOverrides = {}): TrainConfig {
  return checkedConfig(preset, overrides)
}

/**
 * {@link resolveConfig} for what no type has checked, such as a file or a program's JavaScript.
 *
 * @throws RangeError as {@link resolveConfig}
 */
export function checkedConfig(preset: unknown, overrides: Readonly<Record<string, unknown>>): TrainConfig {
  if (!options.preset.rule.ok(preset)) {
    throw optionError((name) => `${name('preset')}: ${options.preset.rule.expected} is expected, got ${show(preset)}`)
  }
  checkKeys(overrides, configKeys, 'option')
  const given: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(overrides)) {
    if (value !== undefined) given[key] = value
  }
  const row = options.config.rule.ok(given['config']) ? configurationRow(given['config'], presets[preset]) : {}
  const config: Record<string, unknown> = { ...presets[preset], ...row, ...given }
  // R1 belongs to the logistic losses: another loss turns it off, and theirs turns it on.
  if (given['gamma'] === undefined) {
    config['gamma'] = mayHaveR1(config['loss']) ? presets[preset].gamma || presets.stylegan.gamma : 0
  }
  config['preset'] = preset
  if (config['data'] === '' && given['data'] === undefined) throw noData()
  for (const key of configKeys) checkOption(key, config[key])
  // Every key has passed its rule, which is the check of its type.
  const checked = Object.freeze(config) as unknown as TrainConfig
  checkTogether(checked)
  return checked
}

/** Images of a program take the place of data, which the options alone cannot know. */
function noData(): RangeError {
  const { expected, advice } = options.data.rule
  return optionError((name) => {
    const more = name('data') === 'data' ? ", or any text, such as 'images', where train is given images" : ''
    return `${name('data')}: ${expected} is expected, got nothing; ${advice}${more}`
  })
}

/**
 * A whole configuration, checked again: a program may have changed a copy of it.
 *
 * @throws RangeError as {@link resolveConfig}
 */
export function checkedOptions(config: TrainConfig): TrainConfig {
  checkKeys(config, configKeys, 'option')
  return checkedConfig(config.preset, { ...config })
}

/** @throws RangeError if an option cannot have this value: what was expected, what was found, what to do */
export function checkOption(key: ConfigKey, value: unknown): void {
  const { ok, expected, advice } = options[key].rule
  if (ok(value)) return
  throw optionError((name) => {
    // A shell has no null, and an empty text is nothing there.
    const isFlag = name(key).startsWith('--')
    const what = isFlag ? expected.replace(/, or null$/, '') : expected
    const found = isFlag && value === '' ? 'nothing' : show(value)
    return `${name(key)}: ${what} is expected, got ${found}${advice ? `; ${advice}` : ''}`
  })
}

/**
 * A configuration as JSON holds it, for instance a run's training_options.json.
 *
 * @throws RangeError as {@link resolveConfig}, if a key is missing, or if it is not an object
 */
export function configFromJson(value: unknown): TrainConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RangeError(`configuration: an object of options is expected, got ${show(value)}`)
  }
  const saved: Record<string, unknown> = { ...absent, ...value }
  // A default may change between versions; a saved run must not change with it.
  const missing = configKeys.find((key) => !Object.hasOwn(saved, key) && !options[key].mayChange)
  if (missing)
    throw new RangeError(`${missing}: ${options[missing].rule.expected} is expected, got nothing; add it to the file`)
  return checkedConfig(saved['preset'], saved)
}

/** What runs had of options that were not known yet. */
export const absent = Object.fromEntries(
  configKeys.flatMap((key) => ('absent' in options[key] ? [[key, options[key].absent]] : [])),
)

/**
 * The options that differ and that change the course of training, so that one run cannot go on with the other's.
 * Its length, its output, the device and the handling of bad files may change.
 */
export function sameRun(a: TrainConfig, b: TrainConfig): ConfigKey[] {
  const isOpen = (key: ConfigKey) => key === 'aug' && [a.aug, b.aug].includes('auto') // what the run began with
  const differs = (key: ConfigKey) => a[key] !== b[key] && !samePath(key, a[key], b[key]) && !isOpen(key)
  return configKeys.filter((key) => !options[key].mayChange && differs(key))
}

/** Whether two spellings name one place: `p`, `p/` and `/home/me/p`. */
function samePath(key: ConfigKey, a: unknown, b: unknown): boolean {
  const isPath = (key === 'data' || key === 'resume') && typeof a === 'string' && typeof b === 'string'
  return isPath && resolve(a) === resolve(b)
}

/** Whether two runs learn from the same folder. */
export const sameData = (a: Pick<TrainConfig, 'data'>, b: Pick<TrainConfig, 'data'>): boolean =>
  a.data === b.data || samePath('data', a.data, b.data)

/** What functions of a configuration say that they take. */
export const ofResolveConfig = 'what resolveConfig gives'

/** What the schedule reads from a configuration: numbers replace the official tables where given. */
export function scheduleOptions(config: TrainConfig): ScheduleOptions {
  checkObject(config, 'config', ofResolveConfig)
  type Table = { base: number; dict: Readonly<Record<number, number>> }
  const table = (value: number | 'auto', official: Table): Table =>
    value === 'auto' ? official : { base: value, dict: {} }
  const minibatch = table(config.batch, OFFICIAL_MINIBATCH[config.gpus])
  const lrate = atMost(OFFICIAL_LRATE, config.lrateMax ?? Infinity)
  const gLrate = table(config.glr, lrate)
  const dLrate = table(config.dlr, lrate)
  const tick = table(config.tick, OFFICIAL_TICK_KIMG)
  return {
    resolution: config.resolution,
    lodInitialResolution: config.lodInitialResolution,
    lodTrainingKimg: config.lodTrainingKimg,
    lodTransitionKimg: config.lodTransitionKimg,
    minibatchBase: minibatch.base,
    minibatchDict: minibatch.dict,
    gLrateBase: gLrate.base,
    gLrateDict: gLrate.dict,
    dLrateBase: dLrate.base,
    dLrateDict: dLrate.dict,
    lrateRampupKimg: config.lrateRampupKimg,
    tickKimgBase: tick.base,
    tickKimgDict: tick.dict,
  }
}

/** CelebA-HQ's learning rates are the official ones, none above a limit (official train.py). */
function atMost({ base, dict }: typeof OFFICIAL_LRATE, limit: number) {
  const capped = Object.entries(dict).map(([side, rate]) => [side, Math.min(rate, limit)] as const)
  return { base: Math.min(base, limit), dict: Object.fromEntries(capped) as Readonly<Record<number, number>> }
}

/** The networks that a configuration asks for. */
export function networkOptions(training: TrainConfig): NetworkOptions {
  checkObject(training, 'config', ofResolveConfig)
  const { config, resolution, numChannels, latentSize, mappingLayers, mappingLrmul, mbstdGroup } = training
  const { fmapBase, fmapDecay, fmapMax, cond, labelSize, precision } = training
  const widths = { latentSize, dlatentSize: latentSize, mappingLayers, mappingFmaps: latentSize, mappingLrmul }
  const networks = { config, precision, resolution, numChannels, fmapBase, fmapDecay, fmapMax, ...widths, mbstdGroup }
  // Progressive GAN's resampling convolutions are fused at every size (official networks_progan.py).
  const layer = training.layer === null ? {} : { layer: { name: training.layer } }
  return { ...networks, labelSize: cond ? labelSize : 0, fusedScale: config === 'A' ? true : 'auto', ...layer }
}

/** Name of a run's directory. It has no running number: the same command finds its own run again. */
export function runName(config: TrainConfig): string {
  const dataset =
    config.data === BUILTIN_AVATARS
      ? 'avatars'
      : basename(resolve(config.data)).replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, '-')
  const loss = config.loss === 'logistic' ? `gamma${config.gamma}` : config.loss.replace('custom:', '')
  const configuration = config.config === 'F' ? '' : `config${config.config}`
  const cond = config.cond ? 'cond' : ''
  const layer = config.layer ?? ''
  const hours = config.hours === null ? '' : `${config.hours}h`
  const words = [
    config.preset,
    dataset,
    `${config.resolution}px`,
    hours,
    configuration,
    layer,
    cond,
    loss,
    `seed${config.seed}`,
  ]
  return [...words, config.desc].filter((word) => word !== '').join('-')
}

/**
 * `fid50k,ppl_wend` as names of metrics; `none` as no names.
 *
 * @throws RangeError for a name that is unknown, with the nearest known one
 */
export function parseMetrics(text: string): MetricName[] {
  if (text === 'none') return []
  const names = text.split(',').map((part) => {
    const name = part.trim()
    if (isMetric(name)) return name
    const near = name === '' ? undefined : nearest(name, metricNames)
    const advice = near ? `; did you mean ${near}?` : ''
    throw optionError(
      (option) =>
        `${option('metrics')}: some of ${metricNames.join(', ')} are expected, got ${show(name || text)}${advice}`,
    )
  })
  return [...new Set(names)]
}

const mayHaveR1 = (value: unknown): boolean =>
  options.loss.rule.ok(value) && (isCustomLoss(value) || losses[value].penalty === 'r1_penalty')

/** Options that contradict each other; both are named. */
function checkPairs(config: TrainConfig): void {
  const { traditional } = configurationOf(config)
  const { gamma, r2Gamma, loss, mappingLayers } = config
  const refuse = (key: ConfigKey, other: ConfigKey, advice: (name: NameOf) => string) =>
    optionError(
      (name) =>
        `${name(key)} and ${name(other)}: options that fit together are expected, got ${show(config[key])} and ${show(config[other])}; ${advice(name)}`,
    )
  if (!mayHaveR1(loss)) {
    const advice = () => 'R1 and R2 belong to the logistic losses: set it to 0'
    if (gamma > 0) throw refuse('gamma', 'loss', advice)
    if (r2Gamma > 0) throw refuse('r2Gamma', 'loss', advice)
  }
  if (config.aug === 'fixed' && config.p === 0) {
    throw refuse(
      'p',
      'aug',
      (name) => `fixed augmentation needs a probability: set ${name('p')} above 0, or ${name('aug')} to ada or none`,
    )
  }
  if (config.aug === 'none' && config.p > 0)
    throw refuse('p', 'aug', (name) => `${name('p')} belongs to augmentation: set it to 0, or ${name('aug')} to fixed`)
  if (traditional && config.mixingProb > 0) {
    throw refuse(
      'mixingProb',
      'config',
      (name) => `A and B have no styles to mix: set ${name('mixingProb')} to 0, or ${name('config')} to C, D, E or F`,
    )
  }
  if (config.config === 'A' && mappingLayers > 0) {
    throw refuse(
      'mappingLayers',
      'config',
      (name) => `A has no mapping network: set ${name('mappingLayers')} to 0, or ${name('config')} to B`,
    )
  }
  if (config.cond && config.config === 'A') {
    throw refuse(
      'cond',
      'config',
      (name) => `Progressive GAN does not learn classes: take B with ${name('mappingLayers')} above 0, or C to F`,
    )
  }
  if (config.cond && mappingLayers === 0) {
    throw refuse('cond', 'mappingLayers', () => 'classes are learned by the mapping network: give it layers')
  }
  if (!config.cond && config.labelSize > 0)
    throw refuse('labelSize', 'cond', (name) => `labels are used with ${name('cond')} only`)
  if (config.freezed > 0 && config.resume === null) {
    throw refuse(
      'freezed',
      'resume',
      (name) => `layers keep the weights of a trained network: name one with ${name('resume')}`,
    )
  }
}

/** What no single option can tell. */
function checkTogether(config: TrainConfig): void {
  checkPairs(config)
  if (config.metrics !== 'auto') parseMetrics(config.metrics)
  const { resolution, lodInitialResolution, mbstdGroup } = config
  if (lodInitialResolution > resolution) {
    throw optionError(
      (name) =>
        `${name('lodInitialResolution')}: at most ${name('resolution')}, ${resolution}, is expected, got ${lodInitialResolution}; lower it to ${resolution} or less`,
    )
  }
  if (lodInitialResolution < resolution && config.lodTrainingKimg + config.lodTransitionKimg === 0) {
    throw optionError(
      (name) =>
        `${name('lodTrainingKimg')}: a number above 0 is expected here or in ${name('lodTransitionKimg')}, got 0 in both; to train at ${resolution} from the start, set ${name('lodInitialResolution')} to ${resolution}`,
    )
  }
  const { minibatchBase, minibatchDict } = scheduleOptions(config)
  for (let s = lodInitialResolution; s <= resolution; s *= 2) {
    const minibatch = minibatchDict[s] ?? minibatchBase
    checkShards(config, minibatch)
    if (minibatch % Math.min(mbstdGroup, minibatch) !== 0) {
      const fits = Math.ceil(minibatch / mbstdGroup) * mbstdGroup
      const where = config.batch === 'auto' ? ` at ${s}x${s}` : ''
      throw optionError(
        (name) =>
          `${name('batch')}: a multiple of ${name('mbstdGroup')}, ${mbstdGroup}, is expected, got ${minibatch}${where}; use ${fits}, or another ${name('mbstdGroup')}`,
      )
    }
  }
  const lastStage = Math.log2(resolution) - 1
  if (featureMaps(config, lastStage) < 1) {
    const least = Math.ceil(2 ** (lastStage * config.fmapDecay))
    throw optionError(
      (name) =>
        `${name('fmapBase')}: at least ${least} is expected for one feature map at ${resolution}x${resolution}, got ${config.fmapBase}; raise it, or lower ${name('resolution')}`,
    )
  }
}

/** Each part of a divided minibatch is made of whole groups. */
function checkShards({ gpus, mbstdGroup, batch }: TrainConfig, minibatch: number): void {
  if (gpus === 1 || minibatch % (gpus * mbstdGroup) === 0) return
  const fits = Math.ceil(minibatch / (gpus * mbstdGroup)) * gpus * mbstdGroup
  throw optionError(
    (name) =>
      `${name('batch')} and ${name('gpus')}: options that fit together are expected, got ${batch === 'auto' ? minibatch : batch} and ${gpus}; a minibatch has ${gpus} parts of a multiple of ${name('mbstdGroup')}, ${mbstdGroup}: use a ${name('batch')} of ${fits}, or another ${name('gpus')} or ${name('mbstdGroup')}`,
  )
}

/**
 * @throws RangeError if the precision needs what the device cannot do, or where it stores feature maps in 16 bits, which its kernels
 *   read in runs of four, other numbers of them
 */
export function checkPrecisionOf(options: NetworkOptions, device: Device): void {
  checkPrecision(options, device)
  const { precision = 'f32', resolution } = options
  if (precision === 'f32' || !device.storesHalf) return
  for (let side = 4; side <= resolution; side *= 2) {
    const maps = featureMaps(options, Math.log2(side) - 1)
    if (maps % 4 === 0) continue
    throw optionError(
      (name) =>
        `${name('precision')}: f32 or multiples of 4 feature maps are expected, got ${precision} and ${maps} feature maps at ${side}x${side}; change ${name('fmapBase')} or ${name('fmapMax')}, or leave ${name('precision')} out`,
    )
  }
}
