/**
 * Inception-v3 as published FIDs use it: TensorFlow's network of 2015-12-05, in pytorch-fid's names (its inception.py: the
 * blocks FIDInceptionA, C, E_1, E_2). It is not torchvision's: averages leave the padding out, and Mixed_7c takes the largest
 * value where Mixed_7b takes the mean.
 */
import { concat, type Device, freeze, scope, ShapeError, type Tensor } from '../../native/index.ts'
import { get, type Params } from '../../networks/params.ts'
import {
  knownWeights,
  readWeightFile,
  weight,
  type WeightFile,
  type WeightFileOptions,
} from '../../files/weight-file.ts'
import { filterToHwio } from '../../files/weights.ts'
import { averagePoolAround, maxPool, maxPoolAround } from './pooling.ts'

export interface Inception {
  readonly device: Device
  /** Filters `[kh, kw, C, O]` with batch normalisation folded in, and biases, as `<layer>/weight`, `<layer>/bias`. */
  readonly params: Params
  /** Of the weight file, in hexadecimal. */
  readonly sha256: string
}

export interface InceptionFeatures {
  /** pool3: the mean of the last feature maps, `[N, 2048]`. */
  readonly pool3: Tensor
  /** Of 1008 classes, without bias as the Inception Score takes them, `[N, 1008]`. */
  readonly logits: Tensor
}

/** Convolutions `[name, kh, kw, C, O]`. */
type Layers = readonly (readonly [name: string, kh: number, kw: number, C: number, O: number])[]

const stem: Layers = [
  ['Conv2d_1a_3x3', 3, 3, 3, 32],
  ['Conv2d_2a_3x3', 3, 3, 32, 32],
  ['Conv2d_2b_3x3', 3, 3, 32, 64],
  ['Conv2d_3b_1x1', 1, 1, 64, 80],
  ['Conv2d_4a_3x3', 3, 3, 80, 192],
]

const blockA = (block: string, C: number, pool: number): Layers => [
  [`${block}.branch1x1`, 1, 1, C, 64],
  [`${block}.branch5x5_1`, 1, 1, C, 48],
  [`${block}.branch5x5_2`, 5, 5, 48, 64],
  [`${block}.branch3x3dbl_1`, 1, 1, C, 64],
  [`${block}.branch3x3dbl_2`, 3, 3, 64, 96],
  [`${block}.branch3x3dbl_3`, 3, 3, 96, 96],
  [`${block}.branch_pool`, 1, 1, C, pool],
]

const blockB = (block: string, C: number): Layers => [
  [`${block}.branch3x3`, 3, 3, C, 384],
  [`${block}.branch3x3dbl_1`, 1, 1, C, 64],
  [`${block}.branch3x3dbl_2`, 3, 3, 64, 96],
  [`${block}.branch3x3dbl_3`, 3, 3, 96, 96],
]

const blockC = (block: string, C: number, inner: number): Layers => [
  [`${block}.branch1x1`, 1, 1, C, 192],
  [`${block}.branch7x7_1`, 1, 1, C, inner],
  [`${block}.branch7x7_2`, 1, 7, inner, inner],
  [`${block}.branch7x7_3`, 7, 1, inner, 192],
  [`${block}.branch7x7dbl_1`, 1, 1, C, inner],
  [`${block}.branch7x7dbl_2`, 7, 1, inner, inner],
  [`${block}.branch7x7dbl_3`, 1, 7, inner, inner],
  [`${block}.branch7x7dbl_4`, 7, 1, inner, inner],
  [`${block}.branch7x7dbl_5`, 1, 7, inner, 192],
  [`${block}.branch_pool`, 1, 1, C, 192],
]

const blockD = (block: string, C: number): Layers => [
  [`${block}.branch3x3_1`, 1, 1, C, 192],
  [`${block}.branch3x3_2`, 3, 3, 192, 320],
  [`${block}.branch7x7x3_1`, 1, 1, C, 192],
  [`${block}.branch7x7x3_2`, 1, 7, 192, 192],
  [`${block}.branch7x7x3_3`, 7, 1, 192, 192],
  [`${block}.branch7x7x3_4`, 3, 3, 192, 192],
]

