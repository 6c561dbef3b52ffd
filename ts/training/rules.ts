/** What an option of a training run may be. */

/** Numbers, and perhaps one word in place of a number. */
interface Numbers {
  readonly word?: string
}

export interface Rule<T> {
  readonly ok: (value: unknown) => value is T
  /** For errors: what `ok` accepts. */
  readonly expected: string
  /** For errors: what to do. */
  readonly advice?: string
  /** How the command line reads it. */
  readonly reads: 'text' | 'flag' | Numbers
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isText = (value: unknown): value is string => typeof value === 'string'
const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))

export const flag: Rule<boolean> = {
  ok: (v): v is boolean => typeof v === 'boolean',
  expected: 'true or false',
  reads: 'flag',
}

export const anyText: Rule<string> = { ok: isText, expected: 'text', reads: 'text' }

/** Text that is not empty. */
export const text = (expected: string): Rule<string> => ({
  ok: (v): v is string => isText(v) && v !== '',
  expected,
  reads: 'text',
})

export const words: Rule<string> = {
  ok: (v): v is string => isText(v) && /^[\w.-]*$/.test(v),
  expected: 'a name of letters, digits, ".", "_" and "-"',
  reads: 'text',
}

export const oneOf = <T extends string>(names: readonly T[]): Rule<T> => ({
  ok: (v): v is T => names.some((name) => name === v),
  expected: `one of ${names.join(', ')}`,
  reads: 'text',
})

export const oneNumberOf = <const T extends number>(numbers: readonly T[], expected: string): Rule<T> => ({
  ok: (v): v is T => numbers.some((number) => number === v),
  expected,
  reads: {},
})

const number = (ok: (value: number) => boolean, expected: string): Rule<number> => ({
  ok: (v): v is number => isNumber(v) && ok(v),
  expected,
  reads: {},
})

export const above0 = number((v) => v > 0, 'a number above 0')
export const above0To = (most: number): Rule<number> =>
  number((v) => v > 0 && v <= most, `a number above 0 and at most ${most}`)
export const from0 = number((v) => v >= 0, 'a number of at least 0')
export const from0To1 = number((v) => v >= 0 && v <= 1, 'a number from 0 to 1')
export const from0Below1 = number((v) => v >= 0 && v < 1, 'a number from 0 up to, but not including, 1')
export const whole = (min: number, max: number): Rule<number> =>
  number((v) => Number.isInteger(v) && v >= min && v <= max, `a whole number from ${min} to ${max}`)

/** Side of images. */
export const side: Rule<number> = {
  ...number((v) => v >= 4 && v <= 1024 && isPowerOfTwo(v), 'a power of two from 4 to 1024'),
  advice: 'images of other sizes are cropped and resized to it',
}

/** A number, or a word in its place. */
export const orWord = <const W extends string>(rule: Rule<number>, word: W): Rule<number | W> => ({
  ok: (v): v is number | W => v === word || rule.ok(v),
  expected: `${rule.expected}, or ${word}`,
  reads: { word },
})

export const orNull = <T>({ ok, expected, reads }: Rule<T>): Rule<T | null> => ({
  ok: (v): v is T | null => v === null || ok(v),
  expected: `${expected}, or null`,
  reads,
})
