/** A walk from key frame to key frame: played, scrubbed, saved as a video. */
import { useEffect, useState } from 'preact/hooks'
import { walkCode, walkCommand } from '../../commands.ts'
import type { Look, NetworkInfo, Walk as WalkData } from '../../protocol.ts'
import { made, messageOf, pageName, save } from '../api.ts'
import { useDrawn } from '../drawing.ts'
import { change } from '../link.ts'
import { clearVideo, useLive } from '../live.ts'
import { isSeed, numberIn, plain, randomSeed } from '../looks.ts'
import { Choice, Fault, NumberBox, PlayButton, Slider } from '../parts/controls.tsx'
import { Copy } from '../parts/copy.tsx'
import { Icon } from '../parts/icon.tsx'
import { ClassChoice, SeedBox, Truncation, useLook } from '../parts/look.tsx'
import { Network, useAsked } from '../parts/network.tsx'
import { DrawnPicture, Picture } from '../parts/picture.tsx'

const mostKeys = 32

export function Walk() {
  return (
    <>
      <h1>Walk</h1>
      <Network>{(info) => <Walker info={info} />}</Network>
    </>
  )
}

function readWalk(params: Readonly<Record<string, string>>, look: Look): WalkData {
  const seeds = (params['keys'] ?? '0,1,2,3').split(',').map(Number)
  const good = seeds.filter(isSeed).slice(0, mostKeys)
  const whole = (name: string, fallback: number, most: number) =>
    Math.min(most, Math.max(1, Math.round(numberIn(params, name, fallback))))
  return {
    network: look.network,
    seeds: good.length < 2 ? [0, 1] : good,
    psi: look.psi,
    cutoff: look.cutoff,
    class: look.class,
    space: params['space'] === 'z' ? 'z' : 'w',
    easing: (['cubic', 'linear', 'smooth'] as const).find((one) => one === params['easing']) ?? 'cubic',
    framesPerKey: whole('frames', 60, 600),
    fps: whole('fps', 30, 60),
  }
}

function Walker({ info }: { readonly info: NetworkInfo }) {
  const { params, look } = useLook(info)
  const walk = readWalk(params, look)
  const about = useAsked('api/about')
  const setKeys = (seeds: readonly number[]) => change({ keys: seeds.join(',') })
  return (
    <>
      <Strip look={look} seeds={walk.seeds} setKeys={setKeys} />
      <div class="bench">
        <Player walk={walk} start={numberIn(params, 'at', 0)} />
        <div class="controls">
          <Truncation look={look} info={info} set={change} />
          <ClassChoice look={look} info={info} set={change} />
          <Choice
            label="Through"
            value={walk.space}
            choices={[
              ['w', 'W'],
              ['z', 'Z'],
            ]}
            onChoose={(space) => change({ space })}
          />
          <Choice
            label="Past key frames"
            value={walk.easing}
            choices={[
              ['cubic', 'Smoothly'],
              ['linear', 'Straight'],
              ['smooth', 'With a rest'],
            ]}
            onChoose={(easing) => change({ easing })}
          />
          <div class="row">
            <NumberBox
              label="Frames per key"
              value={walk.framesPerKey}
              min={1}
              max={600}
              onInput={(frames) => change({ frames })}
            />
            <NumberBox label="Frames per second" value={walk.fps} min={1} max={60} onInput={(fps) => change({ fps })} />
          </div>
          <Save walk={walk} info={info} hasFfmpeg={about.value?.hasFfmpeg === true} />
          <Copy
            command={walkCommand(walk, info, about.value?.hasFfmpeg === true ? 'out/walk.mp4' : 'out/walk.png')}
            code={walkCode(walk, info)}
          />
        </div>
      </div>
    </>
  )
}

interface StripProps {
  readonly look: Look
  readonly seeds: readonly number[]
  readonly setKeys: (seeds: readonly number[]) => void
}

