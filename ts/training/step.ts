/** One step of the discriminator and one of the generator (official training_loop.py and loss.py). */
import { adapt } from './ada.ts'
import { augment } from './augment.ts'
import { type TrainConfig } from './config.ts'
import { fadeReals } from './losses.ts'
import { fromBytes } from '../data/pixels.ts'
import { concat, grad, scope, type Tensor } from '../native/index.ts'
import { discriminator } from '../networks/discriminator.ts'
import { generateForTraining } from '../networks/generator.ts'
import { drawMixing } from '../networks/mixing.ts'
import { get, tracked } from '../networks/params.ts'
import { reset, scalingOf, step } from './optimizer.ts'
import { emaBeta, emaKimgAt, resetsOptimizer, type Progress } from './schedule.ts'
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
  const { position, dOptimizer, gOptimizer } = state
  if (position.augment) adapt(position.augment, position.step, config)
  if (resetsOptimizer(position.lod, progress.lod)) [dOptimizer, gOptimizer].forEach(reset)
  const stats = scope(() => {
    const reals = fadeReals(fromBytes(images), progress.lod)
    const own = labels && labels.table.gatherRows(rowsOf(labels.table, labels.indices))
    const D = discriminatorStep(state, reals, own, progress, config)
    // G's images have the labels of images drawn at random (official dataset.py, get_random_labels_tf).
    const drawn = labels && labels.indices.map(() => state.rng.nextInteger(0, labels.table.shape[0]!))
    const G = generatorStep(state, drawn && labels.table.gatherRows(rowsOf(labels.table, drawn)), progress, config)
    return concat([D, G], 0)
  })
  position.lod = progress.lod
  position.nimg += progress.minibatch
  position.step++
  return stats
}

const rowsOf = ({ device }: Tensor, rows: readonly number[]) => device.tensor(Int32Array.from(rows), [rows.length])

type Labels = Tensor | undefined

/** The fakes have the labels of the reals (official loss.py). */
function discriminatorStep(
  state: TrainingState,
  reals: Tensor,
  labels: Labels,
  progress: Progress,
  config: TrainConfig,
): Tensor {
  return scope(() => {
    const { options } = state
    const fakes = generateFakes(state, state.G.params, labels, progress, config)
    const { frozen: still } = state
    const { params, inputs } = tracked(state.D, still)
    const critic = (images: Tensor) => {
      return discriminator(params, transformed(images, state, config), labels, progress.lod, options)
    }
    const drawMix = () => state.rng.uniform(reals.device, [progress.minibatch, 1, 1, 1])
    const { gamma, r2Gamma, resolution } = config
    const scaling = scalingOf(state.dOptimizer)
    const penalties = { gamma, r2Gamma, resolution, drawMix, scaling }
    const { loss, realScores, fakeScores, penalty } = state.loss.D(critic, reals, fakes, penalties)
    step(state.dOptimizer, grad(scaling.up(loss), inputs), { rate: progress.dLrate, still })
    const signs = state.position.augment ? [signsOf(realScores).mean()] : []
    return stack([loss, realScores.mean(), fakeScores.mean(), penalty, ...signs])
  })
}

function generatorStep(state: TrainingState, labels: Labels, progress: Progress, config: TrainConfig): Tensor {
  return scope(() => {
    const { params, inputs } = tracked(state.G)
    const fakes = generateFakes(state, params, labels, progress, config)
    const seen = transformed(fakes, state, config)
    const scores = discriminator(state.D.params, seen, labels, progress.lod, state.options)
    const loss = state.loss.G(scores)
    const smoothingKimg = emaKimgAt(state.position.nimg, config.emaKimg, config.emaRampup)
    const averageBeta = emaBeta(progress.minibatch, smoothingKimg)
    const scaled = scalingOf(state.gOptimizer).up(loss)
    step(state.gOptimizer, grad(scaled, inputs), { rate: progress.gLrate, averageBeta })
    // What is not trained is copied to the average as it is (official network.py, setup_as_moving_average_of).
    const dlatentAvg = state.G.params.get('dlatent_avg')
    if (dlatentAvg) get(state.Gs.params, 'dlatent_avg').assign(dlatentAvg)
    return stack([loss, scores.mean()])
  })
}

/** Images as D sees them: everything that it sees is augmented, with fresh transformations each time. */
function transformed(images: Tensor, { position, rng }: TrainingState, { augpipe }: TrainConfig): Tensor {
  return position.augment ? augment(images, rng, { p: position.augment.p, augpipe }) : images
}

const signsOf = (scores: Tensor) => scope(() => scores.greater(0).sub(scores.neg().greater(0)))

/** Fakes of fresh latents; every forward pass of training moves the mean of w. */
function generateFakes(
  { G, rng, options }: TrainingState,
  params: ReadonlyMap<string, Tensor>,
  labels: Labels,
  { lod, minibatch }: Progress,
  config: TrainConfig,
): Tensor {
  return scope(() => {
    const z = rng.normal(G.device, [minibatch, config.latentSize])
    const mixing = drawMixing(z, rng, config.mixingProb, lod, config.resolution)
    const { dlatentAvgBeta } = config
    const { images, dlatentAvg } = generateForTraining(
      params,
      z,
      { labels, mixing, noise: rng, lod, dlatentAvgBeta },
      options,
    )
    if (dlatentAvg) get(G.params, 'dlatent_avg').assign(dlatentAvg)
    return images
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
