/** `stylegan train`: a folder of images becomes a generator. */
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { BUILTIN_AVATARS } from '../data/info.ts'
import {
  checkPrecisionOf,
  networkOptions,
  parseMetrics,
  runName,
  scheduleOptions,
  type ConfigOverrides,
  type TrainConfig,
} from '../training/config.ts'
import { configKeys, options, type ConfigKey } from '../training/options.ts'
import { estimateRun, type Estimate, type ResolutionCost } from '../runs/estimate.ts'
import { layerTable } from '../networks/layer-table.ts'
import { chooseDevice, Device, ofFirst, type Processes } from '../native/index.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { shownLine } from '../files/shown.ts'
import { formatBytes, formatTime } from '../files/units.ts'
import { Minibatches } from '../training/minibatches.ts'
import { timeline, type Phase } from '../training/schedule.ts'
import { chooseConfig, toMeasure } from '../runs/choose.ts'
import { train } from '../runs/loop.ts'
import { checkSame, defaultTimeoutSec, type Neighbours } from '../runs/processes.ts'
import { checkMetrics } from '../runs/metrics.ts'
import { checkFiles } from '../runs/resume.ts'
import {
  flagOf,
  imageOptions,
  parseCount,
  parseNumber,
  parseNumberOr,
  refuseIgnored,
  sayJson,
  switchOption,
  type ImageOptions,
} from './arguments.ts'
import { besideStudio, parsePort, studioPort } from './studio.ts'
import { interruptible, outliveScreen } from './signals.ts'
import { amongOthers, joinOrEnd, mayStart, ofProgram, startProcesses } from './processes.ts'
import { deviceLine, Display, networksLine } from './train-display.ts'
import { JsonLines } from './train-json.ts'

export function trainCommand(): Command {
  const command = new Command('train')
    .description('Train on a folder of images. Ctrl-C saves; the same command goes on where it stopped.')
    .option('--verbose', 'also print every option, the layers of both networks and the timeline')
    .option('--profile', 'show with each tick where its time went: milliseconds, GFLOP/s and GB/s of every kernel')
    .option(
      '--studio [port]',
      `show it in a browser while it trains, and draw with what it has learned (default port ${studioPort})`,
      parsePort,
    )
    .option(
      '-n, --dry-run',
      'print the resolved options, the layers, the timeline and what it will take on this device, then stop',
    )
    .option('--processes <n>', 'train with n processes of this machine, which mpiexec starts', parseCount)
    .option('--mpi-library <file>', 'the MPI library of several processes, in place of those that are looked for')
    .option(
      '--timeout <seconds>',
      `how long another process may give no sign of life (default: ${defaultTimeoutSec})`,
      parseNumber,
    )
    .option('--json', 'events as lines of JSON, for programs; all else goes to standard error')
  imageOptions(command)
  for (const key of configKeys) addFlag(command, key)
  return command.addHelpText('after', examples).action(run)
}

/** The flag of an option, as StyleGAN3 users know it. */
function addFlag(command: Command, key: ConfigKey): void {
  const { flag, help = '', noHelp, rule } = options[key]
  const { reads } = rule
  if (flag === undefined) return
  const text = reads === 'flag' || key === 'preset' ? help : `${help} (default: ${defaults(key)})`
  if (reads === 'flag') command.addOption(switchOption(flag, text))
  else if (reads === 'text') command.option(flag, text)
  else command.option(flag, text, (value) => (reads.word ? parseNumberOr(reads.word, value) : parseNumber(value)))
  if (noHelp !== undefined) command.option(flag.replace('--', '--no-'), noHelp)
}

const examples = `
Examples:
  $ stylegan train --preset demo
  $ stylegan train --data ./photos
  $ stylegan train --data ./photos --hours 2 --dry-run
  $ stylegan train --data ./more --resume results --freezed 2

A run directory holds training_options.json, log.txt, stats.jsonl, reals.png, fakesNNNNNN.png and
network-snapshot-NNNNNN.safetensors, numbered in thousands of images shown, and events.out.tfevents.* for TensorBoard.`

function defaults(key: ConfigKey): string {
  const { default: official, demo = official } = options[key]
  const show = (value: string | number | boolean | null) => (value === '' || value === null ? 'none' : String(value))
  return official === demo ? show(official) : `${show(official)}; demo: ${show(demo)}`
}

