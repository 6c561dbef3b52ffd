/** The paper's experiments as named starting points. */
import { configurations, type ConfigurationName } from '../networks/configurations.ts'
import { configKeys, options, type PresetName, type TrainConfig } from './options.ts'

/** The table has a value of its own type for each key. */
const stylegan = Object.fromEntries(configKeys.map((key) => [key, options[key].default])) as unknown as TrainConfig
const demo = Object.fromEntries(
  configKeys.flatMap((key) => (options[key].demo === undefined ? [] : [[key, options[key].demo]])),
) as Partial<TrainConfig>

/** The paper's experiments have large data sets and no augmentation. */
const paper = { ...stylegan, aug: 'none' as const }
const lsun = { ...paper, resolution: 256 }

/**
 * Named starting points; every other value is an override. Beside each: the paper's FID of configuration F (StyleGAN, Tables 1
 * and 4, Appendix E) and the official README's training time on 1, 2, 4 and 8 Tesla V100.
 */
export const presets: Readonly<Record<PresetName, TrainConfig>> = {
  stylegan: Object.freeze(stylegan),
  // FID 4.40; 41d 4h, 21d 22h, 11d 8h, 6d 14h.
  ffhq: Object.freeze({ ...paper, preset: 'ffhq', mirror: true }),
  // No FID in the paper; 24d 21h, 13d 7h, 7d 0h, 4d 10h.
  ffhq512: Object.freeze({ ...paper, preset: 'ffhq512', resolution: 512, mirror: true }),
  // No FID in the paper; 14d 22h, 9d 5h, 4d 21h, 3d 8h.
  ffhq256: Object.freeze({ ...paper, preset: 'ffhq256', resolution: 256, mirror: true }),
  // FID 5.17; times as ffhq. WGAN-GP, rates of at most 0.002: StyleGAN, Section 2 and Appendix C; official train.py.
  celebahq: Object.freeze({
    ...paper,
    preset: 'celebahq',
    loss: 'wgan-gp',
    gamma: 0,
    lrateMax: 0.002,
    mirror: true,
  }),
  // LSUN. FID 2.65 after 70M images; ffhq256's times are for 25M.
  bedroom: Object.freeze({ ...lsun, preset: 'bedroom', kimg: 70_000 }),
  // LSUN, 512x384 between black rows in 512x512 (official dataset_tool.py, create_lsun_wide). FID 3.27 after 46M images.
  car: Object.freeze({ ...paper, preset: 'car', resolution: 512, kimg: 46_000 }),
  // LSUN. FID 8.53 after 70M images.
  cat: Object.freeze({ ...lsun, preset: 'cat', kimg: 70_000 }),
  // Small faces in minutes on a CPU, chosen by the trials in docs/training.md: growing fast leaves the fewest faces with dots.
  demo: Object.freeze({ ...stylegan, ...demo }),
}

/** Rows that pictures of a preset's square images show: of LSUN cars 64 to 448 of 512 (official generate_figures.py). */
export function pictureHeight({ preset, resolution }: Pick<TrainConfig, 'preset' | 'resolution'>): number {
  return preset === 'car' ? (resolution * 3) / 4 : resolution
}

/**
 * What a configuration of Table 1 sets beside the parts of its networks; an option given by name wins.
 *
 * @param preset that it starts from: a short run stays as short
 */
export function configurationRow(config: ConfigurationName, preset: TrainConfig): Partial<TrainConfig> {
  const has = configurations[config]
  const mixingProb = has.mixingProb === 0 ? 0 : preset.mixingProb
  const row = { config, mixingProb, mappingLayers: has.mappingLayers === 0 ? 0 : preset.mappingLayers }
  if (config !== 'A') return row
  // Progressive GAN: WGAN-GP, from 4x4, 12M images (StyleGAN, Section 2; preset-v2 of official train.py).
  return {
    ...row,
    loss: 'wgan-gp',
    lodInitialResolution: 4,
    kimg: Math.min(preset.kimg, 12_000),
  }
}
