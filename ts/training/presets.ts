/** What a training run can be told, the official numbers, and the paper's experiments as named starting points. */
import { BUILTIN_AVATARS } from '../data/info.ts'
import type { LossName } from './losses.ts'
import { configurations, type ConfigurationName } from '../networks/configurations.ts'
import type { Precision } from '../networks/precision.ts'

/** The options of a training run. Lengths in kimg are thousands of real images shown to the discriminator. */
export interface TrainConfig {
  /** Name of the preset that the run started from. */
  readonly preset: PresetName
  /** Folder of images or prepared dataset, or {@link BUILTIN_AVATARS}. */
  readonly data: string
  /** Folder that holds the run directories. */
  readonly outdir: string
  /** Words added to the name of the run directory. */
  readonly desc: string
  /** Side of the images, a power of two from 4 to 1024. */
  readonly resolution: number
  /** 1 (gray), 3 (RGB) or 4 (RGBA). */
  readonly numChannels: number
  /** Row of Table 1. */
  readonly config: ConfigurationName
  readonly seed: number
  readonly device: string
  /** What feature maps are stored in; see {@link Precision}. */
  readonly precision: Precision
  /** Snapshot whose weights the run starts from. */
  readonly resume: string | null
  /** Leave out images that cannot be decoded, instead of stopping at the first. */
  readonly skipBad: boolean
  /** Length of training. */
  readonly kimg: number
  /** Images a step; `auto` takes the official number for each resolution and {@link gpus}. */
  readonly batch: number | 'auto'
  /** Whose official minibatches `auto` takes: those for 1, 2, 4 or 8 GPUs. */
  readonly gpus: 1 | 2 | 4 | 8
  /** Steps between two looks at the schedule. */
  readonly minibatchRepeats: number
  readonly loss: LossName
  /** Weight of the R1 penalty. */
  readonly gamma: number
  /** Weight of the R2 penalty. */
  readonly r2Gamma: number
  /** Flip half of the real images. */
  readonly mirror: boolean
  /** Length of a tick in kimg; `auto` takes the official number for each resolution. */
  readonly tick: number | 'auto'
  /** Ticks between two snapshots. */
  readonly snap: number
  /** Newest snapshots that are kept; `all` keeps every one. */
  readonly keep: number | 'all'
  /** Metrics at each snapshot, comma-separated; `auto`: fid50k if {@link weights} are given, else those that need none; `none`. */
  readonly metrics: string
  /** Images that a metric generates, in place of its own number. */
  readonly metricsNum: number | null
  /** Folder with published weight files under their own names, for metrics that need them. */
  readonly weights: string | null
  /** Folder with attribute classifiers, for linear separability. */
  readonly classifiers: string | null
  /** Feature maps of stage s: min(fmapBase / 2^(s · fmapDecay), fmapMax). */
  readonly fmapBase: number
  readonly fmapDecay: number
  readonly fmapMax: number
  /** Width of z, of w and of the mapping network. */
  readonly latentSize: number
  readonly mappingLayers: number
  /** Learning-rate multiplier of the mapping network. */
  readonly mappingLrmul: number
  /** Share of the training images whose styles come from two latents. */
  readonly mixingProb: number
  /** Images that share one standard deviation at the end of the discriminator; 1 turns it off. */
  readonly mbstdGroup: number
  /** Train with labels; the networks then learn `labelSize` classes. */
  readonly cond: boolean
  /** Width of the labels; 0 takes the dataset's. */
  readonly labelSize: number
  /** Learning rate of the generator; `auto` takes the official number for each resolution. */
  readonly glr: number | 'auto'
  /** Learning rate of the discriminator; `auto` takes the official number for each resolution. */
  readonly dlr: number | 'auto'
  /** Most that a learning rate of `auto` may be. */
  readonly lrateMax: number | null
  readonly lrateRampupKimg: number
  readonly lodInitialResolution: number
  readonly lodTrainingKimg: number
  readonly lodTransitionKimg: number
  /** Half-life of the running average of G's weights. */
  readonly emaKimg: number
  /** If set, the half-life is at most this share of the images seen so far. */
  readonly emaRampup: number | null
  /** Decay of the running mean of w. */
  readonly dlatentAvgBeta: number
}

export type ConfigKey = keyof TrainConfig
export type PresetName = 'stylegan' | 'demo' | 'ffhq' | 'ffhq512' | 'ffhq256' | 'celebahq' | 'bedroom' | 'car' | 'cat'
/** Overrides of a preset; `undefined` means "not given". */
export type ConfigOverrides = { readonly [K in ConfigKey]?: TrainConfig[K] | undefined }

