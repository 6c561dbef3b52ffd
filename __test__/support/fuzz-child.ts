/**
 * Calls what `ts/native` exports with arguments of every sort. Each call must return, or throw one of the errors that the
 * module names; the process must not end by itself. Arguments: seed, number of calls, a folder for files, a data set in it.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { native } from '../../ts/native/addon.ts'
import * as api from '../../ts/native/index.ts'
import { DataError, Device, DeviceError, DisposedError, Rng, ShapeError, Tensor } from '../../ts/native/index.ts'

const [seed, calls, folder, dataset] = [
  Number(process.argv[2]),
  Number(process.argv[3]),
  process.argv[4]!,
  process.argv[5]!,
]
const rng = new Rng(seed, 77)
const pick = <T>(values: readonly T[]): T => values[rng.nextInteger(0, values.length)]!
const chance = (share: number) => rng.nextUniform() < share
const some = <T>(most: number, make: () => T): T[] => Array.from({ length: rng.nextInteger(0, most + 1) }, make)

const odd = [
  NaN,
  -1,
  0.5,
  -0,
  Infinity,
  -Infinity,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 31) - 1,
  1e308,
  5e-324,
] as const
const wrong = [
  '1',
  '',
  null,
  undefined,
  {},
  [],
  true,
  10n,
  Symbol('s'),
  () => 1,
  new Uint8Array(3),
  { length: 2 ** 40 },
] as const
const size = (): any => (chance(0.9) ? rng.nextInteger(0, 6) : chance(0.7) ? pick(odd) : pick(wrong))
const value = (): any => (chance(0.7) ? rng.nextUniform() * 4 - 2 : chance(0.8) ? pick(odd) : pick(wrong))
const flag = (): any => (chance(0.9) ? chance(0.5) : pick(wrong))
const shape = (axes?: number): any =>
  chance(0.03) ? pick(wrong) : Array.from({ length: axes ?? rng.nextInteger(0, 6) }, size)
const values = (length: number): any =>
  (pick([Float32Array, Float64Array, Uint8Array, Int32Array, Array]) as any).from({ length }, () =>
    pick([0, 1, 2, 0.5, 3]),
  )
const floats = (): any =>
  chance(0.9)
    ? Float32Array.from({ length: 12 * rng.nextInteger(0, 9) }, () => rng.nextUniform())
    : chance(0.5)
      ? Float32Array.of(NaN, 1)
      : pick(wrong)
const bytes = (): any =>
  chance(0.9)
    ? Uint8Array.from({ length: pick([0, 3, 12, 48, 192, 768, 3072, 12288]) }, () => rng.nextInteger(0, 256))
    : pick(wrong)
const word = (words: readonly string[]): any => (chance(0.9) ? pick(words) : pick(wrong))
const path = (): any => (chance(0.9) ? join(folder, pick(['a.npy', 'b.npy', 'none/c', 'd', '\0', ''])) : pick(wrong))

// One call beyond this is refused, so that no product of small tensors takes long.
const options = { memoryLimit: 1 << 20 }
const names = ['cpu', 'reference', 'test'] as const
let devices = names.map((name) => Device.open(name, options))
let tensors: Tensor[] = []
const device = (): Device => pick(devices)
const tensor = (): any => (tensors.length > 0 && chance(0.97) ? pick(tensors) : pick(wrong))
const padding = (): any => (chance(0.9) ? some(1, size).concat(size(), size(), size()) : pick(wrong))
const conv = (): any => ({
  ...(chance(0.5) && { stride: size() }),
  ...(chance(0.6) && { padding: padding() }),
  ...(chance(0.5) && { algorithm: word(['auto', 'im2col', 'shifted', 'direct', 'winograd', 'fast']) }),
  ...(chance(0.2) && { dtype: word(dtypes) }),
})
const dtypes = ['f32', 'f64', 'u8', 'i32', 'bf16', 'f16', 'i64'] as const

/** A tensor of a form that ops take, so that not every call is refused for its shape. */
function made(): Tensor {
  const axes = rng.nextInteger(0, 5)
  const sizes = Array.from({ length: axes }, () => pick([0, 1, 2, 2, 3, 4]))
  const length = sizes.reduce((product, size) => product * size, 1)
  const made = device().tensor(values(length), sizes)
  return chance(0.5) ? made.tracked() : made
}

