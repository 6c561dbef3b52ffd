/** JSON of files that anybody may have written. */
import { jsonFault } from '../native/index.ts'

/**
 * Parses JSON that is nested at most `depth` deep. Ours is 3 deep; a file that is all brackets would take a hundred times its
 * size in memory.
 *
 * @throws SyntaxError saying where, if it is no JSON or is deeper
 */
export function parseJson(text: string, depth = 16): unknown {
  let open = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (quoted) {
      if (code === backslash) i++
      else if (code === quote) quoted = false
    } else if (code === quote) quoted = true
    else if (code === 0x5b || code === 0x7b) {
      if (++open > depth) throw new SyntaxError(`JSON of at most ${depth} levels is expected, got more`)
    } else if (code === 0x5d || code === 0x7d) open--
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new SyntaxError(`no JSON: ${jsonFault(text)}`)
  }
}

const [quote, backslash] = [0x22, 0x5c]

/** An object of JSON, no list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
