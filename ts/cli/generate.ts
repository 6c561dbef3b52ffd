/** `stylegan generate`: pictures of seeds, alone, in a grid, or as the uncurated figure. */
import { plural } from '../files/units.ts'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { uncuratedFigure } from '../figures/figures.ts'
import { checkCutoff, defaultCutoff, type ImageGenerator, type Images } from '../figures/generator.ts'
import type { Shift } from '../figures/directions.ts'
import { drawLook, type Copied } from '../figures/look.ts'
import { enlargeImages, tileImages } from '../figures/grid.ts'
import { checkPixels } from '../figures/panel.ts'
import { readProjected } from '../figures/projected.ts'
import { encodeDrawnPng } from '../native/index.ts'
import { configurationOf } from '../networks/configurations.ts'
import { uncuratedOfPaper } from '../figures/paper.ts'
import {
  drawOptions,
  figureOf,
  flagOf,
  openGenerator,
  parseCount,
  parseGrid,
  parseLayers,
  parseNumbers,
  parseSeeds,
  parseWhole,
  parseWholes,
  refuseIgnored,
  writeFile,
  writePicture,
  type DrawOptions,
} from './arguments.ts'
import { Progress } from './progress.ts'
import { interruptible } from './signals.ts'

interface Options extends DrawOptions {
  seeds?: number[]
  projectedW?: string
  mix?: Copied[]
  shift?: Shift[]
  directions?: string
  noiseMode?: 'const' | 'random' | 'none'
  noiseSeed?: number
  noiseStrength?: number[]
  grid?: { columns: number; rows: number }
  uncurated?: boolean
  paper?: keyof typeof uncuratedOfPaper
  uncuratedRows?: number
  lods?: number[]
  outdir: string
}

export function generateCommand(): Command {
  const command = new Command('generate').description('Draw one picture for each seed from a trained network.')
  return drawOptions(command, { scale: '1; --uncurated at least 128 pixels wide' })
    .option('--seeds <list>', 'seeds, such as 0,1,4-6; each draws one file, however often it is named', parseSeeds)
    .option('--projected-w <file>', "images of w in a .npz file, as 'stylegan project' writes it, in place of seeds")
    .addOption(
      new Option('--noise-mode <mode>', 'noise: fixed buffers, drawn from the seed, or none (default: const)').choices([
        'const',
        'random',
        'none',
      ]),
    )
    .option('--noise-seed <n>', "seed of random noise, in place of the image's own", parseWhole)
    .option('--noise-strength <list>', 'factor of the noise: one for all layers, or one a layer', parseNumbers)
    .option('--mix <list>', 'styles of other seeds in some layers, such as 12:0-3,40:4+6', parseCopied)
    .option(
      '--shift <list>',
      'moves along directions of W, principal components or attributes: direction:deviations:layers, such as 0:2.5:0-3,eyeglasses:5:0-7',
      parseShifts,
    )
    .option(
      '--directions <file>',
      "attributes of --shift, as 'stylegan directions' finds them (default: beside the network)",
    )
    .option('--grid <CxR>', 'one grid.png of C columns and R rows instead of a file for each seed', parseGrid)
    .option(
      '--uncurated',
      'one uncurated.png of images from the first seed on, columns of smaller and smaller ones (Fig. 2)',
    )
    .option('--uncurated-rows <n>', 'full-size rows of --uncurated (default: 3)', parseCount)
    .option('--lods <list>', 'columns of --uncurated: how often each is halved (default: 0,1,2,2,3,3)', parseWholes)
    .addOption(
      new Option('--paper <dataset>', "--uncurated with the paper's first seed, rows and columns").choices(
        Object.keys(uncuratedOfPaper),
      ),
    )
    .option('--outdir <dir>', 'where seedNNNN.png go; of --projected-w projNN.png', 'out')
    .addHelpText(
      'after',
      `
Examples:
  $ stylegan generate --network results --seeds 0-9
  $ stylegan generate --network results --seeds 0-11 --grid 4x3 --scale 4
  $ stylegan generate --network results --seeds 5 --uncurated
  $ stylegan generate --network results --projected-w out/projected_w.npz
  $ stylegan generate --network network-snapshot-002000.safetensors --seeds 7 --trunc 0.5 --noise-mode none`,
    )
    .action(run)
}

function run(options: Options): Promise<void> {
  return interruptible('Stopping after this image.', (signal) => draw(options, signal), console.error)
}