type Options = Record<string, unknown> &
  ImageOptions & {
    preset?: string
    verbose?: boolean
    profile?: boolean
    dryRun?: boolean
    json?: boolean
    studio?: number | true
    processes?: number
    mpiLibrary?: string
    timeout?: number
  }

async function run({ processes: count, mpiLibrary: library, timeout: timeoutSec, ...options }: Options): Promise<void> {
  if (timeoutSec !== undefined && !(timeoutSec > 0)) {
    throw new RangeError(
      `--timeout: a number above 0 is expected, got ${timeoutSec}; leave it out for ${defaultTimeoutSec}`,
    )
  }
  if (count !== undefined && count > 1 && mayStart()) return startProcesses(count)
  const processes = await joinOrEnd({ library, timeoutSec })
  if (processes === undefined) {
    refuseIgnored(
      ['--mpi-library', library !== undefined, 'this process is alone: mpirun, srun or --processes start several'],
      ['--timeout', timeoutSec !== undefined, 'this process is alone: mpirun, srun or --processes start several'],
    )
    return runAlone(options)
  }
  await amongOthers(processes, async (place) => {
    const course = { ...options, outdir: undefined, device: undefined }
    const flags = Object.entries(course).map(([key, value]) => [flagOf(key), JSON.stringify(value)] as const)
    await checkSame(processes, { ...ofProgram(), ...Object.fromEntries(flags) })
    await runAlone(options, { processes, place })
  })
}

/** This process among others. */
interface Others {
  readonly processes: Processes
  readonly place: Neighbours
}

async function runAlone(
  { preset, verbose, profile, dryRun, json, studio, maxMegapixels, verify, ...given }: Options,
  { processes, place }: Partial<Others> = {},
): Promise<void> {
  if (!dryRun) outliveScreen()
  // Of several processes the first one speaks.
  const isFirst = processes === undefined || processes.rank === 0
  const say = !isFirst ? () => {} : json ? console.error : console.log
  const named = typeof given['device'] === 'string' ? given['device'] : options.device.default
  const { device, note } = chooseDevice(named, undefined, place?.localRank)
  const onMeasuring = (seconds: number) =>
    say(
      `Measuring      training steps on ${device}, for about ${Math.ceil(seconds)} s; let the machine do nothing else`,
    )
  const speedup = processes && place && (device === 'cpu' ? place.hosts : processes.size)
  const choose = () =>
    chooseConfig({ ...given, preset, device } as ConfigOverrides, { onMeasuring, processes: processes?.size, speedup })
  const choice = await ofFirst(processes, choose)
  const { lines } = choice
  const config = { ...choice.config, device }
  checkFlags({ ...given, maxMegapixels }, config)
  refuseIgnored(
    ['--verbose', verbose === true && json === true, '--json prints for programs'],
    ['--studio', studio !== undefined && dryRun === true, '--dry-run trains nothing'],
  )
  const begin = () => {
    if (!json && isFirst && (dryRun || verbose)) console.log(describe(config))
    if (note) say(shownLine(note))
    if (processes) say(shownLine(`Processes      ${processes.size}: ${processes.names.join(', ')}`))
    for (const line of lines) say(shownLine(line))
  }
  if (dryRun) {
    await checkMetrics(config)
    await checkFiles(config)
    const notes: string[] = []
    if (isFirst) await Minibatches.check(config, { maxMegapixels, onNote: (line) => notes.push(line) })
    const opened = Device.open(config.device)
    checkPrecisionOf(networkOptions(config), opened)
    begin()
    for (const line of notes) say(shownLine(`Note           ${line}`))
    if (!isFirst) return
    const estimate = choice.estimate ?? (await estimateRun(await toMeasure(config), opened))
    if (json) sayJson({ type: 'estimate', options: config, ...estimate })
    else console.log(describeEstimate(estimate, config.device))
    return
  }
  const stopping = 'Stopping after this step; once more to stop at once, without a snapshot.'
  const work = async (signal: AbortSignal) => {
    let display: Pick<Display, 'show'> | undefined
    for await (const event of train(config, { signal, profile, note, maxMegapixels, verify, processes })) {
      if (!isFirst) continue
      // Nothing is printed before it is known that training can begin.
      if (display === undefined) {
        begin()
        if (verbose) console.log(describeTimeline(config))
        display = json ? new JsonLines() : new Display(config, choice.estimate?.totalSeconds)
      }
      display.show(event)
    }
  }
  const port = studio === undefined || studio === true ? studioPort : studio
  const all =
    studio === undefined || !isFirst ? work : (signal: AbortSignal) => besideStudio(config, port, work, signal, say)
  await interruptible(stopping, all, say)
}

