/** What panels share that show one look: the look of the link, its picture, and controls of its parts. */
import { useState } from 'preact/hooks'
import { sideOfLayer } from '../../commands.ts'
import type { Look, NetworkInfo } from '../../protocol.ts'
import { made, messageOf, pageName, save } from '../api.ts'
import { sameLook, useFavourites } from '../favourites.ts'
import { change, linkTo, useLink } from '../link.ts'
import { lookParams, mostSeed, randomSeed, readLook } from '../looks.ts'
import { Fault, NumberBox, Select, Slider } from './controls.tsx'
import { Icon } from './icon.tsx'
import { Picture } from './picture.tsx'

export interface Part {
  readonly look: Look
  readonly set: (part: Partial<Look>) => void
}

/** The look of the link, and how to change parts of it. */
export function useLook(info: NetworkInfo): Part & { readonly params: Readonly<Record<string, string>> } {
  const { params } = useLink()
  const look = readLook(params, info)
  return { params, look, set: (part) => change(lookParams({ ...look, ...part })) }
}

/** The picture with what can be done with it. */
export function Large({
  look,
  info,
  name = look.projected === undefined ? `seed${String(look.seed).padStart(4, '0')}` : 'proj00',
}: {
  readonly look: Look
  readonly info: NetworkInfo
  readonly name?: string
}) {
  const { looks, toggle } = useFavourites()
  const [scale, setScale] = useState('1')
  const [error, setError] = useState<string>()
  const isFavourite = looks.some((one) => sameLook(one, look))
  const keep = () => {
    setError(undefined)
    made('api/draw', { page: pageName, slot: 'save', look, scale: Number(scale) })
      .then((blob) => save(blob, `${name}.png`))
      .catch((reason: unknown) => setError(messageOf(reason)))
  }
  return (
    <div class="stage">
      <Picture
        slot="large"
        look={look}
        alt={look.projected === undefined ? `Image of seed ${look.seed}` : `Image of ${look.projected}`}
        isFirst
      />
      <div class="row">
        <button type="button" onClick={keep}>
          Save PNG
        </button>
        <Select label="Size" value={scale} onChoose={setScale}>
          {[1, 2, 4, 8].map((factor) => (
            <option key={factor} value={String(factor)}>{`${info.resolution * factor}×${info.height * factor}`}</option>
          ))}
        </Select>
        <button
          type="button"
          class="square"
          aria-pressed={isFavourite}
          aria-label="Favourite"
          onClick={() => toggle(look)}
        >
          <Icon name="star" isFilled={isFavourite} />
        </button>
      </div>
      <Fault message={error} />
    </div>
  )
}

interface SeedBoxProps {
  readonly label: string
  readonly seed: number
  readonly onInput: (seed: number) => void
}

/** A seed to type, or to draw. */
export function SeedBox({ label, seed, onInput }: SeedBoxProps) {
  return (
    <>
      <NumberBox label={label} value={seed} min={0} max={mostSeed} onInput={onInput} />
      <button type="button" class="square" aria-label="Another seed" onClick={() => onInput(randomSeed())}>
        <Icon name="dice" />
      </button>
    </>
  )
}

export function SeedRow({ look, set }: Part) {
  if (look.projected !== undefined) {
    return (
      <div class="row spread">
        <span>{`Projected: ${look.projected.replace(/^.*\//, '')}`}</span>
        <span class="row">
          <a class="button" href={linkTo('project', '', { network: look.network, of: look.projected })}>
            Its projection
          </a>
          <button type="button" onClick={() => set({ projected: undefined })}>
            Back to seeds
          </button>
        </span>
      </div>
    )
  }
  return (
    <div class="row end">
      <SeedBox label="Seed" seed={look.seed} onInput={(seed) => set({ seed })} />
      <button
        type="button"
        class="square"
        aria-label="Seed before"
        disabled={look.seed === 0}
        onClick={() => set({ seed: look.seed - 1 })}
      >
        <Icon name="left" />
      </button>
      <button type="button" class="square" aria-label="Seed after" onClick={() => set({ seed: look.seed + 1 })}>
        <Icon name="right" />
      </button>
    </div>
  )
}

/** What truncation reads: of a projected picture only what is mixed in is truncated. */
interface Truncated {
  readonly psi: number
  readonly cutoff: number
  readonly projected?: string | undefined
  readonly mix?: readonly object[]
}

interface TruncationProps<T extends Truncated> {
  readonly look: T
  readonly info: NetworkInfo
  readonly set: (part: { readonly psi?: number; readonly cutoff?: number }) => void
}

export function Truncation<T extends Truncated>({ look, info, set }: TruncationProps<T>) {
  if (!info.canTruncate || (look.projected !== undefined && look.mix?.length === 0)) return null
  const { layers } = info
  const upTo = (cutoff: number) =>
    cutoff === 0
      ? 'no layer'
      : cutoff >= layers
        ? 'all layers'
        : `up to ${sideOfLayer(cutoff - 1)}×${sideOfLayer(cutoff - 1)}`
  return (
    <>
      <Slider
        label="Truncation ψ"
        value={look.psi}
        min={-1.5}
        max={1.5}
        step={0.05}
        text={(v) => v.toFixed(2)}
        onInput={(psi) => set({ psi })}
      />
      {info.hasStyles && (
        <Slider
          label="Truncated layers"
          value={Math.min(look.cutoff, layers)}
          min={0}
          max={layers}
          step={1}
          text={upTo}
          onInput={(cutoff) => set({ cutoff })}
        />
      )}
    </>
  )
}

export function ClassChoice({
  look,
  info,
  set,
}: {
  readonly look: { readonly class?: number | undefined }
  readonly info: NetworkInfo
  readonly set: (part: { readonly class: number }) => void
}) {
  if (info.labelSize === 0) return null
  return (
    <Select label="Class" value={String(look.class ?? 0)} onChoose={(value) => set({ class: Number(value) })}>
      {Array.from({ length: info.labelSize }, (_, i) => (
        <option key={i} value={String(i)}>
          {info.classes[i] ?? i}
        </option>
      ))}
    </Select>
  )
}
