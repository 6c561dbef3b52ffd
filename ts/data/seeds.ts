/** Seeds as people write them. */
import { shownValue } from '../files/shown.ts'

/** One seed, several, or a text such as `0,1,4-6`. */
export type Seeds = number | string | readonly number[]

/**
 * Seeds as numbers.
 *
 * @throws RangeError unless all are whole numbers from 0
 */
export function seedsOf(seeds: Seeds): number[] {
  const list = typeof seeds === 'string' ? seeds.split(',').flatMap(rangeOf) : [seeds].flat()
  for (const seed of list) {
    if (!(Number.isSafeInteger(seed) && seed >= 0)) {
      throw new RangeError(`seeds: whole numbers from 0 are expected, got ${shownValue(seed)}`)
    }
  }
  return list
}

/** `4-6` as 4, 5, 6. */
function rangeOf(part: string): number[] {
  const range = /^(\d+(?:e\d+)?)(?:-(\d+(?:e\d+)?))?$/i.exec(part.trim())
  if (!range) throw new RangeError(`seeds such as 0,1,4-6 are expected, got '${part}'`)
  const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])]
  if (last < first) {
    throw new RangeError(
      `a range whose first seed is the smaller one is expected, got '${part}'; write ${last}-${first}`,
    )
  }
  if (!Number.isSafeInteger(last)) {
    throw new RangeError(`seeds of at most ${Number.MAX_SAFE_INTEGER.toLocaleString('en')} are expected, got '${part}'`)
  }
  if (last - first >= 100_000) {
    throw new RangeError(`a range of at most 100,000 seeds is expected, got '${part}'`)
  }
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
