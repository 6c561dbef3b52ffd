/** One chart of curves over kimg. Dragging zooms, as do its keys; resolutions and fades are marked. */
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import type { Phase } from '../../protocol.ts'
import { kimgText, valueText } from '../text.ts'

export interface Series {
  readonly label: string
  /** Which of the colours of the page. */
  readonly colour: number
  readonly isDashed: boolean
  readonly kimg: readonly number[]
  readonly values: readonly (number | null)[]
}

export type Range = readonly [from: number, to: number]

interface ChartProps {
  readonly title: string
  readonly series: readonly Series[]
  readonly phases: readonly Phase[]
  readonly range: Range
  readonly isZoomed: boolean
  readonly onRange: (range: Range | undefined) => void
}

const height = 190

export function Chart({ title, series, phases, range, isZoomed, onRange }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const [at, setAt] = useState<number | null>(null)
  const data = uPlot.join(series.map(({ kimg, values }) => [kimg as number[], values as (number | null)[]]))
  const shape = JSON.stringify([series.map(({ label, colour, isDashed }) => [label, colour, isDashed]), phases])
  const theme = document.documentElement.dataset['theme']
  const latest = useRef({ range, onRange })
  latest.current = { range, onRange }
  useEffect(() => {
    const inside = place.current!
    const own = new uPlot(optionsOf(series, phases, inside.clientWidth, latest.current, setAt), data, inside)
    plot.current = own
    const watch = new ResizeObserver(() => own.setSize({ width: inside.clientWidth, height }))
    watch.observe(inside)
    return () => {
      watch.disconnect()
      own.destroy()
      plot.current = null
    }
  }, [shape, theme])
  const text = JSON.stringify(data)
  useEffect(() => {
    plot.current?.setData(data, false)
    plot.current?.setScale('x', { min: range[0], max: range[1] })
  }, [text, shape, theme, range[0], range[1]])
  const index = at ?? lastOf(data, range)
  const summary = series.map((_, i) => `${series[i]!.label} ${shownAt(data, i, index)}`).join(', ')
  return (
    <figure
      class="chart"
      tabIndex={0}
      aria-label={`${title} at ${kimgText(data[0][index] ?? 0)} kimg: ${summary}. Plus and minus zoom, arrows move, Escape shows all.`}
      onKeyDown={(event) => {
        const next = moved(event.key, range)
        if (next === undefined) return
        event.preventDefault()
        onRange(next === 'all' ? undefined : next)
      }}
    >
      <figcaption>
        <h2>{title}</h2>
        <ul>
          {series.map(({ label, colour, isDashed }, i) => (
            <li key={label}>
              <span class={`swatch c${colour}${isDashed ? ' dashed' : ''}`} aria-hidden="true" />
              {label} <b>{shownAt(data, i, index)}</b>
            </li>
          ))}
          <li class="muted">{`${kimgText(data[0][index] ?? 0)} kimg`}</li>
        </ul>
      </figcaption>
      <div ref={place} onDblClick={() => isZoomed && onRange(undefined)} />
    </figure>
  )
}

/** The last value that is in sight. */
function lastOf([kimg]: uPlot.AlignedData, [, to]: Range): number {
  const after = kimg.findIndex((one) => one > to)
  return Math.max(0, (after < 0 ? kimg.length : after) - 1)
}

function shownAt(data: uPlot.AlignedData, series: number, index: number): string {
  const values = data[series + 1] ?? []
  // Of several runs only some have a value just there.
  for (let i = index; i >= 0; i--) if (typeof values[i] === 'number') return valueText(values[i] as number)
  return '–'
}

function moved(key: string, [from, to]: Range): Range | 'all' | undefined {
  const size = to - from
  if (key === '+' || key === '=') return [from + size / 4, to - size / 4]
  if (key === '-') return [Math.max(0, from - size / 2), to + size / 2]
  if (key === 'ArrowLeft') return [Math.max(0, from - size / 4), Math.max(size, to - size / 4)]
  if (key === 'ArrowRight') return [from + size / 4, to + size / 4]
  return key === 'Escape' || key === '0' ? 'all' : undefined
}

function optionsOf(
  series: readonly Series[],
  phases: readonly Phase[],
  width: number,
  latest: { readonly range: Range; readonly onRange: (range: Range | undefined) => void },
  onCursor: (index: number | null) => void,
): uPlot.Options {
  const colours = getComputedStyle(document.documentElement)
  const colour = (name: string) => colours.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('muted'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  }
  return {
    width,
    height,
    legend: { show: false },
    padding: [16, 8, 0, 0],
    cursor: { sync: { key: 'curves' }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { time: false, range: (_, min, max) => [min, max] } },
    axes: [
      { ...axis, size: 28 },
      { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => valueText(tick)) },
    ],
    series: [
      {},
      ...series.map((one) => ({
        stroke: colour(`c${one.colour}`),
        width: 1.75,
        dash: one.isDashed ? [5, 4] : [],
        spanGaps: true,
        points: { show: one.kimg.length < 40, size: 4 },
      })),
    ],
    hooks: {
      drawClear: [(plot) => drawPhases(plot, phases, colour('fade'), colour('muted'))],
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select
          if (width < 4) return
          latest.onRange([plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')])
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        },
      ],
    },
  }
}

/** A stripe where a resolution fades in, a line and its name where it begins. */
function drawPhases(plot: uPlot, phases: readonly Phase[], fade: string, text: string): void {
  const { ctx, bbox } = plot
  const ratio = devicePixelRatio
  const x = (kimg: number) => plot.valToPos(kimg, 'x', true)
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height)
  ctx.clip()
  ctx.font = `${10 * ratio}px system-ui`
  ctx.fillStyle = fade
  for (const { kind, fromKimg, toKimg } of phases) {
    if (kind === 'fade') ctx.fillRect(x(fromKimg), bbox.top, x(toKimg) - x(fromKimg), bbox.height)
  }
  ctx.fillStyle = text
  let last = 0
  let end = -Infinity
  for (const { resolution, fromKimg } of phases) {
    if (resolution === last) continue
    last = resolution
    const [label, left] = [`${resolution}×${resolution}`, Math.max(x(fromKimg), bbox.left)]
    if (left < end) continue
    ctx.fillText(label, left + 2 * ratio, bbox.top - 5 * ratio)
    end = left + ctx.measureText(label).width + 8 * ratio
  }
  ctx.restore()
}
