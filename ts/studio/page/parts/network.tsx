/** The network that a panel draws with. */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Answers, NetworkInfo } from '../../protocol.ts'
import { ask, messageOf } from '../api.ts'
import { change, linkTo, useLink } from '../link.ts'
import { useLive } from '../live.ts'
import { Busy, Fault, Select } from './controls.tsx'

/** An answer that is asked for again when the question changes. */
export function useAsked<P extends keyof Answers>(
  path: P,
  params: Readonly<Record<string, string | number>> | undefined = {},
  isReady = true,
  /** Asked for again when this changes, while the older answer stays. */
  version = '',
): { value: Answers[P] | undefined; error: string | undefined } {
  const [got, setGot] = useState<{ key?: string; value?: Answers[P]; error?: string }>({})
  const key = JSON.stringify([params, version])
  useEffect(() => {
    if (!isReady) return
    let isOpen = true
    ask(path, params)
      .then((value) => isOpen && setGot({ key, value }))
      .catch((error: unknown) => isOpen && setGot((old) => ({ ...old, key, error: messageOf(error) })))
    return () => void (isOpen = false)
  }, [path, key, isReady])
  return { value: got.value, error: got.key === key ? got.error : undefined }
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
  const list = useAsked('api/networks', { version: version ?? 0 }, version !== undefined)
  const chosen = params['network'] ?? list.value?.[0]?.network
  const open = useAsked('api/network', { network: chosen ?? '' }, chosen !== undefined)
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
        {open.value && <Facts info={open.value} group={list.value.find(({ network }) => network === chosen)?.group} />}
      </div>
      <Fault message={open.error} />
      {open.value && open.error === undefined
        ? children(open.value)
        : open.error === undefined && <Busy text="Opening the network…" />}
    </>
  )
}

/** {@link Network}, of networks that have styles. */
export function StyledNetwork({ to, children }: NetworkProps & { readonly to: string }) {
  const without = <p class="empty">{`A network of configuration A or B has no styles to ${to}.`}</p>
  return <Network>{(info) => (info.hasStyles ? children(info) : without)}</Network>
}

function Facts({ info, group = 'Files' }: { readonly info: NetworkInfo; readonly group?: string | undefined }) {
  const { resolution, height, kimg, origin, labelSize } = info
  const facts = [
    ...(['Files', 'Built in'].includes(group) ? [] : [group]),
    `${resolution}×${height}`,
    ...(kimg > 0 ? [`${Math.round(kimg)} kimg`] : []),
    ...(labelSize > 0 ? [labelSize === 1 ? '1 class' : `${labelSize} classes`] : []),
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
