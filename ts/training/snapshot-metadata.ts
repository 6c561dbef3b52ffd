/** What a snapshot says of itself, checked by the rules of the options before anything is made of it: anybody may have written it. */
import { isRecord, parseJson } from '../files/json.ts'
import { readMetadata, SnapshotError } from '../files/safetensors.ts'
import { shown } from '../files/shown.ts'
import { isFormat, trainingFormat } from '../files/version.ts'
import { Rng, type RngState } from '../native/index.ts'
import type { NetworkOptions } from '../networks/params.ts'
import { checkSemantics } from '../networks/semantics.ts'
import { absent, checkOption, checkedConfig, type ConfigKey, type TrainConfig } from './config.ts'
import { isAugmentState, type AugmentState } from './ada.ts'
import type { Origin } from './imported.ts'
import { presets } from './presets.ts'

/** Version of what a snapshot holds. */
const formatVersion = 1

/** Where training stands; plain numbers. */
export interface Position {
  /** Real images shown. */
  nimg: number
  /** Pairs of a discriminator and a generator step. */
  step: number
  /** `nimg` when the schedule was last looked at. */
  scheduleNimg: number
  /** lod of the last step, −1 before the first. */
  lod: number
  tick: number
  /** Seconds of training, over all starts. */
  seconds: number
  /** `nimg` and `seconds` when the tick began. */
  tickNimg: number
  tickSeconds: number
  /** Sums of the statistics over the steps of the tick so far, and their number. */
  sums: number[]
  sumSteps: number
  /** Where augmentation stands, if there is one. */
  augment?: AugmentState | undefined
}

/** Which images a run has: their number, and a hash that changes with them. */
export interface ImagesSeen {
  readonly count: number
  readonly fingerprint: string
}

export interface SnapshotMetadata {
  readonly network: NetworkOptions
  readonly config: TrainConfig
  /** Names of a conditional network's classes. */
  readonly classes: readonly string[]
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass?: boolean | undefined
  readonly position: Position
  readonly rng: RngState
  /** The images that the run began with; not in older snapshots. */
  readonly images?: ImagesSeen | undefined
  /** Where networks come from that were imported. */
  readonly origin?: Origin | undefined
  /** Largest side that the discriminator of a transfer was trained to; below it lie the layers that --freezed keeps. */
  readonly frozenFrom?: number | undefined
}

export function encodeMetadata(metadata: SnapshotMetadata): Record<string, string> {
  const given = Object.entries(metadata).filter(([, value]) => value !== undefined)
  const texts = given.map(([name, value]) => [name, JSON.stringify(value)] as const)
  return { format: `${trainingFormat}-${formatVersion}`, ...Object.fromEntries(texts) }
}

/** @throws SnapshotError if it is no snapshot of a training run, VersionError if a newer program wrote it */
export function trainingMetadata(
  path: string,
  { metadata }: { readonly metadata: Readonly<Record<string, string>> },
): SnapshotMetadata {
  if (!isFormat(path, metadata['format'], trainingFormat, formatVersion)) {
    throw new SnapshotError(`${path}: a snapshot of 'stylegan train' is expected, this is another safetensors file`)
  }
  const part = <T>(name: string, check: (value: unknown) => T, fallback?: string): T => {
    try {
      return check(parseJson(metadata[name] ?? fallback ?? ''))
    } catch (error) {
      throw new SnapshotError(`${path}: its ${name} cannot be used: ${shown((error as Error).message)}`, {
        cause: error,
      })
    }
  }
  return {
    network: part('network', checkNetwork),
    config: part('config', checkConfig),
    classes: part('classes', checkClasses, '[]'),
    oneClass: part('oneClass', checkOneClass, 'null'),
    position: part('position', checkPosition),
    rng: part('rng', checkRng),
    images: part('images', checkImages, 'null'),
    origin: part('origin', checkOrigin, 'null'),
    frozenFrom: part('frozenFrom', checkFrozenFrom, 'null'),
  }
}

/** Whether a file is a snapshot of a training run, of this version or a newer one. */
export async function isTrainingSnapshot(path: string): Promise<boolean> {
  const { format } = await readMetadata(path).catch((): Record<string, string> => ({}))
  return format?.startsWith(`${trainingFormat}-`) ?? false
}

function record(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw new RangeError('an object is expected')
  return value
}

