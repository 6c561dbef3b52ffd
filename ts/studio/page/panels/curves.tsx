/** What stats.jsonl and the metrics say, of one run or of several. */
import type { Curve, Phase, Run } from '../../protocol.ts'
import { change } from '../link.ts'
import { numberIn } from '../looks.ts'
import { Chart, type Range, type Series } from '../parts/chart.tsx'

interface Group {
  readonly title: string
  readonly names: RegExp
}

/** Charts in their order; names that none takes have one of their own. */
const groups: readonly Group[] = [
  { title: 'Losses', names: /^Loss\/[GD]$/ },
  { title: 'Scores of the discriminator', names: /^Loss\/scores\/(?!fake_G)/ },
  { title: 'Penalties', names: /penalty/ },
  { title: 'Augmentation', names: /(augment|r_t|signs)/i },
  { title: 'Share of copies of training images', names: /^Progress\/copies$/ },
  { title: 'Learning rates', names: /(lrate|learning_rate)/i },
  { title: 'Seconds per kimg', names: /sec_per_kimg/ },
]

/** What the other charts say already, or what only programs read. */
const hidden =
  /^(Progress\/(tick|kimg|lod|minibatch)|Timing\/(total_sec|sec_per_tick|maintenance_sec|data_wait_share)|Resources\/.*|Loss\/scores\/fake_G)$/
const colours = 6

/** What the papers write for it. */
const symbols = new Map([
  ['Progress/augment', 'p'],
  ['Loss/signs/real', 'r_t'],
])

const shortName = (name: string) =>
  symbols.get(name) ?? name.replace(/^(Loss|Timing|Progress|Metrics)\//, '').replace(/^scores\//, '')

export function Curves({
  runs,
  params,
}: {
  readonly runs: readonly Run[]
  readonly params: Readonly<Record<string, string>>
}) {
  const longest = Math.max(...runs.map((run) => Math.max(run.kimg, ...run.metrics.flatMap(({ kimg }) => kimg))), 0)
  const isZoomed = params['from'] !== undefined
  const range: Range = [numberIn(params, 'from', 0), numberIn(params, 'to', longest || 1)]
  const setRange = (next: Range | undefined) => {
    const text = (value: number) => String(Number(value.toPrecision(6)))
    change(
      next === undefined || !(next[1] > next[0])
        ? { from: undefined, to: undefined }
        : { from: text(next[0]), to: text(next[1]) },
    )
  }
  const charts = chartsOf(runs)
  const phases: readonly Phase[] = runs.length === 1 ? runs[0]!.phases : []
  if (charts.length === 0) return <p class="muted">The first tick is not over yet: curves appear with it.</p>
  return (
    <>
      <div class="row spread">
        <p class="muted">
          Drag over a chart to zoom into all of them.{' '}
          {phases.some(({ kind }) => kind === 'fade') && 'Stripes: a resolution fades in.'}
        </p>
        <button type="button" disabled={!isZoomed} onClick={() => setRange(undefined)}>
          Show all
        </button>
      </div>
      <div class="charts">
        {charts.map(({ title, series }) => (
          <Chart key={title} {...{ title, series, phases, range, isZoomed }} onRange={setRange} />
        ))}
      </div>
    </>
  )
}

function chartsOf(runs: readonly Run[]): { title: string; series: Series[] }[] {
  const names = [...new Set(runs.flatMap(({ curves }) => curves.map(({ name }) => name)))].filter(
    (name) => !hidden.test(name),
  )
  const charts: { title: string; names: string[] }[] = groups.map(({ title, names: pattern }) => ({
    title,
    names: names.filter((name) => pattern.test(name)),
  }))
  const taken = new Set(charts.flatMap((chart) => chart.names))
  for (const name of names) if (!taken.has(name)) charts.push({ title: shortName(name), names: [name] })
  const shown = charts.map(({ title, names }) => ({ title, series: seriesOf(runs, names, (run) => run.curves) }))
  const metrics = [...new Set(runs.flatMap((run) => run.metrics.map(({ name }) => name)))]
  for (const name of metrics.filter((name) => !name.endsWith('_std'))) {
    shown.push({ title: name, series: seriesOf(runs, [name], (run) => run.metrics) })
  }
  return shown.filter(({ series }) => series.length > 0)
}

/** One run: a colour a curve. Several: a colour a run, and dashes from the second curve on. */
function seriesOf(runs: readonly Run[], names: readonly string[], curvesOf: (run: Run) => readonly Curve[]): Series[] {
  return runs.flatMap((run, r) =>
    names.flatMap((name, n) => {
      const curve = curvesOf(run).find((one) => one.name === name)
      if (!curve) return []
      const label = runs.length === 1 ? shortName(name) : names.length === 1 ? run.id : `${run.id} ${shortName(name)}`
      const colour = (runs.length === 1 ? n : r) % colours
      return [{ label, colour, isDashed: runs.length > 1 && n > 0, kimg: curve.kimg, values: curve.values }]
    }),
  )
}