const unary = [
  'neg',
  'exp',
  'log',
  'sqrt',
  'rsqrt',
  'square',
  'softplus',
  'sigmoid',
  'sin',
  'cos',
  'acos',
  'tracked',
  'detach',
  'data',
  'item',
  'dims2',
  'dims4',
  'dispose',
] as const
const binary = ['add', 'sub', 'mul', 'div', 'greater', 'greaterEqual', 'equal', 'maximum'] as const

/** What is called, by name: each gives back what the call gave. */
const ops: Record<string, () => unknown> = {
  made,
  unary: () => (tensor() as any)[pick(unary)](),
  binary: () => (tensor() as any)[pick(binary)](chance(0.8) ? tensor() : value()),
  tensor: () => device().tensor(chance(0.8) ? values(rng.nextInteger(0, 30)) : (pick(wrong) as any), shape()),
  full: () => device().full(shape(), value()),
  scalar: () => device().scalar(value()),
  arena: () => device().arena(chance(0.9) ? some(4, shape) : (pick(wrong) as any)),
  draw: () => (new Rng(1) as any)[pick(['uniform', 'normal'])](device(), shape()),
  rng: () => new Rng(value(), value(), value()),
  integer: () => rng.nextInteger(value(), value()),
  permutation: () => rng.permutation(chance(0.5) ? size() % 100 : pick([-1, NaN, 2 ** 31, 2 ** 32 - 1, 1.5, 2 ** 27])),
  affine: () => tensor().affine(value(), value()),
  clamp: () => tensor().clamp(value(), value()),
  leakyRelu: () => tensor().leakyRelu(value()),
  select: () => tensor().select(tensor(), tensor()),
  reduce: () => tensor()[pick(['sum', 'mean', 'max'])](...(chance(0.3) ? [] : [shape(), flag()])),
  reshape: () => tensor().reshape(shape()),
  permute: () => tensor().permute(chance(0.5) ? [0, 1, 2, 3].slice(0, rng.nextInteger(0, 5)).reverse() : shape()),
  slice: () => tensor().slice(shape(), shape()),
  pad: () => tensor().pad(chance(0.9) ? some(4, () => shape(2)) : (pick(wrong) as any)),
  flip: () => tensor().flip(shape()),
  broadcastTo: () => tensor().broadcastTo(shape()),
  unstack: () => tensor().unstack(size()),
  cast: () => tensor().cast(word(dtypes)),
  matmul: () => tensor().matmul(tensor(), chance(0.7) ? { transposeA: flag(), transposeB: flag() } : undefined),
  gatherRows: () => tensor().gatherRows(tensor()),
  scatterRows: () => tensor().scatterRows(tensor(), size()),
  conv2d: () => tensor().conv2d(tensor(), conv()),
  conv2dTranspose: () => tensor().conv2dTranspose(tensor(), shape(2), conv()),
  conv2dWeightGrad: () => tensor().conv2dWeightGrad(tensor(), shape(2), conv()),
  upfirdn2d: () => tensor().upfirdn2d({ taps: some(5, value), up: size(), down: size(), padding: padding() }),
  affineResample: () =>
    tensor()[pick(['affineResample', 'affineResampleTranspose'] as const)](tensor(), shape(2), {
      taps: some(5, value),
      up: size(),
      reflect: flag(),
    }),
  biasAct: () => tensor().biasAct(tensor(), value()),
  noiseBiasAct: () => tensor().noiseBiasAct(tensor(), tensor(), tensor(), value()),
  adain: () => tensor().adain(tensor()),
  layer: () =>
    tensor().layer(tensor(), tensor(), {
      ...conv(),
      ...(chance(0.3) && { upscale: flag() }),
      ...(chance(0.3) && { normal: tensor() }),
      ...(chance(0.6) && { noise: some(3, tensor) as any }),
      ...(chance(0.5) && { style: tensor() }),
      blur: some(4, value),
      alpha: value(),
    }),
  minibatchStddev: () => tensor().minibatchStddev(size()),
  assign: () => tensor().assign(tensor()),
  concat: () => api.concat(chance(0.9) ? some(3, tensor) : (pick(wrong) as any), size()),
  freeze: () => api.freeze(tensor()),
  grad: () => api.grad(some(2, tensor), some(3, tensor), { createGraph: flag() }),
  adam: () => {
    const [grad, params, m, v, average] = [tensor(), tensor(), tensor(), tensor(), chance(0.5) ? tensor() : undefined]
    const step = { rate: value(), beta1: value(), beta2: value(), epsilon: value(), averageBeta: value() }
    return api.adam({ grad, params, m, v, state: tensor(), average }, step)
  },
  scope: () => api.scope(chance(0.8) ? () => [tensor(), made()] : (pick(wrong) as any)),
  open: () =>
    Device.open(word(['cpu', 'reference', 'wgpu:99', 'gpu']), { ...options, algorithm: word(['auto', 'direct', 'x']) }),
  limit: () => Device.open('cpu', { memoryLimit: value() }),
  device: () => {
    const one = device()
    one.profile(flag())
    return pick([() => one.memory(), () => one.costs(), () => one.synchronize()])()
  },
  // Devices of their own: held or broken ones are of no more use.
  hold: () => Device.open(pick(names), options).hold(chance(0.5) ? (false as const) : (pick(wrong) as any)),
  fault: () => Device.open(pick(names), options).injectFault(value()),
  chooseDevice: () => api.chooseDevice(word(['cpu', 'auto', 'wgpu:9', 'x']), () => [api.listDevices()[0]]),
  encodePng: () => api[pick(['encodePng', 'encodeDrawnPng'] as const)](bytes(), size(), size(), size()),
  npy: () => (chance(0.5) ? api.readNpy(path()) : api.writeNpy(path(), shape(2), floats())),
  listImages: () => api.listImages(path(), flag()),
  writer: () => {
    const writer = api.LevelWriter.create(join(folder, 'set'), size(), pick([4, 8, size()]), pick([3, size()]))
    return pick([
      () => writer.prepare(size(), chance(0.9) ? [path()] : (pick(wrong) as any), chance(0.5) ? 100 : value()),
      () => writer.writePixels(size(), bytes(), size(), size()),
      () => writer.sync(),
      () => writer.finish(size()),
    ])()
  },
  reopen: () => api.LevelWriter.open(join(folder, 'set'), size(), pick([4, 8, size()]), pick([3, size()])),
  levels: () => {
    const levels = api.Levels.open(chance(0.9) ? dataset : path())
    return levels.batch(pick([4, 8, size()]), shape(), chance(0.9) ? some(5, flag) : (pick(wrong) as any))
  },
  statistics: () => {
    const statistics = new api.FeatureStatistics(chance(0.8) ? pick([1, 2, 3]) : value())
    const added = statistics.add(floats())
    return added.then(() =>
      pick([() => statistics.mean(), () => statistics.covariance(word(['N', 'N-1', 'M'])), () => statistics.save()])(),
    )
  },
  restore: () => {
    const saved: any = new api.FeatureStatistics(3).save()
    saved[rng.nextInteger(0, saved.length)] ^= 1 << rng.nextInteger(0, 8)
    return api.FeatureStatistics.restore(chance(0.9) ? saved : pick(wrong))
  },
  frechet: () => {
    const gaussian = (): any => ({
      mean: Float64Array.from(some(3, () => rng.nextUniform())),
      covariance: Float64Array.from(some(9, () => rng.nextUniform())),
    })
    return api.frechetDistance(chance(0.9) ? gaussian() : (pick(wrong) as any), gaussian())
  },
  kernelDistance: () =>
    api.kernelDistance(floats(), floats(), size(), {
      subsets: chance(0.9) ? 3 : pick([0, -1, NaN, 1.5]),
      size: size(),
      seed: value(),
    }),
  neighbourhoods: () => api.neighbourhoods(floats(), floats(), size(), size(), size()),
  svm: () =>
    api.linearSvm(floats(), Uint8Array.from(some(20, () => rng.nextInteger(0, 3))), size(), {
      C: value(),
      tolerance: value(),
      maxIterations: chance(0.9) ? 20 : pick([0, -1, NaN]),
      seed: size(),
    }),
  descriptors: () => {
    const [a, b] = [1, 2].map(() =>
      api.Descriptors.create(word(['reals', 'fakes', 'x']), pick([16, 32, size()]), pick([3, size()]), size()),
    )
    return a!
      .add(bytes())
      .then(() => pick<() => unknown>([() => a!.sides, () => a!.distances(pick([a!, b!]), size())])())
  },
  similarity: () =>
    api.multiScaleSimilarity(bytes(), bytes(), pick([16, size()]), pick([16, size()]), pick([3, size()])),
  crc32c: () => api.crc32c(bytes(), chance(0.5) ? 0 : value()),
}

