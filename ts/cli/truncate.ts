/** `stylegan truncate`: the truncation trick, as in the paper's Fig. 8. */
import { Command } from 'commander'
import { truncationFigure } from '../figures/figures.ts'
import { truncationOfPaper } from '../figures/paper.ts'
import {
  drawOptions,
  figureOf,
  openGenerator,
  parsePsis,
  parseSeeds,
  writePicture,
  type DrawOptions,
} from './arguments.ts'
import { checkOutput } from '../runs/outputs.ts'

interface Options extends Omit<DrawOptions, 'trunc'> {
  seeds?: number[]
  paper?: boolean
  trunc?: number[]
  output: string
}

export function truncateCommand(): Command {
  const command = new Command('truncate').description(
    'Move images towards the mean image and beyond (StyleGAN, Fig. 8).',
  )
  return (
    drawOptions(command, { truncation: false })
      .option('--seeds <list>', 'seeds, a row each', parseSeeds)
      .option('--paper', "the paper's seeds")
      // Official generate_figures.py.
      .option('--trunc <list>', 'truncations, a column each (default: 1,0.7,0.5,0,-0.5,-1)', parsePsis)
      .option('--output <file>', 'the picture', 'out/truncate.png')
      .addHelpText('after', '\nExample:\n  $ stylegan truncate --network results --seeds 0,1 --trunc=1,0.5,0,-0.5,-1')
      .action(async (options: Options) => {
        await checkOutput(options.output, ['.png'])
        const { seeds, paper, trunc: psis = truncationOfPaper.psis, ...given } = options
        const figure = figureOf(seeds && { seeds }, paper && truncationOfPaper, '--seeds')
        const { generator, sampling, expect } = await openGenerator({
          ...given,
          trunc: psis.find((psi) => psi !== 1) ?? 1,
        })
        const { classes, truncationCutoff, scale } = sampling
        expect(figure.seeds.length * psis.length)
        const picture = await truncationFigure(generator, { ...figure, psis, classes, truncationCutoff, scale })
        await writePicture(options.output, picture)
      })
  )
}
