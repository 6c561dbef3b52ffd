/** Labels of images: of class folders, or of `dataset.json` beside the images. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkObject } from '../files/keys.ts'
import { shown } from '../files/shown.ts'
import {
  classLimit,
  columnClasses,
  each,
  namedClasses,
  numberedClasses,
  offenders,
  type Classes,
  type Labelling,
  type Names,
} from './classes.ts'
import { readCsv } from './csv.ts'
import type { PreparedFolder } from './info.ts'
import { parseListed, quickly, type Listed } from './listed.ts'
import { crc32c, DataError, readNpy } from '../native/index.ts'

/** The classes of the images of a data set. */
export interface Labels {
  readonly names: readonly string[]
  /** `[count, names]`: 1 in each column that an image has. */
  readonly values: Float32Array
}

/** Labels, if the dataset has them. */
export async function readLabels(dataset: PreparedFolder): Promise<Labels | undefined> {
  checkObject(dataset, 'dataset', 'what openDataset gives')
  const { dir, info } = dataset
  if (info.labels === undefined) return undefined
  const path = join(dir, 'labels.npy')
  const sum = info.crc32c?.['labels.npy']
  if (sum !== undefined && sum !== checksum(await readFile(path))) {
    throw new DataError(`${path}: it does not have its checksum; delete the folder ${dir} and prepare its images again`)
  }
  const { shape, values } = await readNpy(path)
  if (shape[0] !== info.count || shape[1] !== info.labels.length) {
    throw new DataError(`${path}: [${info.count}, ${info.labels.length}] is expected, got [${shape.join(', ')}]`)
  }
  return { names: info.labels, values }
}

/**
 * {@link readLabels} where there must be some.
 *
 * @throws DataError that says why there are none
 */
export async function requireLabels(dataset: PreparedFolder): Promise<Labels> {
  const labels = await readLabels(dataset)
  if (labels === undefined) throw labelsNeeded(dataset.info.noLabels ?? noLabelsIn(dataset.info.source))
  return labels
}

/** Whether each image has exactly one class. */
export function isOneHot({ names: { length }, values }: Labels): boolean {
  for (let first = 0; first < values.length; first += length) {
    let sum = 0
    for (let i = first; i < first + length; i++) sum += values[i]!
    if (sum !== 1) return false
  }
  return true
}

/** CRC-32C in hexadecimal. */
export function checksum(bytes: Uint8Array): string {
  return crc32c(bytes).toString(16).padStart(8, '0')
}

/** Files beside images that may hold labels, the first one first. */
export const labelFiles = ['dataset.json', 'labels.csv', 'metadata.csv']

/** Files beside images. */
export interface Beside {
  /** What messages call a file. */
  place(name: string): string
  read(name: string): Promise<Uint8Array | undefined>
}

/**
 * Classes from `dataset.json`, as StyleGAN2-ADA and StyleGAN3 write it: `{"labels": [["a/b.png", 6], …]}`; or attributes, of which
 * an image has any number: `{"attributes": ["smiling", "hat"], "labels": [["a/b.png", [0, 1]], …]}`; else from `labels.csv` or
 * `metadata.csv`; else from folders, if there are at least two and every file lies in one.
 */
export async function labelsIn(data: string, images: Names, files: Beside): Promise<Labelling> {
  try {
    for (const name of labelFiles) {
      const bytes = await files.read(name)
      if (bytes === undefined) continue
      const of = name.endsWith('.csv') ? readCsv : listedIn
      const classes = of(files.place(name), bytes, images)
      if (classes) return classes
    }
  } catch (error) {
    if (!(error instanceof DataError || error instanceof RangeError)) throw error
    return { noLabels: error.message, isBroken: true }
  }
  return folderClasses(data, images)
}

/** The outermost folder of a name, if it has one. */
function folderOf(name: string): string | undefined {
  const end = name.indexOf('/')
  return end < 0 ? undefined : name.slice(0, end)
}

/**
 * Whether a file lies in a folder because a folder has a thousand: `00001/img00001234.png` of StyleGAN3's tool, `01000/01234.png`
 * of FFHQ.
 */
