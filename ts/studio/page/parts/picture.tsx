/** A picture that the server draws. */
import type { Look } from '../../protocol.ts'
import { useDrawn } from '../drawing.ts'

interface PictureProps {
  readonly slot: string
  readonly look: Look | undefined
  readonly alt: string
  readonly isFirst?: boolean
}

export function Picture({ slot, look, alt, isFirst = false }: PictureProps) {
  const drawn = useDrawn(slot, 'api/draw', look && { look, scale: 1 }, isFirst)
  return <DrawnPicture {...drawn} alt={alt} isLarge={isFirst} />
}

interface DrawnPictureProps {
  readonly url: string | undefined
  readonly error: string | undefined
  readonly isBusy: boolean
  readonly alt: string
  readonly isLarge?: boolean
}

export function DrawnPicture({ url, error, isBusy, alt, isLarge = false }: DrawnPictureProps) {
  const shown = url === undefined ? <span class="blank" /> : <img src={url} alt={alt} draggable={false} />
  return (
    <span class={`picture${isBusy ? ' waiting' : ''}${isLarge ? ' large' : ''}`} aria-busy={isBusy}>
      {shown}
      {error !== undefined && (
        <span class="fault" role="alert">
          {isLarge ? error : 'Not drawn.'}
        </span>
      )}
    </span>
  )
}
