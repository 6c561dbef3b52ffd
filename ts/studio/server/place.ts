/** The folders that the studio reads, and what of them may be told. */
import { realpath } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { shown } from '../../files/shown.ts'
import { Refused } from './refused.ts'

/** A folder of which paths below are told, and no others. */
export class Place {
  /** As the command named it. */
  readonly given: string
  readonly #root: string

  private constructor(given: string, root: string) {
    this.given = given
    this.#root = root
  }

  /** @throws Error if there is no such folder */
  static async open(given: string): Promise<Place> {
    return new Place(given, await realpath(given))
  }

  /**
   * The file or folder of a path from outside, links resolved.
   *
   * @throws Refused if it is not below this folder, or is not there
   */
  async inside(path: string): Promise<string> {
    const refused = new Refused(404, `${shown(path)}: a file below the studio's folders is expected, got none`)
    if (path === '' || path.includes('\0') || isAbsolute(path) || path.split(/[\\/]/).includes('..')) throw refused
    const real = await realpath(join(this.#root, path)).catch(() => undefined)
    if (real === undefined || !this.#holds(real)) throw refused
    return real
  }

  #holds(real: string): boolean {
    return real.startsWith(this.#root.endsWith(sep) ? this.#root : this.#root + sep)
  }

  /** How the page names a file of this folder. */
  nameOf(real: string): string {
    return relative(this.#root, real).split(sep).join('/')
  }

  /** How a command that runs where the studio does names it. */
  pathOf(name: string): string {
    return join(this.given, name)
  }

  /** A message without the way to this folder. */
  strip(message: string): string {
    const roots = [this.#root, resolve(this.given)].sort((a, b) => b.length - a.length)
    return roots.reduce((text, root) => text.replaceAll(root + sep, '').replaceAll(root, '.'), message)
  }
}

/** A message for the page: one line, no way to a place outside of the studio's folders, no stack. */
export function told(message: string, places: readonly Place[]): string {
  const inside = places.reduce((text, place) => place.strip(text), message)
  const known = [process.cwd(), homedir(), tmpdir()].filter((path) => path.length > 1)
  const outside = known.reduce((text, path) => text.replaceAll(path, '…'), inside)
  // What is left of absolute paths keeps its last part.
  const short = outside.replace(/(?<![\w.:/…])(?:[A-Za-z]:)?(?:[\\/][^\s\\/:;,'"()]+)+/g, (path) => {
    return `…/${path.split(/[\\/]/).at(-1)}`
  })
  return shown(short.split('\n')[0]!, 600)
}
