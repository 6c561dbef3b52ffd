/** `dataset.json` beside images: reading it, and naming the line of what is wrong in it. */
import { shown } from '../files/shown.ts'
import { classLimit, numberedClasses, type Classes, type Names } from './classes.ts'
import { DataError, jsonFault } from '../native/index.ts'

/** What it lists. */
export interface Listed {
  readonly labels: ReadonlyMap<string, unknown>
  /** Names of the attributes, where labels are lists of 0 and 1. */
  readonly attributes: readonly string[] | undefined
  /** Names of the classes, as our exports give them; other programs pass over them. */
  readonly classes: readonly string[] | undefined
  /** An error about the label of a file. */
  readonly wrong: (file: string, what: string) => DataError
}

const form = '{"labels": [["folder/a.png", 0], …]}'

/**
 * Reads labels as StyleGAN2-ADA and StyleGAN3 write them: `{"labels": [["a/b.png", 6], …]}`, and `{"labels": null}` for none.
 *
 * @returns undefined if no labels are in it
 * @throws DataError with the line of what is wrong
 */
export function parseListed(path: string, bytes: Uint8Array): Listed | undefined {
  const text = decodeText(path, bytes, form)
  const value = parse(path, text)
  if (!isObject(value)) throw new DataError(`${path}, line 1: ${form} is expected, got ${kindOf(value)}`)
  const { labels, attributes, classes } = value
  if (labels === undefined || labels === null) return undefined
  if (!Array.isArray(labels)) {
    throw new DataError(`${path}, line ${lineOf(text, 0)}: labels must be a list as in ${form}, got ${kindOf(labels)}`)
  }
  if (attributes !== undefined && !isNames(attributes)) {
    throw new DataError(`${path}: attributes must be a list of names, got ${kindOf(attributes)}`)
  }
  if (classes !== undefined && !isNames(classes)) {
    throw new DataError(`${path}: classes must be a list of names, got ${kindOf(classes)}`)
  }
  const [found, places] = [new Map<string, unknown>(), new Map<string, number>()]
  for (const [i, entry] of (labels as unknown[]).entries()) {
    const at = () => `${path}, line ${lineOf(text, i)}`
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== 'string') {
      throw new DataError(`${at()}: entry ${i + 1} of labels must be a pair as in ${form}, got ${kindOf(entry)}`)
    }
    const [file, label] = entry as [string, unknown]
    if (found.has(file) && JSON.stringify(found.get(file)) !== JSON.stringify(label)) {
      const first = lineOf(text, places.get(file)!)
      throw new DataError(`${at()}: an image has one label, ${shown(file)} has another one in line ${first}`)
    }
    found.set(file, label)
    places.set(file, i)
  }
  const wrong = (file: string, what: string) => {
    const place = places.get(file)
    return new DataError(`${path}${place === undefined ? '' : `, line ${lineOf(text, place)}`}: ${what}`)
  }
  return { labels: found, attributes, classes, wrong }
}

/**
 * The labels of a text as the tools write it: each image in its order, with one number. Only these are kept: a million pairs and
 * texts would take more than the images themselves.
 *
 * @returns undefined if anything is otherwise: then all of it is read
 */
export function quickly(bytes: Uint8Array, images: Names): Classes | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const start = /^\s*\{\s*"labels"\s*:\s*\[\s*/.exec(text.toString('latin1', 0, 100))?.[0].length
  if (start === undefined) return undefined
  const of: number[] = []
  let at = start
  for (let i = 0; i < images.count; i++) {
    const name = JSON.stringify(images.name(i))
    const entry = text.toString('utf8', at, at + Buffer.byteLength(name) + 32)
    const pattern = /^\s*,?\s*\[\s*("(?:[^"\\]|\\.)*")\s*,\s*(\d{1,5})\s*\]/.exec(entry)
    if (pattern === null || pattern[1] !== name || pattern[0].trimStart().startsWith(',') !== i > 0) return undefined
    of.push(Number(pattern[2]))
    at += Buffer.byteLength(pattern[0])
  }
  try {
    const rest = JSON.parse(`{"labels": [${text.toString('utf8', at)}`) as Record<string, unknown>
    const { labels, classes = [], attributes } = rest
    const isWhole = Array.isArray(labels) && labels.length === 0 && isNames(classes) && attributes === undefined
    return isWhole && of.every((label) => label < classLimit) ? numberedClasses(of, classes) : undefined
  } catch {
    return undefined
  }
}

/** @throws DataError if it is no UTF-8 */
export function decodeText(path: string, bytes: Uint8Array, form: string): string {
  if (bytes.length === 0) throw new DataError(`${path}: ${form} is expected, the file is empty (0 bytes)`)
  const [first, second] = bytes
  if (first === 0 || second === 0 || (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new DataError(`${path}: UTF-8 is expected, got UTF-16; save it as UTF-8`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes) // without a byte-order mark
  } catch {
    throw new DataError(`${path}: UTF-8 is expected, got other bytes; save it as UTF-8`)
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DataError(`${path}: JSON is expected, got ${jsonFault(text) ?? (error as Error).message}`)
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string')

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `a list (${shown(JSON.stringify(value).slice(0, 60))})`
  if (isObject(value)) return `an object (${shown(JSON.stringify(value).slice(0, 60))})`
  return shown(JSON.stringify(value))
}

/** The line of an entry of `labels` in a text that is JSON, or of what stands there in place of a list. */
function lineOf(text: string, entry: number): number {
  let [depth, inLabels, seen] = [0, false, 0]
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},]|[^\s"[\]{},:]+/g)) {
    if (!inLabels) inLabels = depth === 1 && token === '"labels"'
    else if (depth === 1 && token !== '[') return line(text, index)
    else if (depth === 2 && token !== ',' && token !== ']' && seen++ === entry) return line(text, index)
    if (token === '[' || token === '{') depth++
    if (token === ']' || token === '}') depth--
  }
  return 1
}

const line = (text: string, index: number): number => text.slice(0, index).split('\n').length
