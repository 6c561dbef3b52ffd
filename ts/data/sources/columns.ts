/** What is kept of each of a million images: numbers and names side by side, without an object for each. */

type Numbers = Uint32Array | Float64Array

/** Numbers that are added one after the other. */
export class Column {
  count = 0
  #values: Numbers
  readonly #type: new (length: number) => Numbers

  constructor(type: new (length: number) => Numbers) {
    this.#type = type
    this.#values = new type(1024)
  }

  add(value: number): void {
    if (this.count === this.#values.length) {
      const longer = new this.#type(Math.ceil(1.5 * this.count))
      longer.set(this.#values)
      this.#values = longer
    }
    this.#values[this.count++] = value
  }

  at(index: number): number {
    return this.#values[index]!
  }
}

/** Texts that are added one after the other. */
export class Names {
  #bytes = Buffer.alloc(65_536)
  readonly #ends = new Column(Float64Array)

  get count(): number {
    return this.#ends.count
  }

  add(name: string): void {
    const [at, length] = [this.#end(this.count), Buffer.byteLength(name)]
    if (at + length > this.#bytes.length) {
      const longer = Buffer.alloc(Math.ceil(1.5 * (at + length)))
      longer.set(this.#bytes)
      this.#bytes = longer
    }
    this.#bytes.write(name, at)
    this.#ends.add(at + length)
  }

  name(index: number): string {
    return this.#bytes.toString('utf8', this.#end(index), this.#end(index + 1))
  }

  /** Where the one before a name ends. */
  #end(index: number): number {
    return index === 0 ? 0 : this.#ends.at(index - 1)
  }
}
