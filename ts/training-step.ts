/** One step of the discriminator and one of the generator (official training_loop.py and loss.py). */
import { networkOptions, type TrainConfig } from './config.ts'
import { dLogisticR1, fadeReals, fromBytes, gLogisticNonsaturating } from './losses.ts'
import { concat, grad, scope, type Tensor } from './native.ts'
import { discriminator } from './networks/discriminator.ts'
import { drawMixing, generateForTraining } from './networks/generator.ts'
import { get, tracked } from './networks/params.ts'
import { reset, step } from './optimizer.ts'
import { emaBeta, emaKimgAt, resetsOptimizer, type Progress } from './schedule.ts'
import type { TrainingState } from './training-state.ts'

/** What a step reports, in this order. */
export const statNames = [
  'Loss/D',
  'Loss/scores/real',
  'Loss/scores/fake',
  'Loss/r1_penalty',
  'Loss/G',
  'Loss/scores/fake_G',
] as const

/**
 * Trains on one minibatch of real images; enqueues and returns.
 *
 * @param images uint8 `[minibatch, side, side, C]` at the schedule's resolution
 * @returns the step's statistics, see {@link statNames}
 */
export function trainingStep(state: TrainingState, images: Tensor, progress: Progress, config: TrainConfig): Tensor {
  const { position, dOptimizer, gOptimizer } = state
  if (resetsOptimizer(position.lod, progress.lod)) [dOptimizer, gOptimizer].forEach(reset)
  const stats = scope(() => {
    const reals = fadeReals(fromBytes(images), progress.lod)
    return concat([discriminatorStep(state, reals, progress, config), generatorStep(state, progress, config)], 0)
  })
  position.lod = progress.lod
  position.nimg += progress.minibatch
  position.step++
  return stats
}

function discriminatorStep(state: TrainingState, reals: Tensor, progress: Progress, config: TrainConfig): Tensor {
  return scope(() => {
    const options = networkOptions(config)
    const fakes = generateFakes(state, state.G.params, progress, config)
    const { params, inputs } = tracked(state.D)
    const critic = (images: Tensor) => discriminator(params, images, undefined, progress.lod, options)
    const { loss, realScores, fakeScores, penalty } = dLogisticR1(critic, reals, fakes, config)
    step(state.dOptimizer, grad(loss, inputs), { rate: progress.dLrate })
    return stack([loss, realScores.mean(), fakeScores.mean(), penalty])
  })
}

function generatorStep(state: TrainingState, progress: Progress, config: TrainConfig): Tensor {
  return scope(() => {
    const { params, inputs } = tracked(state.G)
    const fakes = generateFakes(state, params, progress, config)
    const scores = discriminator(state.D.params, fakes, undefined, progress.lod, networkOptions(config))
    const loss = gLogisticNonsaturating(scores)
    const smoothingKimg = emaKimgAt(state.position.nimg, config.emaKimg, config.emaRampup)
    const averageBeta = emaBeta(progress.minibatch, smoothingKimg)
    step(state.gOptimizer, grad(loss, inputs), { rate: progress.gLrate, averageBeta })
    // What is not trained is copied to the average as it is (official network.py, setup_as_moving_average_of).
    const dlatentAvg = state.G.params.get('dlatent_avg')
    if (dlatentAvg) get(state.Gs.params, 'dlatent_avg').assign(dlatentAvg)
    return stack([loss, scores.mean()])
  })
}

/** Fakes of fresh latents; every forward pass of training moves the mean of w. */
function generateFakes(
  { G, rng }: TrainingState,
  params: ReadonlyMap<string, Tensor>,
  { lod, minibatch }: Progress,
  config: TrainConfig,
): Tensor {
  return scope(() => {
    const options = networkOptions(config)
    const z = rng.normal(G.device, [minibatch, config.latentSize])
    const mixing = drawMixing(z, rng, config.mixingProb, lod, config.resolution)
    const { dlatentAvgBeta } = config
    const { images, dlatentAvg } = generateForTraining(params, z, { mixing, noise: rng, lod, dlatentAvgBeta }, options)
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
