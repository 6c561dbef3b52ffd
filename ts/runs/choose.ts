/** The options of a run that follow from something else: hours and a measurement, or the network of `--resume`. Chosen once, then saved. */
import { basename, join, resolve } from 'node:path'
import { checkKeys } from '../files/keys.ts'
import { checkOutdir } from '../files/make-folders.ts'
import { optionError } from '../files/option-names.ts'
import { checkData } from '../data/dataset.ts'
import { BUILTIN_AVATARS, readInfo } from '../data/info.ts'
import { avatarCount } from '../data/prepare.ts'
import { openSource } from '../data/sources/index.ts'
import { isRecord, parseJson } from '../files/json.ts'
import { formatTime, plural } from '../files/units.ts'
import { Device } from '../native/index.ts'
import { chooseAugmentation } from '../training/ada.ts'
import {
  checkOption,
  resolveConfig,
  runName,
  sameData,
  scheduleOptions,
  type ConfigOverrides,
  type TrainConfig,
} from '../training/config.ts'
import { configKeys, options, type ConfigKey } from '../training/options.ts'
import { fits, optionsOf, planFor, sizes, sizesFor, type Plan, type Size } from '../training/plan.ts'
import { timeline, type ByResolution, type Phase } from '../training/schedule.ts'
import { fewestShards } from '../training/shards.ts'
import { readTrained, trainedSide, type Trained } from '../training/transfer.ts'
import { estimateFrom, estimateRun, type Estimate } from './estimate.ts'
import { checkStart } from './resume.ts'
import { configOfRun, hasDiverged, savedConfigs } from './run-dir.ts'
import { findSnapshot, snapshotsIn } from './snapshots.ts'

/** What was chosen for the hours that there are, and why. */
export interface Choice {
  readonly config: TrainConfig
  /** What was chosen and why, for the screen. */
  readonly lines: readonly string[]
  /** What the run will take, where it was measured for the choice. */
  readonly estimate?: Estimate | undefined
}

/** Hours of a run on images of one's own, where neither hours nor a length nor a preset is given. */
export const defaultHours = 8

/** How options are chosen. */
export interface ChoosingOptions {
  /** Called before a measurement, with the seconds that it takes at most. */
  readonly onMeasuring?: ((seconds: number) => void) | undefined
  /** Processes that will train together: each computes parts of a minibatch, of which `gpus` says how many there are. */
  readonly processes?: number | undefined
  /** How many times as fast as this process they are together. */
  readonly speedup?: number | undefined
}

/**
 * The configuration of a run from the options that are given. With `hours`, or with `data` alone, a short measurement on the
 * device chooses the others so that the run ends in about that time; with `resume`, the networks are those of the file. What is
 * given always wins. The choice is saved with the run: the same options give the same configuration, and nothing is measured again.
 *
 * @throws RangeError as {@link resolveConfig}, DataError if there are no images
 */
export async function chooseConfig(given: ConfigOverrides, choosing: ChoosingOptions = {}): Promise<Choice> {
  checkKeys(given, configKeys, 'option')
  checkKeys(choosing, ['onMeasuring', 'processes', 'speedup'] satisfies (keyof ChoosingOptions)[], 'option')
  const { preset, hours, data, kimg } = given
  for (const option of configKeys) if (given[option] !== undefined) checkOption(option, given[option])
  if (typeof hours === 'number' && preset !== undefined) {
    throw optionError(
      (name) =>
        `${name('hours')} and ${name('preset')}: one of them is expected, got ${hours} and ${preset}, which both choose size and length; leave one out`,
    )
  }
  const alone = preset === undefined && data !== undefined
  const parts = { gpus: given.gpus ?? fewestShards(choosing.processes ?? 1) ?? 8 }
  const withParts = (options: ConfigOverrides) => ofItsRun(options, given, parts)
  if (hours == null && given.resume == null && !alone) return { config: await withParts(given), lines: [] }
  const key = keyOfChoice(given)
  const runs = await savedIn(given)
  const desc = given.desc ?? options.desc.default
  const found = begunAmong(runs, given)
  if (found) {
    const lines = [`Chosen         when this run began, in ${found.dir}; nothing is measured again`]
    return { config: resolveConfig(found.config.preset, { ...found.config, ...changes(given) }), lines }
  }
  const taken = given.resume == null ? undefined : await optionsOfFile(given.resume, given)
  const named = { ...taken?.options, ...given }
  const planned = hours ?? (alone && kimg === undefined && !taken?.goesOn ? defaultHours : undefined)
  if (planned === undefined) {
    return { config: await withParts(taken ? { ...named, chosenFor: key } : named), lines: [] }
  }
  if (taken?.goesOn) {
    throw optionError(
      (name) =>
        `${name('hours')} and ${name('resume')}: a network of other images is expected, got one of ${String(data)}, whose training goes on; give ${name('kimg')} in place of ${name('hours')}`,
    )
  }
  await refuseOtherRun(runs, { ...given, desc, hours: planned }, key)
  const all = { ...parts, ...named, hours: planned, chosenFor: key }
  return plan(planned, all, given, taken && sizeOf(named), choosing)
}

