/** What TypeScript knows of the addon: tensors, gradients, random numbers, image files, the mathematics of metrics. */
export { DataError, DeviceError, DisposedError, ShapeError, type Shape } from './native/addon.ts'
export * from './native/devices.ts'
export * from './native/images.ts'
export * from './native/linalg.ts'
export * from './native/random.ts'
export * from './native/tensor.ts'
