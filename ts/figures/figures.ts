/** The figures of the paper, drawn from a trained network: each function returns one picture. */
import { checkObject } from '../files/keys.ts'
import { optionError } from '../files/option-names.ts'
import { shownValue } from '../files/shown.ts'
import { streams } from '../data/sampler.ts'
import { pictureOf, shownRows, stylesOf, type FigureOptions, type TrainedGenerator } from './render.ts'
import type { Picture } from './grid.ts'
import { Rng, scope, type Tensor } from '../native/index.ts'
import { configurationOf } from '../networks/configurations.ts'
import { get, numLayers, type NetworkOptions } from '../networks/params.ts'
import { blank, checkPixels, crop, enlarge, mirror, panel, place, shrink, stretch } from './panel.ts'

export { pictureOf, labelOf, latentOf, stylesOf, type FigureOptions, type TrainedGenerator } from './render.ts'

/** An image as a figure shows it: labels of a few words must fit over small ones. */
function visible(picture: Picture, scale = scaleOf(picture.width)): Picture {
  return scale === 1 ? picture : enlarge(picture, scale)
}

/** The least whole factor that makes images at least 128 pixels wide. */
export const scaleOf = (width: number): number => Math.ceil(128 / Math.min(width, 128))

/** Styles of some seeds copied onto others (Figure 3 of the paper). */
export interface MixingFigure extends FigureOptions {
  /** Seeds that most styles come from, a row each. */
  readonly rows: readonly number[]
  /** Seeds whose styles are copied, a column each. */
  readonly cols: readonly number[]
  /** Layers whose styles are copied, for each row; one list serves all rows. */
  readonly styles: readonly (readonly number[])[]
}

/** Style mixing (StyleGAN, Fig. 3): at row r and column c, the styles `styles[r]` of seed c in the image of seed r. */
export async function mixingFigure(generator: TrainedGenerator, figure: MixingFigure): Promise<Picture> {
  const { rows, cols, styles } = (figure as MixingFigure | undefined) ?? {}
  if (!rows || !cols || !styles) {
    throw new RangeError(`mixingFigure: rows, cols and styles are expected, got ${shownValue(figure)}; give all three`)
  }
  requireStyles(generator.options, 'mixing')
  const layers = numLayers(generator.options.resolution)
  if (styles.length !== 1 && styles.length !== rows.length) {
    throw optionError(
      (name) =>
        `${name('styles')}: one list of layers, or one a row, ${rows.length}, are expected, got ${styles.length}`,
    )
  }
  for (const layer of styles.flat()) {
    if (!(Number.isInteger(layer) && layer >= 0 && layer < layers)) {
      throw optionError((name) => `${name('styles')}: layers from 0 to ${layers - 1} are expected, got ${layer}`)
    }
  }
  // Known before hours of drawing, though gaps and labels come on top.
  const { resolution } = generator.options
  const side = resolution * (figure.scale ?? scaleOf(resolution))
  checkPixels((cols.length + 1) * side, (rows.length + 1) * side)
  const of = (seed: number) => stylesOf(generator, seed, figure)
  const image = async (w: readonly Tensor[]) => visible(await pictureOf(generator, w, 'const'), figure.scale)
  const sources = cols.map(of)
  const cells: (Picture | undefined)[][] = [[undefined]]
  for (const source of sources) cells[0]!.push(await image(source))
  for (const [r, seed] of rows.entries()) {
    const [own, copied] = [of(seed), new Set(styles[r] ?? styles[0]!)]
    const row = [await image(own)]
    for (const source of sources) row.push(await image(own.map((w, layer) => (copied.has(layer) ? source[layer]! : w))))
    cells.push(row)
  }
  const rowLabels = rows.map((seed, r) => `${seed}: ${rangesOf(styles[r] ?? styles[0]!)}`)
  return panel(cells, { columnLabels: ['', ...cols.map((seed) => `seed ${seed}`)], rowLabels: ['', ...rowLabels] })
}

/** 0, 1, 2, 5 as 0-2+5. */
function rangesOf(layers: readonly number[]): string {
  const sorted = [...new Set(layers)].sort((a, b) => a - b)
  const starts = sorted.filter((layer) => !sorted.includes(layer - 1))
  const ends = sorted.filter((layer) => !sorted.includes(layer + 1))
  return starts.map((start, i) => (start === ends[i] ? `${start}` : `${start}-${ends[i]}`)).join('+')
}

/** @throws RangeError unless the figure has these lists */
function checkLists(name: string, figure: unknown, keys: readonly string[]): void {
  const lists = keys.length === 1 ? `the list ${keys[0]} is` : `the lists ${keys.join(' and ')} are`
  const given = (figure ?? {}) as Readonly<Record<string, unknown>>
  if (keys.every((key) => Array.isArray(given[key]))) return
  throw new RangeError(`${name}: ${lists} expected, got ${shownValue(figure)}`)
}

