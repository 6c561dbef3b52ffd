/** Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020). */
import { plural } from '../files/units.ts'
import { neighbourhoods } from '../native/index.ts'
import { featureRows, imagesOfSide, vggFeatures } from './features.ts'
import type { Measured, Measurement } from './metric.ts'

/** Shares of fakes within the reals' neighbourhoods of `k` and the other way round, as StyleGAN2-ADA measures pr50k3. */
export async function precisionRecall(measurement: Measurement): Promise<Measured> {
  const { values, details } = await compare(measurement, 3)
  const { name } = measurement
  return { results: { [`${name}_precision`]: values.precision, [`${name}_recall`]: values.recall }, details }
}

/** How densely the reals' neighbourhoods are filled, and the share that is filled at all. */
export async function densityCoverage(measurement: Measurement): Promise<Measured> {
  const { values, details } = await compare(measurement, 5)
  const { name } = measurement
  return { results: { [`${name}_density`]: values.density, [`${name}_coverage`]: values.coverage }, details }
}

async function compare(measurement: Measurement, k: number) {
  const { name, num, warn } = measurement
  const extractor = await vggFeatures(measurement)
  const reals = await imagesOfSide(measurement, measurement.reals, { count: num, mirror: true })
  const fakes = await imagesOfSide(measurement, measurement.fakes, { count: num, mirror: false })
  const count = Math.min(num, reals.count, fakes.count)
  if (count <= k) throw new RangeError(`${name}: more than ${k} images are expected on both sides, got ${count}`)
  if (count < num) {
    warn(
      `${name}: ${count} ${plural(count, 'image is', 'images are')} compared, ${num} are expected: fewer have larger neighbourhoods and score higher`,
    )
  }
  const realRows = await featureRows(measurement, extractor, reals, count)
  const fakeRows = await featureRows(measurement, extractor, fakes, count)
  const values = await neighbourhoods(await realRows.all(), await fakeRows.all(), extractor.width, k)
  return { values, details: { ...extractor.key, neighbours: k, num_fakes: count, num_reals: count, reals: reals.name } }
}
