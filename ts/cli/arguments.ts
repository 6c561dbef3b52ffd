/** What the commands that draw have in common: options, their values, files. */
import { dirname } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { Progress } from './progress.ts'
import { seedsOf } from '../data/seeds.ts'
import { shownLine } from '../files/shown.ts'
import { defaultPsi, mostPsi, type ImageGenerator } from '../figures/generator.ts'
import type { FigureOptions, TrainedGenerator } from '../figures/render.ts'
import type { Picture } from '../figures/grid.ts'
import { chooseDevice, Device, encodeDrawnPng } from '../native/index.ts'
import { makeFolders } from '../files/make-folders.ts'
import { writeAtomic } from '../files/write-atomic.ts'
import { builtInNames } from '../runs/built-in.ts'
import { loadGenerator } from '../runs/load-generator.ts'
import { options } from '../training/options.ts'

/** Options of every command that draws from a network. */
export interface DrawOptions {
  network: string
  trunc?: number
  truncCutoff?: number
  class?: (number | string)[]
  height?: number
  scale?: number
  device: string
}

/**
 * Adds {@link DrawOptions} to a command.
 *
 * @param truncation false where the figure has truncations of its own
 * @param scale what pictures are enlarged to without `--scale`
 */
export function drawOptions(command: Command, { truncation = true, scale = 'at least 128 pixels wide' } = {}): Command {
  command.requiredOption('--network <path>', networkHelp)
  if (truncation) {
    const help =
      'truncation: 1 draws from all that was learned, 0 the mean in layers before --trunc-cutoff; below 0 the opposites'
    command.addOption(new Option('--trunc <psi>', `${help} (default 0.7, without styles 1)`).argParser(parsePsi))
  }
  return command
    .option('--trunc-cutoff <layers>', 'layers that truncation moves, from the coarsest', parseWhole)
    .option(
      '--class <list>',
      'class of a network that was trained with labels, by name or number; several where images have several',
      parseClasses,
    )
    .option('--height <rows>', "rows of each image that are shown, from the middle (preset car's: 3/4)", parseWhole)
    .option('--scale <n>', `each pixel n times along both axes (default: ${scale})`, parseCount)
    .option('--device <name>', deviceHelp, 'cpu')
}

/** What `--network` takes. */
export const networkHelp = `snapshot, a folder (its newest snapshot), or a built-in network: ${builtInNames.join(', ')}`

/** What `--device` takes. */
export const deviceHelp = options.device.help!

/** Opens what `--device` names; what auto chose is told beside the command's own output. */
export function openDevice(name: string): Device {
  const { device, note } = chooseDevice(name)
  if (note) console.error(note)
  return Device.open(device)
}

interface Drawing {
  readonly G: ImageGenerator
  /** The network as figures draw it. */
  readonly generator: TrainedGenerator
  readonly sampling: FigureOptions
  /** How many images will be drawn: a terminal shows a bar then. */
  readonly expect: (images: number) => void
}

/** The network of a command, and how to draw from it. Its file is named beside the command's own output. */
export async function openGenerator(options: DrawOptions): Promise<Drawing> {
  const G = await loadGenerator(options.network, { device: openDevice(options.device) })
  console.error(shownLine(`Network        ${G.path}`))
  const { Gs, classes, oneClass, lod } = G
  const progress = new Progress()
  let [drawn, total] = [0, 0]
  const onPicture = () => {
    if (total > 0) progress.count('drawing images', ++drawn, total)
  }
  const height = options.height ?? G.height
  const generator = { Gs, options: G.options, classes, oneClass, lod, height, onPicture }
  const truncationPsi = options.trunc ?? defaultPsi(G.options)
  refuseIgnored(['--trunc-cutoff', options.truncCutoff !== undefined && truncationPsi === 1, 'psi 1 truncates nothing'])
  const sampling = {
    classes: options.class,
    truncationPsi,
    truncationCutoff: options.truncCutoff,
    scale: options.scale,
  }
  return { G, generator, sampling, expect: (images) => (total = images) }
}

/** Flags that would do nothing beside others: `[flag, whether it is given for nothing, what it belongs to]`. */
type Ignored = readonly [flag: string, ignored: boolean, why: string]

/** @throws RangeError for the first flag that the command would ignore */
export function refuseIgnored(...flags: readonly Ignored[]): void {
  const found = flags.find(([, ignored]) => ignored)
  if (found) throw new RangeError(`${found[0]}: ${found[2]}; leave it out`)
}

/** An option of code as its flag: `fmapBase` as `--fmap-base`. */
export function flagOf(key: string): string {
  const kebab = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return `--${otherFlags[key] ?? kebab}`
}

/** Options whose flags have the word of StyleGAN3, or one that says more beside the flags of other commands. */
const otherFlags: Readonly<Record<string, string>> = {
  truncationPsi: 'trunc',
  psi: 'trunc',
  psis: 'trunc',
  truncationCutoff: 'trunc-cutoff',
  noise: 'noise-mode',
  framesPerKey: 'w-frames',
  num: 'metrics-num',
  rate: 'lr',
}

/** The seeds of a figure: given, or with `--paper` the paper's. */
export function figureOf<Own, Paper>(
  own: Own | undefined,
  paper: Paper | false | undefined,
  flag: string,
): Own | Paper {
  if (own !== undefined && paper) throw new RangeError(`${flag} and --paper: one of them is expected, got both`)
  const figure = paper || own
  if (figure === undefined) throw new RangeError(`${flag}: seeds are expected, or --paper for the paper's, got neither`)
  return figure
}

/** Writes a picture as PNG, and says where. */
export async function writePicture(path: string, { pixels, width, height }: Picture): Promise<void> {
  await writeFile(path, await encodeDrawnPng(pixels, width, height, 3))
}

