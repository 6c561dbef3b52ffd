/** `stylegan noise`: what noise adds, as in the paper's Fig. 4 and Fig. 5. */
import { Command, InvalidArgumentError } from 'commander'
import { noiseComponentsFigure, noiseDetailFigure } from '../figures/figures.ts'
import { noiseComponentsOfPaper, noiseDetailOfPaper } from '../figures/paper.ts'
import {
  drawOptions,
  figureOf,
  openGenerator,
  parseCount,
  parseNumbers,
  parseSeeds,
  parseWhole,
  refuseIgnored,
  writePicture,
  type DrawOptions,
} from './arguments.ts'
import { checkOutput } from '../runs/outputs.ts'

interface Options extends DrawOptions {
  seeds?: number[]
  paper?: boolean
  halves?: boolean
  mirrored?: number[]
  detail?: boolean
  realisations?: number
  part?: { left: number; top: number; side: number }
  split?: number
  output: string
}

export function noiseCommand(): Command {
  const command = new Command('noise').description(
    'Noise in all layers, in none, in the fine and in the coarse ones (StyleGAN, Fig. 5), or its effect on details (Fig. 4).',
  )
  return drawOptions(command)
    .option('--seeds <list>', 'seeds, a row each', parseSeeds)
    .option('--paper', "the paper's seeds, and for Fig. 5 its half images")
    .option('--detail', 'a part of each image under four realisations of noise, and the deviation over all (Fig. 4)')
    .option('--realisations <n>', 'realisations for the deviation (default: 100)', parseCount)
    .option('--part <x,y,side>', "the part, as shares of the side; by default the official figure's", parsePart)
    .option('--split <layer>', 'first fine layer (default: 4/9 of the layers)', parseWhole)
    .option('--halves', 'the left half of each image alone, as in Fig. 5')
    .option('--mirrored <list>', 'seeds whose images are turned left to right', parseSeeds)
    .option('--output <file>', 'the picture', 'out/noise.png')
    .addHelpText(
      'after',
      `
Examples:
  $ stylegan noise --network results --seeds 0,1
  $ stylegan noise --network results --seeds 0 --detail --part 0.25,0.1,0.5`,
    )
    .action(async (options: Options) => {
      await checkOutput(options.output, ['.png'])
      const { seeds, realisations, part, split, halves, mirrored, paper, detail } = options
      checkFlags(options)
      const own = seeds && { seeds, ...(detail ? {} : { halves, mirrored }) }
      const ofPaper = detail ? noiseDetailOfPaper : noiseComponentsOfPaper
      const chosen = figureOf(own, paper && ofPaper, '--seeds')
      // The official figures are not truncated.
      const { generator, sampling, expect } = await openGenerator({ ...options, trunc: options.trunc ?? 1 })
      const figure = { ...chosen, ...sampling }
      expect(figure.seeds.length * (detail ? (realisations ?? noiseDetailOfPaper.realisations) : 4))
      const how = { ...(part ? { part } : {}), ...(realisations === undefined ? {} : { realisations }) }
      const picture = detail
        ? await noiseDetailFigure(generator, { ...figure, ...how })
        : await noiseComponentsFigure(generator, { ...figure, split })
      await writePicture(options.output, picture)
    })
}

/** @throws RangeError for a flag that the figure would ignore */
function checkFlags({ seeds = [], realisations, part, split, halves, mirrored, paper, detail = false }: Options): void {
  const paperHas = 'the figure of --paper has its own'
  refuseIgnored(
    ['--realisations', realisations !== undefined && !detail, 'it belongs to --detail'],
    ['--part', part !== undefined && !detail, 'it belongs to --detail'],
    ['--split', split !== undefined && detail, '--detail has noise in all layers'],
    ['--halves', halves !== undefined && detail, '--detail shows whole images'],
    ['--mirrored', mirrored !== undefined && detail, '--detail turns no images'],
    ['--halves', halves !== undefined && paper === true, paperHas],
    ['--mirrored', mirrored !== undefined && paper === true, paperHas],
  )
  const absent = mirrored?.find((seed) => !seeds.includes(seed))
  if (absent !== undefined) throw new RangeError(`--mirrored: some of --seeds are expected, got ${absent}`)
}

function parsePart(text: string) {
  const [left = NaN, top = NaN, side = NaN, more] = parseNumbers(text)
  if (!(left >= 0 && top >= 0 && side > 0 && left + side <= 1 && top + side <= 1) || more !== undefined) {
    throw new InvalidArgumentError(`left, top and side within 0 to 1 are expected, got '${text}'.`)
  }
  return { left, top, side }
}
