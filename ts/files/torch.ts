/**
 * PyTorch's weight files, both forms: a zip archive (torch ≥ 1.6) whose `data.pkl` is the state_dict and whose `data/<key>` are
 * the storages, and the older row of pickles (magic number, protocol, system, state_dict, keys) with the storages behind it.
 * Layout: torch/serialization.py.
 */
import { Global, type Globals, type PickleValue, readPickle } from './pickle.ts'
import { shown } from './shown.ts'
import { bytesOf, stridedWeight, type Weight, type WeightDType, type Weights } from './weights.ts'
import { isZip, readZip } from './zip.ts'

/** torch.serialization.MAGIC_NUMBER, and how a pickle of it begins. */
const magic = 0x1950a86a20f9469cfc6cn
const legacyStart = Buffer.from('80028a0a6cfc9c46f920', 'hex')

const storageTypes: Readonly<Record<string, WeightDType>> = {
  'torch.HalfStorage': 'f16',
  'torch.FloatStorage': 'f32',
  'torch.DoubleStorage': 'f64',
  'torch.LongStorage': 'i64',
}

class Storage {
  readonly key: string
  readonly dtype: WeightDType
  readonly length: number

  constructor(key: string, dtype: WeightDType, length: number) {
    this.key = key
    this.dtype = dtype
    this.length = length
  }
}

class TensorRef {
  readonly storage: Storage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }
}

/** torch.nn.Parameter as PyTorch 0.1 pickled it: empty, then its state (data, requires_grad, volatile, hooks). */
class Parameter {
  data: PickleValue = null

  setState(state: PickleValue): void {
    this.data = Array.isArray(state) ? (state[0] as PickleValue) : null
  }
}

/** Everything that a state_dict may name. */
const globals: Globals = {
  'collections.OrderedDict': ([items = []]) => new Map(items as [PickleValue, PickleValue][]),
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_parameter': ([data = null]) => data,
  'torch.nn.parameter.Parameter': () => new Parameter(),
  ...Object.fromEntries(Object.keys(storageTypes).map((name) => [name, refuseCall])),
}

function refuseCall(): never {
  throw new TypeError('it calls what is no function')
}

function rebuildTensor([storage, offset, shape, strides]: PickleValue[]): PickleValue {
  if (!(storage instanceof Storage)) throw new TypeError('a tensor of it has no storage')
  if (!Array.isArray(shape) || !Array.isArray(strides)) throw new TypeError('a tensor of it has no shape')
  return new TensorRef(storage, offset as number, shape as number[], strides as number[])
}

/** `('storage', type, key, location, length[, view])`: where a storage was (a GPU, say) does not matter. */
function storageOf(id: PickleValue): Storage {
  const [kind, type, key, , length, view = null] = Array.isArray(id) ? (id as PickleValue[]) : []
  const dtype = type instanceof Global ? storageTypes[type.name] : undefined
  if (kind !== 'storage' || dtype === undefined || typeof key !== 'string' || typeof length !== 'number') {
    throw new TypeError('it refers to what is no storage')
  }
  if (view !== null) throw new TypeError('it has views of storages, which are not read: save the state_dict anew')
  return new Storage(key, dtype, length)
}

/** Whether these are the first bytes of a file of PyTorch's. */
export function isTorchFile(bytes: Uint8Array): boolean {
  return isZip(bytes) || isLegacy(bytes)
}

function isLegacy(bytes: Uint8Array): boolean {
  return legacyStart.equals(bytes.subarray(0, legacyStart.length))
}

/**
 * Reads a state_dict: a dict of tensors by name.
 *
 * @throws TypeError or RangeError if the file is cut off, is no state_dict, or names anything else than tensors
 */
export function readTorchFile(bytes: Uint8Array): Weights {
  const { value, weights } = readTorch(bytes)
  return weights(value)
}

/** A file of torch.save: dicts and lists of whatever was saved, and a state_dict of it as weights. */
export interface TorchFile {
  readonly value: PickleValue
  /** @throws TypeError or RangeError if it is no state_dict, or a tensor of it reaches outside of its storage */
  readonly weights: (dict: PickleValue) => Weights
}

/**
 * Reads whatever torch.save wrote, as long as it is made of dicts, lists, numbers and tensors.
 *
 * @throws TypeError or RangeError if the file is cut off, or names anything else
 */
