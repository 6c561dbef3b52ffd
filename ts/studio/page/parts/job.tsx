/** A job of the server that tells how far it is. */
import type { Job } from '../../protocol.ts'
import { timeText } from '../text.ts'
import { Busy, Fault } from './controls.tsx'

/** What went wrong: the last line that is no event. */
export const reasonOf = ({ lines }: Job) =>
  (lines.findLast((line) => !line.startsWith('{')) ?? 'It ended without a word.').replace(/^stylegan: /, '')

interface JobBarProps {
  readonly job: Job
  /** What is counted. */
  readonly what: string
  readonly beginning: string
}

/** A bar while it runs, the reason when it failed. */
export function JobBar({ job, what, beginning }: JobBarProps) {
  const { state, progress, seconds } = job
  if (state === 'failed') return <Fault message={reasonOf(job)} />
  if (state === 'done') return null
  if (progress === undefined) return <Busy text={beginning} />
  const { done, total } = progress
  const left = done > 0 && done < total ? `, about ${timeText((seconds / done) * (total - done))} left` : ''
  return (
    <div class="row" role="status">
      <progress max={total} value={done} aria-label={what} />
      <span>{`${done} of ${total} ${what}${left}`}</span>
    </div>
  )
}
