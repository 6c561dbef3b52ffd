/** One bar at a time, where there is a terminal. */
import { createRequire } from 'node:module'
import type { SingleBar } from 'cli-progress'
import { shownLine } from '../files/shown.ts'
import { formatTime } from '../files/units.ts'

/** Loaded with the first bar: most commands draw none, and start the sooner. */
const bars = () => createRequire(import.meta.url)('cli-progress') as typeof import('cli-progress')

let drawn: SingleBar | undefined

/** Ends the bar that is drawn, if there is one: the process would go on for it. */
export const clearBar = () => drawn?.stop()

/** Columns of a bar: narrow terminals get a shorter one. */
const barColumns = () => Math.min(24, Math.max(4, columns() - 50))
const columns = () => process.stderr.columns || 80

type Say = (line: string) => void

export class Progress {
  #bar: SingleBar | undefined
  #format = ''
  readonly #say: Say

  /** @param say where lines go */
  constructor(say: Say = console.log) {
    this.#say = say
  }

  /** Shows how far something is; a bar of another format gives way. What is left is unknown at first, and said then. */
  draw(format: string, total: number, value: number, payload: object = {}): void {
    if (!process.stderr.isTTY || process.env['TERM'] === 'dumb') return
    if (format !== this.#format) this.clear()
    if (!this.#bar) {
      // The end of a line that is too long is cut: a bar of two lines could not be drawn over.
      const options = {
        format,
        barsize: barColumns(),
        clearOnComplete: true,
        linewrap: true,
        stopOnComplete: false,
        formatTime: left,
      }
      const { Presets, SingleBar } = bars()
      this.#bar = new SingleBar(options, Presets.shades_classic)
      this.#bar.start(total, value, payload)
      this.#format = format
      drawn = this.#bar
    }
    this.#bar.setTotal(total)
    this.#bar.update(value, payload)
  }

  /** A bar that counts, and goes away when it is full. */
  count(what: string, value: number, total: number): void {
    this.draw(`${shortened(shownLine(what))} {bar} {value}/{total} {eta_formatted}`, total, value)
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
    this.#say(shownLine(text))
  }

  /** A table of our own above the bar. */
  lines(text: string): void {
    for (const line of text.split('\n')) this.line(line)
  }
}

/** `1m 05s left`, or nothing while the pace is unknown. */
function left(seconds: number): string {
  return Number.isFinite(seconds) ? `${formatTime(seconds)} left` : ''
}

/** The end of a long name says more than its beginning: features of …/network-snapshot-000004.safetensors. */
function shortened(text: string): string {
  const most = Math.max(12, columns() - barColumns() - 30)
  return text.length <= most ? text : `…${text.slice(1 - most)}`
}