const blockE = (block: string, C: number): Layers => [
  [`${block}.branch1x1`, 1, 1, C, 320],
  [`${block}.branch3x3_1`, 1, 1, C, 384],
  [`${block}.branch3x3_2a`, 1, 3, 384, 384],
  [`${block}.branch3x3_2b`, 3, 1, 384, 384],
  [`${block}.branch3x3dbl_1`, 1, 1, C, 448],
  [`${block}.branch3x3dbl_2`, 3, 3, 448, 384],
  [`${block}.branch3x3dbl_3a`, 1, 3, 384, 384],
  [`${block}.branch3x3dbl_3b`, 3, 1, 384, 384],
  [`${block}.branch_pool`, 1, 1, C, 192],
]

/** Every convolution, in the network's order. */
export const inceptionLayers: Layers = [
  ...stem,
  ...blockA('Mixed_5b', 192, 32),
  ...blockA('Mixed_5c', 256, 64),
  ...blockA('Mixed_5d', 288, 64),
  ...blockB('Mixed_6a', 288),
  ...blockC('Mixed_6b', 768, 128),
  ...blockC('Mixed_6c', 768, 160),
  ...blockC('Mixed_6d', 768, 160),
  ...blockC('Mixed_6e', 768, 192),
  ...blockD('Mixed_7a', 768),
  ...blockE('Mixed_7b', 1280),
  ...blockE('Mixed_7c', 2048),
]

/** Classes of the network, and width of pool3. */
const [classes, width] = [1008, 2048]
/** torchvision's BasicConv2d. */
const batchNormEpsilon = 1e-3

/**
 * Loads Inception from pytorch-fid's weight file.
 *
 * @throws WeightsError if the file is missing, damaged, or of another network
 */
export async function loadInception(device: Device, path: string, options?: WeightFileOptions): Promise<Inception> {
  return inceptionOf(device, await readWeightFile(path, knownWeights.inception, options), path)
}

/** Inception with the weights of a file's content; `path` is named in errors. */
export function inceptionOf(device: Device, { weights, sha256 }: WeightFile, path: string): Inception {
  const params = new Map<string, Tensor>()
  for (const [name, kh, kw, C, O] of inceptionLayers) {
    const at = (part: string, shape: readonly number[]) => weight(weights, `${name}.${part}`, shape, path)
    const filter = filterToHwio(at('conv.weight', [O, C, kh, kw]), [O, C, kh, kw])
    const [gamma, beta] = [at('bn.weight', [O]), at('bn.bias', [O])]
    const [mean, variance] = [at('bn.running_mean', [O]), at('bn.running_var', [O])]
    const scale = gamma.map((value, o) => value / Math.sqrt(variance[o]! + batchNormEpsilon))
    filter.forEach((value, i) => (filter[i] = value * scale[i % O]!))
    params.set(`${name}/weight`, freeze(device.tensor(filter, [kh, kw, C, O])))
    params.set(
      `${name}/bias`,
      device.tensor(
        beta.map((value, o) => value - mean[o]! * scale[o]!),
        [O],
      ),
    )
  }
  params.set('fc/weight', device.tensor(weight(weights, 'fc.weight', [classes, width], path), [classes, width]))
  return { device, params, sha256 }
}

/** Convolution, bias, ReLU; padded so that the image keeps its size, unless `valid` or with a stride. */
function conv(params: Params, name: string, x: Tensor, { stride = 1, valid = false } = {}): Tensor {
  return scope(() => {
    const filter = get(params, `${name}/weight`)
    const [kh, kw] = filter.dims4()
    const [rows, columns] = valid || stride > 1 ? [0, 0] : [(kh - 1) / 2, (kw - 1) / 2]
    return x.layer(filter, get(params, `${name}/bias`), { stride, padding: [rows, rows, columns, columns], alpha: 0 }).x
  })
}

/** Layers of a block one behind the other, by their names after the block's; the last one may have a stride. */
function branch(params: Params, block: string, x: Tensor, names: readonly string[], stride = 1): Tensor {
  return names.reduce((y, name, i) => {
    return conv(params, `${block}.${name}`, y, i === names.length - 1 ? { stride } : {})
  }, x)
}

/** branch_pool of an average: means and a 1 × 1 filter change places, so that the mean is of fewer maps. */
function averageBranch(params: Params, block: string, x: Tensor): Tensor {
  return scope(() => {
    const y = averagePoolAround(x.conv2d(get(params, `${block}.branch_pool/weight`)))
    return y.biasAct(get(params, `${block}.branch_pool/bias`), 0)
  })
}

function largestBranch(params: Params, block: string, x: Tensor): Tensor {
  return scope(() => branch(params, block, maxPoolAround(x), ['branch_pool']))
}

