/** What a training tells while it goes on. */
import type { MetricEvent } from './metrics.ts'

/** What `train` yields; `type` tells which. */
export type TrainEvent =
  /** The data set is being prepared. */
  | { readonly type: 'prepare'; readonly done: number; readonly total: number }
  /** Training begins, or goes on after `nimg` images from `snapshot`. */
  | {
      readonly type: 'start'
      readonly dir: string
      readonly nimg: number
      readonly snapshot: string | undefined
      /** Images in the data set, and files that were left out of it. */
      readonly count: number
      readonly skipped: number
    }
  /** A step is under way: the pace of this tick, and an estimate of the seconds left. */
  | { readonly type: 'step'; readonly nimg: number; readonly secPerKimg: number; readonly leftSec: number }
  /** A tick has ended; `line` is its status line. */
  | {
      readonly type: 'tick'
      readonly nimg: number
      readonly line: string
      readonly stats: Readonly<Record<string, number>>
    }
  /** Pictures were written. */
  | { readonly type: 'images'; readonly path: string }
  /** Where the time of the tick went: a table, also in the run directory's `profile.txt`. */
  | { readonly type: 'profile'; readonly table: string }
  | { readonly type: 'snapshot'; readonly path: string; readonly nimg: number }
  | MetricEvent
  /** Something that whoever started this run should know: damage, other data, a snapshot that was removed. */
  | { readonly type: 'notice'; readonly line: string }
  | { readonly type: 'end'; readonly nimg: number; readonly aborted: boolean }
