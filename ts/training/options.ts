/**
 * Every option of a training run: its rule, its default with the source, and its flag. The configuration, its checks, the presets
 * `stylegan` and `demo`, and the flags of `stylegan train` are made from this table. "official" names the file of the official code.
 */
import { BUILTIN_AVATARS } from '../data/info.ts'
import { configurations, type ConfigurationName } from '../networks/configurations.ts'
import { precisions } from '../networks/precision.ts'
import { augpipes, type Augpipe } from './augment.ts'
import { isCustomLoss, losses, type CustomLossName, type LossName } from './losses.ts'
import {
  above0,
  above0To,
  anyText,
  flag,
  from0,
  from0Below1,
  from0To1,
  oneNumberOf,
  oneOf,
  orNull,
  orWord,
  side,
  text,
  whole,
  words,
  type Rule,
} from './rules.ts'
import { shardCounts } from './shards.ts'

export interface Option<T> {
  readonly rule: Rule<T>
  /** The official number for FFHQ, where there is one. */
  readonly default: NoInfer<T>
  /** The value of preset demo, where it is another. */
  readonly demo?: NoInfer<T>
  /** What runs of versions had that did not know the option; without it, a saved run that lacks the option is refused. */
  readonly absent?: NoInfer<T>
  /** A run may go on with another value: it does not change the course of training. */
  readonly mayChange?: true
  /** On the command line; an option without a flag is set in code. */
  readonly flag?: string
  readonly help?: string
  /** What the flag's `--no-` form means. */
  readonly noHelp?: string
}

/** The type of an option is that of its rule. */
const option = <T>(one: Option<T>): Option<T> => one

export const presetNames = [
  ...(['stylegan', 'ffhq', 'ffhq512', 'ffhq256', 'celebahq', 'bedroom', 'car', 'cat'] as const),
  'demo',
] as const
/** The name of a preset: options that belong together. */
export type PresetName = (typeof presetNames)[number]

const official = oneOf(Object.keys(losses) as LossName[])
const lossNames: Rule<LossName | CustomLossName> = {
  ...official,
  ok: (v): v is LossName | CustomLossName => official.ok(v) || (typeof v === 'string' && isCustomLoss(v)),
}

