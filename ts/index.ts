/** StyleGAN (Karras, Laine, Aila 2018): train, sample, explore. */
import './files/abort-signal.ts'

export {
  presets,
  resolveConfig,
  type ConfigKey,
  type ConfigOverrides,
  type PresetName,
  type TrainConfig,
} from './training/config.ts'
export { chooseConfig, type Choice } from './runs/choose.ts'
export { estimateRun, type Estimate, type ResolutionCost } from './runs/estimate.ts'
export {
  pictureOf,
  mixingFigure,
  noiseComponentsFigure,
  noiseDetailFigure,
  truncationFigure,
  uncuratedFigure,
  type FigureOptions,
  type MixingFigure,
  type NoiseFigure,
  type TrainedGenerator,
} from './figures/figures.ts'
export {
  mixingOfPaper,
  noiseComponentsOfPaper,
  noiseDetailOfPaper,
  truncationOfPaper,
  uncuratedOfPaper,
} from './figures/paper.ts'
export { measurePeak, profileTable, type Peak } from './performance/profile.ts'
export type { Picture } from './figures/grid.ts'
export { openDataset, type Dataset } from './data/dataset.ts'
export { type PrepareOptions } from './data/prepare.ts'
export type { DatasetInfo, PreparedFolder } from './data/info.ts'
export { readLabels, type Labels } from './data/labels.ts'
export {
  dHinge,
  dLogisticR1,
  dWgan,
  dWganGp,
  gLogisticNonsaturating,
  gLogisticSaturating,
  gWgan,
  losses,
  r1Penalty,
  type LossName,
} from './training/losses.ts'
export { fromBytes, toBytes } from './data/pixels.ts'
export {
  concat,
  type Cost,
  DataError,
  Device,
  DeviceError,
  DisposedError,
  encodePng,
  grad,
  type Levels,
  listDevices,
  Rng,
  scope,
  ShapeError,
  Tensor,
} from './native/index.ts'
export { discriminator, discriminatorSpecs } from './networks/discriminator.ts'
export { configurations, type Configuration, type ConfigurationName } from './networks/configurations.ts'
export { generate, generatorSpecs, type Sampling } from './networks/generator.ts'
export { countParams, createNetwork, type Network, type NetworkOptions } from './networks/params.ts'
export type { Precision } from './networks/precision.ts'
export { renderLatents, renderStyles } from './figures/render.ts'
export { attributesOf, type Attributes } from './data/attributes.ts'
export { metricNames, type MetricName } from './training/metric-names.ts'
export {
  classify,
  loadClassifier,
  saveClassifier,
  trainClassifier,
  type Classifier,
  type ClassifierOptions,
} from './metrics/classifier.ts'
export { measure, metricText, type MeasureHooks, type MeasureOptions, type MetricLine } from './metrics/measure.ts'
export { progressAt, timeline, type Progress } from './training/schedule.ts'
export { readSafetensors, SnapshotError, type HostTensor, type TensorFile } from './files/safetensors.ts'
export { principalComponents, type Components, type Shift } from './figures/components.ts'
export { drawLook, stylesOfLook, type Copied, type Look } from './figures/look.ts'
export { animatedPng, encodeVideo, frames, walk, type Easing, type Space, type Walk } from './figures/video.ts'
export type { MetricEvent } from './runs/metrics.ts'
export type { Origin } from './training/imported.ts'
export { DivergedError, train, type TrainEvent, type TrainHooks } from './runs/loop.ts'
export type { ImageGenerator, Images, ImagesOptions, MappingOptions, SynthesisOptions } from './figures/generator.ts'
export { loadGenerator } from './runs/load-generator.ts'
export { Styles } from './figures/styles.ts'
export type { Seeds } from './data/seeds.ts'
