/** The network that a panel draws with. */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { NetworkFile, NetworkInfo } from '../../protocol.ts'
import { address, ask, messageOf } from '../api.ts'
import { change, linkTo, useLink } from '../link.ts'
import { useLive } from '../live.ts'
import { Busy, Fault, Select } from './controls.tsx'

/** A value that is asked for again when its address changes. */
export function useAsked<T>(path: string | undefined): { value: T | undefined; error: string | undefined } {
  const [got, setGot] = useState<{ path?: string; value?: T; error?: string }>({})
  useEffect(() => {
    if (path === undefined) return
    let isOpen = true
    ask<T>(path)
      .then((value) => isOpen && setGot({ path, value }))
      .catch((error: unknown) => isOpen && setGot((old) => ({ ...old, path, error: messageOf(error) })))
    return () => void (isOpen = false)
  }, [path])
  return { value: got.value, error: got.path === path ? got.error : undefined }
}

interface NetworkProps {
  /** What stands on the page once the network is open. */
  readonly children: (info: NetworkInfo) => ComponentChildren
}

/** The choice of a network, the newest snapshot at first; then the panel. */
export function Network({ children }: NetworkProps) {
  const { params } = useLink()
  const { runs } = useLive()
  // The list is asked for again when a run has a new file.
  const version = runs?.reduce((sum, run) => sum + run.version, 0)
  const list = useAsked<NetworkFile[]>(version === undefined ? undefined : address('api/networks', { version }))
  const chosen = params['network'] ?? list.value?.[0]?.network
  const open = useAsked<NetworkInfo>(chosen === undefined ? undefined : address('api/network', { network: chosen }))
  if (list.error !== undefined) return <Fault message={list.error} />
  if (list.value === undefined) return <Busy text="Looking for networks…" />
  if (chosen === undefined) return <NoNetwork />
  const groups = [...new Set(list.value.map(({ group }) => group))]
  const isListed = list.value.some(({ network }) => network === chosen)
  return (
    <>
      <div class="network">
        <Select label="Network" value={chosen} onChoose={(network) => change({ network })}>
          {!isListed && <option value={chosen}>{chosen}</option>}
          {groups.map((group) => (
            <optgroup key={group} label={group}>
              {list.value
                ?.filter((one) => one.group === group)
                .map(({ network, title }) => (
                  <option key={network} value={network}>
                    {title}
                  </option>
                ))}
            </optgroup>
          ))}
        </Select>
        {open.value && <Facts info={open.value} />}
      </div>
      <Fault message={open.error} />
      {open.value && open.error === undefined
        ? children(open.value)
        : open.error === undefined && <Busy text="Opening the network…" />}
    </>
  )
}

function Facts({ info }: { readonly info: NetworkInfo }) {
  const { resolution, height, kimg, origin, labelSize } = info
  const facts = [
    `${resolution}×${height}`,
    ...(kimg > 0 ? [`${Math.round(kimg)} kimg`] : []),
    ...(labelSize > 0 ? [`${labelSize} classes`] : []),
  ]
  return (
    <p class="facts">
      {facts.join(' · ')}
      {origin && ` · ${origin.what} (${origin.licence})`}
    </p>
  )
}

function NoNetwork() {
  return (
    <div class="empty">
      <h2>Nothing to draw with yet</h2>
      <p>A network appears here with the first snapshot of a training.</p>
      <a class="button primary" href={linkTo('start')}>
        Start a training
      </a>
    </div>
  )
}