/** Lengths in kimg are thousands of real images shown to the discriminator. */
export const options = {
  /** Name of the preset that the run started from. */
  preset: option({
    rule: oneOf(presetNames),
    default: 'stylegan',
    demo: 'demo',
    mayChange: true,
    flag: '--preset <name>',
    help: `options to start from: ${presetNames.join(', ')}`,
  }),
  /** Folder of images, archive, records or prepared dataset (docs/data-sets.md), or `builtin:avatars`. */
  data: option({
    rule: { ...text('a folder of images or another data set'), advice: `name one, or use ${BUILTIN_AVATARS}` },
    default: '', // must be given
    demo: BUILTIN_AVATARS,
    flag: '--data <path>',
    help: 'folder of images (PNG, JPEG, GIF, WebP, BMP, TIFF; any size; nested), zip, TFRecord, LSUN, CIFAR, MNIST, .npy, .npz, Parquet, or a prepared dataset',
  }),
  /** Folder that holds the run directories. */
  outdir: option({
    rule: text('a folder for the results'),
    default: 'results', // official config.py
    mayChange: true,
    flag: '--outdir <dir>',
    help: 'where runs and prepared datasets go',
  }),
  /** Words added to the name of the run directory. */
  desc: option({
    rule: words,
    default: '',
    mayChange: true,
    flag: '--desc <name>',
    help: 'words added to the name of the run directory',
  }),
  /** Side of the images, a power of two from 4 to 1024. */
  resolution: option({
    rule: side,
    default: 1024, // FFHQ
    demo: 32,
    flag: '--resolution <pixels>',
    help: 'side of the images: a power of two from 4 to 1024',
  }),
  /** 1 (gray), 3 (RGB) or 4 (RGBA). */
  numChannels: option<number>({
    rule: oneNumberOf([1, 3, 4], '1 (gray), 3 (RGB) or 4 (RGBA)'),
    default: 3,
    flag: '--num-channels <n>',
    help: '1 (gray), 3 (RGB) or 4 (RGBA)',
  }),
  /** Row of Table 1. */
  config: option({
    rule: oneOf(Object.keys(configurations) as ConfigurationName[]),
    default: 'F', // StyleGAN, Table 1
    flag: '--config <letter>',
    help: 'A to F, a row of Table 1: A is Progressive GAN, F is StyleGAN',
  }),
  seed: option({
    rule: whole(0, 2 ** 32 - 1),
    default: 0, // StyleGAN3's --seed; official train.py uses 1000
    flag: '--seed <n>',
    help: 'the same seed on the same kind of machine gives the same network',
  }),
  device: option({
    rule: { ...text('the name of a device'), advice: 'use cpu' },
    default: 'cpu',
    mayChange: true,
    flag: '--device <name>',
    help: 'cpu, auto (the best GPU, else cpu), wgpu (a GPU; wgpu:1 the second), or reference (slow and exact)',
  }),
  /** What feature maps are stored in, or multiplied in on a CPU; see {@link Precision}. */
  precision: option({
    rule: oneOf(precisions),
    default: 'f32', // official dtype
    flag: '--precision <type>',
    help: "what feature maps are stored in: f32, or on a GPU bf16 or f16, which halve their memory; all else is f32, except that a GPU with matrix units multiplies f16 by f16. bf16 has f32's range; f16 is finer, and scales losses. On a CPU with AVX512-BF16, bf16 is what convolutions multiply: faster, in the same memory",
  }),
  /** Snapshot whose weights the run starts from. */
  resume: option({
    rule: orNull(anyText),
    default: null,
    flag: '--resume <path>',
    help: 'start from the weights of this snapshot, or the newest of this folder; on other images training begins at 0 kimg (the same command goes on by itself)',
  }),
  /** Resolutions of the discriminator, from the largest that it was trained to, whose weights a transfer keeps. */
  freezed: option({
    rule: { ...whole(0, 8), advice: '0 trains all layers' },
    default: 0, // StyleGAN3
    absent: 0,
    flag: '--freezed <n>',
    help: "resolutions of the discriminator that keep the weights of --resume, from the image's own; for a few hundred images",
  }),
  /** Leave out images that cannot be decoded, instead of stopping at the first. */
  skipBad: option({
    rule: flag,
    default: false,
    mayChange: true,
    flag: '--skip-bad',
    help: 'leave out images that cannot be read, instead of stopping',
  }),
  /** Length of training. */
  kimg: option({
    rule: above0,
    default: 25_000, // official train.py
    demo: 126,
    mayChange: true,
    flag: '--kimg <n>',
    help: 'length of training, in thousands of images shown',
  }),
  /** Length in hours, from which `chooseConfig` makes the other options. */
  hours: option({
    rule: orNull(above0To(10_000)), // more than a year
    default: null,
    absent: null,
    mayChange: true,
    flag: '--hours <n>',
    help: 'choose size, length and settings by a short measurement, so that the run takes about n hours; 8 for --data without --kimg and --preset',
  }),
  /** The options that the others were chosen for. */
  chosenFor: option({ rule: orNull(anyText), default: null, absent: null, mayChange: true }),
  /** Images a step; `auto` takes the official number for each resolution and number of GPUs. */
  batch: option({
    rule: orWord(whole(1, 65536), 'auto'),
    default: 'auto', // official train.py
    demo: 8,
    flag: '--batch <n>',
    help: "images a step; 'auto' as the official code for each resolution",
  }),
  /** Parts of a minibatch, which as many processes may compute; `batch: auto` takes the official minibatches for as many GPUs. */
  gpus: option({
    rule: oneNumberOf(shardCounts, '1, 2, 4 or 8'),
    default: 1, // official train.py has a row each for 1, 2, 4 and 8
    flag: '--gpus <n>',
    help: 'parts of a minibatch, for as many processes: 1, 2, 4 or 8; auto minibatches are the official ones for as many GPUs',
  }),
  /** Steps between two looks at the schedule. */
  minibatchRepeats: option({ rule: whole(1, 1024), default: 4 }), // official training_loop.py
  /** The official losses, or `custom:` and the name of a function of the program, see {@link CustomLoss}. */
  loss: option({
    rule: lossNames,
    default: 'logistic', // non-saturating, with R1: StyleGAN, Appendix C
    flag: '--loss <name>',
    help: Object.keys(losses).join(', '),
  }),
  /** Weight of the R1 penalty. */
  gamma: option({
    rule: { ...from0, advice: '0 turns R1 off' },
    default: 10, // R1 weight for FFHQ: StyleGAN, Appendix C
    demo: 5,
    flag: '--gamma <weight>',
    help: 'weight of the R1 penalty; higher calms training, lower sharpens details',
  }),
  /** Weight of the R2 penalty. */
  r2Gamma: option({
    rule: { ...from0, advice: '0 turns R2 off' },
    default: 0, // official loss.py
    flag: '--r2-gamma <weight>',
    help: 'weight of the R2 penalty',
  }),
  /** Flip half of the real images. */
  mirror: option({
    rule: flag,
    default: false, // official training_loop.py; FFHQ and CelebA-HQ were trained with it: StyleGAN, Appendix C
    demo: true,
    flag: '--mirror',
    help: 'flip half of the images left to right',
    noHelp: 'never flip images',
  }),
  /** Augmentation of what D sees: `auto` is `ada` for fewer than 5,000 images of one's own, decided when the run begins. */
  aug: option<'auto' | 'ada' | 'fixed' | 'none'>({
    rule: oneOf(['auto', 'ada', 'fixed', 'none']),
    default: 'auto', // not in the paper; the presets of its experiments have none
    demo: 'none',
    absent: 'none',
    flag: '--aug <mode>',
    help: 'augment what the discriminator sees: ada (as strongly as it knows the images by heart), fixed (by --p), none; auto is ada for fewer than 5,000 images',
  }),
  /** Probability of each transformation: at the start with `ada`, throughout with `fixed`. */
  p: option({
    rule: from0To1,
    default: 0, // StyleGAN2-ADA's train.py
    absent: 0,
    flag: '--p <probability>',
    help: 'probability of each augmentation: of fixed throughout, of ada at the start',
  }),
  /** The mean sign of D's scores of real images that `ada` keeps. */
  target: option({
    rule: from0To1,
    default: 0.6, // Karras et al. 2020, Section 3.1
    absent: 0.6,
    flag: '--target <value>',
    help: "mean sign of the discriminator's scores of real images that ada aims at",
  }),
  /** Which transformations. */
  augpipe: option({
    rule: oneOf(Object.keys(augpipes) as Augpipe[]),
    default: 'bgc', // Karras et al. 2020, Figure 4: the others add nothing
    absent: 'bgc',
    flag: '--augpipe <groups>',
    help: `augmentations: ${Object.keys(augpipes).join(', ')}`,
  }),
  /** Length of a tick in kimg; `auto` takes the official number for each resolution. */
  tick: option({
    rule: orWord(above0, 'auto'),
    default: 'auto', // official training_loop.py
    demo: 4,
    mayChange: true,
    flag: '--tick <kimg>',
    help: 'length of a tick: a status line and a picture each',
  }),
  /** Ticks between two snapshots. */
  snap: option({
    rule: whole(1, 1_000_000),
    default: 10, // network_snapshot_ticks of official training_loop.py
    demo: 5,
    mayChange: true,
    flag: '--snap <ticks>',
    help: 'ticks between two snapshots',
  }),
  /** Newest snapshots that are kept; `all` keeps every one. */
  keep: option({
    rule: orWord(whole(1, 1_000_000), 'all'),
    default: 3, // the official code keeps all; one at 1024x1024 has 700 MB with its optimisers
    mayChange: true,
    flag: '--keep <n>',
    help: 'snapshots to keep: the newest n, the last one of every tenth tick, and the best by each metric; or all',
  }),
  /** Metrics at each snapshot, comma-separated; `auto`: fid50k if weights are given, else those that need none; `none`. */
  metrics: option({
    rule: text('names of metrics, auto or none'),
    default: 'auto', // official train.py has fid50k, which needs weights
    mayChange: true,
    flag: '--metrics <names>',
    help: "computed at each snapshot: see 'stylegan metrics --help'; or none",
  }),
  /** Images that a metric generates, in place of its own number. */
  metricsNum: option({
    rule: orNull(whole(1, 1e9)),
    default: null,
    demo: 1000, // seconds a snapshot
    mayChange: true,
    flag: '--metrics-num <n>',
    help: 'images that a metric generates, in place of its own number',
  }),
  /** Folder with published weight files under their own names, for metrics that need them. */
  weights: option({
    rule: orNull(anyText),
    default: null,
    mayChange: true,
    flag: '--weights <dir>',
    help: 'folder with published weight files, for metrics that need them',
  }),
  /** Folder with attribute classifiers, for linear separability. */
  classifiers: option({
    rule: orNull(anyText),
    default: null,
    mayChange: true,
    flag: '--classifiers <dir>',
    help: 'folder with attribute classifiers, for linear separability',
  }),
  /** Feature maps of stage s: min(fmapBase / 2^(s · fmapDecay), fmapMax). */
  fmapBase: option({
    rule: whole(1, 1 << 20),
    default: 8192, // official networks_stylegan.py
    demo: 512,
    flag: '--fmap-base <n>',
    help: 'capacity: feature maps at 1x1; halved at each doubling of the side',
  }),
  fmapDecay: option({ rule: from0, default: 1 }), // official networks_stylegan.py
  fmapMax: option({
    rule: whole(1, 1 << 14),
    default: 512, // official networks_stylegan.py
    demo: 64,
    flag: '--fmap-max <n>',
    help: 'most feature maps of a layer',
  }),
  /** Width of z, of w and of the mapping network. */
  latentSize: option({
    rule: whole(1, 1 << 14),
    default: 512, // StyleGAN, Section 2
    demo: 128,
    flag: '--latent-size <n>',
    help: 'width of z and w',
  }),
  mappingLayers: option({
    rule: whole(0, 64),
    default: 8, // StyleGAN, Section 2
    demo: 4,
    flag: '--mapping-layers <n>',
    help: 'layers of the mapping network',
  }),
  /** Learning-rate multiplier of the mapping network. */
  mappingLrmul: option({ rule: above0, default: 0.01 }), // StyleGAN, Appendix C
  /** Share of the training images whose styles come from two latents. */
  mixingProb: option({
    rule: from0To1,
    default: 0.9, // StyleGAN, Table 2 (configuration F)
    demo: 0.5, // StyleGAN, Table 2: as good as 0.9 for single latents
    flag: '--mixing-prob <share>',
    help: 'share of steps whose images mix the styles of two latents',
  }),
  /** Images that share one standard deviation at the end of the discriminator; 1 turns it off. */
  mbstdGroup: option({
    rule: { ...whole(1, 1024), advice: '1 turns it off' },
    default: 4, // official networks_stylegan.py
    flag: '--mbstd-group <n>',
    help: 'images that the discriminator compares; 1 turns it off',
  }),
  /** Name of a layer of the program, see {@link CustomLayer}. */
  layer: option({ rule: orNull(words), default: null, absent: null }),
  /** Train with labels; the networks then learn `labelSize` classes. */
  cond: option({
    rule: flag,
    default: false,
    flag: '--cond',
    help: 'learn the classes of the images: folders, or labels in dataset.json',
  }),
  /** Width of the labels; 0 takes the dataset's. */
  labelSize: option({ rule: whole(0, 1 << 14), default: 0 }),
  /** Learning rate of the generator; `auto` takes the official number for each resolution. */
  glr: option({
    rule: orWord(above0, 'auto'),
    default: 'auto', // official train.py
    demo: 0.003,
    flag: '--glr <rate>',
    help: 'learning rate of the generator',
  }),
  /** Learning rate of the discriminator; `auto` takes the official number for each resolution. */
  dlr: option({
    rule: orWord(above0, 'auto'),
    default: 'auto', // official train.py
    demo: 0.003,
    flag: '--dlr <rate>',
    help: 'learning rate of the discriminator',
  }),
  /** Most that a learning rate of `auto` may be. */
  lrateMax: option({
    rule: orNull(above0),
    default: null,
    flag: '--lrate-max <rate>',
    help: 'most that a learning rate of auto may be',
  }),
  lrateRampupKimg: option({ rule: from0, default: 0 }), // official training_loop.py
  lodInitialResolution: option({
    rule: side,
    default: 8, // StyleGAN, Appendix C
    flag: '--lod-initial-resolution <pixels>',
    help: 'side at which training starts to grow',
  }),
  lodTrainingKimg: option({
    rule: from0,
    default: 600, // official training_loop.py
    demo: 6,
    flag: '--lod-training-kimg <n>',
    help: 'length of the stable phase of each resolution',
  }),
  lodTransitionKimg: option({
    rule: from0,
    default: 600, // official training_loop.py
    demo: 4,
    flag: '--lod-transition-kimg <n>',
    help: 'length of the fade into each resolution',
  }),
  /** Half-life of the running average of G's weights. */
  emaKimg: option({
    rule: { ...from0, advice: '0 turns the running average off' },
    default: 10, // G_smoothing_kimg of official training_loop.py
    demo: 2, // 10 would average over a tenth of this whole run
    flag: '--ema-kimg <n>',
    help: 'half-life of the running average of the generator',
  }),
  /** If set, the half-life is at most this share of the images seen so far. */
  emaRampup: option({
    rule: orNull(above0),
    default: null, // not in the official code
    demo: 0.05, // StyleGAN2-ADA's ramp-up
  }),
  /** Decay of the running mean of w. */
  dlatentAvgBeta: option({ rule: from0Below1, default: 0.995 }), // official networks_stylegan.py
} as const

/** The name of an option of training. */
export type ConfigKey = keyof typeof options

/** The options of a training run. */
export type TrainConfig = { readonly [K in ConfigKey]: (typeof options)[K]['default'] }

export const configKeys = Object.keys(options) as ConfigKey[]
