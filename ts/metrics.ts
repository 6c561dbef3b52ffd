/** `stylegan/metrics`: the numbers of the literature, of networks and of folders of images. */
import './files/abort-signal.ts'

export {
  classify,
  loadClassifier,
  saveClassifier,
  trainClassifier,
  type Classifier,
  type ClassifierInfo,
  type ClassifierOptions,
  type LoadedClassifier,
} from './metrics/classifier.ts'
export { compare, type CompareOptions, type Compared } from './metrics/compare.ts'
export { measure, metricText, type MeasureHooks, type MeasureOptions, type MetricLine } from './metrics/measure.ts'
export type { WeightOptions } from './metrics/feature-networks.ts'
export type { ResizeMode } from './metrics/networks/resize.ts'
export { metricNames, type MetricName } from './training/metric-names.ts'
export { attributesOf, type Attributes } from './data/attributes.ts'
