/** One step of the discriminator and one of the generator (official training_loop.py and loss.py). */
import { adapt } from './ada.ts'
import { augment } from './augment.ts'
import { checkObject } from '../files/keys.ts'
import { ofResolveConfig, type TrainConfig } from './config.ts'
import { checkPath, fadeReals } from './losses.ts'
import { fromBytes } from '../data/pixels.ts'
import { concat, grad, scope, type Rng, type Tensor } from '../native/index.ts'
import { discriminator } from '../networks/discriminator.ts'
import { generateForTraining } from '../networks/generator.ts'
import { drawMixing } from '../networks/mixing.ts'
import { get, tracked } from '../networks/params.ts'
import { reset, scalingOf, step } from './optimizer.ts'
import { emaBeta, emaKimgAt, resetsOptimizer, type Progress } from './schedule.ts'
import { arenaOf, disposeArena, rngOfImage, treeSum, type Arena, type Share } from './shards.ts'
import type { TrainingState } from './state.ts'

/** What a step reports, in this order. */
export function statNames({ loss, position }: Pick<TrainingState, 'loss' | 'position'>): string[] {
  const D = ['Loss/D', 'Loss/scores/real', 'Loss/scores/fake', `Loss/${loss.penalty}`]
  if (position.augment) D.push(realSigns)
  return [...D, 'Loss/G', 'Loss/scores/fake_G']
}

/** Mean sign of D's scores of real images, r_t of Karras et al. 2020, where there is augmentation. */
export const realSigns = 'Loss/signs/real'

/** Labels of a data set, and which of them belong to the real images of a step. */
export interface StepLabels {
  /** `[count, labelSize]`, of all images. */
  readonly table: Tensor
  readonly indices: readonly number[]
}

/**
 * Trains on one minibatch of real images; enqueues and returns.
 *
 * @param images uint8 `[minibatch, side, side, C]` at the schedule's resolution
 * @param labels needed by conditional networks
 * @returns the step's statistics, see {@link statNames}
 */
export function trainingStep(
  state: TrainingState,
  images: Tensor,
  progress: Progress,
  config: TrainConfig,
  labels?: StepLabels,
): Tensor {
  checkObject(state, 'state', 'what createState gives')
  checkObject(progress, 'progress', 'what progressAt gives')
  checkObject(config, 'config', ofResolveConfig)
  begin(state, progress, config)
  const stats = scope(() => {
    const { gpus } = config
    const shards = shardsOf(state, { images, labels }, progress, config, { first: 0, count: gpus })
    const [D, G] = networksOf(state, progress, config).map(({ pass, update }) => {
      return update(gpus === 1 ? pass(shards[0]!) : meanOf(treeSum(shards, arenaWith(pass)), state, config))
    })
    return concat([D!, G!], 0)
  })
  end(state, progress)
  return stats
}

/** Of one process among several: which part of the work is its own, and how parts become a sum. */
export interface Together {
  readonly share: Share
  /** Replaces the elements by the sum over the processes, added as {@link treeSum} adds. */
  readonly sum: (elements: Tensor) => Promise<void>
}

/**
 * {@link trainingStep} of several processes, which all come to the same bits.
 *
 * @param images of this process's shards alone, as are the labels
 */
export async function trainingStepTogether(
  { share, sum }: Together,
  state: TrainingState,
  images: Tensor,
  progress: Progress,
  config: TrainConfig,
  labels?: StepLabels,
): Promise<Tensor> {
  begin(state, progress, config)
  const shards = shardsOf(state, { images, labels }, progress, config, share)
  const stats: Tensor[] = []
  for (const { pass, update } of networksOf(state, progress, config)) {
    const arena = scope(() => treeSum(shards, arenaWith(pass)))
    try {
      await sum(arena.flat)
      stats.push(scope(() => update(meanOf(arena, state, config))))
    } finally {
      disposeArena(arena)
    }
  }
  end(state, progress)
  const all = concat(stats, 0)
  for (const tensor of stats) tensor.dispose()
  return all
}

function begin({ position, dOptimizer, gOptimizer }: TrainingState, { lod }: Progress, config: TrainConfig): void {
  if (position.augment) adapt(position.augment, position.step, config)
  if (resetsOptimizer(position.lod, lod)) [dOptimizer, gOptimizer].forEach(reset)
}

