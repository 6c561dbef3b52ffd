/** Labels of images: of class folders, or of `dataset.json` beside the images. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shown } from '../files/shown.ts'
import type { PreparedFolder } from './info.ts'
import { readListed, type Listed } from './listed.ts'
import { crc32c, DataError, readNpy } from '../native/index.ts'

/** The classes of the images of a data set. */
export interface Labels {
  readonly names: readonly string[]
  /** `[count, names]`: 1 in each column that an image has. */
  readonly values: Float32Array
}

/** Labels, if the dataset has them. */
export async function readLabels({ dir, info }: PreparedFolder): Promise<Labels | undefined> {
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
  if (labels === undefined) throw new DataError(dataset.info.noLabels ?? noLabelsIn(dataset.info.source))
  return labels
}

/** CRC-32C in hexadecimal. */
export function checksum(bytes: Uint8Array): string {
  return crc32c(bytes).toString(16).padStart(8, '0')
}

/** What the files of a folder show: the numbers of each one's classes; one, or any number of attributes. */
export interface Classes {
  readonly names: readonly string[]
  readonly of: readonly (number | readonly number[])[]
}

/** Classes, or why there are none; `isBroken` if they were meant to be there. */
export type Labelling = Classes | { readonly noLabels: string; readonly isBroken: boolean }

/** Names of images, with `/` between folders. */
export interface Names {
  readonly count: number
  name(index: number): string
}

/**
 * Classes from `dataset.json`, as StyleGAN2-ADA and StyleGAN3 write it: `{"labels": [["a/b.png", 6], …]}`; or attributes, of which
 * an image has any number: `{"attributes": ["smiling", "hat"], "labels": [["a/b.png", [0, 1]], …]}`; else classes from folders, if
 * there are at least two and every file lies in one.
 */
export async function labelsIn(data: string, names: Names): Promise<Labelling> {
  try {
    const listed = await readListed(join(data, 'dataset.json'))
    if (listed?.attributes) return listedAttributes(listed, listed.attributes, names)
    if (listed) return listedClasses(listed, names)
  } catch (error) {
    if (!(error instanceof DataError)) throw error
    return { noLabels: error.message, isBroken: true }
  }
  return folderClasses(data, names)
}

/** The outermost folder of a name, if it has one. */
function folderOf(name: string): string | undefined {
  const end = name.indexOf('/')
  return end < 0 ? undefined : name.slice(0, end)
}

/** What is made of each image. */
function each<T>(images: Names, of: (name: string) => T): T[] {
  return Array.from({ length: images.count }, (_, i) => of(images.name(i)))
}

function folderClasses(data: string, images: Names): Labelling {
  const number = new Map<string, number>()
  let [strays, first] = [0, '']
  for (let i = 0; i < images.count; i++) {
    const folder = folderOf(images.name(i))
    if (folder !== undefined) number.set(folder, 0)
    else if (strays++ === 0) first = images.name(i)
  }
  const names = [...number.keys()].sort()
  if (names.length < 2) return { noLabels: noLabelsIn(data), isBroken: false }
  if (strays > 0) {
    const more = strays > 1 ? ` and ${strays - 1} more` : ''
    const reason = `${data}: folders are classes if every image lies in one, but ${shown(first)}${more} lies beside them; move it into one of ${shown(names.join(', '))}, or remove it`
    return { noLabels: reason, isBroken: false }
  }
  names.forEach((name, i) => number.set(name, i))
  return { names, of: each(images, (name) => number.get(folderOf(name)!)!) }
}

function noLabelsIn(data: string): string {
  return `${data}: labels are expected for a training with classes and for a classifier, got none; put each class into a folder of its own, or list labels in dataset.json`
}

function listedClasses({ labels, wrong }: Listed, images: Names): Classes {
  const of = each(images, (file) => {
    const label = labels.get(file)
    if (label === undefined) throw wrong(file, `a label for each image is expected, ${shown(file)} has none`)
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0) {
      throw wrong(file, `the label of ${shown(file)} must be a whole number from 0, got ${said(label)}`)
    }
    if (label >= 16_384) throw wrong(file, `at most 16384 classes are expected, got label ${label}`)
    return label
  })
  const count = of.reduce((most, label) => Math.max(most, label), 0) + 1
  return { names: Array.from({ length: count }, (_, i) => String(i)), of }
}

function listedAttributes({ labels, wrong }: Listed, names: readonly string[], images: Names): Classes {
  const of = each(images, (file) => {
    const label = labels.get(file)
    if (!Array.isArray(label) || label.length !== names.length || label.some((value) => value !== 0 && value !== 1)) {
      const expected = `${names.length} times 0 or 1, one for each attribute`
      throw wrong(file, `the label of ${shown(file)} must be ${expected}, got ${said(label)}`)
    }
    return names.flatMap((_, column) => (label[column] === 1 ? [column] : []))
  })
  return { names, of }
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
