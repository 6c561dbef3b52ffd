/** Style mixing: pictures are dragged onto layers. With keys or on a touch screen one is picked, then a place. */
import { useState } from 'preact/hooks'
import { layerGroups, lookCode, lookCommand, sideOfLayer } from '../../commands.ts'
import type { Copied, Look, NetworkInfo } from '../../protocol.ts'
import { change } from '../link.ts'
import { firstIn, plain } from '../looks.ts'
import { Choice, Pager } from '../parts/controls.tsx'
import { Copy } from '../parts/copy.tsx'
import { useDrop } from '../parts/drop.ts'
import { Icon } from '../parts/icon.tsx'
import { ClassChoice, Large, SeedRow, Truncation, useLook } from '../parts/look.tsx'
import { StyledNetwork } from '../parts/network.tsx'
import { Picture } from '../parts/picture.tsx'

const sourcesAtOnce = 12
const dragType = 'application/x-stylegan-seed'

export function Mix() {
  return (
    <>
      <h1>Mix styles</h1>
      <StyledNetwork to="mix">{(info) => <Mixer info={info} />}</StyledNetwork>
    </>
  )
}

interface Place {
  readonly name: string
  readonly detail: string
  readonly layers: readonly number[]
}

function Mixer({ info }: { readonly info: NetworkInfo }) {
  const { params, look, set } = useLook(info)
  const [picked, setPicked] = useState<number>()
  const first = firstIn(params)
  const isEach = params['each'] === '1'
  const places = isEach ? eachLayer(info.layers) : groupsOf(info.layers)
  const put = (seed: number | undefined, layers: readonly number[]) => {
    set({ mix: mixed(look.mix, seed, layers) })
    setPicked(undefined)
  }
  return (
    <div class="bench">
      <Large look={look} info={info} name={`mix${look.seed}`} />
      <div class="controls">
        <SeedRow look={look} set={set} />
        <Truncation look={look} info={info} set={set} />
        <ClassChoice look={look} info={info} set={set} />
        <div class="row spread end">
          <Choice
            label="Layers"
            value={isEach ? 'each' : 'groups'}
            choices={[
              ['groups', 'Groups'],
              ['each', 'Each layer'],
            ]}
            onChoose={(value) => change({ each: value === 'each' ? 1 : undefined })}
          />
          <button type="button" disabled={look.mix.length === 0} onClick={() => set({ mix: [] })}>
            Clear all
          </button>
        </div>
        <ul class={isEach ? 'places each' : 'places'} aria-label="Layers and whose styles they have">
          {places.map((place) => (
            <li key={place.name}>
              <PlaceShown place={place} look={look} picked={picked} put={put} />
            </li>
          ))}
        </ul>
      </div>
      <section class="sources" aria-label="Pictures to take styles from">
        <div class="row spread">
          <h2>Drag one onto its layers</h2>
          <Pager what="Pictures" first={first} size={sourcesAtOnce} />
        </div>
        <p class="muted" role="status">
          {picked === undefined
            ? 'Or choose a picture, then the layers that take its styles.'
            : `Seed ${picked} is picked: now choose its layers.`}
        </p>
        <ul class="grid">
          {Array.from({ length: sourcesAtOnce }, (_, i) => first + i).map((seed, i) => (
            <li key={i}>
              <button
                type="button"
                class="tile"
                draggable
                aria-pressed={picked === seed}
                aria-label={`Pick seed ${seed}`}
                onClick={() => setPicked(picked === seed ? undefined : seed)}
                onDragStart={(event) => event.dataTransfer?.setData(dragType, String(seed))}
              >
                <Picture slot={`source-${i}`} look={{ ...plain(look), seed }} alt="" />
                <span>{seed}</span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      <div class="wide">
        <Copy command={lookCommand(look, info)} code={lookCode(look, info)} />
      </div>
    </div>
  )
}

interface PlaceProps {
  readonly place: Place
  readonly look: Look
  readonly picked: number | undefined
  /** Gives layers the styles of a seed, or their own again. */
  readonly put: (seed: number | undefined, layers: readonly number[]) => void
}

function PlaceShown({ place: { name, detail, layers }, look, picked, put }: PlaceProps) {
  const { isOver, handlers } = useDrop((data) => {
    const seed = Number(data?.getData(dragType))
    if (Number.isInteger(seed)) put(seed, layers)
  }, dragType)
  const owners = [...new Set(layers.map((layer) => ownerOf(look.mix, layer)))]
  const owner = owners.length === 1 ? owners[0] : undefined
  const text = owners.length > 1 ? 'several' : owner === undefined ? 'its own' : `seed ${owner}`
  return (
    <div class={`place${isOver ? ' over' : ''}`}>
      <button type="button" class="drop" onClick={() => picked !== undefined && put(picked, layers)} {...handlers}>
        <Picture
          slot={`place-${layers[0]}-${layers.length}`}
          look={{ ...plain(look), seed: owner ?? look.seed }}
          alt=""
        />
        <span class="place-text">
          <b>{name}</b> <span class="muted">{detail}</span> <span>{text}</span>
          {picked !== undefined && <span class="hidden">{` – give it seed ${picked}`}</span>}
        </span>
      </button>
      {owners.some((one) => one !== undefined) && (
        <button
          type="button"
          class="square small"
          aria-label={`${name}: its own styles again`}
          onClick={() => put(undefined, layers)}
        >
          <Icon name="close" />
        </button>
      )}
    </div>
  )
}

/** Whose styles a layer has; undefined for its own. */
function ownerOf(mix: readonly Copied[], layer: number): number | undefined {
  return mix.findLast(({ layers }) => layers.includes(layer))?.seed
}

/** Each layer belongs to one seed, so that the order does not matter. */
function mixed(mix: readonly Copied[], seed: number | undefined, layers: readonly number[]): Copied[] {
  const others = mix.map((one) => ({ ...one, layers: one.layers.filter((layer) => !layers.includes(layer)) }))
  const same = others.find((one) => one.seed === seed)
  const next =
    seed === undefined
      ? others
      : same
        ? others.map((one) =>
            one === same ? { seed, layers: [...same.layers, ...layers].sort((a, b) => a - b) } : one,
          )
        : [...others, { seed, layers }]
  return next.filter((one) => one.layers.length > 0)
}

function groupsOf(layers: number): Place[] {
  return layerGroups(layers).map(({ name, layers: own }) => {
    const [from, to] = [sideOfLayer(own[0]!), sideOfLayer(own.at(-1)!)]
    return { name, detail: from === to ? `${from}×${from}` : `${from}×${from} to ${to}×${to}`, layers: own }
  })
}

function eachLayer(layers: number): Place[] {
  return Array.from({ length: layers }, (_, layer) => {
    return { name: `Layer ${layer}`, detail: `${sideOfLayer(layer)}×${sideOfLayer(layer)}`, layers: [layer] }
  })
}
