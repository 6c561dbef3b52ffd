/** Server-sent events: pages are told when files change, so that a training in any process shows. */
import type { ServerResponse } from 'node:http'
import type { LiveEvents } from '../protocol.ts'
import { Refused } from './refused.ts'

/** How often files are looked at, while somebody looks at them. */
const lookMs = 1000
const heartbeatMs = 15_000
const mostListeners = 32
/** A page that does not read is left. */
const mostBuffered = 4 << 20

interface Listener {
  readonly page: string
  readonly response: ServerResponse
}

type Sources = { readonly [Name in 'runs' | 'jobs']: () => Promise<LiveEvents[Name]> }

export class Live {
  readonly #sources: Sources
  readonly #listeners = new Set<Listener>()
  readonly #last = new Map<string, string>()
  #timer: NodeJS.Timeout | undefined
  #saidSomething = 0

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** @throws Refused if there are too many pages */
  async listen(page: string, response: ServerResponse): Promise<void> {
    if (this.#listeners.size >= mostListeners) throw new Refused(429, 'too many pages are open')
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('retry: 1000\n\n')
    const listener = { page, response }
    this.#listeners.add(listener)
    response.on('close', () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearTimeout(this.#timer)
      this.#timer = undefined
    })
    for (const name of ['runs', 'jobs'] as const) write(listener, name, JSON.stringify(await this.#sources[name]()))
    this.#schedule()
  }

  /** Tells one page. */
  send<Name extends keyof LiveEvents>(page: string, name: Name, data: LiveEvents[Name]): void {
    for (const listener of this.#listeners) if (listener.page === page) write(listener, name, JSON.stringify(data))
  }

  /** Looks now, not within a second: after something that the page itself has done. */
  async look(): Promise<void> {
    if (this.#listeners.size === 0) return
    for (const name of ['runs', 'jobs'] as const) {
      const text = JSON.stringify(await this.#sources[name]())
      if (this.#last.get(name) === text) continue
      this.#last.set(name, text)
      this.#saidSomething = performance.now()
      for (const listener of this.#listeners) write(listener, name, text)
    }
    if (performance.now() - this.#saidSomething < heartbeatMs) return
    this.#saidSomething = performance.now()
    for (const { response } of this.#listeners) response.write(': still here\n\n')
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      const again = () => {
        this.#timer = undefined
        if (this.#listeners.size > 0) this.#schedule()
      }
      this.look().then(again, again) // a folder that cannot be read now may be read again later
    }, lookMs)
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const { response } of this.#listeners) response.end()
    this.#listeners.clear()
  }
}

function write({ response }: Listener, name: string, json: string): void {
  if (response.writableLength > mostBuffered) response.destroy()
  else response.write(`event: ${name}\ndata: ${json}\n\n`)
}
