/** Random numbers as a value with a position. */
import { native, type Shape } from './addon.ts'
import type { Device, Tensor } from './tensor.ts'

export interface RngState {
  seed: number
  stream: number
  offset: number
}

/** Philox4x32-10: numbers as a function of (seed, stream, offset), the same on every device. Drawing moves the offset. */
export class Rng {
  #state: RngState

  /** @param stream tells independent sequences of one seed apart */
  constructor(seed: number, stream = 0, offset = 0) {
    for (const [name, value] of Object.entries({ seed, stream, offset })) {
      if (!Number.isSafeInteger(value) || value < 0) {
        throw new RangeError(`Rng: ${name} must be a whole number from 0, got ${value}`)
      }
    }
    this.#state = { seed, stream, offset }
  }

  static from({ seed, stream, offset }: RngState): Rng {
    return new Rng(seed, stream, offset)
  }

  get state(): RngState {
    return { ...this.#state }
  }

  /** Uniform in (0, 1]. */
  uniform(device: Device, shape: Shape): Tensor {
    return device.draw('uniform', shape, this.#advance(shape.reduce((product, size) => product * size, 1)))
  }

  /** Standard normal. */
  normal(device: Device, shape: Shape): Tensor {
    return device.draw('normal', shape, this.#advance(shape.reduce((product, size) => product * size, 1)))
  }

  /** One number in (0, 1], drawn on the host. */
  nextUniform(): number {
    return native.uniformAt(this.#advance(1))
  }

  /** A whole number, `low` ≤ i < `high`. */
  nextInteger(low: number, high: number): number {
    if (!(low < high)) throw new RangeError(`nextInteger: low must be below high, got ${low} and ${high}`)
    // 1 − u lies in [0, 1).
    return low + Math.floor((1 - this.nextUniform()) * (high - low))
  }

  /** 0 … n − 1 in random order. */
  permutation(n: number): number[] {
    return native.permutation(n, this.#advance(4 * n))
  }

  /** Draws start at multiples of 4: a block of Philox has four words. */
  #advance(count: number): RngState {
    const at = { ...this.#state }
    this.#state.offset += Math.ceil(count / 4) * 4
    return at
  }
}
