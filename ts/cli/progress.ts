/** One bar at a time, where there is a terminal. */
import { Presets, SingleBar } from 'cli-progress'

export class Progress {
  #bar: SingleBar | undefined
  #what = ''

  /** Shows how far something is; a bar of something else gives way. */
  show(what: string, done: number, total: number): void {
    if (!process.stderr.isTTY) return
    if (what !== this.#what) this.clear()
    if (!this.#bar) {
      const format = '{what} {bar} {value}/{total}, {eta_formatted} left'
      this.#bar = new SingleBar({ format, barsize: 24, clearOnComplete: true, linewrap: null }, Presets.shades_classic)
      this.#bar.start(total, done, { what })
      this.#what = what
    }
    this.#bar.update(done)
    if (done >= total) this.clear()
  }

  clear(): void {
    this.#bar?.stop()
    this.#bar = undefined
    this.#what = ''
  }

  /** A line above the bar. */
  line(text: string): void {
    this.clear()
    console.log(text)
  }
}

/** An abort signal for Ctrl-C, with what to say then; a second one ends the process. */
export async function interruptible(message: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController()
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130)
    stop.abort()
    console.log(`\n${message}`)
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  try {
    await work(stop.signal)
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}
