/** Pictures of what a network has learned. */
import { networkOptions, type TrainConfig } from '../training/config.ts'
import type { Dataset } from '../data/dataset.ts'
import { Sampler, streams } from '../data/sampler.ts'
import { gridSize, cropImages, tileImages } from '../figures/grid.ts'
import { bytesOf, renderLatents, shownRows, type TrainedGenerator } from '../figures/render.ts'
import { encodeDrawnPng, Rng, scope, type Tensor } from '../native/index.ts'
import { pictureHeight } from '../training/presets.ts'

/** Images generated at once: more would not be faster, and need memory. */
const batchSize = 16

/**
 * A grid of images of fixed latents, untruncated, as the official fakesNNNNNN.png.
 *
 * @param labels `[count, labelSize]` of a data set, for a conditional network: each image has the label of the real one in its place
 */
export async function imageGrid(
  generator: Pick<TrainedGenerator, 'Gs' | 'options'>,
  lod: number,
  config: TrainConfig,
  labels?: Tensor,
): Promise<Uint8Array> {
  const { Gs } = generator
  const { resolution, numChannels, seed, latentSize } = config
  const { columns, rows } = pictureGrid(resolution)
  const [latents, noise] = [new Rng(seed, streams.grid), new Rng(seed, streams.noise)]
  const size = resolution * resolution * numChannels
  const pixels = new Uint8Array(columns * rows * size)
  for (let first = 0; first < columns * rows; first += batchSize) {
    const count = Math.min(batchSize, columns * rows - first)
    const images = scope(() => {
      const z = latents.normal(Gs.device, [count, latentSize])
      const rows = labels && new Sampler(seed, labels.shape[0]!, false).at(first, count).indices
      const own = rows && labels.gatherRows(Gs.device.tensor(Int32Array.from(rows), [count]))
      return renderLatents({ Gs, options: generator.options }, z, { labels: own, noise, lod })
    })
    pixels.set(await bytesOf(images), first * size)
  }
  return gridPng(pixels, config, columns)
}

/** As many real images as a grid of fakes has. */
export async function realsGrid({ levels }: Dataset, config: TrainConfig): Promise<Uint8Array> {
  const { resolution, seed } = config
  const { columns, rows } = pictureGrid(resolution)
  const count = Math.min(columns * rows, levels.count)
  const { indices, mirror } = new Sampler(seed, levels.count, false).at(0, count)
  return gridPng(await levels.batch(resolution, indices, mirror), config, columns)
}

/** The official grid, but at most 16 by 9: at 32×32 it would have a thousand images, slower than the tick. */
function pictureGrid(resolution: number): { columns: number; rows: number } {
  const { columns, rows } = gridSize(resolution, '1080p')
  return { columns: Math.min(columns, 16), rows: Math.min(rows, 9) }
}

async function gridPng(pixels: Uint8Array, config: TrainConfig, columns: number): Promise<Uint8Array> {
  const { resolution: side, numChannels: c } = config
  const batch = { n: pixels.length / (side * side * c), h: side, w: side, c }
  const shown = shownRows({ options: networkOptions(config), height: pictureHeight(config) })
  const picture = tileImages(cropImages(pixels, batch, shown), { ...batch, h: shown.height }, columns)
  return encodeDrawnPng(picture.pixels, picture.width, picture.height, c)
}
