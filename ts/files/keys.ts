/** What a program gives, checked before it is used: programs without types give what they like. */
import { shown, shownValue } from './shown.ts'

/** @throws RangeError unless it is an object */
export function checkObject(given: unknown, name: string, expected = 'an object'): asserts given is object {
  if (typeof given === 'object' && given !== null) return
  throw new RangeError(`${name}: ${expected} is expected, got ${show(given)}`)
}

/** @throws RangeError unless it is text with a letter at least */
export function checkText(given: unknown, name: string, expected: string): asserts given is string {
  if (typeof given === 'string' && given !== '') return
  throw new RangeError(`${name}: ${expected} is expected, got ${show(given)}`)
}

/**
 * @param what the kind of the keys, such as `option`
 * @throws RangeError unless it is an object of known keys
 */
export function checkKeys(given: unknown, known: readonly string[], what: string): void {
  checkObject(given, `${what}s`, `an object of ${what}s`)
  const key = Object.keys(given).find((name) => !known.includes(name))
  if (key === undefined) return
  const near = otherNames.get(plain(key))?.find((name) => known.includes(name)) ?? nearest(key, known)
  throw new RangeError(
    `unknown ${what} ${show(key)}; ${near ? `did you mean ${near}?` : `known ones: ${known.join(', ')}`}`,
  )
}

/** What flags, StyleGAN3 and other functions call an option, and its names in code; edits alone would lead elsewhere. */
const otherNames: ReadonlyMap<string, readonly string[]> = new Map([
  ['noisemode', ['noise']],
  ['noiseseed', ['noiseSeeds']],
  ['trunc', ['psi', 'truncationPsi', 'psis']],
  ['truncationpsi', ['psi', 'psis']],
  ['psi', ['truncationPsi', 'psis']],
  ['trunccutoff', ['cutoff', 'truncationCutoff']],
  ['truncationcutoff', ['cutoff']],
  ['cutoff', ['truncationCutoff']],
  ['wframes', ['framesPerKey']],
  ['metricsnum', ['num']],
  ['num', ['metricsNum']],
  ['lr', ['rate', 'glr']],
])

/** Upper and lower case and dashes aside. */
const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, '')

/**
 * The first candidate that begins with `word`, else the one with the smallest edit distance to it, upper and lower case and dashes aside.
 *
 * @returns undefined if none is closer than half of the word, or none has a letter of it in place
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const begun = plain(word).length > 1 && candidates.find((candidate) => plain(candidate).startsWith(plain(word)))
  if (begun) return begun
  let best: string | undefined
  let bestDistance = Math.max(2, plain(word).length / 2)
  for (const candidate of candidates) {
    const distance = editDistance(plain(word), plain(candidate))
    if (distance >= Math.max(plain(word).length, plain(candidate).length)) continue
    if (distance < bestDistance || (distance === bestDistance && best === undefined)) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein distance with adjacent swaps counted as one step. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let distance = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        distance = Math.min(distance, before[j - 2]! + 1)
      current.push(distance)
    }
    before = previous
    previous = current
  }
  return previous[b.length]!
}

/** A value as a message shows it, lists with what is in them. */
export const show = (value: unknown): string =>
  Array.isArray(value) ? shown(JSON.stringify(value)) : shownValue(value)
