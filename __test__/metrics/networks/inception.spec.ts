/** Inception-v3 against pytorch-fid's own network with the same weights: `fixtures/features/make.py`. */
import test from 'ava'
import { Device, scope, ShapeError } from '../../../ts/native/index.ts'
import {
  type Inception,
  inceptionFeatures,
  inceptionLayers,
  inceptionMaps,
  inceptionOf,
} from '../../../ts/metrics/networks/inception.ts'
import { readSafetensors } from '../../../ts/files/safetensors.ts'
import { type Weights, WeightsError } from '../../../ts/files/weights.ts'
import { fixture, formulaImages, formulaWeights } from '../../support/feature-formula.ts'

const cpu = Device.open('cpu')

/** Shapes in pytorch-fid's names. */
function shapes(): Map<string, readonly number[]> {
  const layers = inceptionLayers.flatMap(([name, kh, kw, C, O]) => [
    [`${name}.conv.weight`, [O, C, kh, kw]] as const,
    ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => [`${name}.bn.${part}`, [O]] as const),
  ])
  return new Map<string, readonly number[]>([...layers, ['fc.weight', [1008, 2048]], ['fc.bias', [1008]]])
}

let network: Inception | undefined
const open = () => (network ??= inceptionOf(cpu, { weights: formulaWeights(shapes()), sha256: '' }, 'formula'))

/** The largest difference, of the largest expected value. */
function difference(values: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, largest] = [0, 0]
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(values[i]! - expected[i]!)
    worst = error >= worst || Number.isNaN(error) ? error : worst
    largest = Math.max(largest, Math.abs(expected[i]!))
  }
  return worst / largest
}

test('it has the parameters of pytorch-fid’s network', (t) => {
  const sizes = [...shapes()].filter(([name]) => !name.includes('running')).map(([, shape]) => shape)
  t.is(
    sizes.map((shape) => shape.reduce((a, b) => a * b, 1)).reduce((a, b) => a + b, 0),
    23_850_960,
  )
})

test('feature maps after every block, pool3 and logits are those of pytorch-fid', async (t) => {
  const { tensors } = await readSafetensors(fixture('inception.safetensors'))
  const bytes = cpu.tensor(formulaImages('inception', 2, 299, 299), [2, 299, 299, 3])
  const images = bytes.cast('f32').affine(1 / 128, -1)
  const found = scope(() => {
    const maps = [...inceptionMaps(open(), images)].flatMap(([name, x]) => {
      const [N, H, W, C] = x.dims4()
      const corner = x.slice([0, 0, 0, 0], [N, 1, 1, C])
      const end = x.slice([0, H - 1, W - 1, 0], [N, 1, 1, C])
      return Object.entries({ mean: x.mean([1, 2]), corner, end }).map(([part, y]) => [`${name}/${part}`, y] as const)
    })
    const { pool3, logits } = inceptionFeatures(open(), images)
    return new Map([...maps, ['pool3', pool3], ['logits', logits]])
  })
  t.deepEqual([...found.keys()].sort(), [...tensors.keys()].sort())
  for (const [name, tensor] of found) {
    const error = difference(await tensor.data(), tensors.get(name)!.values)
    // f32 against f64 over up to 48 layers.
    t.true(error < 1e-5, `${name} differs by ${error} of the largest value`)
  }
  t.log(`pool3 differs by ${difference(await found.get('pool3')!.data(), tensors.get('pool3')!.values)}`)
})

test('images of another size are refused', (t) => {
  t.throws(() => inceptionFeatures(open(), cpu.zeros([1, 256, 256, 3])), {
    instanceOf: ShapeError,
    message: 'inceptionFeatures: images must be [N, 299, 299, 3], got [1, 256, 256, 3]',
  })
})

test('a file of torchvision’s own Inception is refused by its shapes', (t) => {
  const other = new Map<string, readonly number[]>([...shapes(), ['fc.weight', [1000, 2048]]])
  const load = (weights: Weights) => inceptionOf(cpu, { weights, sha256: '' }, 'inception_v3_google.pth')
  t.throws(() => load(formulaWeights(other)), {
    instanceOf: WeightsError,
    message:
      "inception_v3_google.pth: 'fc.weight' must be [1008, 2048], got [1000, 2048]: the file is of another network",
  })
})
