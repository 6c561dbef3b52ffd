/**
 * Python's pickle, protocols 0 to 5, as far as files of networks need it. Nothing is executed: a class or function is only a name,
 * and what may be built from it is the caller's table; any other name is refused. Opcodes: CPython's Lib/pickletools.py.
 */

import { shown } from './shown.ts'

/** Lists and tuples are arrays, dicts are maps; what the caller builds is `object`. */
export type PickleValue = null | boolean | number | bigint | string | object

/** What the pickle may name, as `module.name`: a function of the arguments it is called with. */
export type Globals = Readonly<Record<string, (args: PickleValue[]) => PickleValue>>

export interface PickleOptions {
  readonly globals: Globals
  /** What a persistent id stands for: PyTorch's storages. */
  readonly persistent?: (id: PickleValue) => PickleValue
  /** What a file is that names something, where the name tells: the reason for its refusal. */
  readonly foreign?: (name: string) => string | undefined
}

/** A name that stands in a pickle, uncalled. */
export class Global {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** Bytes of a number: a network has none of more than 8, PyTorch's magic one has 10. */
const longestNumber = 255

/** Bytes read one after the other, little endian. */
class Reader {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = at
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw new RangeError('the pickle is cut off')
    return this.#bytes.subarray(this.at, (this.at += length))
  }
  #advance(length: number): number {
    this.take(length)
    return this.at - length
  }
  u8 = () => this.#view.getUint8(this.#advance(1))
  /** A length of 64 bits. */
  u64 = () => Number(this.#view.getBigUint64(this.#advance(8), true))
  u16 = () => this.#view.getUint16(this.#advance(2), true)
  u32 = () => this.#view.getUint32(this.#advance(4), true)
  i32 = () => this.#view.getInt32(this.#advance(4), true)
  f64 = () => this.#view.getFloat64(this.#advance(8), false)
  text = (length: number, encoding: 'utf8' | 'latin1') => Buffer.from(this.take(length)).toString(encoding)

  line(encoding: 'utf8' | 'latin1' = 'utf8'): string {
    const end = this.#bytes.indexOf(0x0a, this.at)
    if (end < 0) throw new RangeError('the pickle is cut off')
    const text = this.text(end - this.at, encoding)
    this.at = end + 1
    return text
  }

  /** A number of any length in two's complement; a `bigint` only where a number cannot hold it. */
  long(length: number): number | bigint {
    if (length > longestNumber) throw new RangeError(`the pickle has a number of ${length} bytes`)
    const bytes = this.take(length)
    const magnitude = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n)
    const value = BigInt.asIntN(8 * length, magnitude)
    return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value
  }
}

/**
 * Memory that a pickle may take: a byte of it can make a value of 200 bytes, and a few bytes a copy of all that came before.
 * A network's pickle has thousands of values, not millions.
 */
const memoryFor = (bytes: Uint8Array) => 2 ** 28 + 4 * bytes.length
const bytesOfValue = 256

/** The stack machine that a pickle is a program for. */
class Machine {
  readonly #read: Reader
  readonly #options: PickleOptions
  readonly #memo = new Map<number, PickleValue>()
  #stack: PickleValue[] = []
  /** Stacks below the marks. */
  readonly #below: PickleValue[][] = []
  /** Bytes that may still be taken. */
  #memory: number

  constructor(read: Reader, options: PickleOptions, memory: number) {
    this.#read = read
    this.#options = options
    this.#memory = memory
  }

  run(): PickleValue {
    for (;;) {
      const at = this.#read.at
      const code = this.#read.u8()
      this.#spend(bytesOfValue)
      if (code === 0x2e) return this.#pop()
      const op = this.#ops[String.fromCharCode(code)]
      if (op === undefined)
        throw new TypeError(`opcode 0x${code.toString(16)} at byte ${at} has no place in a pickle of data`)
      op()
    }
  }

