/** `stylegan train`: a folder of images becomes a generator. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import {
  networkOptions,
  presets,
  resolveConfig,
  runName,
  scheduleOptions,
  type ConfigKey,
  type TrainConfig,
} from '../training/config.ts'
import { estimateRun, type Estimate, type ResolutionCost } from '../runs/estimate.ts'
import { layerTable } from '../networks/layer-table.ts'
import { losses } from '../training/losses.ts'
import { chooseDevice, Device } from '../native/index.ts'
import { countParams } from '../networks/params.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { formatBytes, formatTime } from '../files/units.ts'
import { timeline, type Phase } from '../training/schedule.ts'
import { train, type TrainEvent } from '../runs/loop.ts'
import { deviceHelp, imageOptions, type ImageOptions, parseNumber } from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible, outliveScreen } from './signals.ts'

/** Flags that are configuration keys, as StyleGAN3 users know them; the parser of the value, and what it means. */
const flags: readonly [key: ConfigKey, flag: string, help: string, parse?: (text: string) => unknown][] = [
  [
    'data',
    '--data <dir>',
    'folder of images (PNG, JPEG, GIF, WebP, BMP, TIFF; any size; nested), or a prepared dataset',
  ],
  ['outdir', '--outdir <dir>', 'where runs and prepared datasets go'],
  ['desc', '--desc <name>', 'words added to the name of the run directory'],
  ['resolution', '--resolution <pixels>', 'side of the images: a power of two from 4 to 1024', parseNumber],
  ['numChannels', '--num-channels <n>', '1 (gray), 3 (RGB) or 4 (RGBA)', parseNumber],
  ['cond', '--cond', 'learn the classes of the images: folders, or labels in dataset.json'],
  ['config', '--config <letter>', 'A to F, a row of Table 1: A is Progressive GAN, F is StyleGAN'],
  ['kimg', '--kimg <n>', 'length of training, in thousands of images shown', parseNumber],
  ['batch', '--batch <n>', "images a step; 'auto' as the official code for each resolution", numberOrAuto],
  [
    'gpus',
    '--gpus <n>',
    'whose official minibatches auto takes: 1, 2, 4 or 8 GPUs; training uses one device',
    parseNumber,
  ],
  ['loss', '--loss <name>', Object.keys(losses).join(', ')],
  ['gamma', '--gamma <weight>', 'weight of the R1 penalty; higher calms training, lower sharpens details', parseNumber],
  ['r2Gamma', '--r2-gamma <weight>', 'weight of the R2 penalty', parseNumber],
  ['mirror', '--mirror', 'flip half of the images left to right'],
  ['mirror', '--no-mirror', 'never flip images'],
  ['glr', '--glr <rate>', 'learning rate of the generator', numberOrAuto],
  ['dlr', '--dlr <rate>', 'learning rate of the discriminator', numberOrAuto],
  ['lrateMax', '--lrate-max <rate>', 'most that a learning rate of auto may be', parseNumber],
  ['mixingProb', '--mixing-prob <share>', 'share of steps whose images mix the styles of two latents', parseNumber],
  ['fmapBase', '--fmap-base <n>', 'capacity: feature maps at 1x1; halved at each doubling of the side', parseNumber],
  ['fmapMax', '--fmap-max <n>', 'most feature maps of a layer', parseNumber],
  ['latentSize', '--latent-size <n>', 'width of z and w', parseNumber],
  ['mappingLayers', '--mapping-layers <n>', 'layers of the mapping network', parseNumber],
  ['mbstdGroup', '--mbstd-group <n>', 'images that the discriminator compares; 1 turns it off', parseNumber],
  ['lodInitialResolution', '--lod-initial-resolution <pixels>', 'side at which training starts to grow', parseNumber],
  ['lodTrainingKimg', '--lod-training-kimg <n>', 'length of the stable phase of each resolution', parseNumber],
  ['lodTransitionKimg', '--lod-transition-kimg <n>', 'length of the fade into each resolution', parseNumber],
  ['emaKimg', '--ema-kimg <n>', 'half-life of the running average of the generator', parseNumber],
  ['tick', '--tick <kimg>', 'length of a tick: a status line and a picture each', numberOrAuto],
  ['snap', '--snap <ticks>', 'ticks between two snapshots', parseNumber],
  [
    'keep',
    '--keep <n>',
    'snapshots to keep: the newest n, the last one of every tenth tick, and the best by each metric; or all',
    numberOrAll,
  ],
  ['metrics', '--metrics <names>', "computed at each snapshot: see 'stylegan metrics --help'; or none"],
  ['metricsNum', '--metrics-num <n>', 'images that a metric generates, in place of its own number', parseNumber],
  ['weights', '--weights <dir>', 'folder with published weight files, for metrics that need them'],
  ['classifiers', '--classifiers <dir>', 'folder with attribute classifiers, for linear separability'],
  ['seed', '--seed <n>', 'the same seed on the same kind of machine gives the same network', parseNumber],
  ['device', '--device <name>', deviceHelp],
  [
    'precision',
    '--precision <type>',
    "what feature maps are stored in: f32, or on a GPU bf16 or f16, which halve their memory; all else is f32, except that a GPU with matrix units multiplies f16 by f16. bf16 has f32's range; f16 is finer, and scales losses",
  ],
  [
    'resume',
    '--resume <path>',
    'start from this snapshot, or the newest of this folder (the same command goes on by itself)',
  ],
  ['skipBad', '--skip-bad', 'leave out images that cannot be read, instead of stopping'],
]

