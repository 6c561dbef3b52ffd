/** `stylegan metrics`: how good a network is, in the numbers of the literature. */
import { Command, Option } from 'commander'
import { parseMetrics } from '../training/config.ts'
import { catalogue } from '../metrics/catalogue.ts'
import { metricNames } from '../training/metric-names.ts'
import { defaultMetrics } from '../metrics/feature-networks.ts'
import { measure, metricText, type MeasureOptions } from '../metrics/measure.ts'
import type { ResizeMode } from '../metrics/networks/resize.ts'
import { findSnapshot } from '../runs/snapshots.ts'
import { deviceHelp, imageOptions, skipBadHelp, openDevice, parsePositive, parseWhole } from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible } from './signals.ts'

type Options = Omit<MeasureOptions, 'metrics'> & { metrics?: string }

const modes: readonly ResizeMode[] = ['legacy_tensorflow', 'legacy_pytorch', 'clean']

export function metricsCommand(): Command {
  const command = new Command('metrics')
    .description(
      'Measure a trained network, or a folder of images. Ctrl-C keeps what was computed; the same command goes on.',
    )
    .option('--network <path>', 'snapshot, or a folder: its newest snapshot')
    .option('--images <path>', 'folder of images, or statistics of pytorch-fid (.npz), in place of a network')
    .option(
      '--data <path>',
      'real images: a folder, a prepared dataset or .npz (default: what the network was trained on)',
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
    .option('--num <n>', "images to generate, in place of each metric's number", parsePositive)
    .addOption(
      new Option('--mode <mode>', "how images come to Inception's size, in clean-fid's names")
        .choices(modes)
        .default('legacy_tensorflow', 'legacy_tensorflow, the official one'),
    )
    .option('--mirror', 'mirror half of the reals (default: as the network was trained)')
    .option('--no-mirror', 'never mirror reals')
    .option('--resolution <pixels>', 'side to which images are brought where there is no network', parseWhole)
    .option('--seed <n>', 'seed of latents, noise and subsets', parseWhole, 0)
    .option('--device <name>', deviceHelp, 'cpu')
    .option('--outdir <dir>', "where metric-<name>.jsonl go (default: the network's folder)")
    .option('--cache <dir>', 'where prepared datasets and features are kept', 'results')
    .option('--skip-bad', skipBadHelp)
  return imageOptions(command).addHelpText('after', `\nMetrics:\n${list()}\n${examples}`).action(run)
}

const examples = `
Examples:
  $ stylegan metrics --network results
  $ stylegan metrics --network results --metrics fid50k,ppl_wend --weights ./weights
  $ stylegan metrics --network results --metrics ls --classifiers classifiers --num 20000
  $ stylegan metrics --images ./fakes --data ./photos --resolution 256 --metrics fid50k_full --weights ./weights`

function list(): string {
  return metricNames.map((name) => `  ${name.padEnd(12)} ${catalogue[name].help}`).join('\n')
}

async function run({ metrics, network, ...given }: Options): Promise<void> {
  const progress = new Progress()
  const options: MeasureOptions = {
    ...given,
    network: network === undefined ? undefined : await findSnapshot(network),
    metrics: metrics === undefined ? defaultMetrics(given) : parseMetrics(metrics),
  }
  await interruptible('Stopping; the same command goes on with what was computed.', async (signal) => {
    await measure(options, {
      device: openDevice(options.device),
      signal,
      onProgress: (metric, what, done, total) => progress.count(`${metric}: ${what}`, done, total),
      onWarning: (line) => progress.line(`Warning        ${line}`),
      onLine: (line) => progress.lines(metricText(line)),
    }).finally(() => progress.clear())
  })
}
