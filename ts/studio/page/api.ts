/** Questions to the server. Errors are its sentences. */
import { SUPERSEDED, type Answers, type Drawings, type Exchanges, type Refusal } from '../protocol.ts'

/** The name of this page for as long as it is open. */
export const pageName = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('')

/** What the server, or the way to it, refused. */
export class StudioError extends Error {
  override readonly name = 'StudioError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

async function fetched(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(path, init).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new StudioError(0, 'The studio does not answer. Is it still running?')
  })
  if (response.ok) return response
  const refusal = (await response.json().catch(() => ({}))) as Partial<Refusal>
  throw new StudioError(response.status, sentence(refusal.error ?? `The studio answered ${response.status}.`))
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.')

type Params = Readonly<Record<string, string | number>>

/** A question as an address. */
export function address(path: string, params: Params): string {
  return `${path}?${new URLSearchParams(Object.entries(params).map(([key, value]) => [key, String(value)]))}`
}

export async function ask<P extends keyof Answers>(path: P, params: Params = {}): Promise<Answers[P]> {
  return (await fetched(address(path, params), {})).json() as Promise<Answers[P]>
}

export async function tell<P extends keyof Exchanges>(
  path: P,
  body: Exchanges[P]['takes'],
): Promise<Exchanges[P]['gives']> {
  return (await sent(path, body)).json() as Promise<Exchanges[P]['gives']>
}

/** A file that the server makes. */
export async function made<P extends keyof Drawings>(path: P, body: Drawings[P], signal?: AbortSignal): Promise<Blob> {
  return (await sent(path, body, signal)).blob()
}

const sent = (path: string, body: object, signal?: AbortSignal) =>
  fetched(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  })

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export const wasSuperseded = (error: unknown) => error instanceof StudioError && error.status === SUPERSEDED

/** Hands a file to the person. */
export function save(blob: Blob, name: string): void {
  const anchor = document.createElement('a')
  anchor.href = URL.createObjectURL(blob)
  anchor.download = name
  anchor.click()
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000)
}
