/** One run: curves, pictures, snapshots, options, log; stop and go on. */
import { useEffect, useState } from 'preact/hooks'
import type { Run as RunData } from '../../protocol.ts'
import { ask, messageOf, tell } from '../api.ts'
import { change, linkTo, useLink } from '../link.ts'
import { useLive } from '../live.ts'
import { Busy, Fault } from '../parts/controls.tsx'
import { bytesText, kimgText } from '../text.ts'
import { Curves } from './curves.tsx'
import { Pictures } from './pictures.tsx'
import { HowFar, State } from './runs.tsx'

const tabs = [
  ['curves', 'Curves'],
  ['pictures', 'Pictures'],
  ['snapshots', 'Snapshots'],
  ['options', 'Options'],
  ['log', 'Log'],
] as const

export function Run() {
  const { id, params } = useLink()
  const others = (params['with'] ?? '').split(',').filter((one) => one !== '' && one !== id)
  const { runs, errors } = useRuns([id, ...others])
  const run = runs.find((one) => one.id === id)
  const tab = tabs.find(([name]) => name === params['tab'])?.[0] ?? 'curves'
  if (run === undefined) {
    return (
      <>
        <h1>{id}</h1>
        {errors.length > 0 ? <Fault message={errors[0]} /> : <Busy text="Reading the run…" />}
      </>
    )
  }
  return (
    <>
      <header class="panel-head">
        <div>
          <p class="crumbs">
            <a href={linkTo('runs')}>Runs</a>
          </p>
          <h1>{run.id}</h1>
        </div>
        <Actions run={run} />
      </header>
      <div class="row">
        <State state={run.state} />
        <HowFar run={run} />
      </div>
      {run.diverged !== undefined && <Fault message={run.diverged} />}
      {run.notes.map((note) => (
        <p key={note} class="note">
          {note}.
        </p>
      ))}
      {errors.map((error) => (
        <Fault key={error} message={error} />
      ))}
      <nav class="tabs" aria-label="Parts of the run">
        {tabs.map(([name, text]) => (
          <a
            key={name}
            href={linkTo('run', id, { ...params, tab: name })}
            aria-current={name === tab ? 'page' : undefined}
          >
            {text}
          </a>
        ))}
      </nav>
      {tab === 'curves' && (
        <>
          <Together id={id} others={others} />
          <Curves runs={runs} params={params} />
        </>
      )}
      {tab === 'pictures' && <Pictures run={run} params={params} />}
      {tab === 'snapshots' && <Snapshots run={run} />}
      {tab === 'options' && <Options run={run} />}
      {tab === 'log' && (
        <pre class="log" tabIndex={0} aria-label="log.txt">
          {run.log.join('\n')}
        </pre>
      )}
    </>
  )
}

interface Read {
  readonly version: string
  readonly run?: RunData | undefined
  readonly error?: string | undefined
}

/** Runs as they are now: each is read again when a file of it has changed. */
function useRuns(ids: readonly string[]): { runs: RunData[]; errors: string[] } {
  const live = useLive()
  const [read, setRead] = useState<ReadonlyMap<string, Read>>(new Map())
  const versions = ids.map((id) => {
    const summary = live.runs?.find((one) => one.id === id)
    return `${summary?.version} ${summary?.state}`
  })
  useEffect(() => {
    if (live.runs === undefined) return
    for (const [i, id] of ids.entries()) {
      const version = versions[i]!
      if (read.get(id)?.version === version) continue
      const put = (part: Partial<Read>) =>
        setRead((old) => new Map(old).set(id, { run: old.get(id)?.run, ...part, version }))
      ask('api/run', { id }).then(
        (run) => put({ run, error: undefined }),
        (error: unknown) => put({ error: messageOf(error) }),
      )
    }
  }, [live.runs === undefined, ids.join('\n'), versions.join()])
  const found = ids.map((id) => read.get(id))
  return {
    runs: found.flatMap((one) => one?.run ?? []),
    errors: found.flatMap((one) => one?.error ?? []),
  }
}

