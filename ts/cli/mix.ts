/** `stylegan mix`: style mixing, as in the paper's Fig. 3. */
import { Command } from 'commander'
import { mixingFigure } from '../figures/figures.ts'
import { numLayers } from '../networks/params.ts'
import { mixingOfPaper } from '../figures/paper.ts'
import {
  drawOptions,
  figureOf,
  openGenerator,
  parseLayers,
  parseSeeds,
  writePicture,
  type DrawOptions,
} from './arguments.ts'
import { checkOutput } from '../runs/outputs.ts'

interface Options extends DrawOptions {
  rows?: number[]
  cols?: number[]
  paper?: boolean
  styles?: number[][]
  output: string
}

export function mixCommand(): Command {
  const command = new Command('mix').description('Copy styles of some images into others (StyleGAN, Fig. 3).')
  return drawOptions(command)
    .option('--rows <list>', 'seeds of the images that receive styles, a row each', parseSeeds)
    .option('--cols <list>', 'seeds of the images whose styles are copied, a column each', parseSeeds)
    .option(
      '--styles <layers>',
      'layers that are copied; with commas one range a row, with + several (default 0-3)',
      parseStyles,
    )
    .option('--paper', "the paper's seeds and layers, untruncated")
    .option('--output <file>', 'the picture', 'out/mix.png')
    .addHelpText(
      'after',
      `
Layers 0-3 are coarse (4x4, 8x8), 4-7 middle (16x16, 32x32), 8 and above fine.

Examples:
  $ stylegan mix --network results --rows 0-2 --cols 10-14
  $ stylegan mix --network results --rows 0-2 --cols 10-14 --styles 0-3,4-7,0-1+6-7`,
    )
    .action(async (options: Options) => {
      const { rows, cols, styles, paper } = options
      await checkOutput(options.output, ['.png'])
      if (!rows !== !cols) throw new RangeError('--rows and --cols: both are expected, got one')
      if (paper && styles) throw new RangeError('--styles and --paper: one of them is expected, got both')
      const own = rows && cols && { rows, cols, styles: styles ?? [[0, 1, 2, 3]] }
      const chosen = figureOf(own, paper && mixingOfPaper, '--rows and --cols')
      const untruncated = paper && options.trunc === undefined
      const { generator, sampling, expect } = await openGenerator(untruncated ? { ...options, trunc: 1 } : options)
      const figure = typeof chosen === 'function' ? chosen(numLayers(generator.options.resolution)) : chosen
      expect((figure.rows.length + 1) * (figure.cols.length + 1) - 1)
      await writePicture(options.output, await mixingFigure(generator, { ...figure, ...sampling }))
    })
}

/** `0-3,4-5+7` as one list of layers a row. */
const parseStyles = (text: string): number[][] => text.split(',').map(parseLayers)