/** The addon itself, below the checks of TypeScript: it may answer or throw what it wants, but must not end the process. */
const exported = Object.values(native).filter((value) => typeof value === 'function') as any[]
const argument = (): any =>
  pick<() => unknown>([
    () => (tensors.length > 0 ? Tensor.handle(pick(tensors)) : 0),
    size,
    value,
    shape,
    () => pick(odd),
    () => pick(wrong),
    floats,
    bytes,
    flag,
    () => pick(['cpu', 'auto', 'f32', 'u8', 'N', 'reals']),
    () => ({ seed: value(), stream: size(), offset: value(), c: 1, tolerance: 1, maxIterations: 5 }),
  ])()
ops['raw'] = () => {
  const one = pick(exported)
  // Classes have functions that make their instances.
  const statics = Object.getOwnPropertyNames(one).filter((name) => typeof one[name] === 'function')
  const called = statics.length > 0 ? one[pick(statics)] : one
  native.scopeBegin()
  try {
    const result = called.apply(one, some(6, argument))
    return result instanceof Promise ? result.catch(() => undefined) : undefined
  } catch {
    return undefined
  } finally {
    // Twice: the call may have opened one.
    native.scopeEnd([])
    native.scopeEnd([])
  }
}

/** V8 refuses some arguments before the module sees them, with the same classes. */
const known = [ShapeError, TypeError, RangeError, DeviceError, DisposedError, DataError]