/** `gpus` as the run began with, where it is not given; a run that begins has a part for each process. */
async function ofItsRun(
  options: ConfigOverrides,
  { gpus }: ConfigOverrides,
  parts: Required<Pick<ConfigOverrides, 'gpus'>>,
): Promise<TrainConfig> {
  const first = plain({ ...options, gpus })
  if (gpus !== undefined) return first
  const dir = join(first.outdir, runName(first))
  const began = (await snapshotsIn(dir)).length > 0 ? await configOfRun(dir) : undefined
  return plain({ ...options, ...(began ? { gpus: began.gpus } : parts) })
}

/**
 * The folder of the run that {@link chooseConfig} goes on with for these options; undefined where it would choose anew.
 */
export async function begunRun(given: ConfigOverrides): Promise<string | undefined> {
  return begunAmong(await savedIn(given), given)?.dir
}

function begunAmong(runs: readonly Saved[], given: ConfigOverrides): Saved | undefined {
  const [key, desc] = [keyOfChoice(given), given.desc ?? options.desc.default]
  return runs.find(({ config }) => config.chosenFor === key && config.desc === desc)
}

async function savedIn(given: ConfigOverrides): Promise<Saved[]> {
  const runs: Saved[] = []
  for await (const run of savedConfigs(given.outdir ?? options.outdir.default)) runs.push(run)
  return runs
}

/** {@link keyOf} with the hours that data alone are given. */
function keyOfChoice(given: ConfigOverrides): string {
  const alone = given.preset === undefined && given.data !== undefined
  return keyOf({ ...given, ...(alone && { hours: given.hours ?? defaultHours }) })
}

const plain = ({ preset = 'stylegan', ...given }: ConfigOverrides) => resolveConfig(preset, given)

/** The options that make a run what it is, in one spelling. */
function keyOf(given: ConfigOverrides): string {
  const kept = configKeys.filter((key) => key === 'hours' || key === 'preset' || !options[key].mayChange)
  const entries = kept.flatMap((key) => {
    const value = given[key]
    if (value === undefined || (value === options[key].default && key !== 'preset')) return []
    const isPath = (key === 'data' && value !== BUILTIN_AVATARS) || key === 'resume'
    return [[key, isPath ? resolve(String(value)) : value] as const]
  })
  return JSON.stringify(Object.fromEntries(entries))
}

/** What may change while a run goes on. */
function changes(given: ConfigOverrides): ConfigOverrides {
  const kept = configKeys.filter((key) => key !== 'hours' && options[key].mayChange && given[key] !== undefined)
  return Object.fromEntries(kept.map((key) => [key, given[key]]))
}

/** A run in the folder of results, and its options. */
interface Saved {
  readonly dir: string
  readonly config: TrainConfig
}

/**
 * Finds before a measurement that the folder of the run would be that of another one.
 *
 * @throws RangeError naming what was given there and here
 */
async function refuseOtherRun(runs: readonly Saved[], given: ConfigOverrides, key: string): Promise<void> {
  const named = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  for (const { dir, config } of runs) {
    if (config.chosenFor === null || runName({ ...config, ...named }) !== basename(dir)) continue
    if (hasDiverged(dir) || (await snapshotsIn(dir)).length === 0) continue
    const [there, here] = [config.chosenFor, key].map(givenOf) as [Record<string, unknown>, Record<string, unknown>]
    const differing = configKeys.filter((option) => JSON.stringify(there[option]) !== JSON.stringify(here[option]))
    const text = (value: unknown) => (value === undefined ? 'not given' : JSON.stringify(value))
    throw optionError(
      (name) =>
        `${dir}: the options that this run began with are expected, got ${differing.map((option) => `${name(option)} ${text(there[option])} there, ${text(here[option])} here`).join('; ')}; give the same options, or another ${name('desc')} or ${name('outdir')} for another run`,
    )
  }
}

/** What {@link keyOf} was made of. */
function givenOf(key: string): Record<string, unknown> {
  const given = parseJson(key)
  return isRecord(given) ? given : {}
}

