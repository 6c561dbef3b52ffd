/** The only import of the addon, its errors, and checks of what JavaScript cannot promise. */
import { inspect } from 'node:util'
import { constants, tmpdir } from 'node:os'
import { loadAddon } from './load.ts'

export type * as Native from '#native'

export const native = loadAddon() as typeof import('#native')

// Mesa's Vulkan driver looks for Wayland and complains on standard error where this is not set; nothing here opens a window.
if (process.platform === 'linux') process.env['XDG_RUNTIME_DIR'] ??= tmpdir()

// Not every way to end a process closes its devices.
process.on('exit', () => native.settle())

/** The version of the addon, and the hash of the sources that it was built from. */
export const addonBuilt = (): { readonly version: string; readonly sources: string } => native.built()

/** Sizes of axes, outermost first. */
export type Shape = readonly number[]

/** A shape, axis, dtype or parameter that an op does not take. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError'
  readonly code = 'ERR_SHAPE'
}

/** A tensor that was disposed, or changed in place while a gradient still needed it. */
export class DisposedError extends Error {
  override readonly name = 'DisposedError'
  readonly code = 'ERR_DISPOSED'
}

/** A device that failed (`ERR_DEVICE`) or has no memory left (`ERR_MEMORY`). */
export class DeviceError extends Error {
  override readonly name = 'DeviceError'
  readonly code: 'ERR_DEVICE' | 'ERR_MEMORY'
  constructor(message: string, code: 'ERR_DEVICE' | 'ERR_MEMORY') {
    super(message)
    this.code = code
  }
}

/** A file or folder of images that cannot be used; the message names it. */
export class DataError extends Error {
  override readonly name = 'DataError'
  readonly code = 'ERR_DATA'
}

/** Processes that cannot work together: `ERR_LOST` if one of them ended or stalled, which the message names by its rank. */
export class ProcessesError extends Error {
  override readonly name = 'ProcessesError'
  readonly code: 'ERR_PROCESSES' | 'ERR_LOST'
  constructor(message: string, code: 'ERR_PROCESSES' | 'ERR_LOST' = 'ERR_PROCESSES') {
    super(message)
    this.code = code
  }
}

/** Names of the system's errors by their numbers; on Windows the addon's are others. */
const systemCodes = new Map(
  process.platform === 'win32' ? [] : Object.entries(constants.errno).map(([code, number]) => [number, code]),
)

/** Rust's `(os error 28)` as Node.js calls it: `(ENOSPC)`. */
const withCodes = (message: string): string =>
  message.replaceAll(/\(os error (\d+)\)/g, (text, number) => {
    const code = systemCodes.get(Number(number))
    return code === undefined ? text : `(${code})`
  })

/** An error of the addon as one of the classes above. */
function translate(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  // Rejections carry the code in front of the message.
  const rejected = /^(ERR_\w+): (.*)$/s.exec(error.message)
  const code = rejected?.[1] ?? ('code' in error ? error.code : undefined)
  const message = withCodes(rejected?.[2] ?? error.message)
  if (code === 'ERR_SHAPE') return new ShapeError(message)
  if (code === 'ERR_DISPOSED') return new DisposedError(message)
  if (code === 'ERR_DEVICE' || code === 'ERR_MEMORY') return new DeviceError(message, code)
  if (code === 'ERR_DATA') return new DataError(message)
  if (code === 'ERR_PROCESSES' || code === 'ERR_LOST') return new ProcessesError(message, code)
  // napi's own codes are InvalidArg, StringExpected, NumberExpected and so on.
  if (code === 'ERR_ARGUMENT' || (typeof code === 'string' && /^InvalidArg$|Expected$/.test(code))) {
    return new TypeError(message)
  }
  if (code === 'ERR_RANGE') return new RangeError(message)
  return error
}

/** Calls the addon. */
export function call<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translate(error)
  }
}

/** Waits for the addon. */
export async function wait<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw translate(error)
  }
}

/** A value in an error message: short, in one line, whatever it is. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 8, maxStringLength: 80 })
}

/** Sizes of axes, as the addon expects them. */
export function sizes(what: string, values: Shape): number[] {
  // Not of the list itself: that would pass over its holes.
  if (
    !Array.isArray(values) ||
    !Array.from<number>(values).every((size) => Number.isInteger(size) && size >= 0 && size < 2 ** 32)
  ) {
    throw new ShapeError(`${what}: whole numbers from 0 are expected, got ${shown(values)}`)
  }
  return values as number[]
}

/** A whole number that the addon can take; what napi would make of others, it does without a word. */
export function whole(what: string, value: number, least = 0, most = 2 ** 32 - 1): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new RangeError(`${what} must be a whole number from ${least} to ${most}, got ${shown(value)}`)
}

export function number(what: string, value: number): number {
  if (typeof value !== 'number') throw new TypeError(`${what}: a number is expected, got ${shown(value)}`)
  return value
}

export function finite(what: string, value: number): number {
  if (!Number.isFinite(value)) throw new TypeError(`${what}: a finite number is expected, got ${shown(value)}`)
  return value
}

/** A list of some things. */
export function list<T>(what: string, values: readonly T[], things: string): readonly T[] {
  const given: unknown = values
  if (!Array.isArray(given)) throw new TypeError(`${what}: a list of ${things} is expected, got ${shown(given)}`)
  // Holes become undefined, which no list of things holds.
  return Array.from(values)
}

/** A name that the addon looks up. */
export function named(what: string, value: string): string {
  if (typeof value !== 'string') throw new TypeError(`${what}: a name is expected, got ${shown(value)}`)
  return value
}

/** A list of finite numbers, such as the taps of a filter. */
export function numbers(what: string, values: ArrayLike<number>): number[] {
  const list = Array.isArray(values) || ArrayBuffer.isView(values) ? Array.from<number>(values) : undefined
  if (list?.every(Number.isFinite)) return list
  throw new TypeError(`${what}: finite numbers are expected, got ${shown(values)}`)
}

export function flag(what: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${what}: true or false is expected, got ${shown(value)}`)
  return value
}

/** Options, before their parts are read. */
export function object<T>(what: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value
  throw new TypeError(`${what}: an object of options is expected, got ${shown(value)}`)
}
