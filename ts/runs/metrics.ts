/** Metrics of a run's snapshots, as events (official training_loop.py runs them after each network snapshot). */
import { basename, dirname } from 'node:path'
import { parseMetrics, type TrainConfig } from '../training/config.ts'
import { emitting } from './emitting.ts'
import { isMeasured } from './snapshots.ts'
import { shownLine } from '../files/shown.ts'
import { ofFirst } from '../native/index.ts'
import type { MetricName } from '../training/metric-names.ts'
import { checkNeeds, defaultMetrics } from '../metrics/feature-networks.ts'
import { measure, metricText, type MeasureHooks, type MeasureOptions } from '../metrics/measure.ts'

/** What a training tells of the metrics of its snapshots. */
export type MetricEvent =
  /** A metric of the newest snapshot is being computed. */
  | {
      readonly type: 'measuring'
      readonly metric: string
      readonly what: string
      readonly done: number
      readonly total: number
    }
  /** A metric was computed, or is hard to compare; `line` says so. */
  | { readonly type: 'metric'; readonly line: string; readonly results?: Readonly<Record<string, number>> }

/** The metrics of a run: those of `auto` need nothing that is not there. */
function metricsOf({ metrics, resolution, ...config }: TrainConfig): MetricName[] {
  if (metrics !== 'auto') return parseMetrics(metrics)
  const names = defaultMetrics(weightsOf(config))
  // The smallest level of the pyramid has 16 pixels.
  return resolution < 16 && config.weights === null ? [] : names
}

const weightsOf = ({ weights, classifiers }: Pick<TrainConfig, 'weights' | 'classifiers'>) => ({
  weights: weights ?? undefined,
  classifiers: classifiers ?? undefined,
})

/** @throws RangeError if a metric lacks something: before training, not hours later */
export async function checkMetrics(config: TrainConfig): Promise<void> {
  await checkNeeds(metricsOf(config), weightsOf(config))
}

/** Computes the metrics of a snapshot that have no line in its run yet; ends early if the signal is aborted. */
export async function* snapshotMetrics(
  path: string,
  config: TrainConfig,
  hooks: Pick<MeasureHooks, 'device' | 'layer' | 'signal' | 'processes'>,
): AsyncGenerator<MetricEvent, void> {
  // The same snapshot of a run has the same metrics: training is the same bit for bit.
  const isMissing = async (name: MetricName) => !(await isMeasured(dirname(path), basename(path), name))
  const metrics = await ofFirst(hooks.processes, async () => {
    const names = metricsOf(config)
    const missing = await Promise.all(names.map(isMissing))
    return names.filter((_, i) => missing[i])
  })
  if (metrics.length === 0) return
  const options: MeasureOptions = {
    ...weightsOf(config),
    network: path,
    data: config.data,
    metrics,
    num: config.metricsNum ?? undefined,
    seed: config.seed,
    mode: 'legacy_tensorflow',
    mirror: config.mirror,
    device: config.device,
    cache: config.outdir,
  }
  try {
    yield* emitting<MetricEvent, unknown>(
      (emit, signal) =>
        measure(options, {
          ...hooks,
          signal,
          onProgress: (metric, what, done, total) => emit({ type: 'measuring', metric, what, done, total }),
          onWarning: (line) => emit({ type: 'metric', line: shownLine(`Warning        ${line}`) }),
          onLine: (line) => emit({ type: 'metric', line: metricText(line), results: line.results }),
        }),
      hooks.signal,
    )
  } catch (error) {
    if (hooks.signal?.aborted || (error as Error).name === 'AbortError') return
    // Some images have no such number, for example of one colour: the next snapshot may have.
    if (!(error instanceof RangeError)) throw error
    yield { type: 'metric', line: shownLine(`Warning        not measured: ${error.message}`) }
  }
}
