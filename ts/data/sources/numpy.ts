/** Images in NumPy's `.npy` and `.npz`: uint8 `[N, H, W, C]`, or `[N, H, W]` of gray ones, with labels in an array of the same file. */
import { createHash } from 'node:crypto'
import { columnClasses, numberedClasses, classLimit, type Labelling } from '../classes.ts'
import { npyHeaderBytes, readNpyHeader, type NpyHeader } from '../../files/npy.ts'
import { shown } from '../../files/shown.ts'
import { noLabelsIn } from '../labels.ts'
import { numbered, readPixels } from './arrays.ts'
import { fileLimit, type Bytes, type DataFile } from './file.ts'
import type { Source } from './source.ts'
import type { ZipFile } from './zip-file.ts'
import { DataError } from '../../native/index.ts'

/** An array of a file. */
interface FileArray extends NpyHeader {
  /** What messages call it. */
  readonly place: string
  readonly bytes: Bytes
  /** Compares it with its checksum, where it has one. */
  readonly check?: () => Promise<void>
}

/** What arrays of images and of labels are called, the most telling first; others are told by their shape. */
const imageNames = ['images', 'x_train', 'train_images', 'data', 'x', 'arr_0']
const labelNames = ['labels', 'y_train', 'train_labels', 'label', 'y']

/** @throws DataError if it holds no such array */
export async function openNpy(file: DataFile): Promise<Source> {
  const { path } = file
  return imagesOf(file, await arrayOf(path, file, 0, file.size), undefined)
}

/** @throws DataError if no array of it holds images */
export async function openNpz(zip: ZipFile): Promise<Source> {
  const { path } = zip.file
  const arrays = new Map<string, FileArray>()
  for (let i = 0; i < zip.count; i++) {
    const name = zip.name(i)
    if (!name.endsWith('.npy')) continue
    const { bytes, start, size } = await zip.bytes(i)
    const array = await arrayOf(`${path}: ${shown(name.slice(0, -4))}`, bytes, start, size)
    arrays.set(name.slice(0, -4).toLowerCase(), { ...array, check: () => zip.check(i) })
  }
  const all = [...arrays.values()]
  const pick = (names: readonly string[], fits: (array: FileArray) => boolean) =>
    names.flatMap((name) => arrays.get(name) ?? []).find(fits) ?? all.find(fits)
  const images = pick(imageNames, ({ shape }) => shape.length > 2)
  if (images === undefined) {
    const found = shown(Array.from(arrays, ([name, { shape }]) => `${name} [${shape.join(', ')}]`).join(', '))
    throw new DataError(`${path}: an array [N, H, W, C] of images is expected, got ${found || 'none'}`)
  }
  const count = images.shape[0]
  const fits = ({ shape: [rows, columns = 1, ...more] }: FileArray) =>
    rows === count && more.length === 0 && columns < classLimit
  // One that is called so and does not fit is told, not passed over.
  const labels = pick([...labelNames, 'arr_1'], fits) ?? labelNames.flatMap((name) => arrays.get(name) ?? [])[0]
  return imagesOf(zip.file, images, labels)
}

async function arrayOf(place: string, bytes: Bytes, start: number, size: number): Promise<FileArray> {
  try {
    const header = readNpyHeader(await bytes.read(start, Math.min(size, npyHeaderBytes)))
    return { ...header, start: start + header.start, place, bytes }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new DataError(`${place}: an array is expected, ${error.message}; save it again with numpy.save`)
  }
}

async function imagesOf(file: DataFile, array: FileArray, labels: FileArray | undefined): Promise<Source> {
  const [count, height, width, channels] = checkImages(array)
  const { bytes, start, place } = array
  // Before hours of work.
  if (bytes === file) file.check(start + count * height * width * channels)
  const pixels = { bytes, start, height, width, channels }
  // Once, before the first image is used: opening a set that is prepared reads none.
  let checked: Promise<void> | undefined
  return {
    kind: 'NumPy array',
    path: file.path,
    count,
    leftOut: [],
    name: numbered,
    hash: () => createHash('sha256').update(file.stamp),
    labels: () =>
      labels ? labelsOf(labels, count) : Promise.resolve({ noLabels: noLabelsIn(file.path), isBroken: false }),
    async read(first, some) {
      await (checked ??= array.check?.())
      return readPixels(pixels, first, some, (i) => `${place}[${i}]`)
    },
    async close() {
      for (const part of new Set([bytes, labels?.bytes, file])) await part?.close()
    },
  }
}

