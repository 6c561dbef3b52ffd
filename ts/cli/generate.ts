/** `stylegan generate`: pictures of seeds, alone, in a grid, or as the uncurated figure. */
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { uncuratedFigure } from '../figures/figures.ts'
import { defaultCutoff, type ImageGenerator } from '../figures/generator.ts'
import { tileImages } from '../figures/grid.ts'
import { encodeDrawnPng } from '../native/index.ts'
import { uncuratedOfPaper } from '../figures/paper.ts'
import {
  drawOptions,
  figureOf,
  openGenerator,
  parseGrid,
  parseSeeds,
  parseWhole,
  parseWholes,
  writeFile,
  writePicture,
  type DrawOptions,
} from './arguments.ts'

interface Options extends DrawOptions {
  seeds?: number[]
  noiseMode: 'const' | 'random' | 'none'
  grid?: { columns: number; rows: number }
  uncurated?: boolean
  paper?: keyof typeof uncuratedOfPaper
  rows?: number
  lods?: number[]
  outdir: string
}

export function generateCommand(): Command {
  const command = new Command('generate').description('Draw one picture for each seed from a trained network.')
  return drawOptions(command)
    .option('--seeds <list>', 'seeds, such as 0,1,4-6', parseSeeds)
    .addOption(
      new Option('--noise-mode <mode>', 'noise: fixed buffers, drawn from the seed, or none')
        .choices(['const', 'random', 'none'])
        .default('const'),
    )
    .option('--grid <CxR>', 'one grid.png of C columns and R rows instead of a file for each seed', parseGrid)
    .option(
      '--uncurated',
      'one uncurated.png of images from the first seed on, columns of smaller and smaller ones (Fig. 2)',
    )
    .option('--rows <n>', 'full-size rows of --uncurated (default 3)', parseWhole)
    .option('--lods <list>', 'columns of --uncurated: how often each is halved (default 0,1,2,2,3,3)', parseWholes)
    .addOption(
      new Option('--paper <dataset>', "--uncurated with the paper's first seed, rows and columns").choices(
        Object.keys(uncuratedOfPaper),
      ),
    )
    .option('--outdir <dir>', 'where seedNNNN.png go', 'out')
    .addHelpText(
      'after',
      `
Examples:
  $ stylegan generate --network results --seeds 0-9
  $ stylegan generate --network results --seeds 0-11 --grid 4x3
  $ stylegan generate --network results --seeds 5 --uncurated
  $ stylegan generate --network network-snapshot-002000.safetensors --seeds 7 --trunc 0.5 --noise-mode none`,
    )
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { seeds, grid, uncurated, paper, rows, lods, outdir } = options
  if (grid && uncurated) throw new RangeError('--grid and --uncurated: one of them is expected, found both')
  if (paper && !uncurated) throw new RangeError('--paper: --uncurated is expected with it')
  const count = grid ? grid.columns * grid.rows : undefined
  if (grid && seeds && count !== seeds.length) {
    throw new RangeError(
      `--grid and --seeds: expected as many seeds as ${grid.columns}x${grid.rows} = ${count}, found ${seeds.length}`,
    )
  }
  const layout = { ...(rows === undefined ? {} : { rows }), ...(lods ? { lods } : {}) }
  const figure = figureOf(seeds && { seed: seeds[0]! }, paper && uncuratedOfPaper[paper], '--seeds')
  const { G, generator, sampling } = await openGenerator({
    ...options,
    truncCutoff: options.truncCutoff ?? defaultCutoff,
  })
  if (!uncurated) return drawSeeds(G, { ...options, seeds: seeds! })
  await writePicture(
    join(outdir, 'uncurated.png'),
    await uncuratedFigure(generator, { ...sampling, ...figure, ...layout }),
  )
}

/** One file for each seed, or a grid of all. */
async function drawSeeds(
  G: ImageGenerator,
  { seeds, grid, outdir, ...given }: Options & { seeds: number[] },
): Promise<void> {
  const { trunc: psi, truncCutoff: cutoff, noiseMode: noise, height } = given
  const options = { psi, cutoff, class: given.class, noise, height }
  if (grid) {
    const { pixels, count: n, height: h, width: w, channels: c } = await G.images({ seeds, ...options })
    const tiled = tileImages(pixels, { n, h, w, c }, grid.columns, Math.ceil(w / 64))
    return writeFile(join(outdir, 'grid.png'), await encodeDrawnPng(tiled.pixels, tiled.width, tiled.height, c))
  }
  for (const seed of seeds) {
    const image = await G.images({ seeds: seed, ...options })
    await writeFile(join(outdir, `seed${String(seed).padStart(4, '0')}.png`), await image.png(0))
  }
}
