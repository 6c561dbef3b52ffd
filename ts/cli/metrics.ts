/** `stylegan metrics`: how good a network is, in the numbers of the literature. */
import { Command, Option } from 'commander'
import { parseMetrics } from '../training/config.ts'
import { catalogue, entryOf } from '../metrics/catalogue.ts'
import { metricNames, type MetricName } from '../training/metric-names.ts'
import { defaultMetrics } from '../metrics/feature-networks.ts'
import { measure, metricText, type MeasureOptions } from '../metrics/measure.ts'
import type { ResizeMode } from '../metrics/networks/resize.ts'
import { readMetadata } from '../files/safetensors.ts'
import { isCheckpoint } from '../checkpoints/index.ts'
import { trainingMetadata } from '../training/snapshot-metadata.ts'
import { builtInNetwork } from '../runs/built-in.ts'
import { findSnapshot } from '../runs/snapshots.ts'
import {
  countTo,
  deviceHelp,
  imageOptions,
  networkHelp,
  skipBadHelp,
  openDevice,
  parseWhole,
  refuseIgnored,
  sayJson,
  switchOption,
} from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible } from './signals.ts'

type Options = Omit<MeasureOptions, 'metrics' | 'num' | 'mode'> & {
  metrics?: string
  metricsNum?: number
  mode?: ResizeMode | undefined
  json?: boolean
}

type Given = Omit<Options, 'metricsNum' | 'json'>

const modes: readonly ResizeMode[] = ['legacy_tensorflow', 'legacy_pytorch', 'clean']

export function metricsCommand(): Command {
  const command = new Command('metrics')
    .description(
      'Measure a trained network, or a folder of images. Ctrl-C keeps what was computed; the same command goes on.',
    )
    .option('--network <path>', networkHelp)
    .option(
      '--images <path>',
      'images (a folder, a zip and the like), or statistics of pytorch-fid (.npz), in place of a network',
    )
    .option(
      '--data <path>',
      'real images: a folder, a zip and the like, or statistics (.npz) (default: what the network was trained on)',
    )
    .option('--metrics <names>', 'comma-separated (default: fid50k if there are weights for it, else swd,ms_ssim)')
    .option('--weights <dir>', 'folder with published weight files under their own names')
    .option('--inception <file>', 'weights of Inception-v3')
    .option('--vgg <file>', 'weights of VGG16')
    .option('--lpips <file>', 'heads of LPIPS, in place of those in this package')
    .option(
      '--allow-unknown-weights',
      'take weight files with other hashes; the numbers compare with no published ones',
    )
    .option('--classifiers <dir>', "attribute classifiers of 'stylegan classifier train'")
    .option('--metrics-num <n>', 'images that a metric generates, in place of its own number', countTo(1e9))
    .addOption(
      new Option('--mode <mode>', "how images come to Inception's size, in clean-fid's names")
        .choices(modes)
        .default(undefined, 'legacy_tensorflow, the official one'),
    )
    .addOption(switchOption('--mirror', 'mirror half of the reals (default: as the network was trained)'))
    .option('--no-mirror', 'never mirror reals')
    .option('--resolution <pixels>', 'side to which images are brought where there is no network', parseWhole)
    .option('--seed <n>', 'seed of latents, noise and subsets', parseWhole, 0)
    .option('--device <name>', deviceHelp, 'cpu')
    .option('--outdir <dir>', "where metric-<name>.jsonl go (default: the network's folder)")
    .option('--cache <dir>', 'where prepared datasets and features are kept', 'results')
    .option('--skip-bad', skipBadHelp)
    .option('--json', 'the lines of metric-<name>.jsonl, for programs; all else goes to standard error')
  return imageOptions(command).addHelpText('after', `\nMetrics:\n${list()}\n${examples}`).action(run)
}

const examples = `
Examples:
  $ stylegan metrics --network results
  $ stylegan metrics --network results --metrics fid50k,ppl_wend --weights ./weights
  $ stylegan metrics --network results --metrics ls --classifiers classifiers --metrics-num 20000
  $ stylegan metrics --images ./fakes --data ./photos --resolution 256 --metrics fid50k_full --weights ./weights`

