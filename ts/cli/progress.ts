/** One bar at a time, where there is a terminal. */
import { Presets, SingleBar } from 'cli-progress'
import { shownLine } from '../files/shown.ts'

export class Progress {
  #bar: SingleBar | undefined
  #format = ''

  /** Shows how far something is; a bar of another format gives way. */
  draw(format: string, total: number, value: number, payload: object = {}): void {
    if (!process.stderr.isTTY) return
    if (format !== this.#format) this.clear()
    if (!this.#bar) {
      const options = { format, barsize: 24, clearOnComplete: true, linewrap: null, stopOnComplete: false }
      this.#bar = new SingleBar(options, Presets.shades_classic)
      this.#bar.start(total, value, payload)
      this.#format = format
    }
    this.#bar.setTotal(total)
    this.#bar.update(value, payload)
  }

  /** A bar that counts, and goes away when it is full. */
  count(what: string, value: number, total: number): void {
    this.draw(`${shownLine(what)} {bar} {value}/{total}, {eta_formatted} left`, total, value)
    if (value >= total) this.clear()
  }

  clear(): void {
    this.#bar?.stop()
    this.#bar = undefined
    this.#format = ''
  }

  /** A line above the bar; names in it may come from anywhere. */
  line(text: string): void {
    this.clear()
    console.log(shownLine(text))
  }

  /** A table of our own above the bar. */
  lines(text: string): void {
    for (const line of text.split('\n')) this.line(line)
  }
}