function keep(result: unknown): void {
  if (result instanceof Tensor) tensors.push(result)
  else if (Array.isArray(result)) result.slice(0, 8).forEach(keep)
}

async function check(result: unknown): Promise<void> {
  for (const one of [result].flat().slice(0, 8)) {
    if (!(one instanceof Tensor) || one.disposed) continue
    const elements = (await one.data()).length
    if (elements !== one.size) throw new Error(`[${one.shape.join(', ')}] has ${elements} elements`)
  }
}

const counts = { returned: 0, refused: 0 }
for (let i = 0; i < calls; i++) {
  const name = pick(Object.keys(ops))
  // The last line says which call ended the process.
  writeSync(1, `${i} ${name}\n`)
  try {
    const result = await ops[name]!()
    keep(result)
    if (chance(0.2)) await check(result)
    counts.returned++
  } catch (error) {
    if (!known.some((kind) => error instanceof kind)) {
      writeSync(1, `unexpected in ${i} ${name}: ${inspect(error)}\n`)
      process.exit(3)
    }
    counts.refused++
    // A row that is not there fails the device for good.
    if (error instanceof DeviceError && error.code === 'ERR_DEVICE') {
      devices = names.map((name) => Device.open(name, options))
      tensors = []
    }
  }
  if (tensors.length > 40) tensors.splice(0, 20).forEach((tensor, at) => at % 2 && tensor.dispose())
}
writeSync(1, `done ${JSON.stringify(counts)}\n`)