function requireStyles(options: NetworkOptions, what: string): void {
  if (!configurationOf(options).traditional) return
  throw new RangeError(`${what}: a network with styles (C to F) is expected, got configuration ${options.config}`)
}

/** The truncation trick (StyleGAN, Fig. 8): a row a seed, a column a ψ, fixed noise. The paper truncates all layers. */
export async function truncationFigure(
  generator: TrainedGenerator,
  figure: Omit<FigureOptions, 'truncationPsi'> & {
    readonly seeds: readonly number[]
    readonly psis: readonly number[]
  },
): Promise<Picture> {
  checkLists('truncationFigure', figure, ['seeds', 'psis'])
  const { seeds, psis, classes, truncationCutoff, scale } = figure
  const cells: Picture[][] = []
  for (const seed of seeds) {
    const row: Picture[] = []
    for (const truncationPsi of psis) {
      const styles = stylesOf(generator, seed, { classes, truncationPsi, truncationCutoff })
      row.push(visible(await pictureOf(generator, styles, 'const'), scale))
    }
    cells.push(row)
  }
  return panel(cells, { columnLabels: psis.map((psi) => `ψ = ${psi}`), rowLabels: seeds.map((seed) => `seed ${seed}`) })
}

/** What noise adds to the images of some seeds (Figures 4 and 5 of the paper). */
export interface NoiseFigure extends FigureOptions {
  readonly seeds: readonly number[]
}

/** The limit of other counts, such as steps and frames. */
const mostRealisations = 65_535

/** The part that official generate_figures.py shows, (650, 180) to (906, 436) of 1024, as shares of the side. */
export const NOISE_CROP = { left: 650 / 1024, top: 180 / 1024, side: 256 / 1024 }

/**
 * What noise changes (StyleGAN, Fig. 4): the image, a part of it under four realisations of the noise, and the deviation of each
 * pixel over all of them, bright where noise matters.
 *
 * @param figure its `realisations` are 100 in the official generate_figures.py
 */
export async function noiseDetailFigure(
  generator: TrainedGenerator,
  figure: NoiseFigure & { realisations?: number; part?: typeof NOISE_CROP },
): Promise<Picture> {
  checkLists('noiseDetailFigure', figure, ['seeds'])
  const { seeds, realisations = 100, part = NOISE_CROP, ...sampling } = figure
  requireNoise(generator.options)
  if (!(Number.isInteger(realisations) && realisations >= 4 && realisations <= mostRealisations)) {
    throw optionError(
      (name) =>
        `${name('realisations')}: a whole number from 4 to ${mostRealisations} is expected, got ${shownValue(realisations)}`,
    )
  }
  const width = generator.options.resolution
  const { height } = shownRows(generator)
  const size = Math.max(1, Math.min(Math.floor(part.side * width), height))
  const [left, top] = [Math.floor(part.left * width), Math.min(Math.floor(part.top * height), height - size)]
  const cells: Picture[][] = []
  for (const seed of seeds) {
    const styles = stylesOf(generator, seed, sampling)
    const noise = new Rng(seed, streams.noise)
    const images: Picture[] = []
    for (let i = 0; i < realisations; i++) images.push(await pictureOf(generator, styles, noise))
    const shown = visible(images[0]!, sampling.scale)
    const four = blank(shown.width, shown.height)
    const box = Math.floor(Math.min(four.width, four.height) / 2) - 2
    for (const [i, image] of images.slice(0, 4).entries()) {
      const [x, y] = [i % 2 ? four.width - box : 0, i < 2 ? 0 : four.height - box]
      place(four, stretch(crop(image, left, top, size, size), box, box), x, y)
    }
    cells.push([shown, four, visible(deviationMap(images), sampling.scale)])
  }
  const columnLabels = ['image', 'four of noise', 'deviation']
  return panel(cells, { columnLabels, rowLabels: seeds.map((seed) => `seed ${seed}`) })
}

/** Four times the deviation of the mean of the colours (official generate_figures.py). */
export function deviationMap(images: readonly Picture[]): Picture {
  const { width, height } = images[0]!
  const map = blank(width, height)
  for (let i = 0; i < width * height; i++) {
    const grays = images.map(({ pixels }) => (pixels[3 * i]! + pixels[3 * i + 1]! + pixels[3 * i + 2]!) / 3)
    const mean = grays.reduce((sum, gray) => sum + gray, 0) / grays.length
    const deviation = Math.sqrt(grays.reduce((sum, gray) => sum + (gray - mean) ** 2, 0) / grays.length)
    map.pixels.fill(Math.min(255, Math.floor(4 * deviation + 0.5)), 3 * i, 3 * i + 3)
  }
  return map
}

/**
 * Noise of some layers (StyleGAN, Fig. 5): in all, in none, in the fine ones, in the coarse ones; elsewhere it is 0.
 */
