/** `stylegan generate`: pictures of seeds, alone, in a grid, or as the uncurated figure. */
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { streams } from '../dataset.ts'
import { labelOf, latentOf } from '../drawing.ts'
import { uncuratedFigure } from '../figures.ts'
import { tileImages } from '../grid.ts'
import { encodePng, Rng, scope } from '../native.ts'
import { imagesOf } from '../pictures.ts'
import {
  drawOptions,
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
  seeds: number[]
  noiseMode: 'const' | 'random' | 'none'
  grid?: { columns: number; rows: number }
  uncurated?: boolean
  rows: number
  lods?: number[]
  outdir: string
}

export function generateCommand(): Command {
  const command = new Command('generate').description('Draw one picture for each seed from a trained network.')
  return drawOptions(command)
    .requiredOption('--seeds <list>', 'seeds, such as 0,1,4-6', parseSeeds)
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
    .option('--rows <n>', 'full-size rows of --uncurated', parseWhole, 3)
    .option('--lods <list>', 'columns of --uncurated: how often each is halved (default 0,1,2,2,3,3)', parseWholes)
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
  const { seeds, noiseMode, grid, uncurated, rows, lods, outdir } = options
  const { generator, sampling } = await openGenerator(withCutoff(options))
  const { Gs, options: network } = generator
  const { resolution: side, numChannels: channels } = network
  if (grid && uncurated) throw new RangeError('--grid and --uncurated: one of them is expected, found both')
  if (grid && grid.columns * grid.rows !== seeds.length) {
    throw new RangeError(
      `--grid and --seeds: expected as many seeds as ${grid.columns}x${grid.rows} = ${grid.columns * grid.rows}, found ${seeds.length}`,
    )
  }
  if (uncurated) {
    const figure = await uncuratedFigure(generator, { ...sampling, seed: seeds[0]!, rows, lods })
    return writePicture(join(outdir, 'uncurated.png'), figure)
  }
  const batch: Uint8Array[] = []
  for (const seed of seeds) {
    const image = scope(() => {
      const noise = noiseMode === 'random' ? new Rng(seed, streams.noise) : noiseMode
      const labels = labelOf(generator, sampling.classes)
      const { truncationPsi = 1, truncationCutoff = Infinity } = sampling
      return imagesOf(Gs, latentOf(generator, seed), { labels, truncationPsi, truncationCutoff, noise }, network)
    })
    const pixels = (await image.data()) as Uint8Array
    image.dispose()
    if (grid) batch.push(pixels)
    else {
      const name = `seed${String(seed).padStart(4, '0')}.png`
      await writeFile(join(outdir, name), await encodePng(pixels, side, side, channels))
    }
  }
  if (!grid) return
  const shape = { n: batch.length, h: side, w: side, c: channels }
  const { pixels, width, height } = tileImages(Buffer.concat(batch), shape, grid.columns, Math.ceil(side / 64))
  await writeFile(join(outdir, 'grid.png'), await encodePng(pixels, width, height, channels))
}

/** The official generator truncates the layers up to 32x32 (networks_stylegan.py). */
function withCutoff(options: Options): Options {
  return { ...options, truncCutoff: options.truncCutoff ?? 8 }
}