/** Options that make the networks what they are. */
const ofNetworks = [
  ...(['config', 'resolution', 'numChannels', 'fmapBase', 'fmapDecay', 'fmapMax', 'latentSize'] as const),
  ...(['mappingLayers', 'mappingLrmul', 'mbstdGroup'] as const),
]

/** Of a snapshot that training goes on from: all else that changes its course. */
const notOfCourse: readonly ConfigKey[] = ['data', 'resume', 'labelSize', 'hours', 'chosenFor']

/** What a run takes from the file of `--resume`, where nothing is given. */
async function optionsOfFile(
  path: string,
  given: ConfigOverrides,
): Promise<{ options: ConfigOverrides; goesOn: boolean }> {
  const trained = await readTrained(await findSnapshot(path))
  const { options: network, config } = trained
  const own = Object.fromEntries(ofNetworks.flatMap((key) => (network[key] === undefined ? [] : [[key, network[key]]])))
  const layer = network.layer && { layer: network.layer.name }
  if (config && goesOnWith(trained, config, given)) {
    const course = configKeys.filter((key) => !options[key].mayChange && !notOfCourse.includes(key))
    const kept = given.preset === undefined ? course.map((key) => [key, config[key]]) : []
    const length = given.preset === undefined ? { kimg: config.kimg } : {}
    return { options: { ...Object.fromEntries(kept), ...length, ...own, ...layer } as ConfigOverrides, goesOn: true }
  }
  const resolution = given.resolution ?? network.resolution
  const start = { lodInitialResolution: trainedSide(trained, resolution), emaRampup: null }
  return { options: { ...own, ...layer, ...start }, goesOn: false }
}

/** Whether the options that are given name the run of a snapshot: its images, its resolution, its classes. */
function goesOnWith({ options: network }: Trained, config: TrainConfig, given: ConfigOverrides): boolean {
  const { data = given.preset === 'demo' ? BUILTIN_AVATARS : '', resolution, cond, freezed } = given
  if (data === '' || !sameData(config, { data })) return false
  const same = (resolution ?? network.resolution) === network.resolution && (cond ?? config.cond) === config.cond
  return same && (freezed ?? config.freezed) === config.freezed
}

/** The size of a network that is taken from a file: nothing of it is chosen. */
function sizeOf({ resolution, fmapBase, fmapMax, batch }: ConfigOverrides): Size {
  const like = sizes.findLast((size) => size.resolution <= resolution!) ?? sizes[0]!
  const given = { resolution: resolution!, fmapBase: fmapBase!, fmapMax: fmapMax! }
  return { ...given, batch: typeof batch === 'number' ? batch : like.batch, needsKimg: 0 }
}

async function plan(
  hours: number,
  named: ConfigOverrides,
  given: ConfigOverrides,
  fixed: Size | undefined,
  { onMeasuring, speedup = 1 }: ChoosingOptions,
): Promise<Choice> {
  checkOption('data', named.data ?? '')
  const { data = '', outdir = options.outdir.default, device = options.device.default } = named
  await checkData(data)
  await checkOutdir(outdir)
  const { count, resolution: most } = await imagesIn(data)
  const limit = given.resolution ?? most
  const possible = fixed ? [fixed] : sizesFor(count, { ...named, ...(limit && { resolution: limit }) })
  // What is wrong with the options is told before anything is measured.
  await checkStart(plain(optionsOf(possible[0]!, named.kimg ?? 1000, hours, named)))
  // A short run must not be spent on measuring it.
  const budget = Math.min(8, hours * 36)
  onMeasuring?.(budget * Math.min(possible.length, 3))
  const estimates = new Map<Size, Estimate>()
  const measured: (readonly [Size, ByResolution])[] = []
  for (const size of possible) {
    const isFirst = measured.length === 0
    const measure = async (surely: boolean): Promise<readonly [Size, ByResolution]> => {
      const options = { ...named, ...augmentation(named, count) }
      const estimate = faster(await measureSize(size, hours, options, budget, surely), speedup)
      estimates.set(size, estimate)
      return [size, secondsPerKimg(estimate)]
    }
    let one = await measure(isFirst)
    // A size that seems to fit is chosen only after real steps at its resolution.
    const isGuess = estimates.get(size)!.costs.at(-1)!.measuredImages === 0
    if (!isFirst && isGuess && fits(hours, ...one, named)) one = await measure(true)
    measured.push(one)
    if (!isFirst && !fits(hours, ...one, named)) break
  }
  const chosen = planFor(hours, measured, named)
  const config = plain(chosen.options)
  return {
    config,
    estimate: estimateOf(config, estimates.get(chosen.size)!),
    lines: describePlan(hours, chosen, config, {
      count,
      device,
      limit: given.resolution,
      all: possible,
      isGiven: fixed !== undefined,
    }),
  }
}

