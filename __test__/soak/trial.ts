/** What the parts of `npm run soak` have in common: numbered cases that a seed repeats, and what an error must look like. */
import { crc32 } from 'node:zlib'
import { Rng } from '../../ts/native/index.ts'

export interface Request {
  readonly seed: number
  /** Number of the first case, and how many there are. */
  readonly first: number
  readonly count: number
  /** An empty folder for them. */
  readonly dir: string
}

export interface Outcome {
  readonly index: number
  /** One word for the count: `loaded`, `refused`, `resumed` … */
  readonly what: string
  /** What must not have happened. */
  readonly fault?: string | undefined
}

/** One kind of trial. */
export interface Part {
  readonly name: string
  /** Cases of the short form. */
  readonly short: number
  /** Cases that one call runs together. */
  readonly batch: number
  run(request: Request): AsyncIterable<Outcome>
}

/** The numbers of one case: the same for a seed, whatever ran before. */
export function randomOf(seed: number, part: string, index: number): Random {
  return new Random(new Rng(seed, crc32(part), index * 2 ** 20))
}

export class Random {
  readonly #rng: Rng

  constructor(rng: Rng) {
    this.#rng = rng
  }

  /** A whole number from 0 to below `count`, 0 if there is none. */
  below = (count: number): number => (count > 1 ? this.#rng.nextInteger(0, count) : 0)
  between = (low: number, high: number): number => low + (high - low) * this.#rng.nextUniform()
  chance = (share: number): boolean => this.#rng.nextUniform() < share
  pick = <T>(values: readonly T[]): T => values[this.below(values.length)]!
}

/** A part whose cases are one function. */
export function eachCase(
  name: string,
  short: number,
  run: (random: Random, dir: string, index: number) => Promise<string>,
): Part {
  return {
    name,
    short,
    batch: 1,
    async *run({ seed, first, dir }) {
      try {
        yield { index: first, what: await run(randomOf(seed, name, first), dir, first) }
      } catch (error) {
        yield { index: first, what: 'failed', fault: error instanceof Error ? error.message : String(error) }
      }
    },
  }
}

// Words of a programming language, which no user should have to read.
const internal =
  /Cannot read|\bundefined\b|\bnull\b is|is not a (function|constructor)|not iterable|call stack|Unexpected (token|end)|Invalid (array|typed array|string) length|Assertion|panicked|\[object |unwrap|\bindex out of/

/** Why a message is no sentence for a user; undefined if it is one. */
export function sentenceFault(message: string, names?: string): string | undefined {
  if (/[\p{Cc}\u2028\u2029]/u.test(message)) return `control characters in: ${JSON.stringify(message)}`
  if (message.length > 2000) return `${message.length} characters: ${message.slice(0, 200)}…`
  const words = internal.exec(message)?.[0]
  if (words !== undefined) return `'${words}' in: ${message}`
  if (names !== undefined && !message.includes(names)) return `it does not name the file: ${message}`
  return undefined
}
