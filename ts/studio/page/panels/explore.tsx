/** A grid of seeds, and one large picture with everything that makes it. */
import { useState } from 'preact/hooks'
import { lookCode, lookCommand, sideOfLayer } from '../../commands.ts'
import type { Look, NetworkInfo } from '../../protocol.ts'
import { made, messageOf, pageName, save } from '../api.ts'
import { sameLook, useFavourites } from '../favourites.ts'
import { change, go, linkTo, useLink } from '../link.ts'
import { lookParams, numberIn, plain, randomSeed, readLook } from '../looks.ts'
import { Choice, Fault, NumberBox, Select, Slider } from '../parts/controls.tsx'
import { Copy } from '../parts/copy.tsx'
import { Icon } from '../parts/icon.tsx'
import { Network } from '../parts/network.tsx'
import { Picture } from '../parts/picture.tsx'

/** Seeds of the grid at once. */
const gridSize = 24

export function Explore() {
  return (
    <>
      <h1>Explore</h1>
      <Network>{(info) => <Explorer info={info} />}</Network>
    </>
  )
}

function Explorer({ info }: { readonly info: NetworkInfo }) {
  const { params } = useLink()
  const look = readLook(params, info)
  const set = (part: Partial<Look>) => change(lookParams({ ...look, ...part }))
  return (
    <>
      <div class="bench">
        <Large look={look} info={info} />
        <div class="controls">
          <SeedRow look={look} set={set} />
          <Truncation look={look} info={info} set={set} />
          <ClassChoice look={look} info={info} set={set} />
          {info.hasNoise && <Noise look={look} info={info} set={set} />}
          <Copy command={lookCommand(look, info)} code={lookCode(look, info)} />
        </div>
      </div>
      <Grid look={look} set={set} first={Math.max(0, Math.floor(numberIn(params, 'first', 0)))} />
      <Favourites />
    </>
  )
}

interface Part {
  readonly look: Look
  readonly set: (part: Partial<Look>) => void
}

interface PartOfNetwork extends Part {
  readonly info: NetworkInfo
}

/** The picture with what can be done with it. */
export function Large({
  look,
  info,
  name = `seed${String(look.seed).padStart(4, '0')}`,
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
      <Picture slot="large" look={look} alt={`Image of seed ${look.seed}`} isFirst />
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

export function SeedRow({ look, set }: Part) {
  return (
    <div class="row end">
      <NumberBox label="Seed" value={look.seed} min={0} max={2 ** 32 - 1} onInput={(seed) => set({ seed })} />
      <button type="button" class="square" aria-label="Another seed" onClick={() => set({ seed: randomSeed() })}>
        <Icon name="dice" />
      </button>
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

interface TruncationProps<T extends { readonly psi: number; readonly cutoff: number }> {
  readonly look: T
  readonly info: NetworkInfo
  readonly set: (part: { readonly psi?: number; readonly cutoff?: number }) => void
}

export function Truncation<T extends { readonly psi: number; readonly cutoff: number }>({
  look,
  info,
  set,
}: TruncationProps<T>) {
  if (!info.canTruncate) return null
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

function Noise({ look, info, set }: PartOfNetwork) {
  const { noise, noiseStrength } = look
  const full = Array.from({ length: info.layers }, () => 1)
  const strengths = noiseStrength.length > 0 ? noiseStrength : full
  const setStrength = (layer: number, value: number) => {
    const next = strengths.map((old, i) => (i === layer ? value : old))
    set({ noiseStrength: next.every((one) => one === 1) ? [] : next })
  }
  return (
    <>
      <div class="row end">
        <Choice
          label="Noise"
          value={noise}
          choices={[
            ['const', 'Fixed'],
            ['random', 'Random'],
            ['none', 'None'],
          ]}
          onChoose={(value) => set({ noise: value })}
        />
        {noise === 'random' && (
          <button type="button" onClick={() => set({ noiseSeed: randomSeed() })}>
            Draw again
          </button>
        )}
      </div>
      {noise !== 'none' && (
        <details>
          <summary>Strength of the noise by layer</summary>
          <div class="layers">
            {strengths.map((strength, layer) => (
              <Slider
                key={layer}
                label={`Layer ${layer}, ${sideOfLayer(layer)}×${sideOfLayer(layer)}`}
                value={strength}
                min={0}
                max={4}
                step={0.1}
                text={(v) => v.toFixed(1)}
                onInput={(value) => setStrength(layer, value)}
              />
            ))}
            <button type="button" disabled={noiseStrength.length === 0} onClick={() => set({ noiseStrength: [] })}>
              All full
            </button>
          </div>
        </details>
      )}
    </>
  )
}

function Grid({ look, set, first }: Part & { readonly first: number }) {
  const seeds = Array.from({ length: gridSize }, (_, i) => first + i)
  return (
    <section aria-label="Seeds">
      <div class="row spread">
        <h2>{`Seeds ${first} to ${first + gridSize - 1}`}</h2>
        <div class="row">
          <button
            type="button"
            class="square"
            aria-label="Seeds before"
            disabled={first === 0}
            onClick={() => change({ first: Math.max(0, first - gridSize) || undefined })}
          >
            <Icon name="left" />
          </button>
          <button
            type="button"
            class="square"
            aria-label="Seeds after"
            onClick={() => change({ first: first + gridSize })}
          >
            <Icon name="right" />
          </button>
        </div>
      </div>
      <ul class="grid">
        {seeds.map((seed, i) => (
          <li key={i}>
            <button
              type="button"
              class="tile"
              aria-pressed={seed === look.seed}
              aria-label={`Seed ${seed}`}
              onClick={() => set({ seed })}
            >
              <Picture slot={`grid-${i}`} look={{ ...plain(look), seed }} alt="" />
              <span>{seed}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Favourites() {
  const { looks, toggle } = useFavourites()
  if (looks.length === 0) return null
  return (
    <section aria-label="Favourites">
      <h2>Favourites</h2>
      <ul class="grid">
        {looks.map((look, i) => (
          <li key={JSON.stringify(look)} class="favourite">
            <button
              type="button"
              class="tile"
              aria-label={`Show favourite ${i + 1}, seed ${look.seed}`}
              onClick={() => go(linkTo('explore', '', lookParams(look)))}
            >
              <Picture slot={`favourite-${i}`} look={look} alt="" />
              <span>{look.seed}</span>
            </button>
            <button
              type="button"
              class="square small"
              aria-label={`Remove favourite ${i + 1}`}
              onClick={() => toggle(look)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
