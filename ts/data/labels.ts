/** Labels of images: of class folders, or of `dataset.json` beside the images. */
import { join, relative, sep } from 'node:path'
import type { Dataset } from './dataset.ts'
import { readJson } from './info.ts'
import { DataError, readNpy } from '../native/index.ts'

/** Labels `[count, names]`, if the dataset has them. */
export async function readLabels({
  dir,
  info,
}: Dataset): Promise<{ names: readonly string[]; values: Float32Array } | undefined> {
  if (info.labels === undefined) return undefined
  const { shape, values } = await readNpy(join(dir, 'labels.npy'))
  if (shape[0] !== info.count || shape[1] !== info.labels.length) {
    throw new DataError(
      `${dir}/labels.npy: [${info.count}, ${info.labels.length}] is expected, got [${shape.join(', ')}]`,
    )
  }
  return { names: info.labels, values }
}

/** What the files of a folder show: the numbers of each one's classes; one, or any number of attributes. */
export interface Classes {
  readonly names: readonly string[]
  readonly of: readonly (number | readonly number[])[]
}

/** `dataset.json` beside the images. */
interface Listed {
  readonly labels?: readonly [file: string, label: number | readonly number[]][] | null
  /** Names of the attributes, where labels are lists of 0 and 1. */
  readonly attributes?: readonly string[]
}

/**
 * Classes from `dataset.json`, as StyleGAN2-ADA and StyleGAN3 write it: `{"labels": [["a/b.png", 6], …]}`; or attributes, of which
 * an image has any number: `{"attributes": ["smiling", "hat"], "labels": [["a/b.png", [0, 1]], …]}`; else classes from folders, if
 * there are at least two and every file lies in one.
 */
export async function classesOf(data: string, files: readonly string[]): Promise<Classes | undefined> {
  const paths = files.map((file) => relative(data, file).split(sep))
  const json = join(data, 'dataset.json')
  const { labels, attributes } = (await readJson<Listed>(json)) ?? {}
  if (labels && attributes) return listedAttributes(json, new Map(labels), attributes, paths)
  if (labels) return listedClasses(json, new Map(labels), paths)
  if (paths.some((path) => path.length < 2)) return undefined
  const names = [...new Set(paths.map(([folder]) => folder!))].sort()
  if (names.length < 2) return undefined
  const number = new Map(names.map((name, i) => [name, i]))
  return { names, of: paths.map(([folder]) => number.get(folder!)!) }
}

type Labels = ReadonlyMap<string, number | readonly number[]>

function listedClasses(json: string, labels: Labels, paths: readonly string[][]): Classes {
  const of = paths.map((path) => {
    const [file, label] = [path.join('/'), labels.get(path.join('/'))]
    if (label === undefined) throw new DataError(`${json}: a label for each image is expected, ${file} has none`)
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0) {
      throw new DataError(`${json}: the label of ${file} must be a whole number from 0, got ${JSON.stringify(label)}`)
    }
    return label
  })
  const count = of.reduce((most, label) => Math.max(most, label), 0) + 1
  if (count > 16_384) throw new DataError(`${json}: at most 16384 classes are expected, got label ${count - 1}`)
  return { names: Array.from({ length: count }, (_, i) => String(i)), of }
}

function listedAttributes(json: string, labels: Labels, names: readonly string[], paths: readonly string[][]): Classes {
  const of = paths.map((path) => {
    const [file, label] = [path.join('/'), labels.get(path.join('/'))]
    if (!Array.isArray(label) || label.length !== names.length || label.some((value) => value !== 0 && value !== 1)) {
      throw new DataError(
        `${json}: the label of ${file} must be ${names.length} times 0 or 1, one for each attribute, got ${JSON.stringify(label)}`,
      )
    }
    return names.flatMap((_, column) => (label[column] === 1 ? [column] : []))
  })
  return { names, of }
}

/** `[classes, names]`: 1 in each column that an image has. */
export function hot(classes: Classes['of'], { length }: readonly string[]): Float32Array {
  const values = new Float32Array(classes.length * length)
  classes.forEach((label, row) => {
    for (const column of [label].flat()) values[row * length + column] = 1
  })
  return values
}
