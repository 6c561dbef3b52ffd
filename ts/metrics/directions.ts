/** The directions of attributes in W: normals of the hyperplanes that linear separability fits (StyleGAN, Section 4.2). */
import type { ImageGenerator } from '../figures/generator.ts'
import { directionName, type AttributeDirection } from '../figures/directions.ts'
import { linearSvm } from '../native/index.ts'
import { hashNetwork } from '../networks/hash.ts'
import type { LoadedClassifier } from './classifier.ts'
import { batchSizeOf, floatsOf, type LabelTable, type Sampled } from './images.ts'
import { requireW } from './ppl.ts'
import { checkSizes, classifiedBatch, mostConfident, predict } from './separability.ts'

export interface FindOptions {
  /** Images that are drawn and classified; of these the half that a classifier is surest of counts. */
  readonly num: number
  readonly seed: number
  readonly signal?: AbortSignal | undefined
  readonly onImages?: (done: number, total: number) => void
}

/** An attribute of a classifier, and its direction unless all images that were kept are alike. */
export interface FoundAttribute {
  readonly attribute: string
  readonly direction?: AttributeDirection
}

/**
 * Where the attributes of some classifiers grow in W.
 *
 * @throws RangeError if the network has no W, or a classifier is for other images
 */
export async function* attributeDirections(
  G: ImageGenerator,
  classifiers: readonly LoadedClassifier[],
  { num, seed, signal, onImages = () => {} }: FindOptions,
): AsyncGenerator<FoundAttribute, void> {
  const sampled: Sampled = { generator: G, hash: await hashNetwork(G.Gs), seed, labels: everyClass(G) }
  requireW('directions', sampled, 'configurations B to F have one')
  checkSizes('directions', sampled, classifiers)
  const { latentSize, dlatentSize: width } = G.options
  const batchSize = batchSizeOf(G.options.resolution)
  const total = Math.ceil(num / batchSize) * batchSize
  const w = new Float32Array(total * width)
  const logits = classifiers.map(() => new Float32Array(total))
  for (let first = 0; first < total; first += batchSize) {
    signal?.throwIfAborted()
    const rows = await floatsOf(classifiedBatch(sampled, classifiers, first / batchSize, batchSize))
    const columns = latentSize + width + classifiers.length
    for (let i = 0; i < batchSize; i++) {
      const row = rows.subarray(i * columns, (i + 1) * columns)
      w.set(row.subarray(latentSize, latentSize + width), (first + i) * width)
      logits.forEach((of, c) => (of[first + i] = row[latentSize + width + c]!))
    }
    onImages(first + batchSize, total)
  }
  for (const [c, { info }] of classifiers.entries()) {
    signal?.throwIfAborted()
    const direction = await directionOf(w, width, logits[c]!, seed)
    yield {
      attribute: info.attribute,
      ...(direction && { direction: { name: directionName(info.attribute), ...direction } }),
    }
  }
}

/** The normal of the hyperplane between images that are surely on one side and on the other. */
async function directionOf(
  w: Float32Array,
  width: number,
  logits: Float32Array,
  seed: number,
): Promise<Omit<AttributeDirection, 'name'> | undefined> {
  const { kept, labels } = mostConfident(logits, Math.ceil(logits.length / 2))
  const positive = labels.reduce((sum, label) => sum + label, 0)
  if (positive === 0 || positive === labels.length) return undefined
  const x = new Float32Array(kept.length * width)
  kept.forEach((row, i) => x.set(w.subarray(row * width, (row + 1) * width), i * width))
  const { weights, bias } = await linearSvm(x, labels, width, { seed })
  const length = Math.hypot(...weights)
  if (!(length > 0)) return undefined
  const vector = weights.map((value) => value / length)
  const said = predict(x, weights, bias)
  const agreement = said.filter((one, i) => one === labels[i]).length / said.length
  return { vector, deviation: deviationAlong(w, vector), agreement }
}

/** Standard deviation of the rows of w along a direction. */
function deviationAlong(w: Float32Array, vector: Float64Array): number {
  const width = vector.length
  const places = Float64Array.from({ length: w.length / width }, (_, row) =>
    vector.reduce((sum, value, i) => sum + value * w[row * width + i]!, 0),
  )
  const mean = places.reduce((sum, place) => sum + place, 0) / places.length
  return Math.sqrt(places.reduce((sum, place) => sum + (place - mean) ** 2, 0) / places.length)
}

/** Labels of a conditional network: each class as often as the others. */
function everyClass({ options: { labelSize } }: ImageGenerator): LabelTable | undefined {
  if (labelSize === 0) return undefined
  const values = new Float32Array(labelSize * labelSize)
  for (let i = 0; i < labelSize; i++) values[i * labelSize + i] = 1
  return { values, count: labelSize, hash: `each of ${labelSize}` }
}
