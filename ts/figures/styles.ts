/** Points of W as plain numbers: to mix, to average, to walk between. */
import { shownValue } from '../files/shown.ts'
import { ShapeError } from '../native/index.ts'

/**
 * One w a layer for each of several images. Values of any origin serve: of seeds, of an optimisation, of a file.
 * Nothing here changes a value in place, and nothing needs to be disposed of.
 */
export class Styles {
  /** `[count, layers, width]`. */
  readonly values: Float32Array | Float64Array
  /** Images. */
  readonly count: number
  /** Layers of the synthesis network: two at each resolution, from the coarsest. */
  readonly layers: number
  /** Numbers of one w. */
  readonly width: number

  /**
   * @param values `[count, layers, width]`
   * @throws ShapeError unless there are as many values, RangeError unless sizes are whole numbers from 1
   */
  constructor(values: Float32Array | Float64Array, [count, layers, width]: readonly [number, number, number]) {
    if (![count, layers, width].every((size) => Number.isInteger(size) && size > 0)) {
      const sizes = [count, layers, width].join(', ')
      throw new RangeError(`Styles: [count, layers, width] of whole numbers from 1 are expected, got [${sizes}]`)
    }
    if (!(values instanceof Float32Array || values instanceof Float64Array)) {
      throw new RangeError(`Styles: a Float32Array or Float64Array is expected, got ${shownValue(values)}`)
    }
    if (values.length !== count * layers * width) {
      throw new ShapeError(
        `Styles: [${count}, ${layers}, ${width}] needs ${count * layers * width} values, got ${values.length}`,
      )
    }
    this.values = values
    this.count = count
    this.layers = layers
    this.width = width
  }

  /** Those of image i alone. */
  at(i: number): Styles {
    if (!(Number.isInteger(i) && i >= 0 && i < this.count)) {
      throw new RangeError(`Styles: an image from 0 to ${this.count - 1} is expected, got ${i}`)
    }
    const size = this.layers * this.width
    return new Styles(this.values.slice(i * size, (i + 1) * size), [1, this.layers, this.width])
  }

  /** Their mean, as one image. */
  mean(): Styles {
    const size = this.layers * this.width
    const mean = this.values.slice(0, size).fill(0)
    this.values.forEach((value, i) => (mean[i % size]! += value / this.count))
    return new Styles(mean, [1, this.layers, this.width])
  }

  /**
   * `this + t (other − this)`: 0 gives these, 1 the others; beyond, the way goes on. The mean's `lerp(w, ψ)` is the truncation
   * trick (StyleGAN, Appendix B).
   *
   * @param other as many images, or one for all; one here serves several there
   * @throws RangeError unless t is a number
   */
  lerp(other: Styles, t: number): Styles {
    finite('t', t)
    return this.#with(other, (a, b) => a + t * (b - a))
  }

  /**
   * Style mixing (StyleGAN, section 3.1): these, with the other's w in some layers.
   *
   * @param other as many images, or one for all; one here serves several there
   * @param layers numbers from 0, the coarsest
   */
  mix(other: Styles, layers: Iterable<number>): Styles {
    const copied = new Set(layers)
    for (const layer of copied) {
      if (!(Number.isInteger(layer) && layer >= 0 && layer < this.layers)) {
        throw new RangeError(`Styles: layers from 0 to ${this.layers - 1} are expected, got ${layer}`)
      }
    }
    return this.#with(other, (a, b, layer) => (copied.has(layer) ? b : a))
  }

  #with(other: Styles, of: (a: number, b: number, layer: number) => number): Styles {
    const { layers, width } = this
    checkStyles(other)
    const count = Math.max(this.count, other.count)
    const fits = [this, other].every((styles) => styles.count === 1 || styles.count === count)
    if (!fits || other.layers !== layers || other.width !== width) {
      throw new ShapeError(
        `Styles: [${this.count} or 1, ${layers}, ${width}] are expected, got [${other.count}, ${other.layers}, ${other.width}]`,
      )
    }
    const [a, b, size] = [this.values, other.values, count * layers * width]
    const values = a instanceof Float64Array ? new Float64Array(size) : new Float32Array(size)
    for (let i = 0; i < size; i++) {
      values[i] = of(a[i % a.length]!, b[i % b.length]!, Math.floor(i / width) % layers)
    }
    return new Styles(values, [count, layers, width])
  }
}

/** @throws RangeError unless it is a number that is not NaN or infinite */
export function finite(name: string, value: unknown): void {
  if (!Number.isFinite(value)) throw new RangeError(`${name}: a finite number is expected, got ${shownValue(value)}`)
}

/** @throws RangeError unless it is {@link Styles} */
export function checkStyles(w: unknown): void {
  if (!(w instanceof Styles)) throw new RangeError(`w: Styles are expected, got ${shownValue(w)}; draw some by mapping`)
}

/** The styles of several groups of images, one after the other. */
export function joinStyles(parts: readonly Styles[]): Styles {
  const { layers, width } = parts[0]!
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const size = count * layers * width
  const values = parts[0]!.values instanceof Float64Array ? new Float64Array(size) : new Float32Array(size)
  let at = 0
  for (const part of parts) {
    values.set(part.values, at)
    at += part.values.length
  }
  return new Styles(values, [count, layers, width])
}