/** Which rule of the options each number of a network follows. */
const networkRules = {
  config: 'config',
  precision: 'precision',
  resolution: 'resolution',
  numChannels: 'numChannels',
  fmapBase: 'fmapBase',
  fmapDecay: 'fmapDecay',
  fmapMax: 'fmapMax',
  latentSize: 'latentSize',
  dlatentSize: 'latentSize',
  mappingLayers: 'mappingLayers',
  mappingFmaps: 'latentSize',
  mappingLrmul: 'mappingLrmul',
  labelSize: 'labelSize',
  mbstdGroup: 'mbstdGroup',
} satisfies Record<Exclude<keyof NetworkOptions, 'fusedScale' | 'fmaps' | 'semantics' | 'layer'>, ConfigKey>

/** Configuration and precision are newer than the rest: F and f32 where they are not named. */
const optional = ['config', 'precision']

function checkNetwork(value: unknown): NetworkOptions {
  const options = record(value)
  for (const [name, rule] of Object.entries(networkRules)) {
    if (options[name] !== undefined || !optional.includes(name)) checkOption(rule, options[name])
  }
  const { fusedScale } = options
  if (typeof fusedScale !== 'boolean' && fusedScale !== 'auto') {
    throw new RangeError("fusedScale: true, false or 'auto' is expected")
  }
  const { fmaps } = options
  if (fmaps !== undefined && !(Array.isArray(fmaps) && fmaps.length <= 16 && fmaps.every(isMaps))) {
    throw new RangeError('fmaps: a list of feature maps is expected')
  }
  if (options['semantics'] !== undefined) checkSemantics(options['semantics'])
  if (options['layer'] !== undefined) checkOption('layer', record(options['layer'])['name'])
  return options as unknown as NetworkOptions
}

const isMaps = (maps: unknown) => Number.isInteger(maps) && Number(maps) >= 1 && Number(maps) <= 1 << 14

/** Options that a newer version has are its defaults here; those that only a newer one knows are left out. */
function checkConfig(value: unknown): TrainConfig {
  const options = Object.entries(record(value)).filter(([key]) => Object.hasOwn(presets.stylegan, key))
  const known: Record<string, unknown> = { ...absent, ...Object.fromEntries(options) }
  return checkedConfig(known['preset'], known)
}

function checkOrigin(value: unknown): Origin | undefined {
  if (value === null) return undefined
  const { what, licence } = record(value)
  if (typeof what !== 'string' || typeof licence !== 'string')
    throw new RangeError('what and licence: text is expected')
  return { what: shown(what), licence: shown(licence) }
}

function checkFrozenFrom(value: unknown): number | undefined {
  if (value === null) return undefined
  checkOption('resolution', value)
  return Number(value)
}

function checkClasses(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) {
    throw new RangeError('a list of names is expected')
  }
  return value
}

function checkOneClass(value: unknown): boolean | undefined {
  if (value === null) return undefined
  if (typeof value !== 'boolean') throw new RangeError('true or false is expected')
  return value
}

function checkPosition(value: unknown): Position {
  const position = record(value)
  for (const name of ['nimg', 'step', 'scheduleNimg', 'tick', 'tickNimg', 'sumSteps']) {
    const count = position[name]
    if (!Number.isSafeInteger(count) || Number(count) < 0) throw new RangeError(`${name}: a whole number is expected`)
  }
  const { lod, seconds, tickSeconds, sums } = position
  if (!Array.isArray(sums) || ![lod, seconds, tickSeconds, ...(sums as unknown[])].every(Number.isFinite)) {
    throw new RangeError('lod, seconds, tickSeconds and sums: finite numbers are expected')
  }
  if (position['augment'] !== undefined && !isAugmentState(position['augment'])) {
    throw new RangeError('augment: a probability and windows of signs are expected')
  }
  return position as unknown as Position
}

function checkImages(value: unknown): ImagesSeen | undefined {
  if (value === null) return undefined
  const { count, fingerprint } = record(value)
  if (!Number.isSafeInteger(count) || typeof fingerprint !== 'string') {
    throw new RangeError('a number of images and a fingerprint are expected')
  }
  return { count: Number(count), fingerprint }
}

function checkRng(value: unknown): RngState {
  return Rng.from(record(value) as unknown as RngState).state
}
