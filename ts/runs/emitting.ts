/** Work that reports by a callback, as an async iterable of what it reports; and what happens to iterables that nobody reads on. */

/**
 * Runs `work` and yields what it emits while it goes on; newer reports of the same moment wait in order. Whoever stops reading
 * aborts the work's signal, and waits until it has ended.
 *
 * @returns what `work` returns; throws what it throws
 */
export async function* emitting<E, T>(
  work: (emit: (event: E) => void, signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): AsyncGenerator<E, T> {
  const events: E[] = []
  const own = new AbortController()
  let [finished, wake] = [false, () => {}]
  const emit = (event: E) => {
    events.push(event)
    wake()
  }
  const result = work(emit, signal ? AbortSignal.any([signal, own.signal]) : own.signal).finally(() => {
    finished = true
    wake()
  })
  result.catch(() => {}) // thrown below
  try {
    for (;;) {
      while (events.length > 0) yield events.shift()!
      if (finished) return await result
      await new Promise<void>((resolve) => {
        wake = resolve
        if (finished || events.length > 0) resolve()
      })
    }
  } finally {
    own.abort()
    await result.catch(() => {})
  }
}

/** Yields what `events` yields. If whoever reads them stops before their end, as `break` does, `left` is done. */
export async function* ifLeft<E, T>(events: AsyncGenerator<E, T>, left: () => Promise<unknown>): AsyncGenerator<E, T> {
  let isLeft = true
  try {
    const result = yield* events
    isLeft = false
    return result
  } catch (error) {
    isLeft = false
    throw error
  } finally {
    if (isLeft) await left()
  }
}
