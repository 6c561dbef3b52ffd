/** Linear separability (StyleGAN, Section 4.2; official linear_separability.py). */
import { imagesOfStyles } from '../figures/render.ts'
import { concat, linearSvm, scope, type Tensor } from '../native/index.ts'
import { downscale } from '../networks/layers.ts'
import { mapping } from '../networks/mapping.ts'
import { numLayers } from '../networks/params.ts'
import { classify, type LoadedClassifier } from './classifier.ts'
import type { Rows } from './feature-cache.ts'
import { batchSizeOf, drawLabels, floatsOf, networkKey, rngOf, type Sampled } from './images.ts'
import type { Measured, Measurement } from './metric.ts'
import { sampledOf } from './ppl.ts'

/**
 * `2^Σ H(Y|X)` over attributes: how much of a classifier's answer Y a linear SVM on latents leaves open, in Z and in W; in Z
 * alone if there is no mapping network (StyleGAN, Table 4).
 */
export async function separability(measurement: Measurement): Promise<Measured> {
  const { name, num, networks, warn } = measurement
  const sampled = sampledOf(measurement)
  const classifiers = await networks.classifiers()
  checkSizes(name, sampled, classifiers)
  const rows = await classifiedLatents(measurement, sampled, classifiers)
  const { latentSize, dlatentSize, mappingLayers } = sampled.generator.options
  const spaces = [
    { space: 'z', from: 0, width: latentSize },
    ...(mappingLayers > 0 ? [{ space: 'w', from: latentSize, width: dlatentSize }] : []),
  ]
  const totals = Object.fromEntries(spaces.map(({ space }) => [space, 0]))
  const attributes: Record<string, unknown>[] = []
  for (const [i, { info }] of classifiers.entries()) {
    measurement.progress('support vector machines', i, classifiers.length)
    measurement.signal?.throwIfAborted()
    const { kept, labels } = mostConfident(await column(rows, latentSize + dlatentSize + i), Math.ceil(num / 2))
    const positive = labels.reduce((sum, label) => sum + label, 0)
    const found: Record<string, unknown> = { attribute: info.attribute, accuracy: info.accuracy, positive }
    if (positive === 0 || positive === labels.length) {
      // As in the official code, nothing is left open about an answer that is always the same.
      warn(`${name}: ${positive === 0 ? 'no' : 'every'} image kept has '${info.attribute}': its entropy counts as 0`)
    } else {
      for (const { space, from, width } of spaces) {
        const x = await gather(rows, kept, from, width)
        const { weights, bias, converged } = await linearSvm(x, labels, width, { seed: measurement.seed })
        const entropy = conditionalEntropy(predict(x, weights, bias), labels)
        totals[space]! += entropy
        Object.assign(found, { [`entropy_${space}`]: entropy, ...(converged ? {} : { [`stopped_${space}`]: true }) })
      }
    }
    attributes.push(found)
  }
  measurement.progress('support vector machines', classifiers.length, classifiers.length)
  const results = Object.fromEntries(Object.entries(totals).map(([space, bits]) => [`${name}_${space}`, 2 ** bits]))
  return { results, details: { num_fakes: num, num_kept: Math.ceil(num / 2), attributes } }
}

/**
 * `H(Y|X) = H(Y) − I(X; Y)` in bits, of two columns of 0 and 1.
 *
 * @param x what the support vector machine says
 * @param y what the classifier says
 */
export function conditionalEntropy(x: Uint8Array, y: Uint8Array): number {
  const joint = [0, 0, 0, 0]
  for (let i = 0; i < x.length; i++) joint[2 * x[i]! + y[i]!]! += 1 / x.length
  const entropy = (...ps: number[]) => ps.reduce((sum, p) => sum - (p > 0 ? p * Math.log2(p) : 0), 0)
  // H(X, Y) − H(X); rounding may take it below 0.
  return Math.max(0, entropy(...joint) - entropy(joint[0]! + joint[1]!, joint[2]! + joint[3]!))
}

/** 1 where `x · weights + bias` is above 0. */
export function predict(x: Float32Array, weights: Float64Array, bias: number): Uint8Array {
  const width = weights.length
  return Uint8Array.from({ length: x.length / width }, (_, row) => {
    let score = bias
    for (let i = 0; i < width; i++) score += x[row * width + i]! * weights[i]!
    return Number(score > 0)
  })
}

