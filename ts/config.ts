/** Everything that a training run can be told: one frozen value that JSON can hold, from a preset plus overrides. */
import { basename } from 'node:path'
import { BUILTIN_AVATARS } from './dataset.ts'
import { featureMaps, type NetworkOptions } from './networks/params.ts'
import type { ScheduleOptions } from './schedule.ts'
import { OFFICIAL_LRATE, OFFICIAL_MINIBATCH, OFFICIAL_TICK_KIMG } from './schedule.ts'

/** The options of a training run. Lengths in kimg are thousands of real images shown to the discriminator. */
export interface TrainConfig {
  /** Name of the preset that the run started from. */
  readonly preset: PresetName
  /** Folder of images or prepared dataset, or {@link BUILTIN_AVATARS}. */
  readonly data: string
  /** Folder that holds the run directories. */
  readonly outdir: string
  /** Words added to the name of the run directory. */
  readonly desc: string
  /** Side of the images, a power of two from 4 to 1024. */
  readonly resolution: number
  /** 1 (gray), 3 (RGB) or 4 (RGBA). */
  readonly numChannels: number
  readonly seed: number
  readonly device: string
  /** Snapshot whose weights the run starts from. */
  readonly resume: string | null
  /** Leave out images that cannot be decoded, instead of stopping at the first. */
  readonly skipBad: boolean
  /** Length of training. */
  readonly kimg: number
  /** Images a step; `auto` takes the official number for each resolution. */
  readonly batch: number | 'auto'
  /** Steps between two looks at the schedule. */
  readonly minibatchRepeats: number
  /** Weight of the R1 penalty. */
  readonly gamma: number
  /** Flip half of the real images. */
  readonly mirror: boolean
  /** Length of a tick in kimg; `auto` takes the official number for each resolution. */
  readonly tick: number | 'auto'
  /** Ticks between two snapshots. */
  readonly snap: number
  /** Feature maps of stage s: min(fmapBase / 2^(s · fmapDecay), fmapMax). */
  readonly fmapBase: number
  readonly fmapDecay: number
  readonly fmapMax: number
  /** Width of z, of w and of the mapping network. */
  readonly latentSize: number
  readonly mappingLayers: number
  /** Learning-rate multiplier of the mapping network. */
  readonly mappingLrmul: number
  /** Share of the training images whose styles come from two latents. */
  readonly mixingProb: number
  /** Images that share one standard deviation at the end of the discriminator; 1 turns it off. */
  readonly mbstdGroup: number
  /** Learning rate of the generator; `auto` takes the official number for each resolution. */
  readonly glr: number | 'auto'
  /** Learning rate of the discriminator; `auto` takes the official number for each resolution. */
  readonly dlr: number | 'auto'
  readonly lrateRampupKimg: number
  readonly lodInitialResolution: number
  readonly lodTrainingKimg: number
  readonly lodTransitionKimg: number
  /** Half-life of the running average of G's weights. */
  readonly emaKimg: number
  /** If set, the half-life is at most this share of the images seen so far. */
  readonly emaRampup: number | null
  /** Decay of the running mean of w. */
  readonly dlatentAvgBeta: number
}

export type ConfigKey = keyof TrainConfig
export type PresetName = 'stylegan' | 'demo'
/** Overrides of a preset; `undefined` means "not given". */
export type ConfigOverrides = { readonly [K in ConfigKey]?: TrainConfig[K] | undefined }

