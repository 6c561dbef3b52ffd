/**
 * Tensors on a device and gradients of any order.
 *
 * A tensor is a handle; `scope` owns the memory of what is made inside. Work is enqueued and happens on the device's own
 * thread: only `data`, `item` and `synchronize` wait.
 */
import {
  call,
  finite,
  flag,
  list,
  named,
  native,
  number,
  numbers,
  object,
  type Shape,
  ShapeError,
  shown,
  sizes,
  wait,
  whole,
  type Native,
} from './addon.ts'
import { chooseDevice } from './devices.ts'

/** Types of 16 bits that a GPU can store feature maps in; the last axis is then a multiple of 4. It computes in `f32` all the same. */
export type Half = 'bf16' | 'f16'
/** What feature maps can be stored in. */
export type FloatType = 'f32' | 'f64' | Half
/** Element types. A device computes in `f32` or `f64`; `u8` holds images, `i32` row numbers. */
export type DType = FloatType | 'u8' | 'i32'
export type Values = Float32Array | Float64Array | Uint8Array | Int32Array

/**
 * How a convolution is computed; the value is the same for finite numbers. `winograd`, and `auto` where it takes that, turns one
 * infinity into NaN over whole tiles of 4×4 pixels; the others give infinity or NaN to the pixels that see it. `bf16` is `auto` with
 * products of bf16 by bf16 where that is faster, on devices that have {@link Device.multipliesBf16}: see `Precision`.
 */
export type Algorithm = (typeof algorithms)[number]
const algorithms = ['auto', 'im2col', 'shifted', 'direct', 'winograd', 'bf16'] as const

/** Bytes of a device's memory; `allocations` counts blocks ever taken from the system: flat in a steady loop. */
export interface Memory {
  live: number
  pooled: number
  peak: number
  allocations: number
}

/** What the launches of one kernel on operands of the same shapes have cost. */
export interface Cost {
  readonly kernel: string
  /** Inputs and outputs, as in `16x8x8x64 3x3x64x64 → 16x8x8x64`. */
  readonly shapes: string
  readonly launches: number
  /** Time on the device; 0 where the device cannot tell. */
  readonly nanoseconds: number
  /** Time that the host took to hand the launches over. */
  readonly hostNanoseconds: number
  /** Floating-point operations of the direct form, of convolutions and matrix products; 0 for others. */
  readonly flop: number
  /** Bytes that must at least be read and written. */
  readonly bytes: number
}

/** How a device is opened. */
export interface DeviceOptions {
  /** Most bytes that may be live, default: the machine's memory. */
  memoryLimit?: number
  /** Forces every convolution of this device to one algorithm, to compare them. */
  algorithm?: Algorithm
}

/** Where tensors live. Work on a device happens in the order in which it was enqueued. */
export class Device {
  readonly name: string
  /** The floating-point type that this device computes in. */
  readonly float: 'f32' | 'f64'
  readonly algorithm: Algorithm
  /** Whether feature maps can be stored in 16 bits. */
  readonly storesHalf: boolean
  /** Whether convolutions can multiply bf16 by bf16, with sums in f32. */
  readonly multipliesBf16: boolean
  readonly #native: Native.NativeDevice

  private constructor(name: string, device: Native.NativeDevice, algorithm: Algorithm) {
    this.name = name
    this.#native = device
    this.float = device.float as 'f32' | 'f64'
    this.storesHalf = device.storesHalf
    this.multipliesBf16 = device.multipliesBf16
    this.algorithm = algorithm
  }

  /**
   * Opens a device.
   *
   * @param name `cpu` computes in f32 on all cores; `wgpu` in f32 on the first GPU, `wgpu:1` on the second; `auto` is the best GPU,
   *   `cpu` where there is none; `reference` is slow, plain and f64: the definition of every kernel; `test` is `reference` behind a
   *   queue that runs only when something waits
   * @throws TypeError for another name
   */
  static open(name: string, options: DeviceOptions = {}): Device {
    if (typeof name !== 'string') {
      throw new TypeError(`device: a name such as cpu or auto is expected, got ${shown(name)}`)
    }
    const { memoryLimit, algorithm = 'auto' } = object('device', options)
    checkAlgorithm(algorithm)
    const limit = memoryLimit === undefined ? undefined : whole('memoryLimit', memoryLimit, 0, Number.MAX_SAFE_INTEGER)
    const known = name === 'auto' ? chooseDevice(name).device : name
    return new Device(
      known,
      call(() => native.NativeDevice.open(known, limit)),
      algorithm,
    )
  }

