/** Fréchet inception distance (Heusel et al. 2017; official frechet_inception_distance.py). */
import { plural } from '../files/units.ts'
import { frechetDistance } from '../native/index.ts'
import { momentsOf, noReals, pool3, type Extractor } from './features.ts'
import type { Measured, Measurement } from './metric.ts'
import type { Moments } from './moments.ts'

/** Inception features have this many dimensions: fewer images leave their covariance singular. */
const dimensions = 2048

/**
 * `|μ_f − μ_r|² + Tr(Σ_f + Σ_r − 2 (Σ_f Σ_r)^½)` of pool3 features.
 *
 * @param full all reals, not mirrored (StyleGAN3's fid50k_full); else the first `num`, mirrored where training was (official fid50k)
 * @param extractor in place of Inception
 */
export async function fid(
  measurement: Measurement,
  { full = false, extractor = () => pool3(measurement) }: { full?: boolean; extractor?: () => Promise<Extractor> } = {},
): Promise<Measured> {
  const { name, num, fakes, reals } = measurement
  if (reals === undefined) throw noReals(name)
  const real = await momentsOf(measurement, reals, extractor, { count: full ? Infinity : num, mirror: !full })
  const fake = await momentsOf(measurement, fakes, extractor, { count: num, mirror: false })
  if (real.mean.length !== fake.mean.length) {
    throw new RangeError(
      `${name}: features of equal width are expected, got ${real.mean.length} of ${real.name} and ${fake.mean.length} of ${fake.name}`,
    )
  }
  warnOfFew(measurement, real, full ? undefined : num)
  warnOfFew(measurement, fake, num)
  const value = await frechetDistance(fake, real)
  const features = 'images' in reals || 'images' in fakes ? (await extractor()).key : {}
  return {
    results: { [name]: value },
    details: {
      ...features,
      covariance: 'N-1',
      ...(fake.count === undefined ? {} : { num_fakes: fake.count }),
      ...(real.count === undefined ? {} : { num_reals: real.count }),
      reals: real.name,
    },
  }
}

function warnOfFew({ name, warn }: Measurement, { count, name: images }: Moments, wanted: number | undefined): void {
  if (count === undefined) return
  if (count < dimensions) {
    warn(
      `${name}: ${count} ${plural(count, 'image')} of ${images} ${plural(count, 'is', 'are')} fewer than the ${dimensions} dimensions of the features: the covariance is singular and the distance far too large`,
    )
  } else if (wanted !== undefined && count < wanted) {
    warn(
      `${name}: ${images} has ${count} ${plural(count, 'image')}, ${wanted} are expected: fewer make the distance larger`,
    )
  }
}