/** The official numbers for FFHQ, at any resolution. "official" names the file of the official code. */
const stylegan: TrainConfig = {
  preset: 'stylegan',
  data: '', // must be given
  outdir: 'results', // official config.py
  desc: '',
  resolution: 1024, // FFHQ
  numChannels: 3,
  seed: 0, // StyleGAN3's --seed; official train.py uses 1000
  device: 'cpu',
  resume: null,
  skipBad: false,
  kimg: 25_000, // official train.py
  batch: 'auto', // official train.py, the row of one GPU
  minibatchRepeats: 4, // official training_loop.py
  gamma: 10, // R1 weight for FFHQ: StyleGAN, Appendix C
  mirror: false, // official training_loop.py; FFHQ and CelebA-HQ were trained with it: StyleGAN, Appendix C
  tick: 'auto', // official training_loop.py
  snap: 10, // network_snapshot_ticks of official training_loop.py
  fmapBase: 8192, // official networks_stylegan.py
  fmapDecay: 1, // official networks_stylegan.py
  fmapMax: 512, // official networks_stylegan.py
  latentSize: 512, // StyleGAN, Section 2
  mappingLayers: 8, // StyleGAN, Section 2
  mappingLrmul: 0.01, // StyleGAN, Appendix C
  mixingProb: 0.9, // StyleGAN, Table 2 (configuration F)
  mbstdGroup: 4, // official networks_stylegan.py
  glr: 'auto', // official train.py
  dlr: 'auto', // official train.py
  lrateRampupKimg: 0, // official training_loop.py
  lodInitialResolution: 8, // StyleGAN, Appendix C
  lodTrainingKimg: 600, // official training_loop.py
  lodTransitionKimg: 600, // official training_loop.py
  emaKimg: 10, // G_smoothing_kimg of official training_loop.py
  emaRampup: null, // not in the official code
  dlatentAvgBeta: 0.995, // official networks_stylegan.py
}

/** Named starting points; every other value is an override. */
export const presets: Readonly<Record<PresetName, TrainConfig>> = {
  stylegan: Object.freeze(stylegan),
  // Small faces in minutes on a CPU, chosen by trial on the avatars: many small steps and a strong R1 give clean shapes
  // early; with batches of 16 and a gamma of 4 the insides of heads stay noise. Low resolutions are cheap.
  demo: Object.freeze({
    ...stylegan,
    preset: 'demo',
    data: BUILTIN_AVATARS,
    resolution: 32,
    kimg: 135,
    batch: 8,
    gamma: 20,
    mirror: true,
    tick: 4,
    snap: 5,
    fmapBase: 512,
    fmapMax: 64,
    latentSize: 128,
    mappingLayers: 4,
    mixingProb: 0.5, // StyleGAN, Table 2: as good as 0.9 for single latents
    glr: 0.003,
    dlr: 0.003,
    lodTrainingKimg: 12,
    lodTransitionKimg: 8,
    emaKimg: 2, // the official 10 would average over a tenth of this whole run
    emaRampup: 0.05, // StyleGAN2-ADA's ramp-up
  }),
}

/**
 * A preset with overrides, checked.
 *
 * @throws RangeError naming the first option that is unknown or impossible: what was expected, what was found, what to do
 */
export function resolveConfig(
  preset: string,
  overrides: ConfigOverrides | Readonly<Record<string, unknown>>,
): TrainConfig {
  if (!isPreset(preset)) {
    throw new RangeError(`preset: expected one of ${Object.keys(presets).join(', ')}, found ${show(preset)}`)
  }
  const config: Record<string, unknown> = { ...presets[preset] }
  for (const [key, value] of Object.entries(overrides)) {
    if (!Object.hasOwn(stylegan, key)) throw unknownOption(key)
    if (value !== undefined) config[key] = value
  }
  config['preset'] = preset
  for (const key of CONFIG_KEYS) {
    const { ok, expected, advice } = rules[key]
    if (!ok(config[key]))
      throw new RangeError(`${key}: expected ${expected}, found ${show(config[key])}${advice ? `; ${advice}` : ''}`)
  }
  // Every key has passed its rule, which is the check of its type.
  const checked = Object.freeze(config) as unknown as TrainConfig
  checkTogether(checked)
  return checked
}

/**
 * A configuration as JSON holds it, for instance a run's training_options.json.
 *
 * @throws RangeError as {@link resolveConfig}, if a key is missing, or if it is not an object
 */
export function configFromJson(value: unknown): TrainConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RangeError(`configuration: expected an object of options, found ${show(value)}`)
  }
  const options = { ...value } as Record<string, unknown>
  // A default may change between versions; a saved run must not change with it.
  const missing = CONFIG_KEYS.find((key) => !Object.hasOwn(options, key))
  if (missing)
    throw new RangeError(`${missing}: expected ${rules[missing].expected}, found nothing; add it to the file`)
  return resolveConfig(String(options['preset']), options)
}

/**
 * The options that differ and that change the course of training, so that one run cannot go on with the other's.
 * Its length, its output, the device and the handling of bad files may change.
 */