/** Writes a file and the folders that it needs, and says where. */
export async function writeFile(path: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(path)
  await writeAtomic(path, bytes)
  sayPath(path)
}

/** Prints where something was written. */
export function sayPath(path: string): void {
  console.log(shownLine(path))
}

/** Prints a line of JSON; what a terminal would obey stands there as JSON's own escapes. */
export function sayJson(value: unknown, say: (line: string) => void = console.log): void {
  say(shownLine(JSON.stringify(value)))
}

/** Makes the folders that a file needs. */
export async function makeFolder(path: string): Promise<void> {
  await makeFolders(dirname(path))
}

/** What flags of paths and addresses take: `--outdir=$UNSET` of a shell is nothing. */
export function refuseEmptyPaths({ options }: Command): void {
  for (const option of options) {
    const kind = /<(path|file|dir|address)>$/.exec(option.flags)?.[1]
    if (kind === undefined) continue
    option.argParser((text: string) => {
      if (text !== '') return text
      throw new InvalidArgumentError(
        `${kind === 'address' ? 'an address' : 'a path'} is expected, got nothing; name one.`,
      )
    })
  }
}

/** A whole number from 0; `1e4` is one. */
export function parseWhole(text: string): number {
  const value = Number(text)
  if (!/^\d/.test(text.trim()) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError(`a whole number is expected, got '${text}'.`)
  }
  return value
}

/** Reads a whole number from 1 to `most`. */
export const countTo = (most: number) => (text: string) => {
  const value = parseWhole(text)
  if (value === 0 || value > most) {
    throw new InvalidArgumentError(`a whole number from 1 to ${most} is expected, got '${text}'.`)
  }
  return value
}

/** A whole number from 1 to 65535. */
export const parseCount = countTo(65_535)

/** A switch, which StyleGAN3 writes with a value: `--mirror 1`, `--cond=False`. */
export function switchOption(flag: string, help: string): Option {
  const option = new Option(`${flag} [yes]`, help).argParser((text) => {
    if (/^(1|true|yes|on|t|y)$/i.test(text)) return true
    if (/^(0|false|no|off|f|n)$/i.test(text)) return false
    throw new InvalidArgumentError(`true, false or nothing is expected, got '${text}'.`)
  })
  // Help shows the one form that all switches have.
  option.flags = flag
  return option
}

/** A number above 0. */
export function parsePositive(text: string): number {
  const value = parseNumber(text)
  if (value <= 0) throw new InvalidArgumentError(`a number above 0 is expected, got '${text}'.`)
  return value
}

/** Reads a number above 0 and at most `most`. */
export const positiveTo = (most: number) => (text: string) => {
  const value = parsePositive(text)
  if (value <= most) return value
  throw new InvalidArgumentError(`a number above 0 and at most ${most} is expected, got '${text}'.`)
}

/** `1,4` as 1, 4. */
export function parseWholes(text: string): number[] {
  return text.split(',').map(parseWhole)
}

/** `cat,4` as 'cat', '4', which is a name if there is one such. */
export function parseClasses(text: string): string[] {
  return text.split(',').map((part) => part.trim())
}

/** `1,0.7,-1` as numbers. */
export function parseNumbers(text: string): number[] {
  return text.split(',').map(parseNumber)
}

/** A truncation, such as 0.7. */
export function parsePsi(text: string): number {
  const psi = parseNumber(text)
  if (Math.abs(psi) > mostPsi) {
    throw new InvalidArgumentError(`a number from -${mostPsi} to ${mostPsi} is expected, got '${text}'.`)
  }
  return psi
}

/** `1,0.7,-1` as truncations. */
export function parsePsis(text: string): number[] {
  return text.split(',').map(parsePsi)
}

/** `4x3` as 4 columns and 3 rows. */
export function parseGrid(text: string): { columns: number; rows: number } {
  const size = /^([1-9]\d*)x([1-9]\d*)$/.exec(text)
  if (!size) throw new InvalidArgumentError(`columns and rows such as 4x3 are expected, got '${text}'.`)
  return { columns: Number(size[1]), rows: Number(size[2]) }
}

/** `4-5+7` as layers 4, 5, 7. */
export function parseLayers(text: string): number[] {
  return text.split('+').flatMap((part) => {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part.trim())
    const [first, last] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])]
    if (!range || last < first) {
      throw new InvalidArgumentError(`layers such as 0-3, 4-7+9 are expected, got '${part}'.`)
    }
    if (last > 99) throw new InvalidArgumentError(`layers up to 99 are expected, got ${last}.`)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/** `0,1,4-6` as 0, 1, 4, 5, 6. */
export function parseSeeds(text: string): number[] {
  try {
    return seedsOf(text)
  } catch (error) {
    throw new InvalidArgumentError(`${(error as RangeError).message}.`)
  }
}

export function parseNumber(text: string): number {
  return numberOf(text, 'a number')
}

/** A number, or the word that may stand in its place. */
export function parseNumberOr(word: string, text: string): number | string {
  return text === word ? word : numberOf(text, `a number or ${word}`)
}

function numberOf(text: string, expected: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new InvalidArgumentError(`${expected} is expected, got '${text}'.`)
  }
  return value
}

export const skipBadHelp = 'leave out images that cannot be read, instead of stopping'

/** How images are read. */
export interface ImageOptions {
  maxMegapixels?: number
  verify?: boolean
}

/** Adds the flags of {@link ImageOptions}. */
export function imageOptions(command: Command): Command {
  return command
    .option('--max-megapixels <n>', 'largest image that is decoded (default: 100)', parsePositive)
    .option('--verify', 'compare every prepared image with its checksum first')
}
