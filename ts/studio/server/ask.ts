/** One request and what it answers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Fields } from './fields.ts'
import { Refused } from './refused.ts'

/** A request that passed the guard. */
export class Ask {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  /** Aborted when the page no longer waits. */
  readonly gone: AbortSignal

  constructor(request: IncomingMessage, response: ServerResponse, url: URL) {
    this.request = request
    this.response = response
    this.url = url
    const left = new AbortController()
    response.on('close', () => left.abort())
    this.gone = left.signal
  }

  query(name: string): string {
    const value = this.url.searchParams.get(name)
    if (value === null || value.length > 400) throw new Refused(400, `${name}: a value is expected in the address`)
    return value
  }

  /** The JSON of the body. */
  async body(mostBytes = 64 << 10): Promise<Fields> {
    const { headers } = this.request
    // Forms of other pages cannot send this type.
    if (!headers['content-type']?.startsWith('application/json')) throw new Refused(415, 'JSON is expected')
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of this.request as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > mostBytes) throw new Refused(413, `a request of at most ${mostBytes} bytes is expected`)
      chunks.push(chunk)
    }
    return Fields.parse(Buffer.concat(chunks).toString('utf8'))
  }
}

/** What a route gives back; nothing if it has answered by itself. */
export type Answer = { readonly json: unknown } | { readonly bytes: Uint8Array; readonly type: string } | undefined

export type Route = (ask: Ask) => Promise<Answer>