function end({ position }: TrainingState, { lod, minibatch }: Progress): void {
  position.lod = lod
  position.nimg += minibatch
  position.step++
}

/** A part of a minibatch. */
interface Shard {
  readonly minibatch: number
  readonly images: () => Tensor
  readonly labels: StepLabels | undefined
  readonly rng: Rng
}

/** The parts of a minibatch in a share; one that is not divided goes on with the run's own random numbers. */
function shardsOf(
  { rng, position }: TrainingState,
  { images, labels }: { readonly images: Tensor; readonly labels: StepLabels | undefined },
  progress: Progress,
  { gpus, seed }: TrainConfig,
  { first, count }: Share,
): Shard[] {
  const minibatch = progress.minibatch / gpus
  const [, ...size] = images.dims4()
  return Array.from({ length: count }, (_, i) => ({
    minibatch,
    images: () => (count === 1 ? images : images.slice([i * minibatch, 0, 0, 0], [minibatch, ...size])),
    labels: labels && { ...labels, indices: labels.indices.slice(i * minibatch, (i + 1) * minibatch) },
    rng: gpus === 1 ? rng : rngOfImage(seed, position.nimg + (first + i) * minibatch),
  }))
}

/** What a shard gives for one network: means over its images. */
interface Pass {
  readonly gradients: readonly Tensor[]
  readonly dlatentAvg: Tensor | undefined
  readonly stats: Tensor
}

/** How one network learns: what each shard gives, and what is done with the mean of that. Returns the statistics. */
interface Learning {
  readonly pass: (shard: Shard) => Pass
  readonly update: (mean: Pass) => Tensor
}

const networksOf = (state: TrainingState, progress: Progress, config: TrainConfig): Learning[] => [
  {
    pass: (shard) => discriminatorPass(state, shard, progress, config),
    update: (mean) => updateDiscriminator(state, mean, progress),
  },
  {
    pass: (shard) => generatorPass(state, shard, progress, config),
    update: (mean) => updateGenerator(state, mean, progress, config),
  },
]

const arenaWith = (pass: Learning['pass']) => (shard: Shard) =>
  scope(() => {
    const { gradients, dlatentAvg, stats } = pass(shard)
    return arenaOf([stats, ...(dlatentAvg ? [dlatentAvg] : []), ...gradients])
  })

/** The mean over all shards, which have as many images each, of the sum of {@link arenaWith}. */
function meanOf({ flat, tensors }: Arena, { G }: TrainingState, { gpus }: TrainConfig): Pass {
  flat.assign(flat.mul(1 / gpus))
  const [stats, ...rest] = tensors as [Tensor, ...Tensor[]]
  const keepsMean = G.params.has('dlatent_avg')
  // A copy: statistics are read when the arena is gone.
  return {
    stats: stats.mul(1),
    dlatentAvg: keepsMean ? rest[0] : undefined,
    gradients: keepsMean ? rest.slice(1) : rest,
  }
}

const rowsOf = ({ device }: Tensor, rows: readonly number[]) => device.tensor(Int32Array.from(rows), [rows.length])

type Labels = Tensor | undefined

/** The fakes have the labels of the reals (official loss.py). */
function discriminatorPass(
  state: TrainingState,
  { images, labels: given, minibatch, rng }: Shard,
  { lod }: Progress,
  config: TrainConfig,
): Pass {
  return scope(() => {
    const { options, frozen: still } = state
    const reals = fadeReals(fromBytes(images()), lod)
    const labels = given && given.table.gatherRows(rowsOf(given.table, given.indices))
    const { images: fakes, dlatentAvg } = generateFakes(state, state.G.params, { labels, minibatch, rng }, lod, config)
    const { params, inputs } = tracked(state.D, still)
    const critic = (images: Tensor) => {
      return discriminator(params, transformed(images, state, rng, config), labels, lod, options)
    }
    const drawMix = () => rng.uniform(reals.device, [minibatch, 1, 1, 1])
    const { gamma, r2Gamma, resolution } = config
    const scaling = scalingOf(state.dOptimizer)
    const penalties = { gamma, r2Gamma, resolution, drawMix, scaling }
    const { loss, realScores, fakeScores, penalty } = state.loss.D(critic, reals, fakes, penalties)
    checkPath(loss, config.loss, 'D', inputs)
    const signs = state.position.augment ? [signsOf(realScores).mean()] : []
    const stats = stack([loss, realScores.mean(), fakeScores.mean(), penalty, ...signs])
    return { gradients: grad(scaling.up(loss), inputs), dlatentAvg, stats }
  })
}

