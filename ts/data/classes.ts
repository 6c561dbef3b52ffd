/** The classes of images, whatever told them. */
import { shown } from '../files/shown.ts'

/** Names of images, with `/` between folders. */
export interface Names {
  readonly count: number
  name(index: number): string
}

/** The numbers of each image's classes; one, or any number of attributes. */
export interface Classes {
  readonly names: readonly string[]
  readonly of: readonly (number | readonly number[])[]
}

/** Classes, or why there are none; `isBroken` if they were meant to be there. */
export type Labelling = Classes | { readonly noLabels: string; readonly isBroken: boolean }

/** Classes that there may be. */
export const classLimit = 16_384

/** What is made of each image. */
export function each<T>(images: Names, of: (name: string) => T): T[] {
  return Array.from({ length: images.count }, (_, i) => of(images.name(i)))
}

/** Classes by name, in the order of the names. */
export function namedClasses(count: number, label: (index: number) => string): Classes {
  const number = new Map<string, number>()
  for (let i = 0; i < count; i++) number.set(label(i), 0)
  const names = [...number.keys()].sort()
  names.forEach((name, i) => number.set(name, i))
  return { names, of: Array.from({ length: count }, (_, i) => number.get(label(i))!) }
}

/** Classes by number from 0, each below {@link classLimit}; `names` of those that have one. */
export function numberedClasses(of: readonly number[], names: readonly string[] = []): Classes {
  const count = of.reduce((most, label) => Math.max(most, label), -1) + 1
  return { names: Array.from({ length: Math.max(count, names.length) }, (_, i) => names[i] ?? String(i)), of }
}

/** Columns of 0 and 1: one class an image where each has one 1, else attributes. */
export function columnClasses(rows: number, columns: number, value: (row: number, column: number) => number): Classes {
  const of = Array.from({ length: rows }, (_, row) => {
    const set = []
    for (let column = 0; column < columns; column++) if (value(row, column) === 1) set.push(column)
    return set.length === 1 ? set[0]! : set
  })
  const names = Array.from({ length: columns }, (_, i) => String(i))
  return { names, of: of.every((label) => typeof label === 'number') ? of : of.map((label) => [label].flat()) }
}

/** The first three of the images for which something is wrong, and how many more there are; undefined if there is none. */
export function offenders(images: Names, isWrong: (name: string) => boolean): string | undefined {
  const first: string[] = []
  let count = 0
  for (let i = 0; i < images.count; i++) {
    const name = images.name(i)
    if (isWrong(name) && ++count <= 3) first.push(shown(name))
  }
  if (count === 0) return undefined
  const more = count > 3 ? ` and ${count - 3} more have` : count > 1 ? ' have' : ' has'
  return first.join(', ') + more
}
