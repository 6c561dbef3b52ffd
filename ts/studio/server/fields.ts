/** Values of a request, checked one by one: anybody may have sent it. */
import { isRecord, parseJson } from '../../files/json.ts'
import { shown } from '../../files/shown.ts'
import { Refused } from './refused.ts'

interface Range {
  readonly least: number
  readonly most: number
  readonly whole?: boolean
}

export class Fields {
  readonly #record: Readonly<Record<string, unknown>>

  constructor(value: unknown) {
    if (!isRecord(value)) throw new Refused(400, 'an object is expected')
    this.#record = value
  }

  static parse(text: string): Fields {
    try {
      return new Fields(parseJson(text))
    } catch (error) {
      throw error instanceof Refused ? error : new Refused(400, 'JSON is expected')
    }
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#record, name) && this.#record[name] !== undefined && this.#record[name] !== null
  }

  get(name: string): unknown {
    return this.has(name) ? this.#record[name] : undefined
  }

  number(name: string, { least, most, whole = false }: Range): number {
    const value = this.get(name)
    if (typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value)))
      return value
    throw wrong(name, `a ${whole ? 'whole ' : ''}number from ${least} to ${most}`, value)
  }

  text(name: string, most = 400): string {
    const value = this.get(name)
    if (typeof value === 'string' && value.length <= most) return value
    throw wrong(name, `text of at most ${most} letters`, value)
  }

  oneOf<const T extends string>(name: string, names: readonly T[]): T {
    const value = this.get(name)
    const found = names.find((one) => one === value)
    if (found === undefined) throw wrong(name, `one of ${names.join(', ')}`, value)
    return found
  }

  list<T>(name: string, most: number, read: (value: unknown) => T): T[] {
    const value = this.get(name)
    if (!Array.isArray(value) || value.length > most) throw wrong(name, `a list of at most ${most}`, value)
    return value.map(read)
  }

  numbers(name: string, most: number, range: Range): number[] {
    return this.list(name, most, (value) => new Fields({ [name]: value }).number(name, range))
  }

  /** Texts by key. */
  texts(name: string, most = 400): Record<string, string> {
    const value = this.get(name)
    if (!isRecord(value)) throw wrong(name, 'an object', value)
    const fields = new Fields(value)
    return Object.fromEntries(Object.keys(value).map((key) => [key, fields.text(key, most)]))
  }
}

function wrong(name: string, expected: string, found: unknown): Refused {
  return new Refused(
    400,
    `${shown(name, 40)}: ${expected} is expected, got ${shown(found === undefined ? 'nothing' : JSON.stringify(found), 60)}`,
  )
}