function updateDiscriminator(state: TrainingState, { gradients, ...mean }: Pass, { dLrate: rate }: Progress): Tensor {
  step(state.dOptimizer, gradients, { rate, still: state.frozen })
  return updateMean(state, mean)
}

function generatorPass(
  state: TrainingState,
  { labels: given, minibatch, rng }: Shard,
  { lod }: Progress,
  config: TrainConfig,
): Pass {
  return scope(() => {
    // G's images have the labels of images drawn at random (official dataset.py, get_random_labels_tf).
    const drawn = given && given.indices.map(() => rng.nextInteger(0, given.table.shape[0]!))
    const labels = drawn && given.table.gatherRows(rowsOf(given.table, drawn))
    const { params, inputs } = tracked(state.G)
    const { images: fakes, dlatentAvg } = generateFakes(state, params, { labels, minibatch, rng }, lod, config)
    const seen = transformed(fakes, state, rng, config)
    const scores = discriminator(state.D.params, seen, labels, lod, state.options)
    const loss = state.loss.G(scores)
    checkPath(loss, config.loss, 'G', inputs)
    const gradients = grad(scalingOf(state.gOptimizer).up(loss), inputs)
    return { gradients, dlatentAvg, stats: stack([loss, scores.mean()]) }
  })
}

function updateGenerator(
  state: TrainingState,
  { gradients, ...mean }: Pass,
  { minibatch, gLrate: rate }: Progress,
  { emaKimg, emaRampup }: TrainConfig,
): Tensor {
  const averageBeta = emaBeta(minibatch, emaKimgAt(state.position.nimg, emaKimg, emaRampup))
  step(state.gOptimizer, gradients, { rate, averageBeta })
  const stats = updateMean(state, mean)
  // What is not trained is copied to the average as it is (official network.py, setup_as_moving_average_of).
  const dlatentAvg = state.G.params.get('dlatent_avg')
  if (dlatentAvg) get(state.Gs.params, 'dlatent_avg').assign(dlatentAvg)
  return stats
}

/** Every forward pass of training moves the mean of w. */
function updateMean({ G }: TrainingState, { dlatentAvg, stats }: Omit<Pass, 'gradients'>): Tensor {
  if (dlatentAvg) get(G.params, 'dlatent_avg').assign(dlatentAvg)
  return stats
}

/** Images as D sees them: everything that it sees is augmented, with fresh transformations each time. */
function transformed(images: Tensor, { position }: TrainingState, rng: Rng, { augpipe }: TrainConfig): Tensor {
  return position.augment ? augment(images, rng, { p: position.augment.p, augpipe }) : images
}

const signsOf = (scores: Tensor) => scope(() => scores.greater(0).sub(scores.neg().greater(0)))

/** Fakes of fresh latents, and where they move the mean of w. */
function generateFakes(
  { G, options }: TrainingState,
  params: ReadonlyMap<string, Tensor>,
  { labels, minibatch, rng }: { readonly labels: Labels; readonly minibatch: number; readonly rng: Rng },
  lod: number,
  config: TrainConfig,
): { images: Tensor; dlatentAvg: Tensor | undefined } {
  return scope(() => {
    const z = rng.normal(G.device, [minibatch, config.latentSize])
    const mixing = drawMixing(z, rng, config.mixingProb, lod, config.resolution)
    const { dlatentAvgBeta } = config
    return generateForTraining(params, z, { labels, mixing, noise: rng, lod, dlatentAvgBeta }, options)
  })
}

function stack(scalars: readonly Tensor[]): Tensor {
  return scope(() =>
    concat(
      scalars.map((x) => x.detach().reshape([1])),
      0,
    ),
  )
}
