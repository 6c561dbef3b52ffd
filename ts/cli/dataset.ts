/** `stylegan dataset`: what is in a source of images, preparing it, and writing it for other programs. */
import { copyFile, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Command } from 'commander'
import { checkOutside, prepareDataset, openDataset, type Dataset } from '../data/dataset.ts'
import { checkFree, lockedForExport, writeExport } from '../data/export.ts'
import { BUILTIN_AVATARS, leftOutName, preparedBytes, readInfo } from '../data/info.ts'
import { inspectSource } from '../data/inspect.ts'
import { messageOf } from '../files/option-names.ts'
import { shown } from '../files/shown.ts'
import { formatBytes, formatTime, plural } from '../files/units.ts'
import {
  datasetOptions,
  preparingOf,
  refusePreparing,
  resolutionOption,
  type DatasetOptions,
  type Size,
} from './dataset-options.ts'
import { checkContactSheet, report, writeContactSheet } from './dataset-report.ts'
import { Progress } from './progress.ts'
import { flagOf, parsePositive, refuseIgnored, sayJson, sayPath } from './arguments.ts'
import { interruptible } from './signals.ts'

const sourceHelp = 'a folder of images, or another source that --help of dataset lists'

export function datasetCommand(): Command {
  return new Command('dataset')
    .description('Look into a set of images, prepare it, or write it for other programs.')
    .addCommand(inspectCommand())
    .addCommand(prepareCommand())
    .addCommand(exportCommand())
    .addHelpText(
      'after',
      `
SOURCE is told by its content: a folder of images, with classes in folders or in dataset.json, or any
other form that docs/data-sets.md lists. train --data takes the same sources and prepares them by itself;
these commands are for choices that train does not have, and for looking first.

Examples:
  $ stylegan dataset inspect ./photos
  $ stylegan dataset prepare ./photos --output photos-256 --resolution 256
  $ stylegan dataset export photos-256 --output photos-256.zip`,
    )
}

