/** `stylegan train`: a folder of images becomes a generator. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { networkOptions, resolveConfig, runName, scheduleOptions, type TrainConfig } from '../training/config.ts'
import { configKeys, options, type ConfigKey } from '../training/options.ts'
import { estimateRun, type Estimate, type ResolutionCost } from '../runs/estimate.ts'
import { layerTable } from '../networks/layer-table.ts'
import { chooseDevice, Device } from '../native/index.ts'
import { countParams } from '../networks/params.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { formatBytes, formatTime } from '../files/units.ts'
import { timeline, type Phase } from '../training/schedule.ts'
import { train, type TrainEvent } from '../runs/loop.ts'
import { checkFiles } from '../runs/resume.ts'
import { imageOptions, parseNumber, type ImageOptions } from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible, outliveScreen } from './signals.ts'

export function trainCommand(): Command {
  const command = new Command('train')
    .description('Train on a folder of images. Ctrl-C saves; the same command goes on where it stopped.')
    .option('--profile', 'show with each tick where its time went: milliseconds, GFLOP/s and GB/s of every kernel')
    .option(
      '-n, --dry-run',
      'print the resolved options, the layers, the timeline and what it will take on this device, then stop',
    )
  imageOptions(command)
  for (const key of configKeys) addFlag(command, key)
  return command.addHelpText('after', examples).action(run)
}

/** The flag of an option, as StyleGAN3 users know it. */
function addFlag(command: Command, key: ConfigKey): void {
  const { flag, help = '', noHelp, rule } = options[key]
  const { reads } = rule
  if (flag === undefined) return
  const text = reads === 'flag' || key === 'preset' ? help : `${help} (default ${defaults(key)})`
  if (reads === 'text' || reads === 'flag') command.option(flag, text)
  else command.option(flag, text, (value) => (value === reads.word ? value : parseNumber(value)))
  if (noHelp !== undefined) command.option(flag.replace('--', '--no-'), noHelp)
}

const examples = `
Examples:
  $ stylegan train --preset demo
  $ stylegan train --data ./photos --resolution 64 --fmap-base 2048 --fmap-max 128 --kimg 2000 --mirror
  $ stylegan train --data ./photos --dry-run

A run directory holds training_options.json, log.txt, stats.jsonl, reals.png, fakesNNNNNN.png and
network-snapshot-NNNNNN.safetensors, numbered in thousands of images shown, and events.out.tfevents.* for TensorBoard.`

function defaults(key: ConfigKey): string {
  const { default: official, demo = official } = options[key]
  const show = (value: string | number | boolean | null) => (value === '' || value === null ? 'none' : String(value))
  return official === demo ? show(official) : `${show(official)}, demo ${show(demo)}`
}

type Options = Record<string, unknown> & ImageOptions & { preset?: string; profile?: boolean; dryRun?: boolean }

async function run({ preset, profile, dryRun, maxMegapixels, verify, ...given }: Options): Promise<void> {
  outliveScreen()
  const { device, note } = chooseDevice(resolveConfig(preset ?? 'stylegan', given).device)
  const config = resolveConfig(preset ?? 'stylegan', { ...given, device })
  console.log(describe(config))
  if (note) console.log(note)
  if (dryRun) {
    await checkFiles(config)
    console.log(describeEstimate(await estimateRun(config, Device.open(config.device))))
    return
  }
  console.log(describeTimeline(config))
  await interruptible('Stopping after this step; once more to stop at once, without a snapshot.', async (signal) => {
    const display = new Display(config)
    for await (const event of train(config, { signal, profile, note, images: { maxMegapixels, verify } }))
      display.show(event)
  })
}

function describe(config: TrainConfig): string {
  const options = networkOptions(config)
  const count = (n: number) => n.toLocaleString('en')
  return [
    JSON.stringify(config, null, 2),
    `Run directory  ${join(config.outdir, runName(config))}`,
    `Parameters     G ${count(countParams(generatorSpecs(options)))}, D ${count(countParams(discriminatorSpecs(options)))}`,
    `Device         ${config.device}, ${availableParallelism()} cores`,
    layerTable('G', generatorSpecs(options), options),
    layerTable('D', discriminatorSpecs(options), options),
  ].join('\n')
}

function describeTimeline(config: TrainConfig): string {
  const phases = timeline(scheduleOptions(config), config.kimg)
  return ['Timeline', ...phases.map((phase) => `  ${phaseText(phase)}`.trimEnd())].join('\n')
}

function phaseText({ fromKimg, toKimg, resolution, kind }: Phase): string {
  return `${`${fromKimg}-${toKimg} kimg`.padEnd(18)} ${`${resolution}x${resolution} ${kind === 'fade' ? 'fades in' : 'stable'}`.padEnd(18)}`
}

/** The timeline with what each phase will take, and how that was found. */
function describeEstimate({ costs, phases, totalSeconds, memory, measuringSec }: Estimate): string {
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
    ...(others!.length > 0 ? [`Extrapolated   ${others!.join(', ')}, by the size of their layers`] : []),
  ].join('\n')
}

/** Events as a person likes to see them: a line a tick, a bar in between where there is a terminal. */
class Display {
  readonly #config: TrainConfig
  readonly #progress = new Progress()
  #trained = false

  constructor(config: TrainConfig) {
    this.#config = config
  }

  show(event: TrainEvent): void {
    switch (event.type) {
      case 'prepare':
        return this.#progress.count('preparing images', event.done, event.total)
      case 'start':
        this.#progress.line(`Images         ${event.count}${event.skipped ? `, ${event.skipped} files left out` : ''}`)
        this.#progress.line(event.snapshot ? `Going on from  ${event.snapshot}` : `Starting in    ${event.dir}`)
        return
      case 'step': {
        this.#trained = true
        const left = formatTime(event.leftSec)
        this.#progress.draw(
          'kimg {kimg}/{total} {bar} {pace} sec/kimg, {left} left',
          this.#config.kimg,
          event.nimg / 1000,
          {
            kimg: (event.nimg / 1000).toFixed(1),
            pace: event.secPerKimg.toFixed(1),
            left,
          },
        )
        return
      }
      case 'tick':
        return this.#progress.line(event.line)
      case 'profile':
        return this.#progress.line(event.table)
      case 'images':
        return this.#progress.line(`Pictures       ${event.path}`)
      case 'snapshot':
        return this.#progress.line(`Snapshot       ${event.path}`)
      case 'notice':
        return this.#progress.line(`Note           ${event.line}`)
      case 'measuring':
        return this.#progress.count(`${event.metric}: ${event.what}`, event.done, event.total)
      case 'metric':
        return this.#progress.line(event.line)
      case 'end':
        return this.#progress.line(
          event.aborted
            ? `Stopped after ${(event.nimg / 1000).toFixed(1)} kimg; the same command goes on from here.`
            : `${this.#trained ? 'Done' : 'Nothing to do, --kimg is already reached'}: ${(event.nimg / 1000).toFixed(1)} kimg. A larger --kimg trains on.`,
        )
    }
  }
}