export function sameRun(a: TrainConfig, b: TrainConfig): ConfigKey[] {
  return CONFIG_KEYS.filter((key) => !MAY_CHANGE.has(key) && a[key] !== b[key])
}

/** What the schedule reads from a configuration: numbers replace the official tables where given. */
export function scheduleOptions(config: TrainConfig): ScheduleOptions {
  const table = (value: number | 'auto', official: { base: number; dict: Readonly<Record<number, number>> }) =>
    value === 'auto' ? official : { base: value, dict: {} }
  const minibatch = table(config.batch, OFFICIAL_MINIBATCH[1])
  const gLrate = table(config.glr, OFFICIAL_LRATE)
  const dLrate = table(config.dlr, OFFICIAL_LRATE)
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

/** The networks that a configuration asks for. */
export function networkOptions(config: TrainConfig): NetworkOptions {
  const { resolution, numChannels, fmapBase, fmapDecay, fmapMax, latentSize, mappingLayers, mappingLrmul, mbstdGroup } =
    config
  const widths = { latentSize, dlatentSize: latentSize, mappingLayers, mappingFmaps: latentSize, mappingLrmul }
  const maps = { fmapBase, fmapDecay, fmapMax }
  return { resolution, numChannels, ...maps, ...widths, labelSize: 0, mbstdGroup, fusedScale: 'auto' }
}

/** Name of a run's directory. It has no running number: the same command finds its own run again. */
export function runName(config: TrainConfig): string {
  const dataset = config.data === BUILTIN_AVATARS ? 'avatars' : basename(config.data).replace(/[^\w.-]+/g, '-')
  const words = [config.preset, dataset, `${config.resolution}px`, `gamma${config.gamma}`, `seed${config.seed}`]
  return [...words, config.desc].filter((word) => word !== '').join('-')
}

/**
 * The candidate with the smallest edit distance to `word`, upper and lower case and dashes aside.
 *
 * @returns undefined if none is closer than half of the word
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, '')
  let best: string | undefined
  let bestDistance = Math.max(2, plain(word).length / 2)
  for (const candidate of candidates) {
    const distance = editDistance(plain(word), plain(candidate))
    if (distance < bestDistance || (distance === bestDistance && best === undefined)) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

const CONFIG_KEYS = Object.keys(stylegan) as ConfigKey[]
const MAY_CHANGE = new Set<ConfigKey>(['preset', 'outdir', 'desc', 'device', 'skipBad', 'kimg', 'tick', 'snap'])

interface Rule {
  readonly ok: (value: unknown) => boolean
  readonly expected: string
  readonly advice?: string
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))
const isPreset = (value: unknown): value is PresetName => typeof value === 'string' && Object.hasOwn(presets, value)

const text: Rule = { ok: (v) => typeof v === 'string', expected: 'text' }
const flag: Rule = { ok: (v) => typeof v === 'boolean', expected: 'true or false' }
const above0: Rule = { ok: (v) => isNumber(v) && v > 0, expected: 'a number above 0' }
const from0: Rule = { ok: (v) => isNumber(v) && v >= 0, expected: 'a number of at least 0' }
const from0To1: Rule = { ok: (v) => isNumber(v) && v >= 0 && v <= 1, expected: 'a number from 0 to 1' }
const whole = (min: number, max: number): Rule => ({
  ok: (v) => Number.isInteger(v) && Number(v) >= min && Number(v) <= max,
  expected: `a whole number from ${min} to ${max}`,
})
const side: Rule = {
  ok: (v) => isNumber(v) && v >= 4 && v <= 1024 && isPowerOfTwo(v),
  expected: 'a power of two from 4 to 1024',
  advice: 'images of other sizes are cropped and resized to it',
}
const orAuto = (rule: Rule): Rule => ({ ok: (v) => v === 'auto' || rule.ok(v), expected: `${rule.expected}, or auto` })
const orNull = (rule: Rule): Rule => ({ ok: (v) => v === null || rule.ok(v), expected: `${rule.expected}, or null` })

const rules: { readonly [K in ConfigKey]: Rule } = {
  preset: { ok: isPreset, expected: `one of ${Object.keys(presets).join(', ')}` },
  data: {
    ok: (v) => typeof v === 'string' && v !== '',
    expected: 'a folder of images or a prepared dataset',
    advice: `name one, or use ${BUILTIN_AVATARS}`,
  },
  outdir: { ok: (v) => typeof v === 'string' && v !== '', expected: 'a folder for the results' },
  desc: { ok: (v) => typeof v === 'string' && /^[\w.-]*$/.test(v), expected: 'letters, digits, ".", "_" and "-"' },
  resolution: side,
  numChannels: {
    ok: (v) => v === 1 || v === 3 || v === 4,
    expected: '1 (gray), 3 (RGB) or 4 (RGBA)',
  },
  seed: whole(0, 2 ** 32 - 1),
  device: { ok: (v) => typeof v === 'string' && v !== '', expected: 'the name of a device', advice: 'use cpu' },
  resume: orNull(text),
  skipBad: flag,
  kimg: above0,
  batch: orAuto(whole(1, 65536)),
  minibatchRepeats: whole(1, 1024),
  gamma: { ...from0, advice: '0 turns R1 off' },
  mirror: flag,
  tick: orAuto(above0),
  snap: whole(1, 1_000_000),
  fmapBase: whole(1, 1 << 20),
  fmapDecay: from0,
  fmapMax: whole(1, 1 << 14),
  latentSize: whole(1, 1 << 14),
  mappingLayers: whole(0, 64),
  mappingLrmul: above0,
  mixingProb: from0To1,
  mbstdGroup: { ...whole(1, 1024), advice: '1 turns it off' },
  glr: orAuto(above0),
  dlr: orAuto(above0),
  lrateRampupKimg: from0,
  lodInitialResolution: side,
  lodTrainingKimg: from0,
  lodTransitionKimg: from0,
  emaKimg: { ...from0, advice: '0 turns the running average off' },
  emaRampup: orNull(above0),
  dlatentAvgBeta: {
    ok: (v) => isNumber(v) && v >= 0 && v < 1,
    expected: 'a number from 0 up to, but not including, 1',
  },
}

/** What no single option can tell. */
function checkTogether(config: TrainConfig): void {
  const { resolution, lodInitialResolution, mbstdGroup } = config
  if (lodInitialResolution > resolution) {
    throw new RangeError(
      `lodInitialResolution: expected at most the resolution, ${resolution}, found ${lodInitialResolution}; lower it to ${resolution} or less`,
    )
  }
  if (lodInitialResolution < resolution && config.lodTrainingKimg + config.lodTransitionKimg === 0) {
    throw new RangeError(
      `lodTrainingKimg: expected above 0 here or in lodTransitionKimg, found 0 in both; to train at ${resolution} from the start, set lodInitialResolution to ${resolution}`,
    )
  }
  const { minibatchBase, minibatchDict } = scheduleOptions(config)
  for (let s = lodInitialResolution; s <= resolution; s *= 2) {
    const minibatch = minibatchDict[s] ?? minibatchBase
    if (minibatch % Math.min(mbstdGroup, minibatch) !== 0) {
      const fits = Math.ceil(minibatch / mbstdGroup) * mbstdGroup
      throw new RangeError(
        `batch: expected a multiple of mbstdGroup, ${mbstdGroup}, found ${minibatch}${config.batch === 'auto' ? ` at ${s}x${s}` : ''}; use ${fits}, or another mbstdGroup`,
      )
    }
  }
  const lastStage = Math.log2(resolution) - 1
  if (featureMaps(config, lastStage) < 1) {
    const least = Math.ceil(2 ** (lastStage * config.fmapDecay))
    throw new RangeError(
      `fmapBase: expected at least ${least} for one feature map at ${resolution}x${resolution}, found ${config.fmapBase}; raise it or lower fmapDecay`,
    )
  }
}

function unknownOption(key: string): RangeError {
  const near = nearest(key, CONFIG_KEYS)
  return new RangeError(
    `unknown option ${show(key)}; ${near ? `did you mean ${near}?` : `known ones: ${CONFIG_KEYS.join(', ')}`}`,
  )
}

/** Levenshtein distance with adjacent swaps counted as one step. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let distance = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        distance = Math.min(distance, before[j - 2]! + 1)
      current.push(distance)
    }
    before = previous
    previous = current
  }
  return previous[b.length]!
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
}
