/** Pictures one after the other: of what a page asks for, the newest wins and none queue up. */
import { stat } from 'node:fs/promises'
import type { ImageGenerator } from '../../figures/generator.ts'
import { Device, DeviceError } from '../../native/index.ts'
import { loadGenerator } from '../../runs/load-generator.ts'
import { SUPERSEDED } from '../protocol.ts'
import { Refused } from './refused.ts'

/** Networks that stay open. */
const mostNetworks = 3
/** Slots that may wait, of all pages together. */
const mostWaiting = 400

interface Waiting {
  readonly run: () => Promise<void>
  readonly drop: (reason: Refused) => void
}

interface Opened {
  readonly version: string
  readonly G: ImageGenerator
}

/** The device that the studio draws on, its open networks, and who waits for it. */
export class Drawing {
  readonly #deviceName: string
  #device: Device | undefined
  /** The one that was used last is last. */
  readonly #networks = new Map<string, Opened>()
  readonly #waiting = new Map<string, Waiting>()
  #busy = false

  constructor(device: string) {
    this.#deviceName = device
  }

  /**
   * Draws when it is this slot's turn.
   *
   * @param file the network
   * @throws Refused with {@link SUPERSEDED} if a newer request of the slot comes before
   */
  async draw<T>(slot: string, file: string, work: (G: ImageGenerator) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const older = this.#waiting.get(slot)
    if (older === undefined && this.#waiting.size >= mostWaiting) throw new Refused(429, 'too many pictures at once')
    return new Promise<T>((resolve, reject) => {
      const drop = (reason: Refused) => {
        signal?.removeEventListener('abort', leave)
        reject(reason)
      }
      const leave = () => {
        if (this.#waiting.get(slot) !== waiting) return
        this.#waiting.delete(slot)
        reject(new Refused(SUPERSEDED, 'nobody waits for this picture'))
      }
      const run = async () => {
        signal?.removeEventListener('abort', leave)
        try {
          resolve(await work(await this.#open(file)))
        } catch (error) {
          if (error instanceof DeviceError) this.#forget()
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      }
      const waiting: Waiting = { run, drop }
      if (signal?.aborted) return drop(new Refused(SUPERSEDED, 'nobody waits for this picture'))
      signal?.addEventListener('abort', leave)
      this.#waiting.set(slot, waiting) // in the place of the older one
      older?.drop(new Refused(SUPERSEDED, 'a newer picture was asked for'))
      void this.#work()
    })
  }

  async #work(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    for (const [slot, waiting] of this.#waiting) {
      this.#waiting.delete(slot)
      await waiting.run()
    }
    this.#busy = false
    if (this.#waiting.size > 0) void this.#work()
  }

  /** Opens a network, or gives it back if it is open and its file is still the same. */
  async #open(file: string): Promise<ImageGenerator> {
    const { mtimeMs, size, ino } = await stat(file)
    const version = `${mtimeMs} ${size} ${ino}`
    const known = this.#networks.get(file)
    this.#networks.delete(file)
    if (known?.version === version) {
      this.#networks.set(file, known)
      return known.G
    }
    known?.G.dispose()
    for (const [other, { G }] of [...this.#networks].slice(0, this.#networks.size - mostNetworks + 1)) {
      this.#networks.delete(other)
      G.dispose()
    }
    this.#device ??= Device.open(this.#deviceName)
    const G = await loadGenerator(file, { device: this.#device })
    this.#networks.set(file, { version, G })
    return G
  }

  /** After a fault every later wait on a device fails: the next picture opens it again. */
  #forget(): void {
    this.#device = undefined
    this.#networks.clear()
  }

  close(): void {
    for (const { drop } of this.#waiting.values()) drop(new Refused(503, 'the studio is closing'))
    this.#waiting.clear()
  }
}