/** The runs whose curves are in the same charts. */
function Together({ id, others }: { readonly id: string; readonly others: readonly string[] }) {
  const { runs = [] } = useLive()
  const choices = runs.filter((run) => run.id !== id)
  if (choices.length === 0) return null
  const toggle = (one: string) => {
    const next = others.includes(one) ? others.filter((other) => other !== one) : [...others, one]
    change({ with: next.join(',') })
  }
  return (
    <details class="together" open={others.length > 0}>
      <summary>Compare with other runs</summary>
      <ul>
        {choices.map((run) => (
          <li key={run.id}>
            <label>
              <input type="checkbox" checked={others.includes(run.id)} onChange={() => toggle(run.id)} /> {run.id}
            </label>
          </li>
        ))}
      </ul>
    </details>
  )
}

function Actions({ run }: { readonly run: RunData }) {
  const { id, state, canStop, command, totalKimg = 0 } = run
  const [error, setError] = useState<string>()
  const [isAsking, setAsking] = useState(false)
  const [kimg, setKimg] = useState('')
  const [busy, setBusy] = useState<string>()
  useEffect(() => setBusy(undefined), [state])
  const attempt = (what: string, work: () => Promise<object>) => {
    setError(undefined)
    setAsking(false)
    setBusy(what)
    work().catch((reason: unknown) => {
      setBusy(undefined)
      setError(messageOf(reason))
    })
  }
  const goOn = () =>
    attempt('Starting…', () => tell('api/train/go-on', { run: id, ...(kimg !== '' && { kimg: Number(kimg) }) }))
  const isStartable = state !== 'running' && command !== undefined && command !== ''
  return (
    <div class="actions">
      {run.snapshots[0] && (
        <a class="button" href={linkTo('explore', '', { network: run.snapshots[0].network })}>
          Explore
        </a>
      )}
      {state === 'running' && canStop && busy === undefined && (
        <button
          type="button"
          onClick={() =>
            isAsking ? attempt('Stopping after this step…', () => tell('api/train/stop', { run: id })) : setAsking(true)
          }
          onBlur={() => setAsking(false)}
        >
          {isAsking ? 'Stop it? It saves first' : 'Stop'}
        </button>
      )}
      {isStartable && busy === undefined && (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault()
            goOn()
          }}
        >
          <label>
            up to{' '}
            <input
              class="short"
              type="number"
              step="any"
              min="0.001"
              value={kimg}
              placeholder={String(totalKimg)}
              onInput={(event) => setKimg(event.currentTarget.value)}
            />{' '}
            kimg
          </label>
          <button type="submit">Go on</button>
        </form>
      )}
      {busy !== undefined && <Busy text={busy} />}
      <Fault message={error} />
    </div>
  )
}

function Snapshots({ run }: { readonly run: RunData }) {
  if (run.snapshots.length === 0) return <p class="muted">No snapshot yet.</p>
  const metrics = run.metrics.filter(({ name }) => !name.endsWith('_std'))
  const valueAt = (kimg: number, { kimg: at, values }: (typeof metrics)[number]) => {
    const value = values[at.lastIndexOf(kimg)]
    return typeof value === 'number' ? value.toFixed(2) : '–'
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Snapshots">
      <table>
        <thead>
          <tr>
            <th scope="col">kimg</th>
            <th scope="col">Size</th>
            {metrics.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            <th scope="col">Play with it</th>
          </tr>
        </thead>
        <tbody>
          {run.snapshots.map(({ name, kimg, bytes, network }) => (
            <tr key={name}>
              <th scope="row">{kimgText(kimg)}</th>
              <td>{bytesText(bytes)}</td>
              {metrics.map((metric) => (
                <td key={metric.name}>{valueAt(kimg, metric)}</td>
              ))}
              <td class="row">
                <a href={linkTo('explore', '', { network })}>Explore</a>
                <a href={linkTo('mix', '', { network })}>Mix</a>
                <a href={linkTo('walk', '', { network })}>Walk</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Options({ run }: { readonly run: RunData }) {
  return (
    <>
      {run.command !== undefined && run.command !== '' && (
        <section>
          <h2>Command that goes on with it</h2>
          <pre tabIndex={0}>{run.command}</pre>
        </section>
      )}
      <dl class="options">
        {Object.entries(run.options).map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{value === null || value === '' ? 'none' : String(value)}</dd>
          </div>
        ))}
      </dl>
    </>
  )
}
