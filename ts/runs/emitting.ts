/** Work that reports by a callback, as an async iterable of what it reports. */

/**
 * Runs `work` and yields what it emits while it goes on; newer reports of the same moment wait in order.
 *
 * @returns what `work` returns; throws what it throws
 */
export async function* emitting<E, T>(work: (emit: (event: E) => void) => Promise<T>): AsyncGenerator<E, T> {
  const events: E[] = []
  let [finished, wake] = [false, () => {}]
  const result = work((event) => {
    events.push(event)
    wake()
  }).finally(() => {
    finished = true
    wake()
  })
  result.catch(() => {}) // thrown below
  for (;;) {
    while (events.length > 0) yield events.shift()!
    if (finished) return result
    await new Promise<void>((resolve) => {
      wake = resolve
      if (finished || events.length > 0) resolve()
    })
  }
}
