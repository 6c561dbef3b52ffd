/**
 * VGG-16 (Simonyan and Zisserman 2014, configuration D) with torchvision's weights: the trunk of LPIPS, and the features of
 * precision and recall (Kynkäänniemi et al. 2019).
 */
import { type Device, freeze, scope, type Tensor } from '../../native/index.ts'
import { get, type Params } from '../../networks/params.ts'
import {
  knownWeights,
  readWeightFile,
  weight,
  type WeightFile,
  type WeightFileOptions,
} from '../../files/weight-file.ts'
import { filterToHwio } from '../../files/weights.ts'
import { maxPool } from './pooling.ts'
import { asFloats, bilinearTensorflow, checkImages, resize } from './resize.ts'

export interface Vgg {
  readonly device: Device
  /** Filters `[3, 3, C, O]`, dense weights `[in, out]` and biases, in torchvision's names. */
  readonly params: Params
  /** Of the weight file, in hexadecimal. */
  readonly sha256: string
}

/** Convolutions between two poolings: numbers in torchvision's `features`, and feature maps. */
const stages = [
  { layers: [0, 2], channels: 64 },
  { layers: [5, 7], channels: 128 },
  { layers: [10, 12, 14], channels: 256 },
  { layers: [17, 19, 21], channels: 512 },
  { layers: [24, 26, 28], channels: 512 },
] as const

/** Feature maps of relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3. */
export const vggChannels = stages.map(({ channels }) => channels)

/** Dense layers before the classes: number in torchvision's `classifier`, channels and side of its inputs. */
const dense = [
  { number: 0, channels: 512, side: 7 },
  { number: 3, channels: 4096, side: 1 },
] as const
const outputs = 4096

/** Every layer's name and the shape of its weights in torchvision's file. */
export const vggLayers: readonly (readonly [name: string, shape: readonly number[]])[] = [
  ...stages.flatMap(({ layers, channels }, stage) =>
    layers.map((number, i) => {
      const C = i > 0 ? channels : (stages[stage - 1]?.channels ?? 3)
      return [`features.${number}`, [channels, C, 3, 3]] as const
    }),
  ),
  ...dense.map(({ number, channels, side }) => [`classifier.${number}`, [outputs, channels * side ** 2]] as const),
]

/** Mean and deviation of ImageNet's pixels in 0 to 1 (torchvision). */
const imageNet = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] }
const inputSize = 224

/**
 * Loads VGG-16 from torchvision's weight file.
 *
 * @throws WeightsError if the file is missing, damaged, or of another network
 */
export async function loadVgg(device: Device, path: string, options?: WeightFileOptions): Promise<Vgg> {
  return vggOf(device, await readWeightFile(path, knownWeights.vgg, options), path)
}

/** VGG-16 with the weights of a file's content; `path` is named in errors. */
export function vggOf(device: Device, file: WeightFile, path: string): Vgg {
  const params = new Map(vggTrunk(device, file, path))
  for (const { number, channels, side } of dense) {
    const name = `classifier.${number}`
    const inputs = channels * side ** 2
    const values = weight(file.weights, `${name}.weight`, [outputs, inputs], path)
    // As images are: a product reads it several times as fast, and torchvision's counts channels first.
    const turned = () => device.tensor(values, [outputs, channels, side, side]).permute([2, 3, 1, 0])
    params.set(
      `${name}/weight`,
      scope(() => turned().reshape([inputs, outputs])),
    )
    params.set(`${name}/bias`, device.tensor(weight(file.weights, `${name}.bias`, [outputs], path), [outputs]))
  }
  return { device, params, sha256: file.sha256 }
}

/** The convolutions alone. */
export function vggTrunk(device: Device, { weights }: WeightFile, path: string): Params {
  const params = new Map<string, Tensor>()
  let C = 3
  for (const { layers, channels: O } of stages) {
    for (const number of layers) {
      const name = `features.${number}`
      const values = weight(weights, `${name}.weight`, [O, C, 3, 3], path)
      params.set(`${name}/weight`, freeze(device.tensor(filterToHwio(values, [O, C, 3, 3]), [3, 3, C, O])))
      params.set(`${name}/bias`, device.tensor(weight(weights, `${name}.bias`, [O], path), [O]))
      C = O
    }
  }
  return params
}

/** One stage of the trunk: 0 gives relu1_2 of normalised images, `stage` the next tap of the tap before. */
export function vggStage(params: Params, x: Tensor, stage: number): Tensor {
  return scope(() => {
    const start = stage === 0 ? x : maxPool(x, 2, 2)
    return stages[stage]!.layers.reduce((y, number) => {
      const [weight, bias] = [get(params, `features.${number}/weight`), get(params, `features.${number}/bias`)]
      return scope(() => y.layer(weight, bias, { padding: [1, 1, 1, 1], alpha: 0 }).x)
    }, start)
  })
}

/** `x · scale + shift` by channel. */
export function affineByChannel(x: Tensor, scale: readonly number[], shift: readonly number[]): Tensor {
  return scope(() => x.mul(x.device.tensor(scale, [scale.length])).add(x.device.tensor(shift, [shift.length])))
}

/**
 * The second dense layer after its ReLU, on which precision and recall are defined; images are resized to 224 × 224 by
 * TensorFlow 1's bilinear and normalised as torch-fidelity does it.
 *
 * @param images `[N, H, W, 3]`, 0 to 255, bytes or floats
 * @returns `[N, 4096]`
 * @throws ShapeError for other shapes
 */
export function vggFc({ params }: Vgg, images: Tensor): Tensor {
  checkImages('vggFc', images)
  return scope(() => {
    const { mean, deviation } = imageNet
    const scale = deviation.map((value) => 1 / (255 * value))
    const shift = mean.map((value, c) => -value / deviation[c]!)
    let x = affineByChannel(resize(asFloats(images), inputSize, bilinearTensorflow), scale, shift)
    for (let stage = 0; stage < stages.length; stage++) x = vggStage(params, x, stage)
    const maps = maxPool(x, 2, 2)
    return dense.reduce(
      (y, { number }) => {
        const z = y.matmul(get(params, `classifier.${number}/weight`))
        return z.biasAct(get(params, `classifier.${number}/bias`), 0)
      },
      maps.reshape([maps.shape[0]!, 512 * 7 * 7]),
    )
  })
}