/** @throws DataError if it is no array of images */
function checkImages({ place, descr, isFortran, shape }: FileArray): [number, number, number, number] {
  const wrong = (found: string, remedy: string) =>
    new DataError(`${place}: uint8 [N, H, W, C] is expected, got ${found}; ${remedy}`)
  const text = `[${shape.join(', ')}]`
  const [count = 0, height = 0, width = 0, channels = 1, ...more] = shape
  if (!['|u1', '<u1', '>u1', '=u1'].includes(descr)) {
    throw wrong(shown(descr), 'convert it, for example with (255 * x).round().astype(numpy.uint8) where x is 0 … 1')
  }
  if (shape.length === 4 && ![1, 3, 4].includes(channels) && [1, 3, 4].includes(height)) {
    throw wrong(`${text} with channels first`, 'save numpy.ascontiguousarray(x.transpose(0, 2, 3, 1))')
  }
  if (isFortran) throw wrong('an array in Fortran order', 'save numpy.ascontiguousarray(x)')
  const sizes = [count, height, width]
  if (count === 0 && shape.length >= 3) throw wrong(text, 'it holds no image, N is 0')
  if (shape.length < 3 || more.length > 0 || ![1, 3, 4].includes(channels) || sizes.some((size) => size < 1)) {
    throw wrong(text, 'channels are 1, 3 or 4')
  }
  if (!Number.isSafeInteger(count * height * width * channels) || height * width * channels > fileLimit) {
    throw wrong(text, 'it is too large')
  }
  return [count, height, width, channels]
}

const elements: Readonly<
  Record<string, [bytes: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  b1: [1, (view, at) => view.getUint8(at)],
  u1: [1, (view, at) => view.getUint8(at)],
  i1: [1, (view, at) => view.getInt8(at)],
  u2: [2, (view, at, little) => view.getUint16(at, little)],
  i2: [2, (view, at, little) => view.getInt16(at, little)],
  u4: [4, (view, at, little) => view.getUint32(at, little)],
  i4: [4, (view, at, little) => view.getInt32(at, little)],
  u8: [8, (view, at, little) => Number(view.getBigUint64(at, little))],
  i8: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
  f4: [4, (view, at, little) => view.getFloat32(at, little)],
  f8: [8, (view, at, little) => view.getFloat64(at, little)],
}

/** Classes `[N]` or `[N, 1]`, or columns of 0 and 1 `[N, classes]`, of any type of numbers. */
async function labelsOf(array: FileArray, count: number): Promise<Labelling> {
  const { place, descr, isFortran, shape, start, bytes } = array
  const broken = (what: string): Labelling => ({ noLabels: `${place}: ${what}`, isBroken: true })
  const element = Object.hasOwn(elements, descr.slice(1)) ? elements[descr.slice(1)] : undefined
  if (element === undefined) return broken(`labels that are numbers are expected, got ${shown(descr)}`)
  const [rows = 0, columns = 1] = shape
  if (rows !== count || shape.length > 2) {
    return broken(`${count} labels are expected, one for each image, got [${shape.join(', ')}]`)
  }
  const [size, read] = element
  if (rows * columns * size > fileLimit) return broken(`[${shape.join(', ')}] labels are too many`)
  await array.check?.()
  const content = await bytes.read(start, rows * columns * size)
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  const value = (row: number, column: number) =>
    read(view, (isFortran ? column * rows + row : row * columns + column) * size, !descr.startsWith('>'))
  const wrong = firstThree(rows, columns, value)
  if (wrong !== undefined) return broken(wrong)
  if (columns === 1) return numberedClasses(Array.from({ length: rows }, (_, row) => value(row, 0)))
  return columnClasses(rows, columns, value)
}

/** What is wrong with the first three labels of which something is. */
function firstThree(rows: number, columns: number, value: (row: number, column: number) => number): string | undefined {
  const most = columns === 1 ? classLimit - 1 : 1
  const expected = columns === 1 ? `whole numbers from 0 to ${most}` : '0 and 1'
  const found: string[] = []
  for (let row = 0; row < rows && found.length < 3; row++) {
    for (let column = 0; column < columns; column++) {
      const label = value(row, column)
      if (Number.isInteger(label) && label >= 0 && label <= most) continue
      found.push(`${label} for image ${row}`)
      break
    }
  }
  return found.length === 0 ? undefined : `labels that are ${expected} are expected, got ${found.join(', ')}`
}

/** The labels in a `.npy` file of their own. */
export async function readNpyLabels(file: DataFile, count: number): Promise<Labelling> {
  return labelsOf(await arrayOf(file.path, file, 0, file.size), count)
}
