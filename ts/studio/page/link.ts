/** The state of the page is its address: every picture, zoom and comparison is a link. */
import { useEffect, useState } from 'preact/hooks'

export interface Link {
  readonly panel: string
  /** What follows the panel's name: the id of a run. */
  readonly id: string
  readonly params: Readonly<Record<string, string>>
}

/** `#/run/demo?tab=log` as its parts. */
export function readLink(hash: string): Link {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const [panel = '', ...rest] = path.split('/')
  return {
    panel: panel || 'runs',
    id: decodeURIComponent(rest.join('/')),
    params: Object.fromEntries(new URLSearchParams(query)),
  }
}

type Params = Readonly<Record<string, string | number | undefined>>

export function linkTo(panel: string, id = '', params: Params = {}): string {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== '')
  const query = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()
  const name = id === '' ? panel : `${panel}/${id.split('/').map(encodeURIComponent).join('/')}`
  return `#/${name}${query ? `?${query}` : ''}`
}

/** Goes to a link; a slider that moves replaces it, so that Back leaves the panel at once. */
export function go(link: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', link)
  else history.pushState(null, '', link)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

export function useLink(): Link {
  const [, again] = useState({})
  useEffect(() => {
    const read = () => again({})
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])
  return readLink(location.hash)
}

/** Changes some parameters of the open panel. */
export function change(params: Params): void {
  const { panel, id, params: old } = readLink(location.hash)
  go(linkTo(panel, id, { ...old, ...params }), { replace: true })
}
