/** Pictures of the server: of what a place on the page asks for, the newest wins; large ones come first; those at hand are kept. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { DrawRequest, FrameRequest } from '../protocol.ts'
import { made, messageOf, pageName, wasSuperseded } from './api.ts'

/** Requests at once. One is drawn while the next is on its way. */
const atOnce = 2
/** Bytes of pictures that are kept. */
const mostBytes = 24 << 20

type Path = 'api/draw' | 'api/frame'
type Body = Omit<DrawRequest, 'page' | 'slot'> | Omit<FrameRequest, 'page' | 'slot'>

interface Kept {
  readonly url: string
  readonly bytes: number
}

interface Wanted {
  readonly path: Path
  readonly body: Body
  readonly key: string
  readonly isFirst: boolean
  readonly done: (url: string) => void
  readonly failed: (message: string) => void
}

const kept = new Map<string, Kept>()
let keptBytes = 0
const wanted = new Map<string, Wanted>()
let asking = 0

function keep(key: string, blob: Blob): string {
  const url = URL.createObjectURL(blob)
  kept.set(key, { url, bytes: blob.size })
  keptBytes += blob.size
  for (const [other, { url, bytes }] of kept) {
    if (keptBytes <= mostBytes || other === key) break
    kept.delete(other)
    keptBytes -= bytes
    URL.revokeObjectURL(url)
  }
  return url
}

function next(): void {
  while (asking < atOnce) {
    const [slot, one] = [...wanted].find(([, { isFirst }]) => isFirst) ?? [...wanted][0] ?? []
    if (slot === undefined || one === undefined) return
    wanted.delete(slot)
    asking++
    made(one.path, { ...one.body, page: pageName, slot })
      .then((blob) => one.done(keep(one.key, blob)))
      .catch((error: unknown) => {
        if (!wasSuperseded(error)) one.failed(messageOf(error))
      })
      .finally(() => {
        asking--
        next()
      })
  }
}

export interface Drawn {
  /** The newest picture; of an older request while the newer one is drawn. */
  readonly url: string | undefined
  readonly error: string | undefined
  readonly isBusy: boolean
}

/**
 * A picture of the server.
 *
 * @param slot the place on the page: it has one picture at a time
 * @param isFirst before pictures of other places
 */
export function useDrawn(slot: string, path: Path, body: Body | undefined, isFirst = false): Drawn {
  const key = body && `${path} ${JSON.stringify(body)}`
  const [drawn, setDrawn] = useState<{ key?: string | undefined; url?: string; error?: string | undefined }>({})
  const place = useRef({ asked: 0, shown: 0, isOpen: true })
  useEffect(() => {
    const { current } = place
    current.isOpen = true
    return () => void (current.isOpen = false)
  }, [slot])
  useEffect(() => {
    if (body === undefined || key === undefined) return
    const { current } = place
    const number = ++current.asked
    // While a slider moves, a picture that is late is still newer than the one that is shown.
    const show = (result: { url: string } | { error: string }) => {
      if (!current.isOpen || number < current.shown) return
      current.shown = number
      setDrawn((old) => ({ ...old, error: undefined, ...result, key }))
    }
    const known = kept.get(key)
    if (known) {
      kept.delete(key)
      kept.set(key, known) // used last
      wanted.delete(slot)
      return show(known)
    }
    const [done, failed] = [(url: string) => show({ url }), (error: string) => show({ error })]
    wanted.set(slot, { path, body, key, isFirst, done, failed })
    next()
    return () => {
      if (wanted.get(slot)?.key === key) wanted.delete(slot)
    }
  }, [slot, key])
  const isDone = drawn.key === key
  return { url: drawn.url, error: isDone ? drawn.error : undefined, isBusy: key !== undefined && !isDone }
}
