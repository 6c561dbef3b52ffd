/** StyleGAN (Karras, Laine, Aila 2018): train, sample, explore. */
export { presets, resolveConfig, type ConfigOverrides, type TrainConfig } from './config.ts'
export { estimateRun, type Estimate, type ResolutionCost } from './estimate.ts'
export {
  imageOf,
  mixingFigure,
  noiseComponentsFigure,
  noiseDetailFigure,
  truncationFigure,
  uncuratedFigure,
  type FigureOptions,
  type Generator,
} from './figures.ts'
export {
  mixingOfPaper,
  noiseComponentsOfPaper,
  noiseDetailOfPaper,
  truncationOfPaper,
  uncuratedOfPaper,
} from './paper-figures.ts'
export { measurePeak, profileTable, type Peak } from './profile.ts'
export { openDataset, readLabels, type Dataset, type PrepareOptions } from './dataset.ts'
export {
  dHinge,
  dLogisticR1,
  dWgan,
  dWganGp,
  fromBytes,
  gLogisticNonsaturating,
  gLogisticSaturating,
  gWgan,
  losses,
  r1Penalty,
  toBytes,
  type LossName,
} from './losses.ts'
export {
  concat,
  type Cost,
  DataError,
  Device,
  DeviceError,
  DisposedError,
  encodePng,
  grad,
  listDevices,
  Rng,
  scope,
  ShapeError,
  Tensor,
} from './native.ts'
export { discriminator, discriminatorSpecs } from './networks/discriminator.ts'
export { configurations, type Configuration, type ConfigurationName } from './networks/configurations.ts'
export { generate, generatorSpecs, type Sampling } from './networks/generator.ts'
export { countParams, createNetwork, type Network, type NetworkOptions } from './networks/params.ts'
export type { Precision } from './networks/precision.ts'
export { imagesOf } from './pictures.ts'
export { attributesOf, type Attributes } from './attributes.ts'
export { metricNames, type MetricName } from './metrics/catalogue.ts'
export {
  classify,
  loadClassifier,
  saveClassifier,
  trainClassifier,
  type Classifier,
  type ClassifierOptions,
} from './metrics/classifier.ts'
export { measure, metricText, type MeasureHooks, type MeasureOptions, type MetricLine } from './metrics/measure.ts'
export { progressAt, timeline, type Progress } from './schedule.ts'
export { readSafetensors, SnapshotError } from './snapshot.ts'
export { animatedPng, encodeVideo, walk, type Walk } from './video.ts'
export { DivergedError, train, type TrainEvent, type TrainHooks } from './training-loop.ts'
export { loadGenerator } from './training-state.ts'
