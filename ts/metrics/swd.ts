/**
 * The sliced Wasserstein distance of Progressive GAN (Karras et al. 2018, Section 5), which needs no network: how far apart
 * the neighbourhoods of pixels of two sets of images lie, at each scale.
 *
 * An image becomes a Laplacian pyramid down to 16×16 (5×5 binomial filter, mirrored borders). Of each level, 128
 * neighbourhoods of 7×7 pixels at random places are descriptors; each channel of each set is brought to mean 0 and deviation
 * 1. Along 4 × 128 random directions the sorted projections of both sets are compared: the mean absolute difference, times
 * 1000. The paper takes 8192 images of each set, its code 16384.
 */
import { Descriptors, type Shape, ShapeError } from '../native/index.ts'

/** The descriptors of one set of images, added batch by batch. */
export class SwdDescriptors {
  readonly set: 'reals' | 'fakes'
  readonly #seed: number
  #images = 0
  #descriptors: Descriptors | undefined
  #shape: Shape = []
  #last: Promise<void> = Promise.resolve()

  /**
   * @param set the places of neighbourhoods are drawn independently for reals and fakes
   * @param o.seed of the places
   */
  constructor(set: 'reals' | 'fakes', o: { seed?: number } = {}) {
    this.set = set
    this.#seed = o.seed ?? 0
  }

  /** Images so far. */
  get count(): number {
    return this.#images
  }

  /**
   * Adds images, in the order of the calls; `images` must not change until the promise is kept.
   *
   * Memory: 12 · C kB an image at 32×32, 98 · C kB at 128×128, and 25 · C kB for each level above 64×64 beyond.
   *
   * @param images bytes `[N, side, side, C]`; the side is 16 · 2ⁿ, since there is no level of 16×16 in smaller images
   * @param shape `[N, side, side, C]`, the same for all calls up to N
   * @throws ShapeError if the shape does not fit
   */
  add(images: Uint8Array, shape: Shape): Promise<void> {
    const [N, H, W, C] = shape
    if (shape.length !== 4 || H !== W || N! * H! * W! * C! !== images.length) {
      throw new ShapeError(
        `swd: square images [N, side, side, C] are expected, got [${shape}] and ${images.length} bytes`,
      )
    }
    if (this.#descriptors && shape.slice(1).join() !== this.#shape.slice(1).join()) {
      throw new ShapeError(`swd: images of [${this.#shape.slice(1)}] are expected, got [${shape.slice(1)}]`)
    }
    const descriptors = (this.#descriptors ??= Descriptors.create(this.set, H!, C!, this.#seed))
    this.#shape = shape
    this.#images += N!
    this.#last = this.#last.then(() => descriptors.add(images))
    return this.#last
  }

  /** The levels' descriptors, when all images are in. */
  async finished(): Promise<Descriptors> {
    await this.#last
    if (!this.#descriptors) throw new RangeError(`swd: there are no ${this.set}`)
    return this.#descriptors
  }
}

export interface Swd {
  /** The distance times 1000 at each level, largest first. */
  levels: { side: number; value: number }[]
  /** The mean over the levels. */
  mean: number
}

/**
 * The sliced Wasserstein distance of two sets, times 1000.
 *
 * @param o.seed of the directions
 * @throws RangeError if the sets differ in number or size, or a channel is constant
 */
export async function swd(reals: SwdDescriptors, fakes: SwdDescriptors, o: { seed?: number } = {}): Promise<Swd> {
  const [real, fake] = [await reals.finished(), await fakes.finished()]
  const distances = await real.distances(fake, o.seed ?? 0)
  const levels = real.sides.map((side, i) => ({ side, value: distances[i]! * 1e3 }))
  return { levels, mean: levels.reduce((sum, { value }) => sum + value, 0) / levels.length }
}
