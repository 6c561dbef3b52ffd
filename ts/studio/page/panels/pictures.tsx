/** What the network drew over time, to scrub, to play and to compare with real images. */
import { useEffect, useState } from 'preact/hooks'
import type { Run } from '../../protocol.ts'
import { change } from '../link.ts'
import { numberIn } from '../looks.ts'
import { Choice, PlayButton, Slider } from '../parts/controls.tsx'
import { kimgText } from '../text.ts'
import { pictureAddress } from './runs.tsx'

type Beside = 'nothing' | 'side' | 'wipe'

const frameMs = 350

export function Pictures({ run, params }: { readonly run: Run; readonly params: Readonly<Record<string, string>> }) {
  const { id, pictures, reals } = run
  const last = pictures.length - 1
  const wanted =
    params['kimg'] === undefined ? last : pictures.findLastIndex(({ kimg }) => kimg <= numberIn(params, 'kimg', 0))
  const index = Math.max(0, Math.min(last, wanted))
  const beside = (['nothing', 'side', 'wipe'] as const).find((one) => one === params['beside']) ?? 'nothing'
  const [isPlaying, setPlaying] = useState(false)
  const [share, setShare] = useState(0.5)
  const show = (i: number) => change({ kimg: i >= last ? undefined : pictures[i]?.kimg })
  useEffect(() => {
    if (!isPlaying) return
    const timer = setTimeout(() => {
      if (index >= last) setPlaying(false)
      else show(index + 1)
    }, frameMs)
    return () => clearTimeout(timer)
  }, [isPlaying, index, last])
  const picture = pictures[index]
  if (picture === undefined) return <p class="muted">The first picture appears when training begins.</p>
  const play = () => {
    if (!isPlaying && index >= last) show(0)
    setPlaying(!isPlaying)
  }
  const fake = (
    <img src={pictureAddress(id, picture.name)} alt={`Images that the network drew after ${picture.kimg} kimg`} />
  )
  const real = reals !== undefined && <img src={pictureAddress(id, reals)} alt="Images that it learns from" />
  return (
    <>
      <div class="time-line">
        <PlayButton isPlaying={isPlaying} onClick={play} />
        <Slider
          label="After"
          value={index}
          min={0}
          max={Math.max(last, 1)}
          step={1}
          text={(i) => `${kimgText(pictures[Math.min(i, last)]!.kimg)} kimg`}
          onInput={(i) => show(Math.min(i, last))}
          disabled={last < 1}
        />
        {real && (
          <Choice<Beside>
            label="Real images"
            value={beside}
            choices={[
              ['nothing', 'Hidden'],
              ['side', 'Beside'],
              ['wipe', 'Wipe'],
            ]}
            onChoose={(value) => change({ beside: value === 'nothing' ? undefined : value })}
          />
        )}
      </div>
      {beside === 'side' && real ? (
        <div class="side-by-side">
          <figure>
            {fake}
            <figcaption>Drawn</figcaption>
          </figure>
          <figure>
            {real}
            <figcaption>Real</figcaption>
          </figure>
        </div>
      ) : beside === 'wipe' && real ? (
        <>
          <Slider
            label="Real from here on"
            value={share}
            min={0}
            max={1}
            step={0.01}
            text={(v) => `${Math.round(v * 100)} %`}
            onInput={setShare}
          />
          <div class="wipe">
            {fake}
            <div style={{ clipPath: `inset(0 0 0 ${share * 100}%)` }}>{real}</div>
          </div>
        </>
      ) : (
        <div class="whole">{fake}</div>
      )}
    </>
  )
}