export function readTorch(bytes: Uint8Array): TorchFile {
  const { dict: value, storages } = isZip(bytes) ? readArchive(bytes) : readLegacy(bytes)
  const weights = (dict: PickleValue): Weights => {
    if (!(dict instanceof Map)) throw new TypeError('it holds no state_dict')
    return new Map(
      Array.from(dict as Map<PickleValue, PickleValue>, ([key, entry]) => {
        if (typeof key !== 'string') throw new TypeError('it holds no state_dict')
        return [key, asWeight(shown(key), entry, storages)]
      }),
    )
  }
  return { value, weights }
}

/** A whole module names classes, which a state_dict does not. */
function foreign(name: string): string | undefined {
  if (!/^(__main__|models?|networks?|torch\.nn\.modules)\b/.test(name)) return undefined
  return `it is a whole module saved with torch.save(model), which wants to use ${shown(name)}: save model.state_dict() instead`
}

interface Content {
  readonly dict: PickleValue
  readonly storages: ReadonlyMap<string, Uint8Array>
}

function readArchive(bytes: Uint8Array): Content {
  const files = readZip(bytes)
  const pickle = [...files.keys()].find((name) => name.endsWith('/data.pkl'))
  if (pickle === undefined) throw new TypeError("the zip archive has no 'data.pkl': it is no file of torch.save")
  const root = pickle.slice(0, -'data.pkl'.length)
  const order = files.get(`${root}byteorder`)?.()
  if (order !== undefined && Buffer.from(order).toString() !== 'little') throw new TypeError('it is big-endian')
  const { value } = readPickle(files.get(pickle)!(), 0, { globals, persistent: storageOf, foreign })
  const prefix = `${root}data/`
  const storages = [...files].filter(([name]) => name.startsWith(prefix))
  return { dict: value, storages: new Map(storages.map(([name, read]) => [name.slice(prefix.length), read()])) }
}

function readLegacy(bytes: Uint8Array): Content {
  const seen = new Map<PickleValue, Storage>()
  const persistent = (id: PickleValue) => {
    const storage = storageOf(id)
    seen.set(storage.key, storage)
    return storage
  }
  let at = 0
  const next = () => {
    const { value, end } = readPickle(bytes, at, { globals, persistent, foreign })
    at = end
    return value
  }
  if (next() !== magic || next() !== 1001) throw new TypeError('it is no file of torch.save, protocol 1001')
  const system = next()
  if (system instanceof Map && system.get('little_endian') === false) throw new TypeError('it is big-endian')
  const dict = next()
  const keys = next()
  if (!Array.isArray(keys)) throw new TypeError('it holds no state_dict')
  const storages = new Map<string, Uint8Array>()
  for (const storage of (keys as PickleValue[]).map((key) => seen.get(key))) {
    if (storage === undefined) throw new TypeError('it holds a storage that no tensor uses')
    // The number of elements (8 bytes), then the elements.
    const start = at + 8
    at = start + storage.length * bytesOf[storage.dtype]
    if (at > bytes.length) throw new RangeError(`it is cut off: ${at} bytes are expected, there are ${bytes.length}`)
    storages.set(storage.key, bytes.subarray(start, at))
  }
  return { dict, storages }
}

function tensorOf(value: PickleValue): TensorRef | undefined {
  if (value instanceof Parameter) return tensorOf(value.data)
  return value instanceof TensorRef ? value : undefined
}

function asWeight(name: string, value: PickleValue, storages: Content['storages']): Weight {
  const ref = tensorOf(value)
  if (ref === undefined) throw new TypeError(`'${name}' is no tensor: a plain state_dict is expected`)
  const { key, dtype, length } = ref.storage
  const bytes = storages.get(key)
  if (bytes?.byteLength !== length * bytesOf[dtype]) {
    throw new RangeError(
      `'${name}' needs ${length * bytesOf[dtype]} bytes of storage, there are ${bytes?.byteLength ?? 0}`,
    )
  }
  try {
    return stridedWeight({ dtype, bytes }, ref.offset, ref.shape, ref.strides)
  } catch (error) {
    throw new RangeError(`'${name}': ${(error as Error).message}`)
  }
}