  /** Uploads values: bytes stay `u8`, `Int32Array` stays `i32`, all other numbers become the device's float. */
  tensor(values: ArrayLike<number>, shape: Shape): Tensor {
    const count = sizes('tensor', shape).reduce((product, size) => product * size, 1)
    // Before they are converted: something may only call itself an array.
    if (values.length !== count) {
      throw new ShapeError(`tensor: shape [${shape.join(', ')}] has ${count} elements, got ${shown(values.length)}`)
    }
    checkNumbers(values)
    const { array, dtype } = asElements(values, this.float)
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    return make(this, () => this.#native.tensor(bytes, sizes('tensor', shape), dtype))
  }

  /** A tensor whose elements are all `value`. */
  full(shape: Shape, value: number): Tensor {
    return make(this, () => this.#native.full(sizes('full', shape), number('full', value)))
  }

  /** A tensor of zeros. */
  zeros(shape: Shape): Tensor {
    return this.full(shape, 0)
  }

  /** A tensor of shape `[]`. */
  scalar(value: number): Tensor {
    return this.full([], value)
  }

  /** Zeros of the given shapes in one buffer: `flat` is all of it, with gaps of zeros, and `tensors` are its slices. */
  arena(shapes: readonly Shape[]): { flat: Tensor; tensors: Tensor[] } {
    const handles = call(() =>
      this.#native.arena(list('arena', shapes, 'shapes').map((shape) => sizes('arena', shape))),
    )
    const [flat, ...tensors] = handles.map((handle) => wrap(this, handle))
    return { flat: flat!, tensors }
  }

  /** Resolves when everything enqueued so far has run; rejects with the first error of the device. */
  synchronize(): Promise<void> {
    return wait(() => this.#native.synchronize())
  }

  /** Bytes of this device. */
  memory(): Memory {
    return this.#native.memory()
  }

  /** Begins or ends to count what launches cost. */
  profile(on: boolean): void {
    call(() => this.#native.profile(flag('profile', on)))
  }

  /** What the launches since the last call have cost, once they have run. */
  costs(): Promise<Cost[]> {
    return wait(() => this.#native.costs())
  }

  /** @internal Test device: holds the stream before its next kernel, or lets it run on. */
  hold(hold: boolean): void {
    call(() => this.#native.hold(hold))
  }

  /** @internal For tests: the kernel launched after `launches` more of them fails on the test device; a GPU is lost there. */
  injectFault(launches: number): void {
    call(() => this.#native.injectFault(whole('injectFault', launches)))
  }

  /** @internal */
  draw(kind: 'uniform' | 'normal', shape: Shape, at: Native.NativePosition): Tensor {
    return make(this, () => native[kind](this.#native, sizes(kind, shape), at))
  }
}

function checkAlgorithm(algorithm: Algorithm): void {
  if (algorithms.includes(algorithm)) return
  throw new TypeError(`algorithm must be one of ${algorithms.join(', ')}, got ${shown(algorithm)}`)
}

/** What is no number would become one without a word: null 0, undefined NaN. */
function checkNumbers(values: ArrayLike<unknown>): void {
  if (ArrayBuffer.isView(values) && !(values instanceof BigInt64Array || values instanceof BigUint64Array)) return
  for (let i = 0; i < values.length; i++) {
    if (typeof values[i] !== 'number') {
      throw new TypeError(`tensor: numbers are expected, got ${shown(values[i])} at ${i}`)
    }
  }
}

function asElements(values: ArrayLike<number>, float: 'f32' | 'f64'): { array: Values; dtype: DType } {
  if (values instanceof Uint8Array) return { array: values, dtype: 'u8' }
  if (values instanceof Int32Array) return { array: values, dtype: 'i32' }
  if (float === 'f32')
    return { array: values instanceof Float32Array ? values : Float32Array.from(values), dtype: float }
  return { array: values instanceof Float64Array ? values : Float64Array.from(values), dtype: float }
}

/** Disposes of tensors that were made outside of scopes and forgotten; scopes do not need it. */
const forgotten = new FinalizationRegistry<number>((handle) => native.dispose(handle))
let depth = 0

const construct = Symbol('construct')

function wrap(device: Device, handle: number): Tensor {
  const tensor = new Tensor(construct, device, handle)
  if (depth === 0) forgotten.register(tensor, handle)
  return tensor
}

function make(device: Device, op: () => number): Tensor {
  return wrap(device, call(op))
}

export interface ConvOptions {
  /** Step between windows, default 1. */
  stride?: number
  /** Zeros around the image: top, bottom, left, right; default none. */
  padding?: readonly [number, number, number, number]
  algorithm?: Algorithm
}

export interface Conv2dOptions extends ConvOptions {
  /** What the result is stored in, default: what the image is. */
  dtype?: FloatType
}

/** Feature maps `[N, H, W, C]`, and what normalises them if that is left to whoever reads them. */
export interface LayerMaps {
  readonly x: Tensor
  /** `[N, 3, C]`: by image μ, factor and summand of `(x − μ) · factor + summand`. */
  readonly normal?: Tensor
}

export interface LayerOptions extends ConvOptions {
  /** Repeats each pixel twice along both axes first; then the kernel is 3×3, stride and padding are 1. */
  upscale?: boolean
  /** What normalises the image. */
  normal?: Tensor | undefined
  /** Noise `[N or 1, H, W, 1]` and its strength `[C]`; default none. */
  noise?: readonly [noise: Tensor, strength: Tensor] | undefined
  /** Scales less 1, then biases, `[N, 2C]`, as of `adain`; default none. */
  style?: Tensor
  /** Three taps of a separable filter; default none. */
  blur?: readonly number[]
  /** Slope of the leaky ReLU below 0. */
  alpha: number
  /** What the convolution is multiplied with; default 1. */
  gain?: number
}

export interface UpfirdnOptions {
  /** Zeros inserted between pixels, plus one; default 1. */
  up?: number
  /** Every `down`-th pixel is kept; default 1. */
  down?: number
  /** Separable filter, used along both axes as it is. */
  taps: readonly number[]
  /** Zeros (or, if negative, cropped pixels) around the upsampled image: top, bottom, left, right; default none. */
  padding?: readonly [number, number, number, number]
}

export interface AffineResampleOptions {
  /** Taps between two pixels, default 1. */
  up?: number
  /** Separable filter around each place, default bilinear interpolation; linear between its taps. */
  taps?: readonly number[]
  /** Images are reflected at their borders, by up to their size; default zeros. */
  reflect?: boolean
}

/** A contiguous array on a device. Images are `[N, H, W, C]`, filters `[kh, kw, in, out]`, dense weights `[in, out]`. */
export class Tensor {
  readonly device: Device
  readonly #handle: number
  #shape: number[] | undefined

  /** @internal */
  constructor(key: symbol, device: Device, handle: number) {
    if (key !== construct) throw new TypeError('tensors are made by a device: device.tensor(values, shape)')
    this.device = device
    this.#handle = handle
  }

  /** @internal */
  static handle(tensor: Tensor): number {
    if (!(tensor instanceof Tensor)) throw new TypeError(`a tensor is expected, got ${shown(tensor)}`)
    return tensor.#handle
  }

  get shape(): Shape {
    return (this.#shape ??= call(() => native.shape(this.#handle)))
  }

  get dtype(): DType {
    return call(() => native.dtype(this.#handle)) as DType
  }

  /** Number of elements. */
  get size(): number {
    return this.shape.reduce((product, size) => product * size, 1)
  }

  get disposed(): boolean {
    return !native.isLive(this.#handle)
  }

  /** @throws ShapeError unless there are four axes */
  dims4(): [number, number, number, number] {
    const [a, b, c, d] = this.#dims(4)
    return [a!, b!, c!, d!]
  }

  /** @throws ShapeError unless there are two axes */
  dims2(): [number, number] {
    const [a, b] = this.#dims(2)
    return [a!, b!]
  }

  #dims(axes: number): Shape {
    if (this.shape.length === axes) return this.shape
    throw new ShapeError(`dims${axes}: ${axes} axes are expected, got [${this.shape.join(', ')}]`)
  }

  /** The elements, when the device has them; those of 16 bits in the device's float. */
  async data(): Promise<Values> {
    const dtype = this.dtype
    if (dtype === 'bf16' || dtype === 'f16') {
      const wide = this.cast(this.device.float)
      return wide.data().finally(() => wide.dispose())
    }
    const bytes = await wait(() => native.read(this.#handle))
    if (dtype === 'u8') return bytes
    const Elements = dtype === 'f32' ? Float32Array : dtype === 'f64' ? Float64Array : Int32Array
    return new Elements(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / Elements.BYTES_PER_ELEMENT)
  }

  /** The one element of a tensor of size 1. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: one element is expected, got [${this.shape.join(', ')}]`)
    return (await this.data())[0]!
  }

  /** Whether what is computed from this is recorded. */
  get isTracked(): boolean {
    return call(() => native.isTracked(this.#handle))
  }
  /** Whether this was computed from one of `inputs`, so that `grad` can find a gradient. */
  dependsOn(inputs: readonly Tensor[]): boolean {
    return call(() => native.dependsOn(Tensor.handle(this), list('dependsOn', inputs, 'tensors').map(Tensor.handle)))
  }

  /** The same elements as the start of a history: `grad` can ask for this tensor. */
  tracked(): Tensor {
    return this.#op(native.tracked)
  }

  /** The same elements without history. */
  detach(): Tensor {
    return this.#op(native.detach)
  }

  /** Replaces the elements by those of `source`, in place. */
  assign(source: Tensor): void {
    call(() => native.assign(this.#handle, Tensor.handle(source)))
  }

  /** Frees the memory as soon as no history needs it. */
  dispose(): void {
    native.dispose(this.#handle)
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** `x + y`, elementwise with broadcasting, as all ops of two tensors. */
  add(b: Tensor | number): Tensor {
    return typeof b === 'number' ? this.affine(1, b) : this.#with(b, native.add)
  }
  /** `x − y`. */
  sub(b: Tensor | number): Tensor {
    return typeof b === 'number' ? this.affine(1, -b) : this.#with(b, native.sub)
  }
  /** `x · y`. */
  mul(b: Tensor | number): Tensor {
    return typeof b === 'number' ? this.affine(b, 0) : this.#with(b, native.mul)
  }
  /** `x / y`. */
  div(b: Tensor | number): Tensor {
    return this.#withNumber(b, native.div)
  }
  /** 1 where this is greater, else 0. */
  greater(b: Tensor | number): Tensor {
    return this.#withNumber(b, native.greater)
  }
  /** 1 where `x ≥ y`, else 0; no gradient. */
  greaterEqual(b: Tensor | number): Tensor {
    return this.#withNumber(b, native.greaterEqual)
  }
  /** 1 where `x = y`, else 0; no gradient. */
  equal(b: Tensor | number): Tensor {
    return this.#withNumber(b, native.equal)
  }
  /** The larger of this and `b`. */
  maximum(b: Tensor): Tensor {
    return this.#with(b, native.maximum)
  }
  /** `a` where this is not 0, else `b`. */
  select(a: Tensor, b: Tensor): Tensor {
    return this.#op((x) => native.select(x, Tensor.handle(a), Tensor.handle(b)))
  }

  /** `−x`. */
  neg(): Tensor {
    return this.#op(native.neg)
  }
  /** `eˣ`. */
  exp(): Tensor {
    return this.#op(native.exp)
  }
  /** The natural logarithm. */
  log(): Tensor {
    return this.#op(native.log)
  }
  /** `√x`. */
  sqrt(): Tensor {
    return this.#op(native.sqrt)
  }
  /** `1 / √x`. */
  rsqrt(): Tensor {
    return this.#op(native.rsqrt)
  }
  /** `x²`. */
  square(): Tensor {
    return this.#op(native.square)
  }
  /** `ln(1 + eˣ)`. */
  softplus(): Tensor {
    return this.#op(native.softplus)
  }
  /** `1 / (1 + e⁻ˣ)`. */
  sigmoid(): Tensor {
    return this.#op(native.sigmoid)
  }
  /** The sine of radians. */
  sin(): Tensor {
    return this.#op(native.sin)
  }
  /** The cosine of radians. */
  cos(): Tensor {
    return this.#op(native.cos)
  }
  /** The angle 0 … π whose cosine this is. */
  acos(): Tensor {
    return this.#op(native.acos)
  }
  /** `scale · x + shift`. */
  affine(scale: number, shift: number): Tensor {
    return this.#op((x) => native.affine(x, number('affine', scale), number('affine', shift)))
  }
  /** `x` kept between `low` and `high`; no gradient flows where it is outside. */
  clamp(low: number, high: number): Tensor {
    return this.#op((x) => native.clamp(x, number('clamp', low), number('clamp', high)))
  }
  /** `x` where `x ≥ 0`, else `alpha · x`. */
  leakyRelu(alpha: number): Tensor {
    return this.#op((x) => native.leakyRelu(x, number('leaky_relu', alpha)))
  }

  /** Sum over `axes` (all by default), which stay with size 1 if `keep`. */
  sum(axes?: Shape, keep = false): Tensor {
    return this.#op((x) => native.sum(x, this.#axes('sum', axes), flag('sum: keep', keep)))
  }
  /** Mean over `axes` (all by default), which stay with size 1 if `keep`. */
  mean(axes?: Shape, keep = false): Tensor {
    return this.#op((x) => native.mean(x, this.#axes('mean', axes), flag('mean: keep', keep)))
  }
  /** Largest element over `axes` (all by default), which stay with size 1 if `keep`. */
  max(axes?: Shape, keep = false): Tensor {
    return this.#op((x) => native.max(x, this.#axes('max', axes), flag('max: keep', keep)))
  }

  /** The same elements in another shape; nothing is copied. */
  reshape(shape: Shape): Tensor {
    return this.#op((x) => native.reshape(x, sizes('reshape', shape)))
  }
  /** Axis `i` of the result is axis `axes[i]`. */
  permute(axes: Shape): Tensor {
    return this.#op((x) => native.permute(x, sizes('permute', axes)))
  }
  /** The part that begins at `starts` and has `lengths`, a number for each axis. */
  slice(starts: Shape, lengths: Shape): Tensor {
    return this.#op((x) => native.slice(x, sizes('slice', starts), sizes('slice', lengths)))
  }
  /** Zeros before and after each axis. */
  pad(pairs: readonly (readonly [number, number])[]): Tensor {
    if (!list('pad', pairs, 'pairs').every((pair: readonly number[]) => Array.isArray(pair) && pair.length === 2)) {
      throw new ShapeError(`pad: pairs of sizes before and after are expected, got ${shown(pairs)}`)
    }
    return this.#op((x) => native.pad(x, sizes('pad', pairs.flat())))
  }
  /** The order along `axes` reversed. */
  flip(axes: Shape): Tensor {
    return this.#op((x) => native.flip(x, sizes('flip', axes)))
  }
  /** Repeated along axes of size 1, and along new axes in front. */
  broadcastTo(shape: Shape): Tensor {
    return this.#op((x) => native.broadcastTo(x, sizes('broadcast_to', shape)))
  }
  /** The tensors along `axis`, without that axis. */
  unstack(axis: number): Tensor[] {
    const length = this.shape[axis]
    if (length === undefined) throw new ShapeError(`unstack: axis ${axis} of [${this.shape.join(', ')}] does not exist`)
    const lengths = this.shape.with(axis, 1)
    const rest = this.shape.toSpliced(axis, 1)
    const starts = this.shape.map(() => 0)
    return Array.from({ length }, (_, i) => scope(() => this.slice(starts.with(axis, i), lengths).reshape(rest)))
  }
  /** The same values in another element type; to integers truncated and clamped, which has no gradient. */
  cast(dtype: DType): Tensor {
    return this.#op((x) => native.cast(x, named('dtype', dtype)))
  }

  /** `[.., m, k] · [.., k, n]`; a transposed operand is stored with its last two axes swapped. */
  matmul(b: Tensor, options: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
    const { transposeA = false, transposeB = false } = object('matmul', options)
    const turned = [flag('matmul: transposeA', transposeA), flag('matmul: transposeB', transposeB)] as const
    return this.#with(b, (x, y) => native.matmul(x, y, ...turned))
  }
  /** Rows of this table `[R, C]` by number (`i32 [K]`). */
  gatherRows(rows: Tensor): Tensor {
    return this.#with(rows, native.gatherRows)
  }
  /** The adjoint of `gatherRows`: `[K, C]` added up into a table `[tableRows, C]`. */
  scatterRows(rows: Tensor, tableRows: number): Tensor {
    return this.#with(rows, (x, y) => native.scatterRows(x, y, whole('scatter_rows', tableRows)))
  }

  /** Correlation with filters `w [kh, kw, C, O]`. */
  conv2d(w: Tensor, options: Conv2dOptions = {}): Tensor {
    return this.#with(w, (x, y) =>
      native.conv2d(
        x,
        y,
        ...this.#conv('conv2d', options),
        options.dtype === undefined ? undefined : named('dtype', options.dtype),
      ),
    )
  }
  /** The adjoint of `conv2d` in the image: from `[N, H', W', O]` to `[N, ...size, C]`. */
  conv2dTranspose(w: Tensor, size: readonly [number, number], options: ConvOptions = {}): Tensor {
    const op = 'conv2d_transpose'
    return this.#with(w, (x, y) => native.conv2dTranspose(x, y, sizes(op, size), ...this.#conv(op, options)))
  }
  /** The adjoint of `conv2d` in the filter: from images and `y [N, H', W', O]` to `[...kernel, C, O]`. */
  conv2dWeightGrad(y: Tensor, kernel: readonly [number, number], options: ConvOptions = {}): Tensor {
    const op = 'conv2d_weight_grad'
    return this.#with(y, (a, b) => native.conv2dWeightGrad(a, b, sizes(op, kernel), ...this.#conv(op, options)))
  }
  #conv(op: string, options: ConvOptions) {
    const { stride = 1, padding = [0, 0, 0, 0], algorithm = this.device.algorithm } = object(op, options)
    checkAlgorithm(algorithm)
    return [whole(`${op}: stride`, stride), sizes(`${op}: padding`, padding), algorithm] as const
  }
  /** Upsample with zeros, pad, filter, downsample. */
  upfirdn2d(options: UpfirdnOptions): Tensor {
    const { up = 1, down = 1, padding = [0, 0, 0, 0], ...filter } = object('upfirdn2d', options)
    const taps = numbers('upfirdn2d: taps', filter.taps)
    const factors = [whole('upfirdn2d: up', up), whole('upfirdn2d: down', down)] as const
    const pads = numbers('upfirdn2d: padding', padding).map((size) =>
      whole('upfirdn2d: padding', size, -(2 ** 31), 2 ** 31 - 1),
    )
    return this.#op((x) => native.upfirdn2d(x, ...factors, taps, pads))
  }

  /**
   * Pixel (i, j) of image n is this image at row `m[n, 0] · (i, j, 1)` and column `m[n, 1] · (i, j, 1)`, for matrices `m [N, 2, 3]`: from
   * `[N, H, W, C]` to `[N, ...size, C]`.
   */
  affineResample(m: Tensor, size: readonly [number, number], options: AffineResampleOptions = {}): Tensor {
    return this.#with(m, (x, y) => native.affineResample(x, y, ...this.#lookup(size, options)))
  }
  /** The adjoint of `affineResample`: from `[N, H', W', C]` to `[N, ...size, C]`. */
  affineResampleTranspose(m: Tensor, size: readonly [number, number], options: AffineResampleOptions = {}): Tensor {
    return this.#with(m, (x, y) => native.affineResampleTranspose(x, y, ...this.#lookup(size, options)))
  }
  #lookup(size: readonly [number, number], options: AffineResampleOptions) {
    const op = 'affine_resample'
    const { up = 1, taps = [1], reflect = false } = object(op, options)
    return [
      sizes(op, size),
      whole(`${op}: up`, up),
      numbers(`${op}: taps`, taps),
      flag(`${op}: reflect`, reflect),
    ] as const
  }

  /** `x + b`, then values below 0 times `alpha` (1: linear, 0: ReLU). */
  biasAct(b: Tensor, alpha: number): Tensor {
    return this.#with(b, (x, y) => native.biasAct(x, y, number('bias_act', alpha)))
  }
  /** `biasAct` of `x + noise · strength`: noise `[N or 1, H, W, 1]`, strength `[C]`. */
  noiseBiasAct(noise: Tensor, strength: Tensor, b: Tensor, alpha: number): Tensor {
    const [n, s] = [Tensor.handle(noise), Tensor.handle(strength)]
    return this.#with(b, (x, y) => native.noiseBiasAct(x, n, s, y, number('noise_bias_act', alpha)))
  }
  /** Adaptive instance normalisation (StyleGAN, Eq. 1) with a style `[N, 2C]`: scales less 1, then biases. */
  adain(style: Tensor): Tensor {
    return this.#with(style, native.adain)
  }
  /**
   * A convolution with `w`, of an image or of an upscaled one, and what follows it: the blur, noise, bias `b [C]`, leaky ReLU; with a
   * style also what normalises the result, which is left to the layer that reads it. One kernel on a CPU where nothing is recorded.
   */
  layer(w: Tensor, b: Tensor, options: LayerOptions): LayerMaps {
    const [weight, bias] = [Tensor.handle(w), Tensor.handle(b)]
    const { upscale = false, normal, noise = [], style, blur = [], alpha, gain = 1 } = object('layer', options)
    const pair: readonly Tensor[] = noise
    if (!Array.isArray(pair) || ![0, 2].includes(pair.length)) {
      throw new TypeError(`layer: noise: a tensor and its strength are expected, got ${shown(pair)}`)
    }
    const of = {
      b: bias,
      upscale: flag('layer: upscale', upscale),
      ...(normal && { normal: Tensor.handle(normal) }),
      noise: pair.map(Tensor.handle),
      ...(style && { style: Tensor.handle(style) }),
      blur: numbers('layer: blur', blur),
      alpha: finite('layer: alpha', alpha),
      gain: finite('layer: gain', gain),
    }
    const handles = call(() => native.layer(this.#handle, weight, of, ...this.#conv('layer', options)))
    const [x, found] = handles.map((handle) => wrap(this.device, handle))
    return { x: x!, ...(found && { normal: found }) }
  }
  /** How much the images of a group differ: `[N / group]`; images m, m + M, m + 2M … are a group. */
  minibatchStddev(group: number): Tensor {
    return this.#op((x) => native.minibatchStddev(x, sizes('minibatch_stddev', [group])[0]!))
  }

  #op(op: (handle: number) => number): Tensor {
    return make(this.device, () => op(this.#handle))
  }
  #with(b: Tensor, op: (a: number, b: number) => number): Tensor {
    return make(this.device, () => op(this.#handle, Tensor.handle(b)))
  }
  #withNumber(b: Tensor | number, op: (a: number, b: number) => number): Tensor {
    if (typeof b !== 'number') return this.#with(b, op)
    return scope(() => this.#with(this.device.scalar(b), op))
  }
  #axes(op: string, axes: Shape | undefined): number[] {
    return axes === undefined ? this.shape.map((_, axis) => axis) : sizes(op, axes)
  }
}

/** Tensors one after the other along `axis`. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const handles = list('concat', tensors, 'tensors').map(Tensor.handle)
  if (handles.length === 0) throw new ShapeError('concat: at least one tensor is needed, got none')
  return make(tensors[0]!.device, () => native.concat(handles, whole('concat: axis', axis)))
}

/**
 * The same tensor outside of all scopes: it lives until it is disposed of. Its values change no more, so that the device may keep
 * what it makes of them.
 */
export function freeze(tensor: Tensor): Tensor {
  const handle = Tensor.handle(tensor)
  const frozen = wrap(
    tensor.device,
    call(() => native.freeze(handle)),
  )
  if (depth > 0) forgotten.register(frozen, Tensor.handle(frozen))
  return frozen
}

/**
 * Runs `work` and disposes of every tensor made inside that it does not return (tensors are found in arrays, plain objects
 * and maps). What a history needs lives on with that history.
 *
 * @throws TypeError if `work` returns a promise: its tensors would be gone before it is fulfilled
 */
export function scope<T>(work: () => T): T {
  if (typeof work !== 'function') throw new TypeError(`scope: a function is expected, got ${shown(work)}`)
  native.scopeBegin()
  depth++
  const kept: Tensor[] = []
  try {
    const result = work()
    if (result instanceof Promise) {
      result.catch(() => {})
      throw new TypeError('scope: the function must not be async; wait outside of the scope')
    }
    collect(result, kept)
    return result
  } finally {
    depth--
    const handles = kept.map(Tensor.handle)
    native.scopeEnd(handles)
    if (depth === 0) kept.forEach((tensor, i) => forgotten.register(tensor, handles[i]!))
  }
}

function collect(value: unknown, found: Tensor[]): void {
  if (value instanceof Tensor) found.push(value)
  else if (Array.isArray(value)) for (const item of value) collect(item, found)
  else if (value instanceof Map) for (const item of value.values()) collect(item, found)
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) collect(item, found)
  }
}

/**
 * Gradients of the sum of all elements of `outputs` towards each of `inputs`, zeros where no path leads. Only paths that
 * lead to the inputs are computed. With `createGraph` the gradients can be differentiated again, to any order.
 *
 * @throws ShapeError if an input is not tracked
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  options: { createGraph?: boolean } = {},
): Tensor[] {
  const { createGraph = false } = object('grad', options)
  const [to, again] = [list('inputs', inputs, 'tensors').map(Tensor.handle), flag('grad: createGraph', createGraph)]
  if (to.length === 0) return []
  const from = outputs instanceof Tensor ? [outputs] : list('outputs', outputs, 'tensors')
  const handles = call(() => native.grad(from.map(Tensor.handle), to, again))
  return handles.map((handle, i) => wrap(inputs[i]!.device, handle))
}

export interface AdamTensors {
  /** `[P]` */
  grad: Tensor
  /** `[P]`, changed in place, as are all that follow. */
  params: Tensor
  m: Tensor
  v: Tensor
  /** `[2]`: steps taken, steps skipped because a gradient was not finite. */
  state: Tensor
  /** `[P]`: running average of `params`, updated before they are. */
  average?: Tensor
}

export interface AdamStep {
  rate: number
  beta1: number
  beta2: number
  epsilon: number
  /** Weight of the old average. */
  averageBeta?: number
}

/** One step of TensorFlow 1's Adam (ε in the "epsilon hat" position), in place. */
export function adam(tensors: AdamTensors, options: AdamStep): void {
  for (const [name, given] of Object.entries<unknown>({ tensors, options })) {
    if (typeof given !== 'object' || given === null) {
      throw new TypeError(`${name}: an object is expected, got ${shown(given)}`)
    }
  }
  const { averageBeta = 0, ...step } = options
  const { grad, params, m, v, state, average } = tensors
  const all = [grad, params, m, v, state, ...(average ? [average] : [])]
  call(() => native.adam(all.map(Tensor.handle), { ...step, averageBeta }))
}