async function imagesIn(data: string): Promise<{ count: number; resolution?: number }> {
  if (data === BUILTIN_AVATARS) return { count: avatarCount }
  const info = await readInfo(data)
  if (info) return info
  const source = await openSource(data)
  await source.close()
  return { count: source.count }
}

/** The options that a run is measured with: where `aug` is left to the number of images, what it will be. */
export async function toMeasure(config: TrainConfig): Promise<TrainConfig> {
  if (config.aug !== 'auto') return config
  return resolveConfig(config.preset, { ...config, ...augmentation(config, (await imagesIn(config.data)).count) })
}

/** What training will do to few images: half as strong as it may get, for the measurement. */
function augmentation({ aug = 'auto', data = '', p }: ConfigOverrides, count: number): ConfigOverrides {
  const chosen = aug === 'auto' ? chooseAugmentation(count, data).aug : aug
  return chosen === 'ada' ? { aug: 'ada', p: p || 0.5 } : {}
}

/** What training takes at each resolution on the way to a size. */
function measureSize(
  size: Size,
  hours: number,
  named: ConfigOverrides,
  budget: number,
  surely: boolean,
): Promise<Estimate> {
  const config = plain(optionsOf(size, named.kimg ?? 1000, hours, named))
  return estimateRun(config, Device.open(config.device), budget, surely)
}

/** What several processes take, of which one was measured. */
function faster(estimate: Estimate, speedup: number): Estimate {
  const costs = estimate.costs.map((cost) => ({ ...cost, secPerKimg: cost.secPerKimg / speedup }))
  return { ...estimate, costs }
}

/** Seconds of 1,000 images at each resolution. */
const secondsPerKimg = ({ costs }: Estimate): ByResolution =>
  Object.fromEntries(costs.map(({ resolution, secPerKimg }) => [resolution, secPerKimg]))

/** What a run takes by a measurement of its size, if that had all resolutions of its timeline. */
function estimateOf(config: TrainConfig, { costs, measuringSec }: Estimate): Estimate | undefined {
  const isMeasured = ({ resolution }: Phase) => costs.some((cost) => cost.resolution === resolution)
  const known = timeline(scheduleOptions(config), config.kimg).every(isMeasured)
  return known ? estimateFrom(config, costs, measuringSec) : undefined
}

interface Reasons {
  readonly count: number
  readonly device: string
  /** Largest resolution that is allowed. */
  readonly limit: number | undefined
  readonly all: readonly Size[]
  /** The network of a file has its own size. */
  readonly isGiven: boolean
}

/** Four lines: what was chosen, and why. */
function describePlan(
  hours: number,
  { size, next, seconds }: Plan,
  config: TrainConfig,
  { count, device, limit, all, isGiven }: Reasons,
): string[] {
  const text = ({ resolution, fmapMax }: Size) =>
    `${resolution}x${resolution} images with ${fmapMax} ${plural(fmapMax, 'feature map')}`
  const kimg = (value: number) => value.toLocaleString('en')
  const reasonOfOne = isGiven
    ? 'the size of the given network'
    : limit === size.resolution
      ? 'the size of --resolution'
      : 'the only size that the given options allow'
  const why = next
    ? `${text(next.size)} would come to ${kimg(next.kimg)} of the ${kimg(next.size.needsKimg)} kimg that they need`
    : all.length === 1
      ? reasonOfOne
      : `the largest ${limit === undefined ? `for ${count} ${plural(count, 'image')}` : `up to --resolution ${limit}`}`
  const { lodInitialResolution: first, lodTrainingKimg, lodTransitionKimg, resolution } = config
  const grown = Math.log2(resolution / first) * (lodTrainingKimg + lodTransitionKimg)
  const growing =
    grown > 0 ? `, the first ${kimg(Number(grown.toPrecision(3)))} of them growing from ${first}x${first}` : ''
  const time = hours * 3600
  return [
    `Chosen         ${text(size)}, for ${formatTime(time)}: ${why}`,
    `Length         ${kimg(config.kimg)} kimg${growing}: ${formatTime(seconds)} as measured on ${device}, the rest is for pictures and metrics`,
    `Settings       minibatch ${config.batch}, gamma ${config.gamma}, rates ${config.glr} and ${config.dlr}, mixing ${config.mixingProb}: what worked for small images, and StyleGAN2-ADA's rules for large ones`,
    `Output         a picture every ${kimg(Number(config.tick))} kimg, a snapshot every ${plural(config.snap, 'picture', `${config.snap} pictures`)}; running average of ${config.emaKimg} kimg`,
  ]
}
