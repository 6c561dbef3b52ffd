/** `labels.csv` beside images: a file's name and its class, or a column for each attribute. */
import { shown } from '../files/shown.ts'
import { classLimit, each, namedClasses, numberedClasses, offenders, type Classes, type Names } from './classes.ts'
import { decodeText } from './listed.ts'
import { DataError } from '../native/index.ts'

/** Names of columns that say which file a row is of, and which class it has. */
const fileColumn = /^(?:file_?name|file|image(?:_?id|_?name|_?path)?|path|id)$/i
const classColumn = /^(?:labels?|class(?:_?(?:id|name))?|category|target|y)$/i

const form = 'a row for each image, such as folder/a.png,cat,'

/** Cells, and the line where they begin. */
interface Row {
  readonly cells: readonly string[]
  readonly line: number
}

/** Rows of cells (RFC 4180), with the line where each begins. */
export function* csvRows(text: string): Generator<Row> {
  let [cells, line, start]: [string[], number, number] = [[], 1, 1]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|\r|$)/g)) {
    cells.push(quoted === undefined ? plain!.trim() : quoted.replaceAll('""', '"'))
    line += quoted?.split('\n').length ?? 1
    line -= 1
    if (end === ',') continue
    if (cells.length > 1 || cells[0] !== '') yield { cells, line: start }
    if (end === '') return
    start = line += 1
    cells = []
  }
}

/**
 * The classes in a CSV file. The first row may name the columns; files are named by their path, their name, or their name
 * without suffix. A class is a name, or a number from 0; columns of 0 (or -1, false, no) and 1 (or true, yes) are attributes.
 *
 * @returns undefined if no column is known to be one of labels
 * @throws DataError with the line of what is wrong, or the first images without a label
 */
export function readCsv(path: string, bytes: Uint8Array, images: Names): Classes | undefined {
  const rows = [...csvRows(decodeText(path, bytes, form))]
  if (rows.length === 0) throw new DataError(`${path}: ${form} is expected, got an empty file`)
  const known = new Set(each(images, (name) => name).flatMap(namesOf))
  const isHeader = !known.has(rows[0]!.cells[0]!)
  const header = isHeader ? rows.shift()!.cells : undefined
  const width = rows[0]?.cells.length ?? 0
  const odd = rows.find(({ cells }) => cells.length !== width)
  if (odd || width < 2) {
    const found = odd ? `${odd.cells.length}` : `${width}`
    const remedy = /[;\t]/.test((odd ?? rows[0])?.cells[0] ?? '') ? '; put commas between them' : ''
    throw new DataError(
      `${path}, line ${odd?.line ?? 1}: ${Math.max(width, 2)} columns are expected, got ${found}${remedy}`,
    )
  }
  const file = Math.max(header?.findIndex((name) => fileColumn.test(name)) ?? 0, 0)
  const rest = Array.from({ length: width }, (_, i) => i).filter((column) => column !== file)
  const column = rest.length === 1 ? rest[0] : rest.find((column) => classColumn.test(header?.[column] ?? ''))
  if (column === undefined && !(header && isFlags(path, rows, rest, header))) return undefined
  refuseTwice(path, rows, file, column === undefined ? rest : [column])
  const place = new Map(rows.map(({ cells }, i) => [cells[file]!, i]))
  const rowOf = (name: string) =>
    namesOf(name)
      .map((known) => place.get(known))
      .find((row) => row !== undefined)
  const isWithout = (row: number | undefined) =>
    row === undefined || (column !== undefined && rows[row]!.cells[column] === '')
  const without = offenders(images, (name) => isWithout(rowOf(name)))
  if (without !== undefined) {
    const first = shown(rows[0]!.cells[file]!)
    throw new DataError(`${path}: a label for each image is expected, ${without} none; its first row is of ${first}`)
  }
  const found = each(images, (name) => rows[rowOf(name)!]!.cells)
  if (column !== undefined) return classesOf(images, (i) => found[i]![column]!)
  const of = found.map((cells) => rest.flatMap((column, i) => (isSet(cells[column]!) ? [i] : [])))
  return { names: rest.map((column) => header![column]!), of }
}

const isSet = (cell: string): boolean => /^(?:1|true|yes)$/i.test(cell)

const isFlag = (cell: string): boolean => isSet(cell) || /^(?:-1|0|false|no)$/i.test(cell)

/**
 * Whether columns are attributes. Most cells of such a column are 0 or 1; a file of labels may have other columns by mistake, a file
 * of anything else has them by right.
 *
 * @throws DataError with the first cell of attributes that is none
 */
function isFlags(path: string, rows: readonly Row[], columns: readonly number[], header: readonly string[]): boolean {
  const isMostly = (column: number) => 2 * rows.filter(({ cells }) => isFlag(cells[column]!)).length >= rows.length
  const isMeant = path.endsWith('labels.csv') ? columns.some(isMostly) : columns.every(isMostly)
  if (!isMeant) return false
  for (const { cells, line } of rows) {
    const wrong = columns.find((column) => !isFlag(cells[column]!))
    if (wrong === undefined) continue
    const found = cells[wrong] === '' ? 'an empty cell' : shown(cells[wrong]!)
    throw new DataError(
      `${path}, line ${line}: 0 or 1 is expected in the column ${shown(header[wrong]!)}, got ${found}; correct the cell`,
    )
  }
  return true
}

/** @throws DataError if two rows of one file have different labels */
function refuseTwice(path: string, rows: readonly Row[], file: number, columns: readonly number[]): void {
  const before = new Map<string, Row>()
  for (const row of rows) {
    const name = row.cells[file]!
    const first = before.get(name)
    if (first && columns.some((column) => first.cells[column] !== row.cells[column])) {
      throw new DataError(
        `${path}, line ${row.line}: one label for each image is expected, got another for ${shown(name)} than in line ${first.line}; remove one of the two lines`,
      )
    }
    before.set(name, row)
  }
}

/** What a row may call an image: its path, its name, its name without suffix. */
function namesOf(name: string): string[] {
  const file = name.slice(name.lastIndexOf('/') + 1)
  return [name, file, file.replace(/\.[^.]*$/, '')]
}

function classesOf(images: Names, label: (index: number) => string): Classes {
  const labels = Array.from({ length: images.count }, (_, i) => label(i))
  const numbers = labels.map(Number)
  const isNumber = (text: string, i: number) => /^\d+$/.test(text) && numbers[i]! < classLimit
  return labels.every(isNumber) ? numberedClasses(numbers) : namedClasses(labels.length, label)
}
