/** CIFAR-10 and CIFAR-100 (www.cs.toronto.edu/~kriz/cifar.html), the images for training: versions for Python and in plain binary. */
import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { numberedClasses } from '../classes.ts'
import { readPickle, type Globals, type PickleValue } from '../../files/pickle.ts'
import { shown } from '../../files/shown.ts'
import { numbered } from './arrays.ts'
import { DataFile, fileLimit, type Bytes } from './file.ts'
import type { PixelInput, Source } from './source.ts'
import { tarEntries } from './tar.ts'
import { DataError } from '../../native/index.ts'

/** Bytes of an image: planes of red, green and blue. */
const [side, plane] = [32, 32 * 32]
const imageBytes = 3 * plane

/** The files that are read: of CIFAR-10 five batches, of CIFAR-100 one. */
const wanted =
  /^(?:data_batch_\d(?:\.bin)?|train(?:\.bin)?|(?:batches\.)?meta|batches\.meta\.txt|fine_label_names\.txt)$/

/** Whether a folder holds the unpacked files. */
export const isCifarFile = (name: string): boolean => /^data_batch_1(?:\.bin)?$/.test(name)

/** Images of one file. */
interface Batch {
  readonly planes: Uint8Array
  readonly labels: readonly number[]
}

const tooLarge = (path: string) => new DataError(`${path}: at most ${fileLimit} bytes of images are expected, got more`)

/** @throws DataError if it is an archive of neither of them, or damaged */
export async function openCifarArchive(file: DataFile, bytes: Bytes): Promise<Source> {
  const files = new Map<string, Buffer>()
  let left = fileLimit
  for await (const { name, at, size } of tarEntries(bytes)) {
    if (!wanted.test(basename(name))) continue
    left -= size
    if (left < 0) throw tooLarge(file.path)
    files.set(basename(name), await bytes.read(at, size))
  }
  const source = openCifar(file.path, files, file.stamp)
  if (bytes !== file) await bytes.close()
  await file.close()
  return source
}

/** The files of an archive, unpacked. */
export async function openCifarFolder(dir: string, names: readonly string[]): Promise<Source> {
  const files = new Map<string, Buffer>()
  let [left, stamp] = [fileLimit, '']
  for (const name of names.filter((name) => wanted.test(name))) {
    const file = await DataFile.open(join(dir, name))
    try {
      left -= file.size
      if (left < 0) throw tooLarge(dir)
      files.set(name, await file.read(0, file.size))
      stamp += file.stamp
    } finally {
      await file.close()
    }
  }
  return openCifar(dir, files, stamp)
}

/** @throws DataError if it is neither of them, or damaged */
function openCifar(path: string, files: ReadonlyMap<string, Buffer>, stamp: string): Source {
  const named = (pattern: RegExp) =>
    [...files].filter(([name]) => pattern.test(name)).sort(([a], [b]) => (a < b ? -1 : 1))
  const pickles = named(/^(?:data_batch_\d|train)$/)
  const binaries = named(/^(?:data_batch_\d|train)\.bin$/)
  if (pickles.length + binaries.length === 0) {
    throw new DataError(
      `${path}: an archive of CIFAR-10 or CIFAR-100 is expected, got one without data_batch_1 and train`,
    )
  }
  const batches = [
    ...pickles.map(([name, bytes]) => inFile(path, name, () => unpickled(bytes))),
    ...(pickles.length > 0 ? [] : binaries.map(([name, bytes]) => inFile(path, name, () => binary(bytes, name)))),
  ]
  const names = classNames(path, files)
  const starts = batches.map((_, i) => batches.slice(0, i).reduce((sum, { labels }) => sum + labels.length, 0))
  const imageAt = (index: number): PixelInput => {
    const batch = starts.findLastIndex((start) => start <= index)
    const at = (index - starts[batch]!) * imageBytes
    return { name: `${path}[${index}]`, ...rgb(batches[batch]!.planes.subarray(at, at + imageBytes)) }
  }
  const labels = batches.flatMap((batch) => batch.labels)
  return {
    kind: 'CIFAR',
    path,
    count: labels.length,
    leftOut: [],
    name: numbered,
    hash: () => createHash('sha256').update(stamp),
    labels: () => Promise.resolve(numberedClasses(labels, names)),
    read: (first, count) => Promise.resolve(Array.from({ length: count }, (_, i) => imageAt(first + i))),
    close: () => Promise.resolve(),
  }
}

function inFile<T>(path: string, name: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error
    throw new DataError(`${path}: ${name}: a batch of CIFAR is expected, but ${error.message}; get it again`)
  }
}

/** Channels last. */
function rgb(planes: Uint8Array): Omit<PixelInput, 'name'> {
  const pixels = new Uint8Array(imageBytes)
  for (let i = 0; i < imageBytes; i++) pixels[(i % plane) * 3 + Math.floor(i / plane)] = planes[i]!
  return { pixels, width: side, height: side, channels: 3 }
}

