/** Images in Parquet files as Hugging Face publishes data sets: a column of `{ bytes, path }`, and one of classes (huggingface.co/docs/datasets). */
import { createHash } from 'node:crypto'
import { classLimit, namedClasses, numberedClasses, type Labelling } from '../classes.ts'
import { isRecord, parseJson } from '../../files/json.ts'
import { shown } from '../../files/shown.ts'
import { noLabelsIn } from '../labels.ts'
import { numbered } from './arrays.ts'
import { readBudget } from './file.ts'
import { ParquetFile, type Column } from './parquet-file.ts'
import type { ImageInput, LeftOut, Source } from './source.ts'
import { DataError } from '../../native/index.ts'

/** Names of columns that hold classes, where nothing else tells. */
const labelColumns = ['label', 'labels', 'fine_label', 'class', 'category', 'target']

/** What is known of a column from what Hugging Face keeps beside it. */
interface Feature {
  readonly name: string
  readonly type: string
  readonly classes: readonly string[] | undefined
}

/** One of the files, and which rows of all it holds. */
interface Shard {
  readonly path: string
  readonly stamp: string
  readonly first: number
  /** Rows before each row group, and at the end. */
  readonly groups: readonly number[]
}

/** Whether a folder holds such files; one of metadata belongs to images beside it. */
export const isParquetFile = (name: string): boolean => /^(?!metadata\.).*\.parquet$/.test(name)

export const isParquet = (head: Buffer): boolean => head.toString('latin1', 0, 4) === 'PAR1'

/**
 * The files of a folder that belong together: those for training where their names say so, `train-00000-of-00002.parquet`.
 */
export function shardsIn(names: readonly string[]): { shards: string[]; others: string[] } {
  const isTraining = (name: string) => /(?:^|[-_./])train(?:[-_./]|$)/i.test(name)
  const shards = names.some(isTraining) ? names.filter(isTraining) : names
  return { shards: [...shards].sort(), others: names.filter((name) => !shards.includes(name)) }
}

/** @throws DataError if a file is damaged, or has no column of images */
export async function openParquet(
  path: string,
  files: readonly string[],
  leftOut: readonly LeftOut[] = [],
): Promise<Source> {
  const shards: Shard[] = []
  let [columns, count]: [Columns | undefined, number] = [undefined, 0]
  for (const file of files) {
    const opened = await ParquetFile.open(file)
    try {
      columns ??= columnsOf(opened)
      if (!opened.columns.some(({ name }) => name === columns!.image)) throw noImages(opened)
      shards.push({
        path: file,
        stamp: opened.file.stamp,
        first: count,
        groups: opened.groups.map((rows) => rows + count),
      })
      count += opened.groups.at(-1)!
    } finally {
      await opened.close()
    }
  }
  if (columns === undefined || count === 0) throw new DataError(`${path}: rows of images are expected, got none`)
  const { image, label } = columns
  const reader = new Reader(shards)
  return {
    kind: 'Parquet',
    path,
    count,
    leftOut,
    name: numbered,
    hash: () => shards.reduce((hash, { stamp }) => hash.update(stamp), createHash('sha256')),
    labels: () =>
      label ? labelsOf(reader, shards, label) : Promise.resolve({ noLabels: noLabelsIn(path), isBroken: false }),
    async read(first, some) {
      const images: ImageInput[] = []
      for (let i = first, left = readBudget; i < first + some; i++) {
        const { rows, start, file } = await reader.groupOf(i, image)
        const found = imageOf(rows[i - start], `${file}: row ${i - reader.shardOf(i).first}`)
        left -= 'bytes' in found ? found.bytes.length : 0
        if (left < 0 && images.length > 0) break
        images.push(found)
      }
      return images
    },
    close: () => reader.close(),
  }
}

interface Columns {
  readonly image: string
  readonly label: Feature | undefined
}

function columnsOf(file: ParquetFile): Columns {
  const features = featuresOf(file)
  const has = (name: string) => file.columns.some((column) => column.name === name)
  const image =
    features.find(({ type, name }) => type === 'Image' && has(name))?.name ?? file.columns.find(isImageColumn)?.name
  if (image === undefined) throw noImages(file)
  const label = features.find(({ type, name }) => type === 'ClassLabel' && has(name))
  const plain = labelColumns.find(has)
  return { image, label: label ?? (plain === undefined ? undefined : { name: plain, type: '', classes: undefined }) }
}

function noImages({ file, columns }: ParquetFile): DataError {
  const found = shown(columns.map(({ name }) => name).join(', ')) || 'none'
  return new DataError(`${file.path}: a column of images { bytes, path } is expected, got ${found}`)
}

/** A group with bytes, or bytes under a name that says so. */
function isImageColumn({ name, children, isBytes }: Column): boolean {
  return children.includes('bytes') || (isBytes && /^(?:image|img|bytes|jpg|jpeg|png|webp)/i.test(name))
}

