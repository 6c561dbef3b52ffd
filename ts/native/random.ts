/** Random numbers as a value with a position. */
import { call, native, type Shape, shown, sizes, whole } from './addon.ts'
import { Device, type Tensor } from './tensor.ts'

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

  /** Goes on from a state. */
  static from({ seed, stream, offset }: RngState): Rng {
    return new Rng(seed, stream, offset)
  }

  get state(): RngState {
    return { ...this.#state }
  }

  /** Uniform in (0, 1]. */
  uniform(device: Device, shape: Shape): Tensor {
    return this.#draw('uniform', device, shape)
  }

  /** Standard normal. */
  normal(device: Device, shape: Shape): Tensor {
    return this.#draw('normal', device, shape)
  }

  #draw(kind: 'uniform' | 'normal', device: Device, shape: Shape): Tensor {
    if (!(device instanceof Device)) throw new TypeError(`${kind}: a device is expected, got ${shown(device)}`)
    const before = this.#state
    const at = this.#advance(sizes(kind, shape).reduce((product, size) => product * size, 1))
    try {
      return device.draw(kind, shape, at)
    } catch (error) {
      this.#state = before
      throw error
    }
  }

  /** One number in (0, 1], drawn on the host. */
  nextUniform(): number {
    return native.uniformAt(this.#advance(1))
  }

  /**
   * A whole number, `low` ≤ i < `high`.
   *
   * Ranges of up to 4096 numbers are drawn by 24 bits, as runs have always drawn them: a number is favoured by at most 2⁻¹¹ of its
   * probability. Larger ranges are drawn by 128 bits, by at most 2⁻⁷⁵ of it.
   *
   * @throws RangeError unless both are whole numbers and their difference is from 1 to 2⁵³ − 1
   */
  nextInteger(low: number, high: number): number {
    const count = high - low
    if (![low, high, count].every(Number.isSafeInteger) || count < 1) {
      throw new RangeError(`nextInteger: low must be below high, both whole numbers, got ${shown([low, high])}`)
    }
    // 1 − u lies in [0, 1).
    if (count <= 4096) return low + Math.floor((1 - this.nextUniform()) * count)
    return low + native.integerAt(count, this.#advance(1))
  }

  /** 0 … n − 1 in random order. */
  permutation(n: number): number[] {
    const count = whole('permutation: n', n, 0, 2 ** 26)
    return call(() => native.permutation(count, this.#advance(4 * count)))
  }

  /** Draws start at multiples of 4: a block of Philox has four words. */
  #advance(count: number): RngState {
    const at = this.#state
    const offset = at.offset + Math.ceil(count / 4) * 4
    if (!Number.isSafeInteger(offset)) {
      throw new RangeError(
        `Rng: a stream ends after 2^53 numbers, ${count} from ${at.offset} on are beyond; take another stream`,
      )
    }
    this.#state = { ...at, offset }
    return at
  }
}