export function trainCommand(): Command {
  const command = new Command('train')
    .description('Train on a folder of images. Ctrl-C saves; the same command goes on where it stopped.')
    .option('--preset <name>', `options to start from: ${Object.keys(presets).join(', ')}`)
    .option('--profile', 'show with each tick where its time went: milliseconds, GFLOP/s and GB/s of every kernel')
    .option(
      '-n, --dry-run',
      'print the resolved options, the layers, the timeline and what it will take on this device, then stop',
    )
  imageOptions(command)
  for (const [key, flag, help, parse] of flags) {
    const text = key in presets.stylegan && flag.includes('<') ? `${help} (default ${defaults(key)})` : help
    if (parse) command.option(flag, text, parse)
    else command.option(flag, text)
  }
  return command.addHelpText('after', examples).action(run)
}

const examples = `
Examples:
  $ stylegan train --preset demo
  $ stylegan train --data ./photos --resolution 64 --fmap-base 2048 --fmap-max 128 --kimg 2000 --mirror
  $ stylegan train --data ./photos --dry-run

A run directory holds training_options.json, log.txt, stats.jsonl, reals.png, fakesNNNNNN.png and
network-snapshot-NNNNNN.safetensors, numbered in thousands of images shown, and events.out.tfevents.* for TensorBoard.`

function defaults(key: ConfigKey): string {
  const [official, demo] = [presets.stylegan[key], presets.demo[key]]
  const show = (value: unknown) => (value === '' || value === null ? 'none' : String(value))
  return official === demo ? show(official) : `${show(official)}, demo ${show(demo)}`
}

type Options = Record<string, unknown> & ImageOptions & { preset?: string; profile?: boolean; dryRun?: boolean }

async function run({ preset, profile, dryRun, maxMegapixels, verify, ...given }: Options): Promise<void> {
  outliveScreen()
  const { device, note } = chooseDevice(resolveConfig(preset ?? 'stylegan', given).device)
  const config = resolveConfig(preset ?? 'stylegan', { ...given, device })
  console.log(describe(config))
  if (note) console.log(note)
  if (dryRun) return console.log(describeEstimate(await estimateRun(config, Device.open(config.device))))
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

function numberOrAll(text: string): number | 'all' {
  return text === 'all' ? text : parseNumber(text)
}

function numberOrAuto(text: string): number | 'auto' {
  return text === 'auto' ? text : parseNumber(text)
}
