/** Directions of W: principal components, each a slider over a range of layers. */
import { layerGroups, lookCode, lookCommand } from '../../commands.ts'
import type { NetworkInfo, Shift } from '../../protocol.ts'
import { change } from '../link.ts'
import { numberIn } from '../looks.ts'
import { Busy, Choice, Fault, Slider } from '../parts/controls.tsx'
import { Copy } from '../parts/copy.tsx'
import { ClassChoice, Large, SeedRow, Truncation, useLook } from '../parts/look.tsx'
import { StyledNetwork, useAsked } from '../parts/network.tsx'

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
  const found = useAsked('api/components', { network: info.network })
  const all = Array.from({ length: info.layers }, (_, i) => i)
  const ranges = [{ name: 'All', layers: all }, ...layerGroups(info.layers)]
  // A link that moves some layers shows their sliders.
  const first = look.shifts[0]
  const moving = first && ranges.findIndex(({ layers }) => sameLayers(layers, first.layers))
  const range = ranges[numberIn(params, 'range', Math.max(moving ?? 0, 0))] ?? ranges[0]!
  const choices = ranges.map(({ name }, i) => [String(i), name] as const)
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
        <Fault message={found.error} />
        {found.value === undefined && found.error === undefined && (
          <Busy text="Looking for directions in 10,000 random styles…" />
        )}
        <div class="layers">
          {found.value?.shares.slice(0, 12).map((share, component) => (
            <Slider
              key={component}
              label={`Component ${component + 1}, ${(share * 100).toFixed(1)} % of the variance`}
              value={byOf(look.shifts, component, range.layers)}
              min={-4}
              max={4}
              step={0.1}
              text={(v) => (v > 0 ? `+${v.toFixed(1)}` : v.toFixed(1))}
              onInput={(by) => set({ shifts: moved(look.shifts, { component, by, layers: range.layers }) })}
            />
          ))}
        </div>
        <Copy command={lookCommand(look, info)} code={lookCode(look, info)} />
      </div>
    </div>
  )
}

const sameLayers = (a: readonly number[], b: readonly number[]) => a.join() === b.join()

function byOf(shifts: readonly Shift[], component: number, layers: readonly number[]): number {
  return shifts.find((one) => one.component === component && sameLayers(one.layers, layers))?.by ?? 0
}

function moved(shifts: readonly Shift[], next: Shift): Shift[] {
  const others = shifts.filter((one) => one.component !== next.component || !sameLayers(one.layers, next.layers))
  return next.by === 0 ? others : [...others, next]
}
