/** What the commands of `stylegan dataset` have in common: how images are prepared. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { flagOf, parsePositive, parseWhole, refuseIgnored, skipBadHelp } from './arguments.ts'
import type { PreparingOptions } from '../data/prepare.ts'
import type { ResizeFilter } from '../native/index.ts'

/** The side of images, and of center-crop-wide the rows. */
export interface Size {
  readonly width: number
  readonly height: number
}

export interface DatasetOptions {
  resolution?: Size
  channels?: number
  transform?: 'center-crop' | 'center-crop-wide'
  resizeFilter?: ResizeFilter
  colourProfile?: 'convert' | 'ignore'
  background?: [number, number, number]
  maxImages?: number
  maxMegapixels?: number
  skipBad?: boolean
  dedupe?: 'exact' | 'near'
  labels: boolean
}

/** Adds {@link DatasetOptions}. */
export function datasetOptions(command: Command): Command {
  return command
    .addOption(resolutionOption())
    .addOption(
      new Option('--channels <n>', '1 is gray, 3 RGB, 4 RGBA (default: 3)').argParser((text) =>
        oneOf([1, 3, 4], parseWhole(text)),
      ),
    )
    .addOption(
      new Option(
        '--transform <name>',
        'what is shown: the centre square (default), or with WxH so many rows on a black square, where small images are left out',
      ).choices(['center-crop', 'center-crop-wide']),
    )
    .addOption(
      new Option(
        '--resize-filter <name>',
        "Pillow's filter of that name, to the bit (default: the Lanczos of train --data, which is faster)",
      ).choices(['box', 'lanczos', 'bicubic']),
    )
    .addOption(
      new Option('--colour-profile <what>', 'convert colours to sRGB, or ignore profiles as the official tool does')
        .choices(['convert', 'ignore'])
        .default('ignore'),
    )
    .option(
      '--background <colour>',
      'what is laid under transparency: #rrggbb, black or white (default: white)',
      parseColour,
    )
    .option('--max-images <n>', 'so many of the first images', parseWhole)
    .option('--max-megapixels <n>', 'largest image that is decoded (default: 100)', parsePositive)
    .option('--skip-bad', skipBadHelp)
    .addOption(
      new Option('--dedupe [how]', 'leave out files that are the same, or with near all that look the same')
        .choices(['exact', 'near'])
        .preset('exact'),
    )
    .option('--no-labels', 'leave labels out, instead of stopping at labels that cannot be used')
}

/** `--resolution` of StyleGAN3's dataset_tool. */
export function resolutionOption(): Option {
  return new Option('--resolution <side|WxH>', 'side of the images, a power of two such as 256 or 256x256').argParser(
    parseSize,
  )
}

/**
 * @param why what there is to prepare
 * @throws RangeError for the first option that pixels which are ready would ignore
 */
export function refusePreparing(options: DatasetOptions, why: string): void {
  const { channels, transform, resizeFilter, colourProfile, background, maxMegapixels, skipBad, dedupe } = options
  const profile = colourProfile === 'convert' ? colourProfile : undefined
  const colours = { channels, colourProfile: profile, background }
  const given = { transform, resizeFilter, ...colours, maxMegapixels, skipBad, dedupe }
  refuseIgnored(['--no-labels', !options.labels, why])
  refuseIgnored(...Object.entries(given).map(([key, value]) => [flagOf(key), value !== undefined, why] as const))
}

/** The options of preparing; `resolution` where none is given. */
export function preparingOf(
  { resolution: size, channels = 3, transform, labels, ...given }: DatasetOptions,
  resolution: number,
): Omit<PreparingOptions, 'cache'> {
  const { width, height } = size ?? { width: resolution, height: resolution }
  const isWide = transform === 'center-crop-wide'
  if (isWide && height >= width) {
    throw new RangeError(
      `${flagOf('resolution')}: a width above the height, such as 512x384, is expected with center-crop-wide, got ${width}x${height}`,
    )
  }
  if (!isWide && width !== height) {
    throw new RangeError(
      `${flagOf('resolution')}: a square is expected, got ${width}x${height}; --transform center-crop-wide shows so many rows on a black square`,
    )
  }
  refuseIgnored(['--background', given.background !== undefined && channels === 4, 'four channels keep transparency'])
  const { skipBad = false, ...rest } = given
  const how = { ...rest, skipBad, channels, resolution: width, labels: labels ? 'sound' : 'none' } as const
  return { ...how, ...(isWide ? { wideHeight: height } : {}) }
}

function parseSize(text: string): Size {
  const [, width, height = width] = /^(\d+)(?:x(\d+))?$/i.exec(text.trim()) ?? []
  const size = { width: Number(width), height: Number(height) }
  const isPower = Number.isInteger(Math.log2(size.width)) && size.width >= 4 && size.width <= 1024
  if (!isPower || !(size.height >= 1)) {
    throw new InvalidArgumentError(`a power of two from 4 to 1024, such as 256 or 256x256, is expected, got '${text}'.`)
  }
  return size
}

function oneOf(values: readonly number[], value: number): number {
  if (values.includes(value)) return value
  throw new InvalidArgumentError(`one of ${values.join(', ')} is expected, got ${value}.`)
}

function parseColour(text: string): [number, number, number] {
  const hex = { black: '000000', white: 'ffffff' }[text] ?? /^#?([0-9a-f]{6})$/i.exec(text)?.[1]
  if (hex === undefined)
    throw new InvalidArgumentError(`a colour such as #ffcc00, black or white is expected, got '${text}'.`)
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)) as [number, number, number]
}
