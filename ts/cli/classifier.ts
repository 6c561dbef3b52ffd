/** `stylegan classifier train`: attribute classifiers for linear separability. */
import { join } from 'node:path'
import { Command } from 'commander'
import { attributesOf } from '../data/attributes.ts'
import { BUILTIN_AVATARS } from '../data/info.ts'
import { openDataset } from '../data/dataset.ts'
import {
  checkClassifierNames,
  classifierName,
  loadClassifier,
  saveClassifier,
  trainClassifier,
  type ClassifierInfo,
  type ClassifierOptions,
} from '../metrics/classifier.ts'
import type { Device } from '../native/index.ts'
import { acquireLock } from '../files/lock.ts'
import { makeFolders } from '../files/make-folders.ts'
import { formatTime } from '../files/units.ts'
import { SnapshotError } from '../files/safetensors.ts'
import {
  deviceHelp,
  imageOptions,
  skipBadHelp,
  type ImageOptions,
  openDevice,
  parseNumber,
  parseWhole,
  switchOption,
} from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible, outliveScreen } from './signals.ts'

interface Options extends Omit<ClassifierOptions, 'rate' | 'mirror'>, ImageOptions {
  lr: number
  mirror?: boolean
  skipBad?: boolean
  data: string
  attributes: string
  device: string
  outdir: string
  cache: string
}

export function classifierCommand(): Command {
  return new Command('classifier')
    .description('Classifiers of attributes, by which linear separability judges a network.')
    .addCommand(trainCommand())
}

function trainCommand(): Command {
  const command = new Command('train')
    .description('Train one classifier for each attribute. Ctrl-C stops; finished ones are not trained again.')
    .option(
      '--data <path>',
      'labelled images: a folder a class, attributes in dataset.json, CIFAR and the like',
      BUILTIN_AVATARS,
    )
    .option('--attributes <names>', 'comma-separated, or all', 'all')
    .option('--resolution <pixels>', "side of the images, at most the network's and 256", parseWhole, 32)
    .option('--num-channels <n>', '1 (gray), 3 (RGB) or 4 (RGBA)', parseWhole, 3)
    .option('--fmap-base <n>', 'capacity: feature maps at 1x1; 8192 in the paper', parseWhole, 512)
    .option('--fmap-max <n>', 'most feature maps of a layer; 512 in the paper', parseWhole, 64)
    .option('--kimg <n>', 'thousands of images shown; 150 in the paper', parseNumber, 32)
    .option('--batch <n>', 'images a step', parseWhole, 8)
    .option('--lr <rate>', 'learning rate', parseNumber, 1e-3)
    .addOption(switchOption('--mirror', 'flip half of the images left to right'))
    .option('--seed <n>', 'seed of weights, order and held-out images', parseWhole, 0)
    .option('--device <name>', deviceHelp, 'cpu')
    .option('--outdir <dir>', 'where classifier-<attribute>.safetensors go', 'classifiers')
    .option('--cache <dir>', 'where prepared datasets are kept', 'results')
    .option('--skip-bad', skipBadHelp)
  return imageOptions(command).addHelpText('after', examples).action(run)
}

const examples = `
Attributes of a folder are its classes, or stand in dataset.json, each 0 or 1:
  {"attributes": ["smiling", "hat"], "labels": [["a.png", [1, 0]], ["b.png", [0, 0]]]}

Examples:
  $ stylegan classifier train
  $ stylegan classifier train --data ./celeba --attributes smiling,hat --resolution 256 --fmap-base 8192 --fmap-max 512 --kimg 150`

async function run({
  data,
  attributes,
  device: name,
  outdir,
  cache,
  skipBad = false,
  maxMegapixels,
  verify,
  ...given
}: Options): Promise<void> {
  outliveScreen()
  const { resolution, numChannels, fmapBase, fmapMax, kimg, batch, lr: rate, mirror = false, seed } = given
  const options: ClassifierOptions = { resolution, numChannels, fmapBase, fmapMax, kimg, batch, rate, mirror, seed }
  const progress = new Progress()
  await interruptible('Stopping; the same command goes on with the next attribute.', async (signal) => {
    const onProgress = (done: number, total: number) => progress.count('preparing images', done, total)
    const onNote = (line: string) => progress.line(`Note           ${line}`)
    const prepare = { data, cache: join(cache, 'datasets'), resolution, channels: numChannels, skipBad }
    const dataset = await openDataset({ ...prepare, labels: true, maxMegapixels, verify, signal, onProgress, onNote })
    const known = await attributesOf(dataset)
    const names = attributes === 'all' ? known.names : attributes.split(',').map((attribute) => attribute.trim())
    const values = new Map(names.map((attribute) => [attribute, known.of(attribute)]))
    checkClassifierNames(values.keys())
    const device = openDevice(name)
    await makeFolders(outdir, 'outdir')
    const lock = acquireLock(join(outdir, '.lock'), {
      what: `${outdir}: another training of classifiers in this folder`,
      advice: 'wait for it or stop it, or give another --outdir',
    })
    if (lock.warning !== undefined) progress.line(`Warning        ${lock.warning}`)
    try {
      for (const [attribute, of] of values) {
        const path = join(outdir, classifierName(attribute))
        const trained = await finished(path, device, { attribute, data: dataset.info.source, options })
        if (trained) {
          progress.line(describe(path, trained, 'trained before'))
          continue
        }
        const began = performance.now()
        const onStep = (nimg: number) => progress.count(attribute, nimg, kimg * 1000)
        const classifier = await trainClassifier(device, dataset, attribute, of, options, { signal, onStep })
        await saveClassifier(path, classifier)
        progress.line(describe(path, classifier.info, formatTime((performance.now() - began) / 1000)))
      }
    } finally {
      lock.release()
    }
  }).finally(() => progress.clear())
}

/** What is known of a classifier that was trained like this before. */
async function finished(
  path: string,
  device: Device,
  wanted: Pick<ClassifierInfo, 'attribute' | 'data' | 'options'>,
): Promise<ClassifierInfo | undefined> {
  const found = await loadClassifier(path, device).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SnapshotError) return undefined
    throw error
  })
  if (found === undefined) return undefined
  const { attribute, data, options } = found.info
  return JSON.stringify({ attribute, data, options }) === JSON.stringify(wanted) ? found.info : undefined
}

function describe(path: string, { attribute, accuracy, chance, heldOut }: ClassifierInfo, time: string): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  return `${attribute.padEnd(20)} ${percent(accuracy).padStart(8)} of ${heldOut} held-out images right, ${percent(chance)} by chance   ${path} (${time})`
}