function list(): string {
  return metricNames.map((name) => `  ${name.padEnd(12)} ${catalogue[name].help}`).join('\n')
}

async function run({ network, json, metricsNum: num, mode, ...given }: Options): Promise<void> {
  const metrics = given.metrics === undefined ? defaultMetrics(given) : parseMetrics(given.metrics)
  const snapshot = network === undefined ? undefined : await findSnapshot(network)
  checkFlags({ ...given, network, mode }, metrics)
  const needsData =
    metrics.some((name) => entryOf(name).reals) || (snapshot !== undefined && (await mayBeLabelled(snapshot)))
  if (!needsData) checkDataFlags(given, metrics)
  const progress = new Progress(json ? console.error : console.log)
  // Nothing is written into the package.
  const outdir = given.outdir ?? (builtInNetwork(network ?? '') && 'out')
  const options = { ...given, outdir, network: snapshot, num, metrics, mode: mode ?? 'legacy_tensorflow' }
  const stopping = 'Stopping; the same command goes on with what was computed.'
  const work = async (signal: AbortSignal) => {
    await measure(options, {
      device: openDevice(options.device),
      signal,
      onProgress: (metric, what, done, total) => progress.count(`${metric}: ${what}`, done, total),
      onWarning: (line) => progress.line(`Warning        ${line}`),
      onLine: (line) => {
        if (json) sayJson(line)
        else progress.lines(metricText(line))
      },
    }).finally(() => progress.clear())
  }
  await interruptible(stopping, work, json ? console.error : console.log)
}

/** Whether latents may need labels, which come with the real images. */
async function mayBeLabelled(path: string): Promise<boolean> {
  if (await isCheckpoint(path)) return true
  return trainingMetadata(path, { metadata: await readMetadata(path) }).network.labelSize > 0
}

/** @throws RangeError for a flag of real images, which no metric reads */
function checkDataFlags({ images, ...given }: Given, metrics: readonly MetricName[]): void {
  const why = `none of ${metrics.join(', ')} reads real images`
  const { data, mirror, skipBad, maxMegapixels, verify } = given
  const folder = images === undefined
  refuseIgnored(
    ['--data', data !== undefined, why],
    [mirror === false ? '--no-mirror' : '--mirror', mirror !== undefined, why],
    ['--skip-bad', skipBad !== undefined && folder, why],
    ['--max-megapixels', maxMegapixels !== undefined && folder, why],
    ['--verify', verify !== undefined && folder, why],
  )
}

/** @throws RangeError for a flag that none of these metrics reads */
function checkFlags(given: Given, metrics: readonly MetricName[]): void {
  const { network, images, inception, vgg, lpips, weights, classifiers, allowUnknownWeights, mode, mirror } = given
  const needs = new Set(metrics.flatMap((name) => entryOf(name).needs))
  const paths = metrics.some((name) => name.startsWith('ppl'))
  const unread = (need: string) => `none of ${metrics.join(', ')} reads ${need}`
  const has = (value: unknown) => value !== undefined
  refuseIgnored(
    ['--inception', has(inception) && !needs.has('inception'), unread('Inception-v3')],
    ['--vgg', has(vgg) && !needs.has('vgg'), unread('VGG16')],
    ['--lpips', has(lpips) && !paths, unread('LPIPS')],
    ['--classifiers', has(classifiers) && !needs.has('classifiers'), unread('classifiers')],
    ['--weights', has(weights) && !needs.has('inception') && !needs.has('vgg'), unread('weights')],
    [
      '--allow-unknown-weights',
      has(allowUnknownWeights) && ![weights, inception, vgg, lpips].some(has),
      'there are no weights: --weights, --inception, --vgg and --lpips name them',
    ],
    ['--mode', has(mode) && !needs.has('inception'), unread('images at the size of Inception-v3')],
    ['--resolution', has(given.resolution) && has(network), 'images are brought to the side of the network'],
    ['--mirror', mirror === true && has(images), 'images of a folder are compared as they are'],
    ['--no-mirror', mirror === false && has(images), 'images of a folder are compared as they are'],
  )
}
