/** What TypeScript knows of the addon: tensors, gradients, random numbers, image files, the mathematics of metrics. */
export { addonBuilt, DataError, DeviceError, DisposedError, ProcessesError, ShapeError, type Shape } from './addon.ts'
export * from './devices.ts'
export * from './files.ts'
export * from './images.ts'
export * from './linalg.ts'
export * from './processes.ts'
export * from './random.ts'
export * from './tensor.ts'
