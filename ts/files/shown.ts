/** Text from outside (names of files, tensors, labels) as a message may hold it. */

/** Control characters begin terminal escapes; marks of direction and line separators change what the rest looks like. */
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu

const longest = 200

/** A line for a screen or a log: whole, without terminal escapes or line breaks. */
export const shownLine = (text: string): string => shown(text, Infinity)

/** A value of any kind, as a message says what was found. */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(shown(value))
  if (typeof value === 'function') return 'a function'
  if (value === null) return 'null'
  if (typeof value !== 'object') return shown((value as number).toString())
  const { constructor } = value as { readonly constructor?: unknown }
  if (Object.getPrototypeOf(value) === null || constructor === Object) {
    return `{ ${shown(Object.keys(value).slice(0, 8).join(', '))} }`
  }
  return typeof constructor === 'function' ? shown(constructor.name) : 'an object'
}

/** `text` without terminal escapes: what a terminal would obey stands there as `\u001b`. What is longer than `most` is cut. */
export function shown(text: string, most = longest): string {
  const start = text.length > most ? `${text.slice(0, most)}…` : text
  return start.replace(unsafe, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