function mixedA(params: Params, block: string, x: Tensor): Tensor {
  return scope(() => {
    const one = branch(params, block, x, ['branch1x1'])
    const five = branch(params, block, x, ['branch5x5_1', 'branch5x5_2'])
    const double = branch(params, block, x, ['branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'])
    const pool = averageBranch(params, block, x)
    return concat([one, five, double, pool], 3)
  })
}

function mixedB(params: Params, block: string, x: Tensor): Tensor {
  return scope(() => {
    const three = branch(params, block, x, ['branch3x3'], 2)
    const double = branch(params, block, x, ['branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'], 2)
    return concat([three, double, maxPool(x, 3, 2)], 3)
  })
}

function mixedC(params: Params, block: string, x: Tensor): Tensor {
  return scope(() => {
    const one = branch(params, block, x, ['branch1x1'])
    const seven = branch(params, block, x, ['branch7x7_1', 'branch7x7_2', 'branch7x7_3'])
    const names = [1, 2, 3, 4, 5].map((i) => `branch7x7dbl_${i}`)
    const double = branch(params, block, x, names)
    const pool = averageBranch(params, block, x)
    return concat([one, seven, double, pool], 3)
  })
}

function mixedD(params: Params, block: string, x: Tensor): Tensor {
  return scope(() => {
    const three = branch(params, block, x, ['branch3x3_1', 'branch3x3_2'], 2)
    const names = [1, 2, 3, 4].map((i) => `branch7x7x3_${i}`)
    const seven = branch(params, block, x, names, 2)
    return concat([three, seven, maxPool(x, 3, 2)], 3)
  })
}

function mixedE(params: Params, block: string, x: Tensor, pooled: typeof averageBranch): Tensor {
  return scope(() => {
    const one = branch(params, block, x, ['branch1x1'])
    const three = branch(params, block, x, ['branch3x3_1'])
    const double = branch(params, block, x, ['branch3x3dbl_1', 'branch3x3dbl_2'])
    const [threeA, threeB] = ['branch3x3_2a', 'branch3x3_2b'].map((name) => branch(params, block, three, [name]))
    const [doubleA, doubleB] = ['branch3x3dbl_3a', 'branch3x3dbl_3b'].map((name) =>
      branch(params, block, double, [name]),
    )
    const pool = pooled(params, block, x)
    return concat([one, threeA!, threeB!, doubleA!, doubleB!, pool], 3)
  })
}

/** Feature maps after the stem and after each block. */
export function inceptionMaps({ params }: Pick<Inception, 'params'>, images: Tensor): Map<string, Tensor> {
  const maps = new Map<string, Tensor>()
  const valid = { valid: true }
  let x = scope(() => {
    const first = conv(params, 'Conv2d_1a_3x3', images, { stride: 2 })
    const second = conv(params, 'Conv2d_2b_3x3', conv(params, 'Conv2d_2a_3x3', first, valid))
    const third = conv(params, 'Conv2d_3b_1x1', maxPool(second, 3, 2))
    return maxPool(conv(params, 'Conv2d_4a_3x3', third, valid), 3, 2)
  })
  maps.set('stem', x)
  const add = (block: string, y: Tensor) => maps.set(block, (x = y))
  for (const block of ['Mixed_5b', 'Mixed_5c', 'Mixed_5d']) add(block, mixedA(params, block, x))
  add('Mixed_6a', mixedB(params, 'Mixed_6a', x))
  for (const block of ['Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e']) add(block, mixedC(params, block, x))
  add('Mixed_7a', mixedD(params, 'Mixed_7a', x))
  add('Mixed_7b', mixedE(params, 'Mixed_7b', x, averageBranch))
  add('Mixed_7c', mixedE(params, 'Mixed_7c', x, largestBranch))
  return maps
}

/**
 * Features of images.
 *
 * @param images `[N, 299, 299, 3]`, as {@link resizeForInception} makes them
 * @throws ShapeError for other shapes
 */
export function inceptionFeatures(net: Inception, images: Tensor): InceptionFeatures {
  const [, H, W, C] = images.dims4()
  if (H !== 299 || W !== 299 || C !== 3) {
    throw new ShapeError(`inceptionFeatures: images must be [N, 299, 299, 3], got [${images.shape.join(', ')}]`)
  }
  return scope(() => {
    const pool3 = inceptionMaps(net, images).get('Mixed_7c')!.mean([1, 2])
    return { pool3, logits: pool3.matmul(get(net.params, 'fc/weight'), { transposeB: true }) }
  })
}
