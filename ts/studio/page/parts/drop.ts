/** Places that things are dropped on. */
import { useState } from 'preact/hooks'

/**
 * Whether something is held over a place, and the handlers that make it one.
 *
 * @param type of the data that is taken; without it, whatever comes
 */
export function useDrop(take: (data: DataTransfer | null) => void, type?: string) {
  const [isOver, setOver] = useState(false)
  const handlers = {
    onDragOver: (event: DragEvent) => {
      if (type !== undefined && !event.dataTransfer?.types.includes(type)) return
      event.preventDefault()
      setOver(true)
    },
    onDragLeave: () => setOver(false),
    onDrop: (event: DragEvent) => {
      event.preventDefault()
      setOver(false)
      take(event.dataTransfer)
    },
  }
  return { isOver, handlers }
}