async function draw(options: Options, signal: AbortSignal): Promise<void> {
  if (options.projectedW !== undefined) return drawProjected({ ...options, projectedW: options.projectedW }, signal)
  const { seeds, grid, uncurated, paper, uncuratedRows: rows, lods, noiseMode, outdir } = options
  const { mix, shift, noiseSeed, noiseStrength } = options
  if (grid && uncurated) throw new RangeError('--grid and --uncurated: one of them is expected, got both')
  const belongs = 'it belongs to --uncurated'
  refuseIgnored(
    ['--paper', paper !== undefined && !uncurated, belongs],
    ['--uncurated-rows', rows !== undefined && !uncurated, belongs],
    ['--lods', lods !== undefined && !uncurated, belongs],
    ['--mix', mix !== undefined && uncurated === true, '--uncurated draws seeds alone'],
    ['--shift', shift !== undefined && uncurated === true, '--uncurated draws seeds alone'],
    ['--directions', options.directions !== undefined && !isNamed(shift), 'it belongs to attributes of --shift'],
    ['--noise-strength', noiseStrength !== undefined && uncurated === true, '--uncurated draws all of the noise'],
    ['--noise-seed', noiseSeed !== undefined && noiseMode !== 'random', 'it belongs to --noise-mode random'],
    ['--noise-mode', noiseMode !== undefined && uncurated === true, '--uncurated draws the noise of each seed'],
  )
  if (uncurated && seeds && seeds.length > 1) {
    throw new RangeError(`--seeds: --uncurated draws from one seed on, got ${seeds.length} seeds; give the first`)
  }
  const count = grid ? grid.columns * grid.rows : undefined
  if (grid && seeds && count !== seeds.length) {
    throw new RangeError(
      `--grid and --seeds: ${grid.columns}x${grid.rows} = ${count} ${plural(count!, 'seed is', 'seeds are')} expected, got ${seeds.length}`,
    )
  }
  const layout = { ...(rows === undefined ? {} : { rows }), ...(lods ? { lods } : {}) }
  const figure = figureOf(seeds && { seed: seeds[0]! }, paper && uncuratedOfPaper[paper], '--seeds')
  const { G, generator, sampling, expect } = await openGenerator(options)
  refuseNoise(noiseMode, G)
  checkCutoff(G.options, options.truncCutoff ?? defaultCutoff, '--trunc-cutoff')
  if (!uncurated) return drawSeeds(G, { ...options, seeds: seeds! }, signal)
  const { rows: full, lods: columns } = { rows: 3, lods: [0, 1, 2, 2, 3, 3], ...figure, ...layout }
  expect(columns.reduce((sum, lod) => sum + full * 2 ** lod, 0))
  const truncationCutoff = sampling.truncationCutoff ?? defaultCutoff
  const picture = await uncuratedFigure(generator, { ...sampling, truncationCutoff, ...figure, ...layout })
  await writePicture(join(outdir, 'uncurated.png'), picture)
}

const isNamed = (shifts: readonly Shift[] = []) => shifts.some(({ direction }) => typeof direction === 'string')

/** One file for each seed, or a grid of all. */
async function drawSeeds(
  G: ImageGenerator,
  options: Options & { seeds: number[] },
  signal: AbortSignal,
): Promise<void> {
  const { seeds, grid, outdir, scale = 1, mix, shift: shifts, directions, height } = options
  const { trunc: psi, truncCutoff: cutoff, noiseMode: noise, noiseSeed } = options
  const noiseStrength = strengthOf(options)
  const look = { psi, cutoff, class: options.class, noise, noiseSeed, noiseStrength, mix, shifts, directions, height }
  const drawSeed = (seed: number) => {
    signal.throwIfAborted()
    return drawLook(G, { seed, ...look })
  }
  if (grid) return drawGrid(grid, seeds, scale, join(outdir, 'grid.png'), drawSeed)
  for (const seed of new Set(seeds)) {
    const path = join(outdir, `seed${String(seed).padStart(4, '0')}.png`)
    await writeImage(path, await drawSeed(seed), 0, scale)
  }
}

async function drawGrid(
  { columns, rows }: { columns: number; rows: number },
  seeds: readonly number[],
  scale: number,
  path: string,
  draw: (seed: number) => Promise<Images>,
): Promise<void> {
  const progress = new Progress()
  const drawn: Uint8Array[] = []
  let shape = { h: 0, w: 0, c: 3 }
  for (const seed of seeds) {
    const image = await draw(seed)
    shape = { h: image.height * scale, w: image.width * scale, c: image.channels }
    checkPixels(shape.w * columns, shape.h * rows)
    drawn.push(enlarged(image, 0, scale))
    progress.count('drawing images', drawn.length, seeds.length)
  }
  const gap = Math.ceil(shape.w / 64)
  const { pixels, width, height } = tileImages(Buffer.concat(drawn), { n: seeds.length, ...shape }, columns, gap)
  await writeFile(path, await encodeDrawnPng(pixels, width, height, shape.c))
}