/** The official numbers for FFHQ, at any resolution. "official" names the file of the official code. */
const stylegan: TrainConfig = {
  preset: 'stylegan',
  data: '', // must be given
  outdir: 'results', // official config.py
  desc: '',
  resolution: 1024, // FFHQ
  numChannels: 3,
  config: 'F', // StyleGAN, Table 1
  seed: 0, // StyleGAN3's --seed; official train.py uses 1000
  device: 'cpu',
  precision: 'f32', // official dtype
  resume: null,
  skipBad: false,
  kimg: 25_000, // official train.py
  batch: 'auto', // official train.py
  gpus: 1, // official train.py has a row each for 1, 2, 4 and 8
  minibatchRepeats: 4, // official training_loop.py
  loss: 'logistic', // non-saturating, with R1: StyleGAN, Appendix C
  gamma: 10, // R1 weight for FFHQ: StyleGAN, Appendix C
  r2Gamma: 0, // official loss.py
  mirror: false, // official training_loop.py; FFHQ and CelebA-HQ were trained with it: StyleGAN, Appendix C
  tick: 'auto', // official training_loop.py
  snap: 10, // network_snapshot_ticks of official training_loop.py
  keep: 3, // the official code keeps all; one at 1024x1024 has 700 MB with its optimisers
  metrics: 'auto', // official train.py has fid50k, which needs weights
  metricsNum: null,
  weights: null,
  classifiers: null,
  fmapBase: 8192, // official networks_stylegan.py
  fmapDecay: 1, // official networks_stylegan.py
  fmapMax: 512, // official networks_stylegan.py
  latentSize: 512, // StyleGAN, Section 2
  mappingLayers: 8, // StyleGAN, Section 2
  mappingLrmul: 0.01, // StyleGAN, Appendix C
  mixingProb: 0.9, // StyleGAN, Table 2 (configuration F)
  mbstdGroup: 4, // official networks_stylegan.py
  cond: false,
  labelSize: 0,
  glr: 'auto', // official train.py
  dlr: 'auto', // official train.py
  lrateMax: null,
  lrateRampupKimg: 0, // official training_loop.py
  lodInitialResolution: 8, // StyleGAN, Appendix C
  lodTrainingKimg: 600, // official training_loop.py
  lodTransitionKimg: 600, // official training_loop.py
  emaKimg: 10, // G_smoothing_kimg of official training_loop.py
  emaRampup: null, // not in the official code
  dlatentAvgBeta: 0.995, // official networks_stylegan.py
}

const lsun = { ...stylegan, resolution: 256 }

/**
 * Named starting points; every other value is an override. Beside each: the paper's FID of configuration F (StyleGAN, Tables 1
 * and 4, Appendix E) and the official README's training time on 1, 2, 4 and 8 Tesla V100.
 */
export const presets: Readonly<Record<PresetName, TrainConfig>> = {
  stylegan: Object.freeze(stylegan),
  // FID 4.40; 41d 4h, 21d 22h, 11d 8h, 6d 14h.
  ffhq: Object.freeze({ ...stylegan, preset: 'ffhq', mirror: true }),
  // No FID in the paper; 24d 21h, 13d 7h, 7d 0h, 4d 10h.
  ffhq512: Object.freeze({ ...stylegan, preset: 'ffhq512', resolution: 512, mirror: true }),
  // No FID in the paper; 14d 22h, 9d 5h, 4d 21h, 3d 8h.
  ffhq256: Object.freeze({ ...stylegan, preset: 'ffhq256', resolution: 256, mirror: true }),
  // FID 5.17; times as ffhq. WGAN-GP, rates of at most 0.002: StyleGAN, Section 2 and Appendix C; official train.py.
  celebahq: Object.freeze({
    ...stylegan,
    preset: 'celebahq',
    loss: 'wgan-gp',
    gamma: 0,
    lrateMax: 0.002,
    mirror: true,
  }),
  // LSUN. FID 2.65 after 70M images; ffhq256's times are for 25M.
  bedroom: Object.freeze({ ...lsun, preset: 'bedroom', kimg: 70_000 }),
  // LSUN, 512x384 between black rows in 512x512 (official dataset_tool.py, create_lsun_wide). FID 3.27 after 46M images.
  car: Object.freeze({ ...stylegan, preset: 'car', resolution: 512, kimg: 46_000 }),
  // LSUN. FID 8.53 after 70M images.
  cat: Object.freeze({ ...lsun, preset: 'cat', kimg: 70_000 }),
  // Small faces in minutes on a CPU, chosen by trial on the avatars: many small steps and a strong R1 give clean shapes
  // early; with batches of 16 and a gamma of 4 the insides of heads stay noise. Low resolutions are cheap.
  demo: Object.freeze({
    ...stylegan,
    preset: 'demo',
    data: BUILTIN_AVATARS,
    resolution: 32,
    kimg: 135,
    batch: 8,
    gamma: 20,
    mirror: true,
    tick: 4,
    snap: 5,
    metricsNum: 1000, // seconds a snapshot
    fmapBase: 512,
    fmapMax: 64,
    latentSize: 128,
    mappingLayers: 4,
    mixingProb: 0.5, // StyleGAN, Table 2: as good as 0.9 for single latents
    glr: 0.003,
    dlr: 0.003,
    lodTrainingKimg: 12,
    lodTransitionKimg: 8,
    emaKimg: 2, // the official 10 would average over a tenth of this whole run
    emaRampup: 0.05, // StyleGAN2-ADA's ramp-up
  }),
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
