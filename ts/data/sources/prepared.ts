/** A prepared data set of ours as a source: its images at their full resolution. */
import { plural } from '../../files/units.ts'
import { createHash } from 'node:crypto'
import { columnClasses } from '../classes.ts'
import { readLabels } from '../labels.ts'
import type { DatasetInfo } from '../info.ts'
import { cut, numbered, someOf } from './arrays.ts'
import type { Source } from './source.ts'
import { DataError, Levels } from '../../native/index.ts'

export function openPreparedSource(dir: string, info: DatasetInfo): Source {
  const levels = Levels.open(dir)
  const { count, resolution: side, channels } = levels
  if (count !== info.count) {
    throw new DataError(
      `${dir}: ${info.count} ${plural(info.count, 'image is', 'images are')} expected, got ${count}; prepare its images again`,
    )
  }
  const size = { width: side, height: side, channels }
  return {
    kind: 'prepared data set',
    path: dir,
    count,
    leftOut: [],
    name: numbered,
    hash: () => createHash('sha256').update(JSON.stringify([info.fingerprint, info.crc32c, side, channels])),
    labels: async () => {
      const labels = await readLabels({ dir, info })
      if (labels === undefined) return { noLabels: info.noLabels ?? `${dir} has none`, isBroken: false }
      const { names, values } = labels
      return {
        ...columnClasses(info.count, names.length, (row, column) => values[row * names.length + column]!),
        names,
      }
    },
    async read(first, count) {
      const indices = Array.from({ length: someOf(count, size) }, (_, i) => first + i)
      return cut(await levels.batch(side, indices), size, (i) => `${dir}[${first + i}]`)
    },
    close: () => Promise.resolve(),
  }
}