function checked({ planes, labels }: Batch): Batch {
  if (labels.length === 0 || planes.length !== labels.length * imageBytes) {
    throw new RangeError(
      `it has ${planes.length} bytes of images and ${labels.length} labels, and ${imageBytes} bytes an image are expected`,
    )
  }
  const wrong = labels.flatMap((label, i) =>
    Number.isInteger(label) && label >= 0 && label < 100 ? [] : [`${label} for image ${i}`],
  )
  if (wrong.length > 0)
    throw new RangeError(`labels from 0 to 99 are expected, got ${shown(wrong.slice(0, 3).join(', '))}`)
  return { planes, labels }
}

/** Records of a label, or a coarse and a fine one, and the planes. */
function binary(bytes: Buffer, name: string): Batch {
  const before = name === 'train.bin' ? 2 : 1
  const count = Math.floor(bytes.length / (before + imageBytes))
  if (bytes.length !== count * (before + imageBytes)) {
    throw new RangeError(`records of ${before + imageBytes} bytes are expected, it has ${bytes.length} bytes`)
  }
  const planes = new Uint8Array(count * imageBytes)
  const labels = Array.from({ length: count }, (_, i) => {
    const at = i * (before + imageBytes) + before
    planes.set(bytes.subarray(at, at + imageBytes), i * imageBytes)
    return bytes[at - 1]!
  })
  return checked({ planes, labels })
}

/** An array of bytes that is empty until its state is set; whatever else an array may be is refused. */
class ByteArray {
  bytes: Uint8Array = new Uint8Array()

  /** `(version, shape, dtype, fortran, bytes)`. */
  setState(state: PickleValue): void {
    const [, , type, isFortran, bytes] = Array.isArray(state) ? (state as PickleValue[]) : []
    if (!(type instanceof ByteType) || isFortran === true)
      throw new TypeError('it has an array of other than uint8 in C order')
    if (bytes instanceof Uint8Array) this.bytes = bytes
    else if (typeof bytes === 'string') this.bytes = Buffer.from(bytes, 'latin1')
    else throw new TypeError('it has an array without bytes')
  }
}

/** The type of an array of bytes. */
class ByteType {
  setState(): void {}
}

const refused = () => {
  throw new TypeError('it calls what is no function')
}

/** Everything that a batch names. */
const globals: Globals = {
  'numpy.ndarray': refused,
  'numpy.dtype': ([name]) => {
    if (name !== 'u1')
      throw new TypeError(`it has an array of ${typeof name === 'string' ? shown(name) : 'no name'}, uint8 is expected`)
    return new ByteType()
  },
  '_codecs.encode': ([text]) => {
    if (typeof text !== 'string') throw new TypeError('it has text where bytes belong')
    return Buffer.from(text, 'latin1')
  },
  ...Object.fromEntries(
    ['numpy.core', 'numpy._core'].flatMap((core) => [
      [`${core}.multiarray._reconstruct`, () => new ByteArray()],
      [
        `${core}.numeric._frombuffer`,
        ([bytes, type]: PickleValue[]) => {
          const array = new ByteArray()
          array.setState([0, null, type!, false, bytes!])
          return array
        },
      ],
    ]),
  ),
}

/** A pickled dict by its keys, which Python 3 reads as bytes and writes as text. */
function dictOf(bytes: Buffer): ReadonlyMap<string, PickleValue> {
  const { value } = readPickle(bytes, 0, { globals })
  if (!(value instanceof Map)) throw new TypeError('it holds no dict')
  return new Map(
    Array.from(value as Map<PickleValue, PickleValue>, ([key, entry]) => [textOf(key) ?? '', entry] as const),
  )
}

function textOf(value: PickleValue): string | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  return typeof value === 'string' ? value : undefined
}

function unpickled(bytes: Buffer): Batch {
  const dict = dictOf(bytes)
  const [data, labels] = [dict.get('data'), dict.get('labels') ?? dict.get('fine_labels')]
  if (!(data instanceof ByteArray) || !Array.isArray(labels)) throw new TypeError('it holds no data and labels')
  return checked({ planes: data.bytes, labels: (labels as PickleValue[]).map(Number) })
}

function classNames(path: string, files: ReadonlyMap<string, Buffer>): string[] {
  for (const name of ['batches.meta', 'meta']) {
    const bytes = files.get(name)
    if (bytes === undefined) continue
    const dict = inFile(path, name, () => dictOf(bytes))
    const names = dict.get('label_names') ?? dict.get('fine_label_names')
    if (Array.isArray(names)) return (names as PickleValue[]).map((name) => textOf(name) ?? '')
  }
  const text = files.get('batches.meta.txt') ?? files.get('fine_label_names.txt')
  return (text?.toString('utf8') ?? '').split(/\r?\n/).filter((line) => line !== '')
}