function isInThousand(name: string): boolean {
  const [, folder, number] = /^(\d{5})\/(?:img)?(\d{5,})\.\w+$/.exec(name) ?? []
  const thousand = Math.floor(Number(number) / 1000)
  return thousand === Number(folder) || thousand * 1000 === Number(folder)
}

function folderClasses(data: string, images: Names): Labelling {
  const folders = new Set<string>()
  let [strays, first, areThousands] = [0, '', true]
  for (let i = 0; i < images.count; i++) {
    const folder = folderOf(images.name(i))
    areThousands &&= isInThousand(images.name(i))
    if (folder !== undefined) folders.add(folder)
    else if (strays++ === 0) first = images.name(i)
  }
  if (folders.size < 2 || areThousands) return { noLabels: noLabelsIn(data), isBroken: false }
  if (strays > 0) {
    const more = strays > 1 ? ` and ${strays - 1} more` : ''
    const names = shown([...folders].sort().join(', '))
    const reason = `${data}: folders are classes if every image lies in one, but ${shown(first)}${more} lies beside them; move it into one of ${names}, or remove it`
    return { noLabels: reason, isBroken: false }
  }
  return namedClasses(images.count, (i) => folderOf(images.name(i))!)
}

/** What is noted of a data set that has no labels, which only some trainings need. */
export function noLabelsIn(data: string): string {
  return `${data} has none; each class may have a folder of its own, or dataset.json may list labels`
}

/** @param why what is noted of the data set */
export function labelsNeeded(why: string): DataError {
  return new DataError(`labels are expected for a training with classes and for a classifier, got none: ${why}`)
}

/** The classes of a `dataset.json`. */
function listedIn(path: string, bytes: Uint8Array, images: Names): Classes | undefined {
  const quick = quickly(bytes, images)
  if (quick) return quick
  const listed = parseListed(path, bytes)
  if (listed === undefined) return undefined
  const { labels, wrong } = listed
  const without = offenders(images, (file) => labels.get(file) === undefined)
  if (without !== undefined) throw wrong('', `a label for each image is expected, ${without} none`)
  const first = images.count > 0 ? labels.get(images.name(0)) : undefined
  return Array.isArray(first) || listed.attributes ? listedColumns(listed, images) : listedClasses(listed, images)
}

function listedClasses({ labels, classes, wrong }: Listed, images: Names): Classes {
  const of = each(images, (file) => {
    const label = labels.get(file)
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0) {
      throw wrong(file, `the label of ${shown(file)} must be a whole number from 0, got ${said(label)}`)
    }
    if (label >= classLimit) throw wrong(file, `at most ${classLimit} classes are expected, got label ${label}`)
    return label
  })
  return numberedClasses(of, classes)
}

/** Lists of 0 and 1: attributes, or a class where each has one 1 and none has a name. */
function listedColumns({ labels, attributes, wrong }: Listed, images: Names): Classes {
  const columns = attributes?.length ?? (labels.get(images.name(0)) as unknown[]).length
  const rows = each(images, (file) => {
    const label = labels.get(file)
    if (!Array.isArray(label) || label.length !== columns || label.some((value) => value !== 0 && value !== 1)) {
      const expected = `${columns} times 0 or 1${attributes ? ', one for each attribute' : ''}`
      throw wrong(file, `the label of ${shown(file)} must be ${expected}, got ${said(label)}`)
    }
    return label as number[]
  })
  if (attributes === undefined) return columnClasses(rows.length, columns, (row, column) => rows[row]![column]!)
  return { names: attributes, of: rows.map((row) => row.flatMap((value, column) => (value === 1 ? [column] : []))) }
}

const said = (value: unknown): string => (value === undefined ? 'none' : shown(JSON.stringify(value)))

/** `[classes, names]`: 1 in each column that an image has. */
export function hot(classes: Classes['of'], { length }: readonly string[]): Float32Array {
  const values = new Float32Array(classes.length * length)
  classes.forEach((label, row) => {
    for (const column of [label].flat()) values[row * length + column] = 1
  })
  return values
}
