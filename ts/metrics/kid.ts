/** Kernel inception distance (Bińkowski et al. 2018), with the numbers of StyleGAN2-ADA's kid50k: 50,000 images, 100 subsets of 1000. */
import { kernelDistance } from '../native/index.ts'
import { featureRows, imagesOfSide, pool3 } from './features.ts'
import type { Measured, Measurement } from './metric.ts'

const subsets = 100
const subsetSize = 1000

/** Squared maximum mean discrepancy under the kernel `(x·y / d + 1)³`, unbiased. */
export async function kid(measurement: Measurement): Promise<Measured> {
  const { name, num, seed, warn } = measurement
  const extractor = await pool3(measurement)
  const reals = await imagesOfSide(measurement, measurement.reals, { count: num, mirror: true })
  const fakes = await imagesOfSide(measurement, measurement.fakes, { count: num, mirror: false })
  const realRows = await featureRows(measurement, extractor, reals, reals.count)
  const fakeRows = await featureRows(measurement, extractor, fakes, Math.min(num, fakes.count))
  const size = Math.min(subsetSize, realRows.count, fakeRows.count)
  if (size < subsetSize) {
    warn(
      `${name}: subsets have ${size} images, ${subsetSize} are expected: the distance stays unbiased, but varies more`,
    )
  }
  const options = { subsets, size, seed }
  const { mean, deviation } = await kernelDistance(await realRows.all(), await fakeRows.all(), extractor.width, options)
  return {
    results: { [name]: mean },
    details: {
      ...extractor.key,
      deviation,
      subsets,
      subset_size: size,
      num_fakes: fakeRows.count,
      num_reals: realRows.count,
      reals: reals.name,
    },
  }
}
