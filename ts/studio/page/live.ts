/** What the server tells by itself: runs and trainings as they are now. */
import { useEffect, useState } from 'preact/hooks'
import type { Job, LiveEvents, RunSummary } from '../protocol.ts'
import { address, pageName } from './api.ts'

export interface LiveState {
  /** Undefined until the server has told. */
  readonly runs: readonly RunSummary[] | undefined
  readonly jobs: readonly Job[]
  readonly isConnected: boolean
  readonly video: LiveEvents['video'] | undefined
}

let state: LiveState = { runs: undefined, jobs: [], isConnected: true, video: undefined }
const listeners = new Set<() => void>()

function set(part: Partial<LiveState>): void {
  state = { ...state, ...part }
  for (const listener of listeners) listener()
}

/** Listens for as long as the page is open. The browser connects again by itself when the server comes back. */
export function listen(): void {
  const source = new EventSource(address('api/live', { page: pageName }))
  source.onopen = () => set({ isConnected: true })
  source.onerror = () => {
    set({ isConnected: false })
    // Refused, for instance because there were too many pages: the browser gives up, we do not.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000)
  }
  for (const name of ['runs', 'jobs', 'video'] as const) {
    source.addEventListener(name, (event: MessageEvent<string>) => set({ [name]: JSON.parse(event.data) as never }))
  }
}

export function clearVideo(): void {
  set({ video: undefined })
}

export function useLive(): LiveState {
  const [, again] = useState({})
  useEffect(() => {
    const listener = () => again({})
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }, [])
  return state
}
