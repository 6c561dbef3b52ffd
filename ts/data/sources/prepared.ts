/** A prepared data set of ours as a source: its images at their full resolution. */
import { createHash } from 'node:crypto'
import type { Classes } from '../classes.ts'
import { readLabels } from '../labels.ts'
import type { DatasetInfo } from '../info.ts'
import { numbered } from './arrays.ts'
import { readBudget } from './file.ts'
import type { Source } from './source.ts'
import { DataError, Levels } from '../../native/index.ts'

export function openPreparedSource(dir: string, info: DatasetInfo): Source {
  const levels = Levels.open(dir)
  const { count, resolution: side, channels } = levels
  if (count !== info.count) {
    throw new DataError(`${dir}: ${info.count} images are expected, got ${count}; prepare its images again`)
  }
  const size = side * side * channels
  return {
    kind: 'prepared data set',
    path: dir,
    count,
    leftOut: [],
    name: numbered,
    hash: () => createHash('sha256').update(JSON.stringify([info.fingerprint, info.crc32c, side, channels])),
    labels: async () => {
      const labels = await readLabels({ dir, info })
      if (labels === undefined) return { noLabels: info.noLabels ?? `${dir}: it has no labels`, isBroken: false }
      return classesOf(labels.names, labels.values)
    },
    async read(first, some) {
      const indices = Array.from(
        { length: Math.min(some, Math.max(Math.floor(readBudget / size), 1)) },
        (_, i) => first + i,
      )
      const pixels = await levels.batch(
        side,
        indices,
        indices.map(() => false),
      )
      return indices.map((index, i) => ({
        name: `${dir}[${index}]`,
        pixels: pixels.subarray(i * size, (i + 1) * size),
        width: side,
        height: side,
        channels,
      }))
    },
    close: () => Promise.resolve(),
  }
}

/** The columns that each row sets: a number where every image has one class. */
function classesOf(names: readonly string[], values: Float32Array): Classes {
  const rows = values.length / names.length
  const of = Array.from({ length: rows }, (_, row) =>
    names.flatMap((_, column) => (values[row * names.length + column] === 1 ? [column] : [])),
  )
  return { names, of: of.every((set) => set.length === 1) ? of.flat() : of }
}