function inspectCommand(): Command {
  return new Command('inspect')
    .description('Tell what is in a source: numbers, sizes, colours, repeated and unreadable images, classes.')
    .argument('<source>', sourceHelp)
    .addOption(resolutionOption())
    .option('--contact-sheet <file>', 'a PNG of some images as training would see them', 'contact-sheet.png')
    .option('--no-contact-sheet', 'write none')
    .option('--max-megapixels <n>', 'largest image that is decoded (default: 100)', parsePositive)
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
Every image is decoded, which takes about as long as preparing. Duplicates are the same file; near
duplicates look the same: another size, another compression. --resolution tells how many images are
smaller; by default it is the largest power of two that half of the images have.

Examples:
  $ stylegan dataset inspect ./photos
  $ stylegan dataset inspect ./photos --resolution 256 --json`,
    )
    .action(runInspect)
}

interface InspectFlags {
  resolution?: Size
  contactSheet: string | false
  maxMegapixels?: number
  json?: boolean
}

async function runInspect(
  source: string,
  { resolution, contactSheet, maxMegapixels, json }: InspectFlags,
): Promise<void> {
  const say = json ? console.error : console.log
  if (contactSheet !== false) await checkContactSheet(contactSheet)
  await working('Stopping.', say, async (signal, progress) => {
    const onProgress = (done: number, total: number) => progress.count('looking at images', done, total)
    const options = { resolution: resolution?.width, maxMegapixels, signal, onProgress }
    const { inspection, sample } = await inspectSource(source, options)
    progress.clear()
    if (json) sayJson(inspection)
    else for (const line of report(inspection)) console.log(line)
    if (contactSheet === false || sample === undefined) return
    await writeContactSheet(contactSheet, sample)
    if (!json) sayPath(contactSheet)
  })
}

function prepareCommand(): Command {
  const command = new Command('prepare')
    .description('Prepare a source into a folder that train --data opens: one file of pixels a resolution.')
    .argument('<source>', sourceHelp)
    .requiredOption('--output <dir>', 'where the prepared set goes, a folder of its own')
  return datasetOptions(command)
    .addHelpText(
      'after',
      `
The names are those of StyleGAN3's dataset_tool. Without options the pixels are those of train --data.
Interrupted, the same command goes on, to the same bytes; every image has a checksum. What was left
out, and why, is listed in left-out.txt of the output.

Examples:
  $ stylegan dataset prepare ./photos --output photos-256 --resolution 256
  $ stylegan dataset prepare ./photos --output clean --resolution 128 --skip-bad --dedupe near
  $ stylegan dataset prepare ./cars --output cars --resolution 512x384 --transform center-crop-wide`,
    )
    .action(runPrepare)
}

async function runPrepare(source: string, { output, ...options }: DatasetOptions & { output: string }): Promise<void> {
  const how = preparingOf(options, 256)
  if (source === BUILTIN_AVATARS) {
    refusePreparing(options, 'the built-in avatars are drawn, not read')
    refuseIgnored(['--max-images', options.maxImages !== undefined, 'the built-in avatars are drawn all at once'])
  }
  await working(goesOn, console.log, async (signal, progress) => {
    const began = performance.now()
    const dataset = await prepareDataset(output, { ...how, ...noting(signal, progress), data: source })
    progress.clear()
    console.log(summary(dataset, performance.now() - began))
    sayPath(output)
  })
}

function exportCommand(): Command {
  const command = new Command('export')
    .description('Write a set as PNG files with dataset.json, in a folder or a zip that stylegan3 trains on.')
    .argument('<source>', `a prepared set, ${sourceHelp}`)
    .requiredOption('--output <path>', 'a name that ends in .zip for an archive; else a folder')
  return datasetOptions(command)
    .addHelpText(
      'after',
      `
Files are 00000/img00000000.png and on, not compressed, as StyleGAN3's dataset_tool writes them. A
source that is not prepared is prepared first, beside the output, for as long as the command runs; what
was left out is then listed beside the output, in a file that ends in .left-out.txt. Interrupted, the
same command goes on.

Examples:
  $ stylegan dataset export photos-256 --output photos-256.zip
  $ stylegan dataset export ./photos --output photos-64 --resolution 64 --resize-filter lanczos`,
    )
    .action(runExport)
}

async function runExport(source: string, { output, ...options }: DatasetOptions & { output: string }): Promise<void> {
  await working(goesOn, console.log, async (signal, progress) => {
    const hooks = noting(signal, progress)
    const onProgress = (done: number, total: number) => progress.count('writing images', done, total)
    await checkFree(output)
    await checkOutside(output, source)
    const info = await readInfo(source)
    // Beside the output, where there is room for it; hidden, and found again after an interruption.
    const cache = join(dirname(resolve(output)), `.${basename(output)}.prepared`)
    if (info) refusePreparing(options, `${shown(source)} is prepared already`)
    if (source === BUILTIN_AVATARS) refusePreparing(options, 'the built-in avatars are drawn, not read')
    const { maxImages } = options
    const how = info
      ? { resolution: info.resolution, channels: info.channels, skipBad: false }
      : preparingOf(options, 256)
    const resolution = info ? (options.resolution?.width ?? info.resolution) : how.resolution
    const leftOutList = info ? undefined : `${resolve(output)}.${leftOutName}`
    // The lock also keeps the folder in which the images are prepared.
    await lockedForExport(output, hooks.onNote, async () => {
      const dataset = await openDataset({
        ...how,
        ...hooks,
        resolution,
        data: source,
        cache,
        leftOutList,
        called: output,
      })
      await writeExport(dataset, output, { resolution, maxImages, signal, onProgress, onNote: hooks.onNote })
      if (leftOutList) await copyFile(join(dataset.dir, leftOutName), leftOutList).catch(() => {}) // none, if all is used
      await rm(cache, { recursive: true, force: true })
    })
    progress.clear()
    sayPath(output)
  })
}

/** Options with another name than train has for them. */
const ownFlags: Readonly<Record<string, string>> = { outdir: '--output', numChannels: '--channels' }

const goesOn = 'Stopping; the same command goes on.'

/** Ends a bar, and says what follows an interruption. Errors call options as these commands do. */
async function working(
  stopping: string,
  say: (line: string) => void,
  work: (signal: AbortSignal, progress: Progress) => Promise<void>,
): Promise<void> {
  const progress = new Progress(say)
  try {
    await interruptible(stopping, (signal) => work(signal, progress), say)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const message = messageOf(error, (key) => ownFlags[key] ?? flagOf(key))
    if (message === error.message) throw error
    throw new Error(message, { cause: error })
  } finally {
    progress.clear()
  }
}

const noting = (signal: AbortSignal, progress: Progress) => ({
  signal,
  onProgress: (done: number, total: number) => progress.count('preparing images', done, total),
  onNote: (line: string) => progress.line(`Note           ${line}`),
})

function summary({ levels, info }: Dataset, ms: number): string {
  const { count, resolution, channels } = levels
  const bytes = count * preparedBytes(resolution, channels)
  const labels = info.labels
    ? `, ${info.labels.length} ${plural(info.labels.length, 'class or attribute', 'classes or attributes')}`
    : ''
  return `${count} ${plural(count, 'image')} of ${resolution}x${resolution}x${channels}${labels}, ${formatBytes(bytes)}, in ${formatTime(ms / 1000)}`
}
