/**
 * What the paper's figures show: seeds, rows and columns of official generate_figures.py. The official seeds are NumPy's, so that
 * they give the paper's own images neither with these random numbers nor with another network.
 */
import type { MixingFigure, NoiseFigure } from './figures.ts'

/** Fig. 2 (FFHQ), 10 (bedrooms), 11 (cars), 12 (cats): first seed, full-size rows, and how often each column is halved. */
export const uncuratedOfPaper = {
  ffhq: { seed: 5, rows: 3, lods: [0, 1, 2, 2, 3, 3] },
  bedroom: { seed: 0, rows: 5, lods: [0, 0, 1, 1, 2, 2, 2] },
  car: { seed: 2, rows: 4, lods: [0, 1, 2, 2, 3, 3] },
  cat: { seed: 1, rows: 5, lods: [0, 0, 1, 1, 2, 2, 2] },
} as const

/**
 * Fig. 3: coarse styles (4² – 8²) in three rows, middle ones (16² – 32²) in two, fine ones (64² – 1024²) in one, untruncated.
 * A smaller network does without the rows of layers that it has not.
 */
export function mixingOfPaper(layers: number): MixingFigure {
  const coarse = [0, 1, 2, 3]
  const middle = [4, 5, 6, 7]
  const fine = [8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
  const rows = [
    ...[888, 829, 1898].map((seed) => [seed, coarse] as const),
    ...[1733, 1614].map((seed) => [seed, middle] as const),
    [845, fine] as const,
  ]
  const there = rows.map(([seed, styles]) => [seed, styles.filter((layer) => layer < layers)] as const)
  const used = there.filter(([, styles]) => styles.length > 0)
  return {
    cols: [639, 701, 687, 615, 2268],
    rows: used.map(([seed]) => seed),
    styles: used.map(([, styles]) => styles),
    truncationPsi: 1,
  }
}

/** Fig. 4. */
export const noiseDetailOfPaper: NoiseFigure & { realisations: number } = {
  seeds: [1157, 1012],
  realisations: 100,
  truncationPsi: 1,
}

/** Fig. 5: the halves of the images that show hair and background; the second image is turned for that. */
export const noiseComponentsOfPaper: NoiseFigure & { halves: boolean; mirrored: readonly number[] } = {
  seeds: [1967, 1555],
  mirrored: [1555],
  halves: true,
  truncationPsi: 1,
}

/** Fig. 8: all layers are truncated. */
export const truncationOfPaper = { seeds: [91, 388], psis: [1, 0.7, 0.5, 0, -0.5, -1] }
