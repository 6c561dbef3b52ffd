/** Pictures that a person wants to find again; this browser keeps them. */
import { useEffect, useState } from 'preact/hooks'
import type { Look } from '../protocol.ts'

const key = 'favourites'
const most = 60

function read(): Look[] {
  try {
    const value = JSON.parse(localStorage.getItem(key) ?? '[]') as unknown
    return Array.isArray(value) ? (value as Look[]) : []
  } catch {
    return []
  }
}

export const sameLook = (a: Look, b: Look) => JSON.stringify(a) === JSON.stringify(b)

/** The favourites, the newest first; pages of one browser have the same. */
export function useFavourites(): { looks: readonly Look[]; toggle: (look: Look) => void } {
  const [looks, setLooks] = useState(read)
  useEffect(() => {
    const again = () => setLooks(read())
    addEventListener('storage', again)
    return () => removeEventListener('storage', again)
  }, [])
  const toggle = (look: Look) => {
    const others = read().filter((one) => !sameLook(one, look))
    const next = others.length < read().length ? others : [look, ...others].slice(0, most)
    localStorage.setItem(key, JSON.stringify(next))
    // Browsers tell other pages; this one has several places that show them.
    dispatchEvent(new StorageEvent('storage'))
  }
  return { looks, toggle }
}
