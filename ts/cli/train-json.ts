/** Events of `stylegan train --json`, `project --json` and `directions --json`: one JSON object a line. docs/json.md says what each holds. */
import type { TrainEvent } from '../runs/loop.ts'
import type { DirectionsEvent } from '../runs/directions.ts'
import type { ProjectEvent } from '../runs/project.ts'
import { sayJson } from './arguments.ts'

/** Events that only say how far something is come at most so often. */
const everyMs = 1000

export class JsonLines {
  readonly #told = new Map<string, number>()

  show(event: TrainEvent | ProjectEvent | DirectionsEvent): void {
    if ('done' in event || event.type === 'step') {
      const isLast = event.type !== 'step' && event.done >= event.total
      const now = performance.now()
      if (!isLast && now - (this.#told.get(event.type) ?? -Infinity) < everyMs) return
      this.#told.set(event.type, now)
    }
    sayJson(event)
  }
}
