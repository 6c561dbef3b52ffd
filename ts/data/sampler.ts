/** The order in which images are shown. */
import { Rng } from '../native/index.ts'

/** Which images are shown, in random order without repetition within an epoch, as a function of how many were shown. */
export class Sampler {
  readonly #seed: number
  readonly #count: number
  readonly #mirror: boolean
  #epoch = -1
  #order: number[] = []

  constructor(seed: number, count: number, mirror: boolean) {
    this.#seed = seed
    this.#count = count
    this.#mirror = mirror
  }

  /** The next `n` images after `shown`. */
  at(shown: number, n: number): { indices: number[]; mirror: boolean[] } {
    const positions = Array.from({ length: n }, (_, i) => shown + i)
    return {
      indices: positions.map((position) => this.#index(position)),
      mirror: positions.map(
        (position) => this.#mirror && new Rng(this.#seed, streams.mirror, 4 * position).nextUniform() <= 0.5,
      ),
    }
  }

  #index(position: number): number {
    const epoch = Math.floor(position / this.#count)
    if (epoch !== this.#epoch) {
      this.#order = new Rng(this.#seed, streams.shuffle, 4 * epoch * this.#count).permutation(this.#count)
      this.#epoch = epoch
    }
    return this.#order[position % this.#count]!
  }
}

/** Random sequences of one seed that have nothing to do with each other. */
export const streams = {
  weights: 0,
  training: 1,
  shuffle: 2,
  mirror: 3,
  grid: 4,
  noise: 5,
  classifier: 6,
  metrics: 7,
  projector: 8,
  copies: 9,
  /** From here on a stream for each image that training shows. */
  images: 2 ** 32,
} as const
