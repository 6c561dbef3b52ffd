/** Inception score (Salimans et al. 2016), with logits without bias, as its published code computes them. */
import { plural } from '../files/units.ts'
import { scope } from '../native/index.ts'
import { get } from '../networks/params.ts'
import { featureRows, imagesOfSide, pool3, type Extractor } from './features.ts'
import type { Measured, Measurement } from './metric.ts'

const splits = 10

/**
 * `exp E KL(p(y|x) ‖ p(y))`, the mean and standard deviation over 10 splits.
 *
 * @param extractor in place of pool3; the last layer is Inception's
 */
export async function inceptionScore(
  measurement: Measurement,
  { extractor = () => pool3(measurement) }: { extractor?: () => Promise<Extractor> } = {},
): Promise<Measured> {
  const { name, num, device, networks, warn } = measurement
  const inception = await networks.inception()
  const taken = await extractor()
  const fakes = await imagesOfSide(measurement, measurement.fakes, { count: num, mirror: false })
  const count = Math.min(num, fakes.count)
  if (count < splits) throw new RangeError(`${name}: at least ${splits} images are expected, got ${count}`)
  if (count < num)
    warn(`${name}: ${count} ${plural(count, 'image is', 'images are')} scored, ${num} are expected: fewer score lower`)
  const rows = await featureRows(measurement, taken, fakes, count)
  const weight = get(inception.params, 'fc/weight')
  const score = new SplitScores(count, splits)
  for await (const block of rows.blocks(256)) {
    const logits = scope(() =>
      device.tensor(block, [block.length / rows.width, rows.width]).matmul(weight, { transposeB: true }),
    )
    const values = await logits.data()
    const classes = logits.shape[1]!
    logits.dispose()
    for (let at = 0; at < values.length; at += classes) score.add(softmax(values.subarray(at, at + classes)))
  }
  const { mean, deviation } = score.result()
  const details = { ...taken.key, num_fakes: count, splits }
  return { results: { [`${name}_mean`]: mean, [`${name}_std`]: deviation }, details }
}

export function softmax(logits: ArrayLike<number>): Float64Array {
  const largest = Array.prototype.reduce.call(logits, (a, b) => Math.max(a as number, b as number), -Infinity) as number
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

/** The score of probabilities that come one image at a time, split into equal runs. */
export class SplitScores {
  readonly #count: number
  readonly #splits: number
  #row = 0
  /** Of each split: the sum of its probabilities, and of their p log p. */
  readonly #sums: { classes: Float64Array; negentropy: number; rows: number }[] = []

  constructor(count: number, numSplits: number) {
    this.#count = count
    this.#splits = numSplits
  }

  add(probabilities: Float64Array): void {
    // The bounds of split i are ⌊i N / splits⌋, as published.
    const split = Math.floor(((this.#row + 1) * this.#splits - 1) / this.#count)
    this.#row++
    const sum = (this.#sums[split] ??= { classes: new Float64Array(probabilities.length), negentropy: 0, rows: 0 })
    probabilities.forEach((p, i) => {
      sum.classes[i]! += p
      if (p > 0) sum.negentropy += p * Math.log(p)
    })
    sum.rows++
  }

  result(): { mean: number; deviation: number } {
    const scores = this.#sums.map(({ classes, negentropy, rows }) => {
      // E Σ p log p − Σ p̄ log p̄
      const marginal = classes.reduce((total, sum) => total + (sum > 0 ? (sum / rows) * Math.log(sum / rows) : 0), 0)
      return Math.exp(negentropy / rows - marginal)
    })
    const mean = scores.reduce((a, b) => a + b, 0) / scores.length
    const deviation = Math.sqrt(scores.reduce((a, b) => a + (b - mean) ** 2, 0) / scores.length)
    return { mean, deviation }
  }
}
