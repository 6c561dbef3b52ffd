/** What a program gives to a training beside its options, checked before anything begins. */
import { shownValue } from '../files/shown.ts'
import { checkSet } from '../data/memory.ts'
import { checkKeys } from '../training/config.ts'
import type { TrainHooks } from './loop.ts'

const hookKeys = Object.keys({
  images: 0,
  maxMegapixels: 0,
  verify: 0,
  signal: 0,
  loss: 0,
  layer: 0,
  device: 0,
  profile: 0,
  note: 0,
  onWrite: 0,
  lock: 0,
} satisfies Record<keyof TrainHooks, 0>)

/**
 * Programs without types give what they like.
 *
 * @throws RangeError for a hook that is unknown or lacks what it needs, DataError for images that cannot be read as such
 */
export function checkHooks(hooks: TrainHooks): void {
  checkKeys(hooks, hookKeys, 'hook')
  if (hooks.images !== undefined) checkSet(hooks.images)
  checkOwn('loss', hooks.loss, ['G', 'D'])
  checkOwn('layer', hooks.layer, ['apply'])
}

/** A loss or a layer: a snapshot that has no name for it could not be loaded again. */
function checkOwn(key: 'loss' | 'layer', hook: unknown, functions: readonly string[]): void {
  if (hook === undefined) return
  const expected = `an object with a name and ${functions.length > 1 ? 'the functions' : 'the function'} ${functions.join(' and ')}`
  if (typeof hook !== 'object' || hook === null) {
    throw new RangeError(`${key}: ${expected} is expected, got ${shownValue(hook)}; leave ${key} out for the package's`)
  }
  const { name, ...given } = hook as Record<string, unknown>
  if (typeof name !== 'string' || name === '') {
    const found = name === undefined ? 'no name' : `name ${shownValue(name)}`
    throw new RangeError(`${key}: ${expected} is expected, got ${found}; name it by letters, digits, ".", "_" and "-"`)
  }
  const missing = functions.find((each) => typeof given[each] !== 'function')
  if (missing === undefined) return
  throw new RangeError(
    `${key} '${name}': ${expected} is expected, got ${shownValue(given[missing])} as ${missing}; give the function ${missing}`,
  )
}
