/** A square over a picture, moved and resized by pointer and keys. */
import type { TargetedKeyboardEvent, TargetedPointerEvent } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'

/** In pixels of the picture, whole numbers. */
export interface Square {
  readonly x: number
  readonly y: number
  readonly side: number
}

interface Size {
  readonly width: number
  readonly height: number
}

/** The side below which a square is hard to see. */
const leastSide = 16
/** Pixels of a square that is cut out, along each side. */
const mostSide = 2048

/** Height of the picture on the page, in rem. */
const mostHeight = 27

const corners = [
  ['north west', 0, 0],
  ['north east', 1, 0],
  ['south west', 0, 1],
  ['south east', 1, 1],
] as const

/** The largest square in the middle. */
export function middle({ width, height }: Size): Square {
  const side = Math.min(width, height)
  return { x: Math.floor((width - side) / 2), y: Math.floor((height - side) / 2), side }
}

const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), Math.max(least, most))

function moved({ side, ...from }: Square, dx: number, dy: number, { width, height }: Size): Square {
  const [x, y] = [clamp(from.x + dx, 0, width - side), clamp(from.y + dy, 0, height - side)]
  return { x: Math.round(x), y: Math.round(y), side }
}

/** About its middle. */
function scaled({ x, y, side }: Square, by: number, size: Size): Square {
  const next = Math.round(
    clamp(side + by, Math.min(leastSide, size.width, size.height), Math.min(size.width, size.height)),
  )
  return moved({ x, y, side: next }, (side - next) / 2, (side - next) / 2, size)
}

/** With a corner under the pointer; the opposite corner stays. */
function dragged({ x, y, side }: Square, right: 0 | 1, bottom: 0 | 1, to: [number, number], size: Size): Square {
  const [ax, ay] = [x + (1 - right) * side, y + (1 - bottom) * side]
  const wanted = Math.max((to[0] - ax) * (right ? 1 : -1), (to[1] - ay) * (bottom ? 1 : -1))
  const room = Math.min(right ? size.width - ax : ax, bottom ? size.height - ay : ay)
  const next = Math.floor(clamp(wanted, Math.min(leastSide, room), room))
  return { x: ax - (right ? 0 : next), y: ay - (bottom ? 0 : next), side: next }
}

interface CropProps {
  readonly image: ImageBitmap
  readonly square: Square
  readonly onChange: (square: Square) => void
}

export function Crop({ image, square, onChange }: CropProps) {
  const help = useId()
  const canvas = useRef<HTMLCanvasElement>(null)
  const drag = useRef<(x: number, y: number) => Square>(undefined)
  const { width, height } = image
  useEffect(() => canvas.current!.getContext('2d')!.drawImage(image, 0, 0), [image])
  /** The pointer in pixels of the picture. */
  const placeOf = ({ clientX, clientY }: PointerEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect()
    return [((clientX - box.left) / box.width) * width, ((clientY - box.top) / box.height) * height]
  }
  const take = (event: TargetedPointerEvent<HTMLElement>, corner?: readonly [0 | 1, 0 | 1]) => {
    event.stopPropagation()
    event.currentTarget.setPointerCapture(event.pointerId)
    const [startX, startY] = placeOf(event)
    drag.current = (x, y) =>
      corner ? dragged(square, ...corner, [x, y], image) : moved(square, x - startX, y - startY, image)
  }
  const follow = (event: TargetedPointerEvent<HTMLElement>) => {
    if (drag.current) onChange(drag.current(...placeOf(event)))
  }
  const leave = () => void (drag.current = undefined)
  const onKey = (event: TargetedKeyboardEvent<HTMLElement>) => {
    const step = Math.max(1, Math.round((Math.min(width, height) / 100) * (event.shiftKey ? 10 : 1)))
    const next = {
      ArrowLeft: () => moved(square, -step, 0, image),
      ArrowRight: () => moved(square, step, 0, image),
      ArrowUp: () => moved(square, 0, -step, image),
      ArrowDown: () => moved(square, 0, step, image),
      '+': () => scaled(square, 2 * step, image),
      '=': () => scaled(square, 2 * step, image),
      '-': () => scaled(square, -2 * step, image),
      Home: () => middle(image),
    }[event.key]
    if (!next) return
    event.preventDefault()
    onChange(next())
  }
  const percent = (part: number, of: number) => `${(100 * part) / of}%`
  const place = {
    left: percent(square.x, width),
    top: percent(square.y, height),
    width: percent(square.side, width),
    height: percent(square.side, height),
  }
  return (
    <div class="crop-area">
      <div class="crop" style={{ width: `min(100%, ${(mostHeight * width) / height}rem)` }}>
        <canvas ref={canvas} {...{ width, height }} role="img" aria-label="The chosen image" />
        <div
          class="square-cut"
          style={place}
          tabIndex={0}
          role="group"
          aria-label="Square that is projected"
          aria-describedby={help}
          onPointerDown={take}
          onPointerMove={follow}
          onPointerUp={leave}
          onPointerCancel={leave}
          onKeyDown={onKey}
        >
          {corners.map(([name, right, bottom]) => (
            <span
              key={name}
              class={`corner ${name}`}
              onPointerDown={(event) => take(event, [right, bottom])}
              onPointerMove={follow}
              onPointerUp={leave}
              onPointerCancel={leave}
            />
          ))}
        </div>
      </div>
      <p class="muted">
        <span role="status">{`${square.side}×${square.side} pixels from ${square.x}, ${square.y}.`}</span>{' '}
        <span id={help}>Drag it or its corners; arrows move it, plus and minus resize it, Home takes the middle.</span>
      </p>
    </div>
  )
}

/** The square as PNG in base64. */
export async function cut(image: ImageBitmap, { x, y, side }: Square): Promise<string> {
  const size = Math.min(side, mostSide)
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size
  const context = canvas.getContext('2d')!
  context.imageSmoothingQuality = 'high'
  context.drawImage(image, x, y, side, side, 0, 0, size, size)
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  if (!blob) throw new Error('The browser cannot write this square as PNG.')
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result as string)
    reader.onerror = () => reject(new Error('The browser cannot read the square.'))
    reader.readAsDataURL(blob)
  })
  return url.slice(url.indexOf(',') + 1)
}