/**
 * The rows whose logits are farthest from 0, and on which side they are. The probabilities of softmax([l, −l]) rise with |l|,
 * and round to 1 where |l| still differs.
 */
export function mostConfident(logits: Float32Array, count: number): { kept: number[]; labels: Uint8Array } {
  const order = Array.from(logits.keys()).sort((a, b) => Math.abs(logits[b]!) - Math.abs(logits[a]!) || a - b)
  const kept = order.slice(0, count).sort((a, b) => a - b)
  return { kept, labels: Uint8Array.from(kept, (row) => Number(logits[row]! > 0)) }
}

/** Rows (z, w, one logit a classifier) of generated images: no truncation, random noise, bytes not rounded. */
function classifiedLatents(
  { name, num, cache, progress, signal }: Measurement,
  sampled: Sampled,
  classifiers: readonly LoadedClassifier[],
): Promise<Rows> {
  const { options } = sampled.generator
  const batchSize = batchSizeOf(options.resolution)
  return cache.rows({
    key: { separability: classifiers.map(({ sha256 }) => sha256), batchSize, ...networkKey(sampled) },
    width: options.latentSize + options.dlatentSize + classifiers.length,
    count: num,
    batchSize,
    compute: (index) => floatsOf(classifiedBatch(sampled, classifiers, index, batchSize)),
    describe: (row) => `${name}, generated image ${row}`,
    keep: false,
    onProgress: (done, total) => progress('classified images', done, total),
    signal,
  })
}

/** Batch `index` of generated images: rows (z, w, one logit a classifier), `[batchSize, latentSize + dlatentSize + classifiers]`. */
export function classifiedBatch(
  sampled: Sampled,
  classifiers: readonly LoadedClassifier[],
  index: number,
  batchSize: number,
): Tensor {
  const { Gs, options } = sampled.generator
  return scope(() => {
    const labels = drawLabels(sampled, rngOf(sampled, index, 'labels'), batchSize)
    const z = rngOf(sampled, index, 'latents').normal(Gs.device, [batchSize, options.latentSize])
    const w = mapping(Gs.params, z, labels, options)
    const styles = Array.from({ length: numLayers(options.resolution) }, () => w)
    let images = imagesOfStyles(sampled.generator, styles, rngOf(sampled, index, 'noise'))
    // Averaged to 256 pixels at most (official linear_separability.py).
    images = downscale(images, Math.max(1, options.resolution / 256))
    const logits = classifiers.map((classifier) => classify(classifier, images).reshape([batchSize, 1]))
    return concat([z, w, ...logits], 1)
  })
}

/** @throws RangeError if a classifier cannot look at the network's images */
export function checkSizes(name: string, { generator }: Sampled, classifiers: readonly LoadedClassifier[]): void {
  const { resolution, numChannels } = generator.options
  for (const { info } of classifiers) {
    const { resolution: side, numChannels: channels } = info.options
    if (side > Math.min(resolution, 256) || channels !== numChannels) {
      throw new RangeError(
        `${name}: a classifier of at most ${Math.min(resolution, 256)}x${Math.min(resolution, 256)} images with ${numChannels} channels is expected, '${info.attribute}' is for ${side}x${side} with ${channels}; train it with --resolution ${Math.min(resolution, 256)}`,
      )
    }
  }
}

async function column(rows: Rows, at: number): Promise<Float32Array> {
  const values = new Float32Array(rows.count)
  let row = 0
  for await (const block of rows.blocks()) {
    for (let i = at; i < block.length; i += rows.width) values[row++] = block[i]!
  }
  return values
}

/** Some columns of some rows, in rising order. */
async function gather(rows: Rows, kept: readonly number[], from: number, width: number): Promise<Float32Array> {
  const x = new Float32Array(kept.length * width)
  let [first, next] = [0, 0]
  for await (const block of rows.blocks()) {
    const end = first + block.length / rows.width
    for (; next < kept.length && kept[next]! < end; next++) {
      const at = (kept[next]! - first) * rows.width + from
      x.set(block.subarray(at, at + width), next * width)
    }
    first = end
  }
  return x
}