function Strip({ look, seeds, setKeys }: StripProps) {
  const [next, setNext] = useState(randomSeed)
  const move = (i: number, by: number) => {
    const moved = [...seeds]
    const [seed] = moved.splice(i, 1)
    moved.splice(i + by, 0, seed!)
    setKeys(moved)
  }
  const add = () => {
    setKeys([...seeds, next])
    setNext(randomSeed())
  }
  return (
    <section aria-label="Key frames">
      <ol class="strip" tabIndex={0} aria-label="Key frames, in their order">
        {seeds.map((seed, i) => (
          <li key={`${i} ${seed}`}>
            <Picture slot={`key-${i}`} look={{ ...plain(look), seed }} alt={`Key frame ${i + 1}, seed ${seed}`} />
            <span>{seed}</span>
            <span class="row">
              <button
                type="button"
                class="square small"
                aria-label={`Key frame ${i + 1} earlier`}
                disabled={i === 0}
                onClick={() => move(i, -1)}
              >
                <Icon name="left" />
              </button>
              <button
                type="button"
                class="square small"
                aria-label={`Remove key frame ${i + 1}`}
                disabled={seeds.length <= 2}
                onClick={() => setKeys(seeds.filter((_, at) => at !== i))}
              >
                <Icon name="close" />
              </button>
              <button
                type="button"
                class="square small"
                aria-label={`Key frame ${i + 1} later`}
                disabled={i === seeds.length - 1}
                onClick={() => move(i, 1)}
              >
                <Icon name="right" />
              </button>
            </span>
          </li>
        ))}
      </ol>
      <div class="row end">
        <SeedBox label="Seed of the next key frame" seed={next} onInput={setNext} />
        <button type="button" disabled={seeds.length >= mostKeys} onClick={add}>
          Add
        </button>
      </div>
    </section>
  )
}

function Player({ walk, start }: { readonly walk: WalkData; readonly start: number }) {
  const keys = walk.seeds.length
  const [position, setPosition] = useState(start % keys)
  const [isPlaying, setPlaying] = useState(false)
  const shown = Math.min(position, keys - 1 / walk.framesPerKey)
  const drawn = useDrawn('frame', 'api/frame', { walk, position: shown }, true)
  // The next frame is asked for when this one is there, at the walk's own pace at most: it never runs ahead of the machine.
  useEffect(() => {
    if (!isPlaying || drawn.isBusy) return
    const timer = setTimeout(() => setPosition((shown + 1 / walk.framesPerKey) % keys), 1000 / walk.fps)
    return () => clearTimeout(timer)
  }, [isPlaying, drawn.isBusy, shown, keys, walk.framesPerKey, walk.fps])
  return (
    <div class="stage">
      <DrawnPicture
        {...drawn}
        isBusy={drawn.isBusy && !isPlaying}
        alt={`The walk at key frame ${shown.toFixed(2)}`}
        isLarge
      />
      <div class="time-line">
        <PlayButton isPlaying={isPlaying} onClick={() => setPlaying(!isPlaying)} />
        <Slider
          label="Position"
          value={shown}
          min={0}
          max={keys}
          step={1 / walk.framesPerKey}
          text={(v) => `key ${(v + 1).toFixed(2)}`}
          onInput={(value) => {
            setPlaying(false)
            setPosition(value)
            change({ at: value.toFixed(3) })
          }}
        />
      </div>
    </div>
  )
}

function Save({
  walk,
  info,
  hasFfmpeg,
}: {
  readonly walk: WalkData
  readonly info: NetworkInfo
  readonly hasFfmpeg: boolean
}) {
  const { video } = useLive()
  const [error, setError] = useState<string>()
  const [work, setWork] = useState<AbortController>()
  const frames = walk.seeds.length * walk.framesPerKey
  const scale = Math.ceil(128 / info.resolution)
  const start = (kind: 'mp4' | 'png') => {
    const own = new AbortController()
    setError(undefined)
    setWork(own)
    clearVideo()
    made('api/video', { page: pageName, walk, kind, scale }, own.signal)
      .then((blob) => save(blob, `walk.${kind}`))
      .catch((reason: unknown) => !own.signal.aborted && setError(messageOf(reason)))
      .finally(() => setWork(undefined))
  }
  if (work) {
    const { done, total } = video ?? { done: 0, total: frames }
    return (
      <div class="row" role="status">
        <progress max={total} value={done} aria-label="Frames drawn" />
        <span>{`${done} of ${total} frames`}</span>
        <button type="button" onClick={() => work.abort()}>
          Cancel
        </button>
      </div>
    )
  }
  return (
    <>
      <div class="row">
        {hasFfmpeg && (
          <button type="button" onClick={() => start('mp4')}>
            Save MP4
          </button>
        )}
        <button type="button" onClick={() => start('png')}>
          Save animated PNG
        </button>
        <span class="muted">{`${frames} frames, ${(frames / walk.fps).toFixed(1)} s`}</span>
      </div>
      <Fault message={error} />
    </>
  )
}
