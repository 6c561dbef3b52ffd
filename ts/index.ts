/**
 * StyleGAN (Karras, Laine, Aila 2018): train, draw, measure. What lies beneath is in `stylegan/tensor`, `stylegan/networks` and
 * `stylegan/metrics`.
 */
import './files/abort-signal.ts'

// Training: options, the loop, and what it tells.
export {
  presets,
  resolveConfig,
  type ConfigKey,
  type ConfigOverrides,
  type PresetName,
  type TrainConfig,
} from './training/config.ts'
export { chooseConfig, type Choice, type ChoosingOptions } from './runs/choose.ts'
export { joinProcesses, type JoinOptions } from './runs/processes.ts'
export { estimateRun, type Estimate, type ResolutionCost } from './runs/estimate.ts'
export { train, type TrainEvent, type TrainHooks } from './runs/loop.ts'
export type { MetricEvent } from './runs/metrics.ts'

// Images to learn from that are in memory, or come one after the other.
export type { ImageArray, ImageItem, ImageSet, LabelledImage } from './data/memory.ts'

// Drawing with a trained network: images of seeds, and w of any origin.
export { loadGenerator, type LoadOptions } from './runs/load-generator.ts'
export type { ImageGenerator, Images, ImagesOptions, MappingOptions, SynthesisOptions } from './figures/generator.ts'
export { Styles } from './figures/styles.ts'
export { readProjected, type Projected } from './figures/projected.ts'
export { principalComponents, type Components } from './figures/components.ts'
export { readDirections, type AttributeDirection, type Directions, type Shift } from './figures/directions.ts'
export { drawLook, stylesOfLook, type Copied, type Look } from './figures/look.ts'
export type { Seeds } from './data/seeds.ts'
export type { Origin } from './training/imported.ts'

// Where attributes grow in W.
export { findDirections, type DirectionsEvent, type DirectionsOptions } from './runs/directions.ts'

// The w of a picture.
export { project, type ProjectEvent, type ProjectHooks, type ProjectOptions } from './runs/project.ts'
export type { ProjectionSpace } from './figures/projector.ts'

// Files of pictures: PNG, and videos of a walk through W.
export type { Picture } from './figures/grid.ts'
export { animatedPng, encodeVideo, frames, walk, type Easing, type Space, type Walk } from './figures/video.ts'
export { encodePng } from './native/index.ts'

// The figures of the paper; `…OfPaper` are the seeds, rows and columns that it shows.
export {
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

// Devices.
export { Device, listDevices, type CpuInfo, type DeviceOptions, type GpuInfo } from './native/index.ts'

// Several processes that train one network.
export type { Processes } from './native/index.ts'

// Errors that programs may want to tell apart.
export { DataError, DeviceError, DisposedError, ProcessesError, ShapeError } from './native/index.ts'
export { DivergedError } from './runs/loop.ts'
export { LockedError } from './files/lock.ts'
export { SnapshotError } from './files/safetensors.ts'
export { WeightsError } from './files/weights.ts'