  #spend(bytes: number): void {
    this.#memory -= bytes
    if (this.#memory < 0) throw new RangeError('the pickle would take much more memory than the file has bytes')
  }

  #push(value: PickleValue): void {
    this.#stack.push(value)
  }

  #pop(): PickleValue {
    const value = this.#stack.pop()
    if (value === undefined) throw new TypeError('the pickle takes more from its stack than it has')
    return value
  }

  /** What was pushed since the last mark. */
  #popMark(): PickleValue[] {
    const items = this.#stack
    const below = this.#below.pop()
    if (below === undefined) throw new TypeError('the pickle takes more marks than it has')
    this.#stack = below
    return items
  }

  #top<T extends object>(type: abstract new (...args: never[]) => T, what: string): T {
    const value = this.#stack.at(-1)
    if (!(value instanceof type)) throw new TypeError(`the pickle expects a ${what} on its stack`)
    return value
  }

  #popTuple(length: number): void {
    const items = Array.from({ length }, () => this.#pop())
    this.#push(items.reverse())
  }

  #get(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw new TypeError(`the pickle asks for what it has not kept (${index})`)
    this.#push(value)
  }

  #put(index: number): void {
    const value = this.#pop()
    this.#memo.set(index, value)
    this.#push(value)
  }

  #global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw new TypeError('the pickle names what is no text')
    const full = `${module}.${name}`
    if (Object.hasOwn(this.#options.globals, full)) return this.#push(new Global(full))
    throw new TypeError(this.#options.foreign?.(full) ?? `it wants to use ${shown(full)}, which is refused`)
  }

  #call(args: PickleValue): void {
    const callee = this.#pop()
    if (!(callee instanceof Global) || !Array.isArray(args)) throw new TypeError('the pickle calls what is no function')
    // What is called may copy its arguments, and a kept argument can be given again and again.
    for (const argument of args as PickleValue[]) {
      if (Array.isArray(argument)) this.#spend(bytesOfValue * argument.length)
      else if (typeof argument === 'string') this.#spend(argument.length)
    }
    this.#push(this.#options.globals[callee.name]!(args as PickleValue[]))
  }

  /** `object.__setstate__(state)`: a dict's attributes (PyTorch's versions of modules) are not needed. */
  #build(): void {
    const state = this.#pop()
    const value = this.#top(Object, 'object')
    if (takesState(value)) value.setState(state)
    else if (!(value instanceof Map)) throw new TypeError('the pickle sets the state of what has none')
  }

  #setItems(items: PickleValue[]): void {
    const dict = this.#top<Map<PickleValue, PickleValue>>(Map, 'dict')
    for (let i = 0; i + 1 < items.length; i += 2) dict.set(items[i]!, items[i + 1]!)
  }

  #append(items: PickleValue[]): void {
    const list = this.#top<PickleValue[]>(Array, 'list')
    for (const item of items) list.push(item)
  }

  /** Opcodes by their characters. */
  readonly #ops: Readonly<Record<string, () => void>> = {
    '\x80': () => void this.#read.u8(), // PROTO
    '\x95': () => void this.#read.take(8), // FRAME
    '(': () => {
      this.#below.push(this.#stack)
      this.#stack = []
    },
    N: () => this.#push(null),
    '\x88': () => this.#push(true),
    '\x89': () => this.#push(false),
    K: () => this.#push(this.#read.u8()),
    M: () => this.#push(this.#read.u16()),
    J: () => this.#push(this.#read.i32()),
    '\x8a': () => this.#push(this.#read.long(this.#read.u8())),
    G: () => this.#push(this.#read.f64()),
    U: () => this.#push(this.#read.text(this.#read.u8(), 'latin1')), // Python 2's str
    T: () => this.#push(this.#read.text(this.#read.u32(), 'latin1')),
    X: () => this.#push(this.#read.text(this.#read.u32(), 'utf8')),
    '\x8c': () => this.#push(this.#read.text(this.#read.u8(), 'utf8')),
    ')': () => this.#push([]),
    t: () => {
      const items = this.#popMark()
      this.#push(items)
    },
    '\x85': () => this.#popTuple(1),
    '\x86': () => this.#popTuple(2),
    '\x87': () => this.#popTuple(3),
    ']': () => this.#push([]),
    a: () => {
      const item = this.#pop()
      this.#append([item])
    },
    e: () => {
      const items = this.#popMark()
      this.#append(items)
    },
    '}': () => this.#push(new Map()),
    s: () => {
      const value = this.#pop()
      const key = this.#pop()
      this.#setItems([key, value])
    },
    u: () => {
      const items = this.#popMark()
      this.#setItems(items)
    },
    q: () => this.#put(this.#read.u8()),
    r: () => this.#put(this.#read.u32()),
    '\x94': () => this.#put(this.#memo.size),
    h: () => this.#get(this.#read.u8()),
    j: () => this.#get(this.#read.u32()),
    c: () => this.#global(this.#read.line(), this.#read.line()),
    '\x93': () => {
      const name = this.#pop()
      this.#global(this.#pop(), name)
    },
    R: () => this.#call(this.#pop()),
    '\x81': () => this.#call(this.#pop()), // NEWOBJ
    b: () => this.#build(),
    Q: () => {
      const { persistent } = this.#options
      if (persistent === undefined) throw new TypeError('the pickle refers to what is not in it')
      const id = this.#pop()
      this.#push(persistent(id))
    },
    // Protocol 0, whose values are text.
    I: () => {
      const text = this.#read.line()
      this.#push(text === '00' ? false : text === '01' ? true : decimal(text))
    },
    L: () => this.#push(decimal(this.#read.line().replace(/L$/, ''))),
    F: () => this.#push(decimal(this.#read.line())),
    V: () => this.#push(unescape(this.#read.line('latin1'))),
    p: () => this.#put(decimal(this.#read.line())),
    g: () => this.#get(decimal(this.#read.line())),
    l: () => this.#push(this.#popMark()),
    d: () => {
      const items = this.#popMark()
      this.#push(new Map())
      this.#setItems(items)
    },
    '0': () => void this.#pop(),
    '1': () => void this.#popMark(),
    '2': () => {
      const value = this.#pop()
      this.#push(value)
      this.#push(value)
    },
    // Bytes are views of the file's.
    C: () => this.#push(this.#read.take(this.#read.u8())),
    B: () => this.#push(this.#read.take(this.#read.u32())),
    '\x8e': () => this.#push(this.#read.take(this.#read.u64())),
    '\x96': () => this.#push(this.#read.take(this.#read.u64())), // BYTEARRAY8
    '\x8d': () => this.#push(this.#read.text(this.#read.u64(), 'utf8')),
    '\x8b': () => this.#push(this.#read.long(this.#read.u32())),
  }
}

function decimal(text: string): number {
  const value = Number(text)
  if (text === '' || text.length > longestNumber || Number.isNaN(value))
    throw new TypeError('the pickle has no number where one is expected')
  return value
}

/** Python's raw-unicode-escape. */
function unescape(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

/**
 * Reads one pickle.
 *
 * @param at where it starts
 * @returns its value, and where the next byte stands
 * @throws TypeError or RangeError if it is cut off, holds what no state_dict needs, or names what is not in `globals`
 */
export function readPickle(bytes: Uint8Array, at: number, options: PickleOptions): { value: PickleValue; end: number } {
  const reader = new Reader(bytes, at)
  const value = new Machine(reader, options, memoryFor(bytes)).run()
  return { value, end: reader.at }
}

/** What a pickle may set the state of, as Python's `__setstate__`. */
interface TakesState {
  setState(state: PickleValue): void
}

const takesState = (value: object): value is TakesState => 'setState' in value && typeof value.setState === 'function'
