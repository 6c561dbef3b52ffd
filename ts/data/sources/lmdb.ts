/**
 * Image files in a database of LMDB, as LSUN is published: keys in their order, values WebP or JPEG. Read-only, and only what one
 * database without duplicates needs (lmdb.h and mdb.c of OpenLDAP, data version 1).
 */
import { createHash } from 'node:crypto'
import { shown } from '../../files/shown.ts'
import { noLabelsIn } from '../labels.ts'
import { fileLimit, readBudget, type DataFile } from './file.ts'
import { Column, Names } from './columns.ts'
import type { ImageInput, LeftOut, Source } from './source.ts'
import { DataError } from '../../native/index.ts'

/** Bytes before what a page holds, and before the key of a node. */
const [pageHeader, nodeHeader] = [16, 8]
const [branch, leaf] = [1, 2]
const [bigData, subData, duplicates] = [1, 2, 4]
/** Levels of a tree that LMDB itself reads. */
const deepest = 32
/** What other programs keep beside their images. */
const notes = new Set(['length', '__len__', '__keys__', 'num-samples'])

/** Bytes from the start of a file that {@link isLmdb} needs. */
export const lmdbHeadBytes = pageHeader + 136

export function isLmdb(head: Buffer): boolean {
  return head.length >= lmdbHeadBytes && head.readUInt32LE(pageHeader) === 0xbeefc0de
}

/** Where values are, by key. */
interface Entries {
  readonly names: Names
  readonly places: Column
  readonly sizes: Column
  readonly leftOut: LeftOut[]
}

/** @throws DataError if it is damaged or cut off */
export async function openLmdb(file: DataFile, path = file.path): Promise<Source> {
  const { names, places, sizes, leftOut } = await entriesOf(file)
  if (names.count === 0) throw new DataError(`${path}: image files are expected, got a database without any`)
  return {
    kind: 'LMDB',
    path,
    count: names.count,
    leftOut,
    name: (index) => names.name(index),
    hash: () => createHash('sha256').update(file.stamp),
    labels: () => Promise.resolve({ noLabels: noLabelsIn(path), isBroken: false }),
    async read(first, count) {
      const images: ImageInput[] = []
      for (let i = first, left = readBudget; i < first + count; i++) {
        left -= sizes.at(i)
        if (left < 0 && images.length > 0) break
        images.push({ name: `${path}: ${names.name(i)}`, bytes: await file.read(places.at(i), sizes.at(i)) })
      }
      return images
    },
    close: () => file.close(),
  }
}

async function entriesOf(file: DataFile): Promise<Entries> {
  const { pageSize, root, entries: expected } = await newestMeta(file)
  const [names, places, sizes] = [new Names(), new Column(Float64Array), new Column(Uint32Array)]
  const leftOut: LeftOut[] = []
  const damaged = (what: string) =>
    new DataError(`${file.path}: the database is damaged or cut off: ${what}; get it again`)
  const pages: [page: number, depth: number][] = root === undefined ? [] : [[root, 1]]
  for (let left = Math.ceil(file.size / pageSize); pages.length > 0; left--) {
    const [number, depth] = pages.pop()!
    if (left === 0 || depth > deepest) throw damaged('its pages form a circle')
    const page = await file.read(number * pageSize, pageSize)
    const [flags, lower] = [page.readUInt16LE(10), page.readUInt16LE(12)]
    const count = (lower - pageHeader) / 2
    if ((flags & (branch | leaf)) === 0 || !Number.isInteger(count) || count < 0 || lower > pageSize) {
      throw damaged(`page ${number} has another kind than is expected`)
    }
    const nodes = Array.from({ length: count }, (_, i) => page.readUInt16LE(pageHeader + 2 * i))
    if (nodes.some((at) => at < lower || at + nodeHeader > pageSize)) throw damaged(`page ${number} has no such nodes`)
    if (flags & branch) {
      // The first one is read first.
      for (const at of nodes.reverse()) pages.push([page.readUIntLE(at, 6), depth + 1])
      continue
    }
    for (const at of nodes) {
      const [size, kind] = [page.readUInt32LE(at), page.readUInt16LE(at + 4)]
      const value = at + nodeHeader + page.readUInt16LE(at + 6)
      const inside = kind & bigData ? 8 : size
      if (value + inside > pageSize || size > fileLimit) throw damaged(`page ${number} has a node that is too large`)
      const key = page.subarray(at + nodeHeader, value)
      if (kind & (subData | duplicates) || notes.has(key.toString('latin1'))) {
        leftOut.push({ path: `${file.path}: ${textOf(key)}`, kind: 'entry that is no image' })
        continue
      }
      const far = kind & bigData ? Number(page.readBigUInt64LE(value)) : number
      const place = kind & bigData ? far * pageSize + pageHeader : number * pageSize + value
      if (place + size > file.size) throw damaged(`the value of ${shown(textOf(key))} ends after the file`)
      names.add(textOf(key))
      places.add(place)
      sizes.add(size)
    }
  }
  const found = names.count + leftOut.length
  if (found !== expected) throw damaged(`${expected} entries are expected, got ${found}`)
  return { names, places, sizes, leftOut }
}

/** Text if it is one; the official tools write hexadecimal numbers. */
function textOf(key: Buffer): string {
  const text = key.toString('utf8')
  return Buffer.from(text).equals(key) && !/\p{Cc}/u.test(text) ? text : key.toString('hex')
}

/** The newer one of the two pages that say where all others are. */
async function newestMeta(file: DataFile): Promise<{ pageSize: number; root: number | undefined; entries: number }> {
  const first = await file.head(lmdbHeadBytes)
  const pageSize = first.readUInt32LE(pageHeader + 24)
  const version = first.readUInt32LE(pageHeader + 4)
  if (version !== 1 || pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) {
    throw new DataError(
      `${file.path}: a database of LMDB's data version 1 is expected, got version ${version} with pages of ${pageSize} bytes`,
    )
  }
  const second = await file.read(pageSize, lmdbHeadBytes)
  const meta = transaction(second) > transaction(first) ? second : first
  const main = pageHeader + 72
  const root = meta.readBigUInt64LE(main + 40)
  return {
    pageSize,
    // All bits are set where there is none.
    root: root === 2n ** 64n - 1n ? undefined : Number(root),
    entries: Number(meta.readBigUInt64LE(main + 32)),
  }
}

const transaction = (meta: Buffer): bigint => meta.readBigUInt64LE(pageHeader + 128)