/** @throws RangeError for a flag that this training would ignore */
function checkFlags(given: Readonly<Record<string, unknown>>, config: TrainConfig): void {
  const metrics = config.metrics === 'auto' ? [] : parseMetrics(config.metrics)
  const none = config.metrics === 'none'
  const ignored = (key: string, isIgnored: boolean, why: string) =>
    [flagOf(key), given[key] !== undefined && isIgnored, why] as const
  const grown = config.lodInitialResolution === config.resolution
  const avatars = config.data === BUILTIN_AVATARS
  refuseIgnored(
    ignored('metricsNum', none, '--metrics none computes none'),
    ignored('weights', none, '--metrics none computes none'),
    ignored('classifiers', !metrics.includes('ls'), 'only the metric ls reads classifiers'),
    ignored('lrateMax', config.glr !== 'auto' && config.dlr !== 'auto', '--glr and --dlr are numbers'),
    ignored('lodTrainingKimg', grown, 'training begins at its full resolution'),
    ignored('lodTransitionKimg', grown, 'training begins at its full resolution'),
    ignored('skipBad', avatars, `${BUILTIN_AVATARS} has no files`),
    ignored('maxMegapixels', avatars, `${BUILTIN_AVATARS} has no files`),
  )
}

function describe(config: TrainConfig): string {
  const options = networkOptions(config)
  return [
    JSON.stringify(config, null, 2),
    shownLine(`Run directory  ${join(config.outdir, runName(config))}`),
    networksLine(config),
    deviceLine(config),
    layerTable('G', generatorSpecs(options), options),
    layerTable('D', discriminatorSpecs(options), options),
  ].join('\n')
}

function describeTimeline(config: TrainConfig): string {
  const phases = timeline(scheduleOptions(config), config.kimg)
  return ['Timeline', ...phases.map((phase) => `  ${phaseText(phase)}`.trimEnd())].join('\n')
}

function phaseText({ fromKimg, toKimg, resolution, kind }: Phase): string {
  const [from, to] = [fromKimg, toKimg].map((kimg) => Number(kimg.toFixed(3)))
  return `${`${from}-${to} kimg`.padEnd(18)} ${`${resolution}x${resolution} ${kind === 'fade' ? 'fades in' : 'stable'}`.padEnd(18)}`
}

/** The timeline with what each phase will take, and how that was found. */
function describeEstimate({ costs, phases, totalSeconds, memory, measuringSec }: Estimate, device: string): string {
  const sizes = (which: readonly ResolutionCost[]) =>
    which.map(({ resolution, minibatch, measuredImages }) => {
      return `${resolution}x${resolution}${measuredImages > 0 && measuredImages < minibatch ? ` (${measuredImages} of ${minibatch} images)` : ''}`
    })
  const [measured, others] = [true, false].map((yes) => sizes(costs.filter((cost) => cost.measuredImages > 0 === yes)))
  const rows = phases.map((phase) => {
    const { secPerKimg, memory: bytes, measuredImages } = costs.find((cost) => cost.resolution === phase.resolution)!
    const numbers = [`${secPerKimg.toFixed(2)} sec/kimg`, formatTime(phase.seconds), `${formatBytes(bytes)} memory`]
    return `  ${phaseText(phase)} ${numbers.map((text) => text.padEnd(16)).join(' ')}${measuredImages > 0 ? '' : 'extrapolated'}`
  })
  return [
    `Estimate       ${formatTime(totalSeconds)} and ${formatBytes(memory)} of memory for tensors, beside pictures and snapshots`,
    ...rows.map((row) => row.trimEnd()),
    `Measured       ${measured!.join(', ')}, in ${measuringSec.toFixed(0)} s`,
    ...(device === 'cpu' && memory > totalmem()
      ? [`Warning        this machine has ${formatBytes(totalmem())}; a smaller --batch or --fmap-max takes less`]
      : []),
    ...(others!.length > 0 ? [`Extrapolated   ${others!.join(', ')}, by the size of their layers`] : []),
  ].join('\n')
}
