/** What a program gives to a training beside its options, checked before anything begins. */
import type { LockRequest } from '../files/lock.ts'
import { optionError } from '../files/option-names.ts'
import { shownValue } from '../files/shown.ts'
import type { OnStep } from '../files/write-atomic.ts'
import type { Device, Processes } from '../native/index.ts'
import type { CustomLayer } from '../networks/params.ts'
import { checkSet } from '../data/memory.ts'
import { checkKeys } from '../files/keys.ts'
import type { CustomLoss } from '../training/losses.ts'
import type { DataOptions } from '../training/minibatches.ts'

/** What a program gives to a training beside its options. */
export interface TrainHooks extends Pick<DataOptions, 'images' | 'maxMegapixels' | 'verify'> {
  /** Stops training after the step under way, with a snapshot; `break` out of the loop does the same. */
  readonly signal?: AbortSignal | undefined
  /** A loss of one's own, in place of the one that the options name; see {@link CustomLoss}. */
  readonly loss?: CustomLoss | undefined
  /** Replaces or surrounds layers of both networks; see {@link CustomLayer}. */
  readonly layer?: CustomLayer | undefined
  /** A device to train on, open or by name, in place of the one that the options name. */
  readonly device?: Device | string | undefined
  /** Counts what kernels cost, and shows it with each tick. */
  readonly profile?: boolean | undefined
  /** This process among those that train together, see `joinProcesses`; the first one alone writes files. */
  readonly processes?: Processes | undefined
  /** A line for the beginning of the log. */
  readonly note?: string | undefined
  /** @internal Called before each step of writing a file: for tests. */
  readonly onWrite?: OnStep
  /** @internal How the run directory is locked: for tests. */
  readonly lock?: LockRequest['lock']
}

const hookKeys = Object.keys({
  images: 0,
  maxMegapixels: 0,
  verify: 0,
  signal: 0,
  loss: 0,
  layer: 0,
  device: 0,
  profile: 0,
  processes: 0,
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
  const { maxMegapixels: most } = hooks
  if (most !== undefined && !(typeof most === 'number' && most > 0)) {
    throw optionError((name) => `${name('maxMegapixels')}: a number above 0 is expected, got ${shownValue(most)}`)
  }
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
