/** Directions of W: principal components and attributes, each a slider over a range of layers. */
import { useState } from 'preact/hooks'
import { layerGroups, lookCode, lookCommand } from '../../commands.ts'
import type { NetworkInfo, Shift } from '../../protocol.ts'
import { messageOf, tell } from '../api.ts'
import { change } from '../link.ts'
import { useLive } from '../live.ts'
import { numberIn } from '../looks.ts'
import { Busy, Choice, Fault, Slider } from '../parts/controls.tsx'
import { Copy } from '../parts/copy.tsx'
import { JobBar } from '../parts/job.tsx'
import { ClassChoice, Large, SeedRow, Truncation, useLook, type Part } from '../parts/look.tsx'
import { StyledNetwork, useAsked } from '../parts/network.tsx'

/** Components that have a slider. */
const mostShown = 12

export function Directions() {
  return (
    <>
      <h1>Directions</h1>
      <StyledNetwork to="move">{(info) => <Sliders info={info} />}</StyledNetwork>
    </>
  )
}

function Sliders({ info }: { readonly info: NetworkInfo }) {
  const { params, look, set } = useLook(info)
  const all = Array.from({ length: info.layers }, (_, i) => i)
  const ranges = [{ name: 'All', layers: all }, ...layerGroups(info.layers)]
  // A link that moves some layers shows their sliders.
  const first = look.shifts[0]
  const moving = first && ranges.findIndex(({ layers }) => sameLayers(layers, first.layers))
  const range = ranges[numberIn(params, 'range', Math.max(moving ?? 0, 0))] ?? ranges[0]!
  const choices = ranges.map(({ name }, i) => [String(i), name] as const)
  const moves = { look, set, layers: range.layers }
  return (
    <div class="bench">
      <Large look={look} info={info} name={`moved${look.seed}`} />
      <div class="controls">
        <SeedRow look={look} set={set} />
        <Truncation look={look} info={info} set={set} />
        <ClassChoice look={look} info={info} set={set} />
        <div class="row spread end">
          <Choice
            label="Layers that move"
            value={String(ranges.indexOf(range))}
            choices={choices}
            onChoose={(value) => change({ range: value })}
          />
          <button type="button" disabled={look.shifts.length === 0} onClick={() => set({ shifts: [] })}>
            Reset
          </button>
        </div>
        <Attributes {...moves} />
        <Components {...moves} />
        <Copy command={lookCommand(look, info)} code={lookCode(look, info)} />
      </div>
    </div>
  )
}

interface Moves extends Part {
  readonly layers: readonly number[]
}

function Components(moves: Moves) {
  const found = useAsked('api/components', { network: moves.look.network })
  return (
    <section aria-label="Principal components">
      <h2>Principal components</h2>
      <Fault message={found.error} />
      {found.value === undefined && found.error === undefined && (
        <Busy text="Looking for directions in 10,000 random styles…" />
      )}
      <div class="layers">
        {found.value?.shares.slice(0, mostShown).map((share, component) => (
          <Move
            key={component}
            {...moves}
            direction={component}
            label={`Component ${component + 1}, ${(share * 100).toFixed(1)} % of the variance`}
          />
        ))}
      </div>
    </section>
  )
}

/** Sliders of attributes, or how to come to them. */
function Attributes(moves: Moves) {
  const { network } = moves.look
  const { jobs } = useLive()
  const [error, setError] = useState<string>()
  const [asked, setAsked] = useState<string>()
  const job = jobs.findLast((one) => one.kind === 'directions' && one.id === asked)
  const running = jobs.find((one) => one.kind === 'directions' && one.state === 'running')
  const found = useAsked('api/directions', { network }, true, `${job?.state} ${running?.id}`)
  if (found.value === undefined) return found.error === undefined ? null : <Fault message={found.error} />
  const { attributes, command } = found.value
  const find = () => {
    setError(undefined)
    tell('api/directions/find', { network }).then(
      ({ id }) => setAsked(id),
      (reason: unknown) => setError(messageOf(reason)),
    )
  }
  const shown = job ?? running
  return (
    <section aria-label="Attributes">
      <h2>Attributes</h2>
      <div class="layers">
        {attributes.map(({ name, agreement }) => (
          <Move
            key={name}
            {...moves}
            direction={name}
            label={`${name}, ${(agreement * 100).toFixed(0)} % told apart`}
          />
        ))}
      </div>
      {attributes.length === 0 && command === undefined && (
        <p class="muted">
          Sliders such as “eyeglasses” need classifiers: train some with stylegan classifier train, and start the studio
          again.
        </p>
      )}
      {attributes.length === 0 && command !== undefined && running === undefined && (
        <div class="row">
          <button type="button" onClick={find}>
            Find attributes
          </button>
          <span class="muted">10,000 images are drawn and classified.</span>
        </div>
      )}
      {shown && <JobBar job={shown} what="images classified" beginning="Opening the network and the classifiers…" />}
      <Fault message={error} />
    </section>
  )
}

interface MoveProps extends Moves {
  readonly direction: number | string
  readonly label: string
}

/** A slider along one direction, in some layers. */
function Move({ look, set, layers, direction, label }: MoveProps) {
  // Along the normal of a hyperplane w varies little: it takes more deviations to see something.
  const most = typeof direction === 'number' ? 4 : 8
  return (
    <Slider
      label={label}
      value={byOf(look.shifts, direction, layers)}
      min={-most}
      max={most}
      step={0.1}
      text={(v) => (v > 0 ? `+${v.toFixed(1)}` : v.toFixed(1))}
      onInput={(by) => set({ shifts: moved(look.shifts, { direction, by, layers }) })}
    />
  )
}

const sameLayers = (a: readonly number[], b: readonly number[]) => a.join() === b.join()

function byOf(shifts: readonly Shift[], direction: number | string, layers: readonly number[]): number {
  return shifts.find((one) => one.direction === direction && sameLayers(one.layers, layers))?.by ?? 0
}

function moved(shifts: readonly Shift[], next: Shift): Shift[] {
  const others = shifts.filter((one) => one.direction !== next.direction || !sameLayers(one.layers, next.layers))
  return next.by === 0 ? others : [...others, next]
}