/** Writes image i, each pixel `scale` times along both axes. */
async function writeImage(path: string, images: Images, i: number, scale: number): Promise<void> {
  const [width, height] = [images.width * scale, images.height * scale]
  checkPixels(width, height)
  await writeFile(path, await encodeDrawnPng(enlarged(images, i, scale), width, height, images.channels))
}

const enlarged = (images: Images, i: number, scale: number): Uint8Array =>
  enlargeImages(images.at(i), { n: 1, h: images.height, w: images.width, c: images.channels }, scale)

/** One factor of the noise for all layers, or one a layer. */
const strengthOf = ({ noiseStrength: factors }: Options) => (factors?.length === 1 ? factors[0] : factors)

/** One file for each w of a file. */
async function drawProjected(options: Options & { projectedW: string }, signal: AbortSignal): Promise<void> {
  const { projectedW, outdir, scale = 1, height, noiseMode: noise, noiseSeed, mix, shift: shifts, directions } = options
  const { trunc: psi, truncCutoff: cutoff } = options
  const given = (keys: readonly (keyof Options)[], why: string) =>
    keys.map((key) => [flagOf(key), options[key] !== undefined, why] as const)
  refuseIgnored(
    ...given(
      ['seeds', 'grid', 'uncurated', 'uncuratedRows', 'lods', 'paper'],
      '--projected-w draws the w of a file as it is',
    ),
    ...(mix ? [] : given(['trunc', 'truncCutoff', 'class'], '--projected-w draws the w of a file as it is')),
    ['--directions', directions !== undefined && !isNamed(shifts), 'it belongs to attributes of --shift'],
    ['--noise-seed', noiseSeed !== undefined && noise !== 'random', 'it belongs to --noise-mode random'],
  )
  const { w, noiseMaps } = await readProjected(projectedW)
  const { G } = await openGenerator(options)
  refuseNoise(noise, G)
  checkCutoff(G.options, cutoff ?? defaultCutoff, '--trunc-cutoff')
  const noiseStrength = strengthOf(options)
  const look = { psi, cutoff, class: options.class, noise, noiseStrength, mix, shifts, directions, height }
  for (let i = 0; i < w.count; i++) {
    signal.throwIfAborted()
    const own = {
      seed: i,
      projected: { w: w.at(i), noiseMaps },
      noiseSeed: noiseSeed === undefined ? undefined : noiseSeed + i,
    }
    await writeImage(
      join(outdir, `proj${String(i).padStart(2, '0')}.png`),
      await drawLook(G, { ...look, ...own }),
      0,
      scale,
    )
  }
}

/** @throws RangeError if the network has no noise */
function refuseNoise(mode: string | undefined, G: ImageGenerator): void {
  refuseIgnored([
    '--noise-mode',
    mode !== undefined && !configurationOf(G.options).noise,
    `a network of configuration ${G.options.config} has no noise`,
  ])
}

/** `12:0-3,40:4+6` as layers 0 to 3 of seed 12, 4 and 6 of seed 40. */
function parseCopied(text: string): Copied[] {
  return text.split(',').map((part) => {
    const [, seed, layers] = /^(\d+):([\d+-]+)$/.exec(part.trim()) ?? []
    if (seed === undefined) {
      throw new InvalidArgumentError(`seeds with layers such as 12:0-3,40:4+6 are expected, got '${part}'.`)
    }
    return { seed: Number(seed), layers: parseLayers(layers!) }
  })
}

/** `0:2.5:0-3` as 2.5 deviations along component 0 in layers 0 to 3; `hat:2:0-3` along an attribute. */
function parseShifts(text: string): Shift[] {
  return text.split(',').map((part) => {
    const [, name, by, layers] = /^([\w.-]+):(-?\d+(?:\.\d+)?):([\d+-]+)$/.exec(part.trim()) ?? []
    if (name === undefined) {
      throw new InvalidArgumentError(`moves such as 0:2.5:0-3,eyeglasses:-1:4+6 are expected, got '${part}'.`)
    }
    return { direction: /^\d+$/.test(name) ? Number(name) : name, by: Number(by), layers: parseLayers(layers!) }
  })
}
