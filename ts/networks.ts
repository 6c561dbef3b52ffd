/** `stylegan/networks`: what `train` is made of, for networks, losses and loops of one's own. */
import './files/abort-signal.ts'

// The networks, and each of their parts: functions of parameters and inputs.
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
export { mapping, type MappingNetworkOptions } from './networks/mapping.ts'
export { drawMixing, type Mixing } from './networks/mixing.ts'
export type { Precision } from './networks/precision.ts'
export type { Semantics } from './networks/semantics.ts'
export { synthesis, type Noise } from './networks/synthesis.ts'

// Parameters: named tensors.
export {
  bias,
  constant,
  copyNetwork,
  countParams,
  createNetwork,
  disposeNetwork,
  equalised,
  featureMaps,
  frozen,
  get,
  numLayers,
  tracked,
  weight,
  type CustomLayer,
  type LayerCall,
  type Network,
  type NetworkOptions,
  type ParamSpec,
  type Params,
  type SynthesisNetworkOptions,
} from './networks/params.ts'

// Layers.
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

// Losses, for `train` and for loops of one's own.
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
  type CustomDiscriminatorLoss,
  type CustomLoss,
  type CustomLossName,
  type DiscriminatorLoss,
  type GradientPenaltyOptions,
  type Loss,
  type LossName,
  type LossOptions,
  type Scaling,
} from './training/losses.ts'

// A loop of one's own: schedule, real images, steps, optimiser with the running average, snapshots.
export { networkOptions, scheduleOptions } from './training/config.ts'
export {
  emaBeta,
  progressAt,
  timeline,
  type ByResolution,
  type Phase,
  type Progress,
  type ScheduleOptions,
} from './training/schedule.ts'
export { Minibatches, type DataOptions, type Minibatch, type RealTensors } from './training/minibatches.ts'
export { statNames, trainingStep, type StepLabels } from './training/step.ts'
export { createOptimizer, reset, scalingOf, step, type Optimizer, type StepOptions } from './training/optimizer.ts'
export { createState, encodeState, loadState, saveState, type Custom, type TrainingState } from './training/state.ts'
export type { AugmentState, Window as AugmentWindow } from './training/ada.ts'
export type { ImagesSeen, Position } from './training/snapshot-metadata.ts'

// Data sets: prepared once, read by index.
export { openDataset, openImages, prepareDataset, type Dataset } from './data/dataset.ts'
export { exportDataset, type ExportOptions } from './data/export.ts'
export type { SourceOptions } from './data/sources/index.ts'
export { inspectSource, type InspectOptions, type Inspection, type Repeat, type Sample } from './data/inspect.ts'
export type { DatasetInfo, PreparedFolder } from './data/info.ts'
export { readLabels, type Labels } from './data/labels.ts'
export type { PreparingOptions, PrepareOptions } from './data/prepare.ts'
export type { Levels, Recipe, ResizeFilter } from './native/index.ts'

// From tensors to pictures, and files of tensors.
export { fromBytes, toBytes } from './data/pixels.ts'
export { renderLatents, renderStyles } from './figures/render.ts'
export { readSafetensors, type HostTensor, type TensorFile } from './files/safetensors.ts'
export type { Piece } from './files/write-atomic.ts'
