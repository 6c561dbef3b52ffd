/** The resize modes of FID against the libraries whose rule each is: `fixtures/features/make.py`. */
import test from 'ava'
import { Device, ShapeError } from '../../../ts/native/index.ts'
import { resizeForInception, type ResizeMode } from '../../../ts/metrics/networks/resize.ts'
import { readSafetensors } from '../../../ts/files/safetensors.ts'
import { fixture, formulaImages } from '../../support/feature-formula.ts'

const cpu = Device.open('cpu')
const modes: readonly ResizeMode[] = ['legacy_tensorflow', 'legacy_pytorch', 'clean']

for (const size of [32, 299, 403]) {
  test(`images of ${size} × ${size + 5} are resized as TensorFlow 1, PyTorch and Pillow do it`, async (t) => {
    const { tensors } = await readSafetensors(fixture('resizes.safetensors'))
    const images = cpu.tensor(formulaImages('resize', 1, size, size + 5), [1, size, size + 5, 3])
    for (const mode of modes) {
      const found = (await resizeForInception(images, mode).data()) as Float32Array
      const expected = tensors.get(`${mode}/${size}`)!
      const [, rows, columns] = expected.shape
      let worst = 0
      for (const [at, value] of [...expected.values].entries()) {
        const [c, j, i] = [at % 3, Math.floor(at / 3) % columns!, Math.floor(at / 3 / columns!) % rows!]
        worst = Math.max(worst, Math.abs(found[(13 * i * 299 + 7 * j) * 3 + c]! - value))
      }
      // Of values in −1 to 1: f32 rounds sums of pixels up to 255 to 2⁻¹⁷, and the result is divided by 128.
      t.true(worst < 2e-6, `${mode} differs by ${worst}`)
    }
  })
}

test('floats are resized like bytes, and what is no image of three channels is refused', async (t) => {
  const bytes = formulaImages('resize', 2, 16, 16)
  const [a, b] = [cpu.tensor(bytes, [2, 16, 16, 3]), cpu.tensor(Float32Array.from(bytes), [2, 16, 16, 3])]
  for (const mode of modes) {
    t.deepEqual(await resizeForInception(a, mode).data(), await resizeForInception(b, mode).data())
  }
  t.throws(() => resizeForInception(cpu.zeros([2, 16, 16, 1]), 'clean'), {
    instanceOf: ShapeError,
    message: 'resizeForInception: images must be [N, H, W, 3], got [2, 16, 16, 1]',
  })
  t.throws(() => resizeForInception(a, 'lanczos' as ResizeMode), { instanceOf: TypeError, message: /got "lanczos"$/ })
})