/** The columns as the metadata under `huggingface` describe them. */
function featuresOf({ file, notes }: ParquetFile): Feature[] {
  const text = notes.get('huggingface')
  const parsed = text === undefined ? undefined : inNotes(file.path, () => parseJson(text))
  const info = isRecord(parsed) ? parsed['info'] : undefined
  const features = isRecord(info) ? info['features'] : undefined
  if (!isRecord(features)) return []
  return Object.entries(features).flatMap(([name, given]) => {
    const feature = isRecord(given) && isRecord(given['feature']) ? given['feature'] : given
    if (!isRecord(feature)) return []
    const names = feature['names']
    const isNames = Array.isArray(names) && names.every((name) => typeof name === 'string')
    return [{ name, type: String(feature['_type']), classes: isNames ? names : undefined }]
  })
}

function inNotes<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new DataError(`${path}: what Hugging Face notes beside the columns is damaged: ${(error as Error).message}`)
  }
}

function imageOf(row: unknown, name: string): Exclude<ImageInput, string> {
  const bytes = row instanceof Uint8Array || !isRecord(row) ? row : row['bytes']
  if (bytes instanceof Uint8Array) return { name, bytes }
  const found = isRecord(row) && typeof row['path'] === 'string' ? `only its path ${shown(row['path'])}` : 'nothing'
  return { name, bad: `the bytes of an image file are expected, got ${found}` }
}

async function labelsOf(reader: Reader, shards: readonly Shard[], { name, classes = [] }: Feature): Promise<Labelling> {
  const values: (number | string | number[])[] = []
  const wrong: string[] = []
  const isClass = (value: unknown) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < classLimit
  for (const { groups } of shards) {
    for (const start of groups.slice(0, -1)) {
      for (const given of (await reader.groupOf(start, name)).rows) {
        const value = plain(given)
        const fits = typeof value === 'string' || isClass(value) || (Array.isArray(value) && value.every(isClass))
        if (!fits && wrong.length < 3) wrong.push(`${shown(String(value))} for image ${values.length}`)
        values.push(value as number | string | number[])
      }
    }
  }
  const place = `${shards[0]!.path}: column ${shown(name)}`
  if (wrong.length > 0) {
    return { noLabels: `${place}: labels are names or numbers from 0, got ${wrong.join(', ')}`, isBroken: true }
  }
  const isNamed = typeof values[0] === 'string'
  const other = values.findIndex((value) => (typeof value === 'string') !== isNamed)
  if (other >= 0)
    return { noLabels: `${place}: labels of one kind are expected, image ${other} has another one`, isBroken: true }
  if (isNamed) return namedClasses(values.length, (i) => values[i] as string)
  const most = values.flat().reduce<number>((most, value) => Math.max(most, Number(value)), -1)
  const { names } = numberedClasses([most], classes)
  return { names, of: values as (number | number[])[] }
}

/** Whole numbers of 64 bits as numbers, in lists too. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  return Array.isArray(value) ? value.map(plain) : value
}

/** Row groups of all files, the last one of which is kept: images are read in their order. */
class Reader {
  readonly #shards: readonly Shard[]
  #open: { shard: Shard; file: ParquetFile } | undefined
  #group: { start: number; end: number; column: string; rows: unknown[] } | undefined

  constructor(shards: readonly Shard[]) {
    this.#shards = shards
  }

  shardOf(row: number): Shard {
    return this.#shards.findLast(({ first, groups }) => first <= row && row < groups.at(-1)!)!
  }

  /** One column of the row group that holds a row. */
  async groupOf(row: number, column: string): Promise<{ rows: unknown[]; start: number; file: string }> {
    const shard = this.shardOf(row)
    const kept = this.#group
    if (!kept || kept.column !== column || row < kept.start || row >= kept.end) {
      this.#group = undefined
      const index = shard.groups.findLastIndex((start) => start <= row)
      const [start, end] = [shard.groups[index]!, shard.groups[index + 1]!]
      const file = await this.#fileOf(shard)
      const rows = await file.column(column, index)
      if (rows.length !== end - start) {
        throw new DataError(
          `${shard.path}: ${end - start} rows are expected in row group ${index}, got ${rows.length}; get it again`,
        )
      }
      this.#group = { start, end, column, rows }
    }
    return { rows: this.#group!.rows, start: this.#group!.start, file: shard.path }
  }

  async #fileOf(shard: Shard): Promise<ParquetFile> {
    if (this.#open?.shard !== shard) {
      await this.close()
      this.#open = { shard, file: await ParquetFile.open(shard.path) }
    }
    return this.#open.file
  }

  async close(): Promise<void> {
    await this.#open?.file.close()
    this.#open = undefined
  }
}