export async function noiseComponentsFigure(
  generator: TrainedGenerator,
  figure: NoiseFigure & {
    /** First fine layer; the paper's 8 of 18 by default, in proportion. */
    split?: number | undefined
    /** Only the left half of each image is shown, as in the paper. */
    halves?: boolean | undefined
    /** Seeds whose images are turned left to right first. */
    mirrored?: readonly number[] | undefined
  },
): Promise<Picture> {
  checkLists('noiseComponentsFigure', figure, ['seeds'])
  const { seeds, split, halves = false, mirrored = [], ...sampling } = figure
  requireNoise(generator.options)
  const layers = numLayers(generator.options.resolution)
  const first = split ?? Math.round((layers * 8) / 18)
  if (!(Number.isInteger(first) && first > 0 && first < layers)) {
    throw optionError((name) => `${name('split')}: a layer from 1 to ${layers - 1} is expected, got ${first}`)
  }
  const kinds: [string, (layer: number) => boolean][] = [
    ['all', () => true],
    ['none', () => false],
    [`fine ${first}-${layers - 1}`, (layer) => layer >= first],
    [`coarse 0-${first - 1}`, (layer) => layer < first],
  ]
  const cells: Picture[][] = []
  for (const seed of seeds) {
    const styles = stylesOf(generator, seed, sampling)
    const row: Picture[] = []
    for (const [, keep] of kinds) {
      const noise = buffers(generator, keep)
      const image = visible(await pictureOf(generator, styles, noise), sampling.scale)
      const turned = mirrored.includes(seed) ? mirror(image) : image
      row.push(halves ? crop(turned, 0, 0, Math.floor(turned.width / 2), turned.height) : turned)
      for (const tensor of noise) tensor.dispose()
    }
    cells.push(row)
  }
  return panel(cells, {
    columnLabels: kinds.map(([name]) => name),
    rowLabels: seeds.map((seed) => `seed ${seed}`),
  })
}

/** The network's noise buffers, zeros in the layers that are not kept. */
function buffers({ Gs, options }: TrainedGenerator, keep: (layer: number) => boolean): Tensor[] {
  return scope(() =>
    Array.from({ length: numLayers(options.resolution) }, (_, layer) => {
      const buffer = get(Gs.params, `G_synthesis/noise${layer}`)
      const side = buffer.shape[2]!
      return buffer.reshape([1, side, side, 1]).mul(keep(layer) ? 1 : 0)
    }),
  )
}

function requireNoise(options: NetworkOptions): void {
  if (configurationOf(options).noise) return
  throw new RangeError(`noise: a network with noise inputs (E or F) is expected, got configuration ${options.config}`)
}

/**
 * Images that nobody chose (StyleGAN, Fig. 2): columns of rows · 2^lod images, each 2^lod times smaller.
 *
 * @param figure the images are those of `seed`, seed + 1, …
 */
export async function uncuratedFigure(
  generator: TrainedGenerator,
  figure: FigureOptions & {
    readonly seed: number
    readonly rows?: number | undefined
    readonly lods?: readonly number[] | undefined
  },
): Promise<Picture> {
  checkObject(figure, 'uncuratedFigure', 'an object with seed')
  const { seed, rows = 3, lods = [0, 1, 2, 2, 3, 3], ...sampling } = figure
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`seed: a whole number from 0 is expected, got ${shownValue(seed)}`)
  }
  const { height } = shownRows(generator)
  const side = generator.options.resolution
  for (const lod of lods) {
    if (!(Number.isInteger(lod) && lod >= 0 && height % 2 ** lod === 0)) {
      const most = Math.log2(height & -height)
      throw optionError((name) => `${name('lods')}: whole numbers from 0 to ${most} are expected, got ${lod}`)
    }
  }
  if (!(Number.isInteger(rows) && rows > 0)) {
    throw optionError((name) => `${name('rows')}: a whole number above 0 is expected, got ${rows}`)
  }
  const factor = sampling.scale ?? scaleOf(side)
  // Gaps shrink with the images, to a whole number of pixels in each column.
  const gap = 2 ** Math.max(...lods) * Math.max(1, Math.round((factor * side) / 512))
  const widths = lods.map((lod) => (factor * side) / 2 ** lod)
  const canvas = blank(
    widths.reduce((sum, width) => sum + width + gap, gap),
    rows * (factor * height + gap) + gap,
  )
  let [left, next] = [gap, seed]
  for (const [column, lod] of lods.entries()) {
    for (let row = 0; row < rows * 2 ** lod; row++) {
      const image = await pictureOf(generator, stylesOf(generator, next, sampling), new Rng(next, streams.noise))
      next++
      const top = gap + (row * (factor * height + gap)) / 2 ** lod
      place(canvas, enlarge(shrink(image, 2 ** lod), factor), left, top)
    }
    left += widths[column]! + gap
  }
  return canvas
}
