/** Every run of the folder, with its last picture. */
import type { RunState, RunSummary } from '../../protocol.ts'
import { address } from '../api.ts'
import { linkTo } from '../link.ts'
import { useLive } from '../live.ts'
import { Busy } from '../parts/controls.tsx'
import { Icon } from '../parts/icon.tsx'
import { kimgText, timeText } from '../text.ts'

export function Runs() {
  const { runs } = useLive()
  return (
    <>
      <header class="panel-head">
        <h1>Runs</h1>
        <a class="button primary" href={linkTo('start')}>
          <Icon name="plus" /> Start a training
        </a>
      </header>
      {runs === undefined ? (
        <Busy text="Looking for runs…" />
      ) : runs.length === 0 ? (
        <div class="empty">
          <h2>No run yet</h2>
          <p>Start a training here, or with stylegan train in a terminal. It shows up by itself.</p>
        </div>
      ) : (
        <ul class="cards">
          {runs.map((run) => (
            <li key={run.id}>
              <Card run={run} />
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function Card({ run }: { readonly run: RunSummary }) {
  const { id, picture, resolution, data } = run
  return (
    <a class="card" href={linkTo('run', id)}>
      {picture === undefined ? (
        <span class="cover blank" />
      ) : (
        <img class="cover" loading="lazy" src={pictureAddress(id, picture)} alt="" />
      )}
      <span class="card-body">
        <span class="card-title">{id}</span>
        <span class="row">
          <State state={run.state} />
          <span class="muted">{[resolution && `${resolution}×${resolution}`, data].filter(Boolean).join(' · ')}</span>
        </span>
        <HowFar run={run} />
      </span>
    </a>
  )
}

/** Where a run's picture is. A file of this name is written once. */
export const pictureAddress = (run: string, name: string) => address('api/picture', { run, name })

const stateTexts: Readonly<Record<RunState, string>> = {
  running: 'Running',
  finished: 'Finished',
  stopped: 'Stopped',
  diverged: 'Diverged',
}

export function State({ state }: { readonly state: RunState }) {
  return <span class={`state ${state}`}>{stateTexts[state]}</span>
}

/** Images shown of all, and the time that is left. */
export function HowFar({ run: { kimg, totalKimg, leftSec, state } }: { readonly run: RunSummary }) {
  const of = totalKimg === undefined ? '' : ` of ${kimgText(totalKimg)}`
  const left = state === 'running' && leftSec !== undefined ? `about ${timeText(leftSec)} left` : ''
  return (
    <span class="how-far">
      {totalKimg !== undefined && (
        <progress max={totalKimg} value={Math.min(kimg, totalKimg)} aria-label="Images shown" />
      )}
      <span class="row spread muted">
        <span>{`${kimgText(kimg)}${of} kimg`}</span>
        <span>{left}</span>
      </span>
    </span>
  )
}
