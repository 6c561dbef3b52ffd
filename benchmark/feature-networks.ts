/** Inception-v3 and VGG-16 with weights of no meaning: their features take as long as real ones. */
import { type Weight, type Weights } from '../ts/files/weights.ts'
import { inceptionFeatures, inceptionLayers, inceptionOf } from '../ts/metrics/networks/inception.ts'
import { vggFc, vggLayers, vggOf } from '../ts/metrics/networks/vgg.ts'
import { Device, scope, type Tensor } from '../ts/native/index.ts'

export type FeatureNetwork = 'inception' | 'vgg'

/** Means of what comes in: activations stay numbers of an ordinary size. */
function mean(shape: readonly number[]): Weight {
  return filled(shape, 1 / shape.slice(1).reduce((a, b) => a * b, 1))
}

function filled(shape: readonly number[], value: number): Weight {
  return { shape, dtype: 'f32', values: () => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) }
}

function inceptionWeights(): Weights {
  const layers = inceptionLayers.flatMap(([layer, kh, kw, C, O]) => [
    [`${layer}.conv.weight`, mean([O, C, kh, kw])] as const,
    ...['weight', 'running_var'].map((part) => [`${layer}.bn.${part}`, filled([O], 1)] as const),
    ...['bias', 'running_mean'].map((part) => [`${layer}.bn.${part}`, filled([O], 0)] as const),
  ])
  return new Map([...layers, ['fc.weight', mean([1008, 2048])]])
}

function vggWeights(): Weights {
  return new Map(
    vggLayers.flatMap(([name, shape]) => [
      [`${name}.weight`, mean(shape)] as const,
      [`${name}.bias`, filled([shape[0]!], 0)] as const,
    ]),
  )
}

/** A network's features of the same images again and again; each call says how many seconds it took. */
export function featuresOf(device: Device, network: FeatureNetwork, batch: number): () => Promise<number> {
  const weights = network === 'inception' ? inceptionWeights() : vggWeights()
  const file = { weights, sha256: '' }
  const features = (): ((x: Tensor) => unknown) => {
    if (network === 'vgg') {
      const net = vggOf(device, file, 'benchmark')
      return (x) => vggFc(net, x)
    }
    const net = inceptionOf(device, file, 'benchmark')
    return (x) => inceptionFeatures(net, x)
  }
  const side = network === 'vgg' ? 224 : 299
  const [run, images] = [features(), device.full([batch, side, side, 3], 0.5)]
  return async () => {
    const began = performance.now()
    scope(() => void run(images))
    await device.synchronize()
    return (performance.now() - began) / 1000
  }
}
