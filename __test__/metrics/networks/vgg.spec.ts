/** VGG-16 and LPIPS against torchvision and the lpips package with the same weights: `fixtures/features/make.py`. */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Device, ShapeError } from '../../../ts/native/index.ts'
import { type Lpips, loadLpips, lpips } from '../../../ts/metrics/networks/lpips.ts'
import { vggFc, vggOf } from '../../../ts/metrics/networks/vgg.ts'
import { encodeSafetensors, readSafetensors } from '../../../ts/files/safetensors.ts'
import { WeightsError } from '../../../ts/files/weights.ts'
import { fixture, formulaImages, formulaWeights } from '../../support/feature-formula.ts'

const cpu = Device.open('cpu')
const trunk = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
const numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]

/** Shapes in torchvision's names. */
const features: (readonly [string, readonly number[]])[] = numbers.flatMap((number, i) => [
  [`features.${number}.weight`, [trunk[i + 1]!, trunk[i]!, 3, 3]] as const,
  [`features.${number}.bias`, [trunk[i + 1]!]] as const,
])
const classifier: typeof features = [
  ['classifier.0.weight', [4096, 25088]],
  ['classifier.0.bias', [4096]],
  ['classifier.3.weight', [4096, 4096]],
  ['classifier.3.bias', [4096]],
]
const allow = { allowUnknownWeights: true }

async function withTrunk<T>(work: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'vgg-'))
  try {
    const path = join(folder, 'vgg.safetensors')
    const file = await open(path, 'w')
    const weights = [...formulaWeights(new Map(features))]
    const tensors = new Map(weights.map(([name, { shape, values }]) => [name, { shape, values: values() }]))
    for (const bytes of encodeSafetensors({ tensors, metadata: {} })) await file.write(bytes)
    await file.close()
    return await work(path)
  } finally {
    await rm(folder, { recursive: true })
  }
}

let network: Promise<Lpips> | undefined
const openLpips = () => (network ??= withTrunk((path) => loadLpips(cpu, path, undefined, allow)))

test('the second dense layer is torchvision’s', async (t) => {
  const weights = formulaWeights(new Map([...features, ...classifier]))
  const net = vggOf(cpu, { weights, sha256: '' }, 'formula')
  const images = cpu.tensor(formulaImages('vgg', 2, 64, 64), [2, 64, 64, 3])
  const found = (await vggFc(net, images).data()) as Float32Array
  for (const tensor of net.params.values()) tensor.dispose()
  const expected = (await readSafetensors(fixture('vgg.safetensors'))).tensors.get('fc2_relu')!
  t.deepEqual(expected.shape, [2, 4096])
  const largest = Math.max(...expected.values)
  const worst = Math.max(...found.map((value, i) => Math.abs(value - expected.values[i]!)))
  // f32 against f64; sums of 25088 products.
  t.true(worst < 1e-5 * largest, `differs by ${worst / largest} of the largest value`)
  t.log(`differs by ${worst / largest} of the largest value`)
})

test('distances are those of the lpips package with its own heads, tiny ones too', async (t) => {
  const net = await openLpips()
  const [a, far] = [formulaImages('lpips', 3, 64, 48), formulaImages('far', 3, 64, 48)]
  const size = 64 * 48 * 3
  const b = a.slice()
  for (let i = 0; i < size; i++) {
    b[i] = Math.min(a[i]! + Math.floor(far[i]! / 64), 255)
    b[size + i] = far[size + i]!
  }
  const [first, second] = [a, b].map((bytes) => cpu.tensor(bytes, [3, 64, 48, 3]))
  const found = [...((await lpips(net, first!, second!).data()) as Float32Array)]
  const expected = [...(await readSafetensors(fixture('perceptual.safetensors'))).tensors.get('distance')!.values]
  t.is(expected.length, 3)
  // f32 against f64; the first distance is of images that differ by up to 3 of 255.
  for (const i of [0, 1]) t.true(Math.abs(found[i]! / expected[i]! - 1) < 1e-4, `${found[i]} ${expected[i]}`)
  t.deepEqual([found[2], expected[2]], [0, 0])
  t.log(`differ by ${found.map((value, i) => Math.abs(value - expected[i]!)).join(', ')} from ${expected.join(', ')}`)
})

test('pairs of different shapes are refused', async (t) => {
  const net = await openLpips()
  t.throws(() => lpips(net, cpu.zeros([1, 64, 64, 3]), cpu.zeros([1, 64, 32, 3])), {
    instanceOf: ShapeError,
    message: 'lpips: both images must have one shape, got [1, 64, 64, 3] and [1, 64, 32, 3]',
  })
})

test('another file in the place of VGG-16 or of the heads is refused by name', async (t) => {
  const heads = new URL('../../../weights/lpips-v0.1-vgg.pth', import.meta.url).pathname
  await t.throwsAsync(loadLpips(cpu, heads), {
    instanceOf: WeightsError,
    message: /SHA-256 a78928a0.* is not that of vgg16/,
  })
  await t.throwsAsync(loadLpips(cpu, heads, undefined, allow), {
    instanceOf: WeightsError,
    message: `${heads}: 'features.0.weight' [64, 3, 3, 3] is missing: the file is of another network`,
  })
  await t.throwsAsync(loadLpips(cpu, heads, fixture('tiny-zip.pth'), allow), {
    instanceOf: WeightsError,
    message: /tiny-zip\.pth: 'lin0\.model\.1\.weight' \[1, 64, 1, 1\] is missing/,
  })
})
