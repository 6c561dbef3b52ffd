/** Which metrics there are: their numbers of images, and what each must be given. */
import { shownValue } from '../files/shown.ts'
import { nearest } from '../files/keys.ts'
import { isMetric, metricNames, type MetricName } from '../training/metric-names.ts'

/** A file of weights that a metric reads, or classifiers. */
export type Need = 'inception' | 'vgg' | 'classifiers'

export interface MetricEntry {
  /** Images that are generated: pairs for path lengths and MS-SSIM. */
  readonly num: number
  readonly needs: readonly Need[]
  /** Compares with real images. */
  readonly reals: boolean
  /** Walks through latents, so that images of a folder cannot stand for a network. */
  readonly latents: boolean
  /** Whether larger values are better. */
  readonly larger?: true
  readonly help: string
}

const fid = { num: 50_000, needs: ['inception'], reals: true, latents: false } as const
const ppl = { num: 100_000, needs: ['vgg'], reals: false, latents: true } as const

export const catalogue = {
  fid50k: { ...fid, help: 'Fréchet inception distance to the first 50,000 reals, mirrored as in training' },
  fid50k_full: { ...fid, help: 'Fréchet inception distance to all reals, not mirrored' },
  fid50k_mix2: { ...fid, latents: true, help: 'fid50k of images that mix 2 latents (Table 2)' },
  fid50k_mix3: { ...fid, latents: true, help: 'fid50k of images that mix 3 latents (Table 2)' },
  fid50k_mix4: { ...fid, latents: true, help: 'fid50k of images that mix 4 latents (Table 2)' },
  kid50k: { ...fid, help: 'kernel inception distance, 100 subsets of 1000' },
  pr50k3: { ...fid, larger: true, needs: ['vgg'], help: 'precision and recall, 3 neighbours of VGG16 features' },
  dc50k5: { ...fid, larger: true, needs: ['vgg'], help: 'density and coverage, 5 neighbours of VGG16 features' },
  is50k: { ...fid, larger: true, reals: false, help: 'inception score, 10 splits' },
  ppl_zfull: { ...ppl, help: 'perceptual path length in Z, anywhere between two latents' },
  ppl_wfull: { ...ppl, help: 'perceptual path length in W, anywhere between two latents' },
  ppl_zend: { ...ppl, help: 'perceptual path length in Z, at the latents' },
  ppl_wend: { ...ppl, help: 'perceptual path length in W, at the latents' },
  ppl2_wend: { ...ppl, num: 50_000, help: 'ppl_wend of whole images, not cropped to faces (StyleGAN2)' },
  ls: { num: 200_000, needs: ['classifiers'], reals: false, latents: true, help: 'linear separability in Z and W' },
  swd: { num: 8192, needs: [], reals: true, latents: false, help: 'sliced Wasserstein distance of Laplacian pyramids' },
  ms_ssim: {
    num: 10_000,
    needs: [],
    reals: false,
    latents: false,
    help: 'mean MS-SSIM of pairs: lower is more varied',
  },
} as const satisfies Readonly<Record<MetricName, MetricEntry>>

/** @throws RangeError for a name that is unknown, with the nearest known one */
export function entryOf(name: MetricName): MetricEntry {
  if (typeof name === 'string' && isMetric(name)) return catalogue[name]
  const near = nearest(String(name), metricNames)
  const advice = near ? `; did you mean ${near}?` : ''
  throw new RangeError(`metric: one of ${metricNames.join(', ')} is expected, got ${shownValue(name)}${advice}`)
}
