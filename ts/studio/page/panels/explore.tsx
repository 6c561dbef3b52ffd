/** A grid of seeds, and one large picture with everything that makes it. */
import { lookCode, lookCommand, sideOfLayer } from '../../commands.ts'
import type { NetworkInfo } from '../../protocol.ts'
import { useFavourites } from '../favourites.ts'
import { go, linkTo } from '../link.ts'
import { firstIn, lookParams, plain, randomSeed } from '../looks.ts'
import { Choice, Pager, Slider } from '../parts/controls.tsx'
import { Copy } from '../parts/copy.tsx'
import { Icon } from '../parts/icon.tsx'
import { ClassChoice, Large, SeedRow, Truncation, useLook, type Part } from '../parts/look.tsx'
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
  const { params, look, set } = useLook(info)
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
      <Grid look={look} set={set} first={firstIn(params)} />
      <Favourites />
    </>
  )
}

interface PartOfNetwork extends Part {
  readonly info: NetworkInfo
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
        <Pager what="Seeds" first={first} size={gridSize} />
      </div>
      <ul class="grid">
        {seeds.map((seed, i) => (
          <li key={i}>
            <button
              type="button"
              class="tile"
              aria-pressed={look.projected === undefined && seed === look.seed}
              aria-label={`Seed ${seed}`}
              onClick={() => set({ seed, projected: undefined })}
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
