/** `stylegan/networks`: parameters, layers, both networks, losses, the optimiser and the schedule, for loops of one's own. */
import './files/abort-signal.ts'

export { configurations, type Configuration, type ConfigurationName } from './networks/configurations.ts'
export { discriminator, discriminatorSpecs } from './networks/discriminator.ts'
export {
  draw,
  generate,
  generateForTraining,
  generatorSpecs,
  truncate,
  type Sampling,
  type TrainingPass,
} from './networks/generator.ts'
export {
  blur,
  conv2d,
  dense,
  downConv2d,
  downscale,
  epilogue,
  fromRgb,
  lerp,
  pixelNorm,
  toRgb,
  upConv2d,
  upscale,
  withMinibatchStddev,
} from './networks/layers.ts'
export { mapping, type MappingOptions } from './networks/mapping.ts'
export { drawMixing, type Mixing } from './networks/mixing.ts'
export {
  copyNetwork,
  countParams,
  createNetwork,
  disposeNetwork,
  frozen,
  get,
  numLayers,
  tracked,
  type Network,
  type NetworkOptions,
  type ParamSpec,
  type Params,
  type SynthesisOptions,
} from './networks/params.ts'
export type { Precision } from './networks/precision.ts'
export type { Semantics } from './networks/semantics.ts'
export { synthesis, type Noise } from './networks/synthesis.ts'
export {
  dHinge,
  dLogisticR1,
  dWgan,
  dWganGp,
  fadeReals,
  gLogisticNonsaturating,
  gLogisticSaturating,
  gWgan,
  gradientPenalty,
  losses,
  r1Penalty,
  type Critic,
  type DiscriminatorLoss,
  type GradientPenaltyOptions,
  type Loss,
  type LossName,
  type LossOptions,
  type Scaling,
} from './training/losses.ts'
export { createOptimizer, reset, scalingOf, step, type Optimizer, type StepOptions } from './training/optimizer.ts'
export {
  emaBeta,
  progressAt,
  timeline,
  type ByResolution,
  type Phase,
  type Progress,
  type ScheduleOptions,
} from './training/schedule.ts'
export { networkOptions, scheduleOptions } from './training/config.ts'
export { createState, encodeState, loadState, type TrainingState } from './training/state.ts'
export type { ImagesSeen, Position } from './training/snapshot-metadata.ts'
export { trainingStep, type StepLabels } from './training/step.ts'
export type { Piece } from './files/write-atomic.ts'
