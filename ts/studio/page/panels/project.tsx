/** Pictures that are projected into a network: chosen, cut to a square, watched, and opened as w. */
import { useEffect, useState } from 'preact/hooks'
import type { NetworkInfo, Projection } from '../../protocol.ts'
import { address, messageOf, tell } from '../api.ts'
import { change, linkTo, useLink } from '../link.ts'
import { useLive } from '../live.ts'
import { mostSeed, seedIn } from '../looks.ts'
import { Busy, Choice, Fault, NumberBox } from '../parts/controls.tsx'
import { Copy } from '../parts/copy.tsx'
import { Crop, cut, middle, type Square } from '../parts/crop.tsx'
import { useDrop } from '../parts/drop.ts'
import { JobBar } from '../parts/job.tsx'
import { ClassChoice } from '../parts/look.tsx'
import { StyledNetwork, useAsked } from '../parts/network.tsx'

/** Larger images are first made smaller by the browser's memory, not by us. */
const mostMegapixels = 100
/** How often a projection that is made is looked at. */
const lookMs = 1500

export function Project() {
  return (
    <>
      <h1>Project a picture</h1>
      <StyledNetwork to="find">{(info) => <Projector info={info} />}</StyledNetwork>
      <Projections />
    </>
  )
}

interface Chosen {
  readonly name: string
  readonly image: ImageBitmap
  readonly square: Square
}

function Projector({ info }: { readonly info: NetworkInfo }) {
  const { params } = useLink()
  const [chosen, setChosen] = useState<Chosen>()
  const [error, setError] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const space: Projection['space'] = params['space'] === 'w+' ? 'w+' : 'w'
  const steps = Math.min(seedIn(params, 'steps', 1000), 10_000) || 1
  const seed = seedIn(params, 'seed', 303)
  const one = info.labelSize > 0 ? Math.min(seedIn(params, 'class', 0), info.labelSize - 1) : undefined
  const open = (file: File | undefined) => {
    if (!file) return
    setError(undefined)
    imageOf(file).then(
      (image) => setChosen({ name: file.name.replace(/\.[^.]*$/, ''), image, square: middle(image) }),
      (reason: unknown) => setError(messageOf(reason)),
    )
  }
  const { isOver, handlers } = useDrop((data) => open(data?.files[0]))
  const start = async ({ name, image, square }: Chosen) => {
    setError(undefined)
    setBusy(true)
    try {
      const target = await cut(image, square)
      const request = { network: info.network, name, target, space, steps, seed, class: one }
      change({ of: (await tell('api/project/start', request)).id })
    } catch (reason) {
      setError(messageOf(reason))
    }
    setBusy(false)
  }
  return (
    <section class={isOver ? 'projector over' : 'projector'} aria-label="A new projection" {...handlers}>
      <div class="bench">
        <div>
          {chosen === undefined ? (
            <p class="empty">Drop an image here, or choose one. It stays on this machine.</p>
          ) : (
            <Crop {...chosen} onChange={(square) => setChosen({ ...chosen, square })} />
          )}
        </div>
        <div class="controls">
          <div class="field">
            <label for="target">Image</label>
            <input
              id="target"
              type="file"
              accept="image/*"
              onChange={(event) => open(event.currentTarget.files?.[0])}
            />
          </div>
          <Choice
            label="What is looked for"
            value={space}
            choices={[
              ['w', 'One w'],
              ['w+', 'One for each layer'],
            ]}
            onChoose={(value) => change({ space: value })}
          />
          <p class="muted">
            {space === 'w' ? 'One w can be edited well.' : 'One for each layer is nearer, and edits less well.'}
          </p>
          <div class="row end">
            <NumberBox label="Steps" value={steps} min={1} max={10_000} onInput={(value) => change({ steps: value })} />
            <NumberBox label="Seed" value={seed} min={0} max={mostSeed} onInput={(value) => change({ seed: value })} />
          </div>
          <ClassChoice look={{ class: one }} info={info} set={change} />
          <div class="row">
            <button
              type="button"
              class="primary"
              disabled={chosen === undefined || isBusy}
              onClick={() => chosen && void start(chosen)}
            >
              Project it
            </button>
            {isBusy && <Busy text="Sending the square…" />}
          </div>
          <Fault message={error} />
        </div>
      </div>
    </section>
  )
}

/** The picture of a file, turned as its camera says. */
async function imageOf(file: File): Promise<ImageBitmap> {
  const image = await createImageBitmap(file).catch(() => undefined)
  if (!image)
    throw new Error(`${file.name}: an image that this browser can show is expected; convert it to PNG or JPEG.`)
  if (image.width * image.height <= mostMegapixels * 1e6) return image
  throw new Error(`${file.name}: at most ${mostMegapixels} megapixels are expected; make it smaller.`)
}

function Projections() {
  const { params } = useLink()
  const { jobs } = useLive()
  const [looks, setLooks] = useState(0)
  const states = jobs.filter(({ kind }) => kind === 'projection').map(({ id, state }) => `${id} ${state}`)
  const { value, error } = useAsked('api/projections', {}, true, `${looks} ${states.join()} ${params['of']}`)
  const isRunning = value?.some(({ state }) => state === 'running') === true
  useEffect(() => {
    if (!isRunning) return
    const timer = setInterval(() => setLooks((count) => count + 1), lookMs)
    return () => clearInterval(timer)
  }, [isRunning])
  if (error !== undefined) return <Fault message={error} />
  if (value === undefined || value.length === 0) return null
  const shown = value.find(({ id }) => id === params['of']) ?? value[0]!
  return (
    <>
      <Shown projection={shown} />
      {value.length > 1 && (
        <section aria-label="All projections">
          <h2>All projections</h2>
          <ul class="grid">
            {value.map((one) => (
              <li key={one.id}>
                <button
                  type="button"
                  class="tile"
                  aria-pressed={one.id === shown.id}
                  aria-label={`Show ${nameOf(one)}`}
                  onClick={() => change({ of: one.id })}
                >
                  <span class="picture">
                    <img src={pictureOf(one, one.version > 0 ? 'found' : 'cut')} alt="" />
                  </span>
                  <span>{nameOf(one)}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  )
}

const nameOf = ({ id }: Projection) => id.replace(/^.*\//, '')

const pictureOf = ({ id, version }: Projection, name: 'cut' | 'found') =>
  address('api/projection', { id, name, version })

const stateTexts = { running: 'Running', done: 'Finished', stopped: 'Stopped' } as const

function Shown({ projection }: { readonly projection: Projection }) {
  const { id, network, state, space, steps, command, version } = projection
  const { jobs } = useLive()
  const [error, setError] = useState<string>()
  const job = jobs.find((one) => one.id === projection.job)
  const attempt = (path: 'api/project/stop' | 'api/project/go-on') => {
    setError(undefined)
    tell(path, { id }).catch((reason: unknown) => setError(messageOf(reason)))
  }
  const opened = (panel: string) => linkTo(panel, '', { network, w: id })
  return (
    <section aria-label={nameOf(projection)}>
      <h2>{nameOf(projection)}</h2>
      <div class="bench">
        <div class="target-and-found">
          <figure>
            <img src={pictureOf(projection, 'cut')} alt="The square that was cut out" />
            <figcaption>Target</figcaption>
          </figure>
          <figure>
            {version > 0 ? (
              <img src={pictureOf(projection, 'found')} alt="The network's nearest picture so far" />
            ) : (
              <span class="blank" />
            )}
            <figcaption>{state === 'done' ? 'Found' : 'So far'}</figcaption>
          </figure>
        </div>
        <div class="controls">
          <div class="row spread">
            <span class={`state ${state === 'done' ? 'finished' : state}`}>{stateTexts[state]}</span>
            <span class="muted">{`${steps} steps, ${space === 'w' ? 'one w' : 'one w for each layer'}`}</span>
          </div>
          {job && <JobBar job={job} what="steps" beginning="Opening the network…" />}
          {job?.state === 'running' && job.progress?.distance !== undefined && (
            <p class="muted">{`Distance ${job.progress.distance.toFixed(4)}`}</p>
          )}
          <div class="row">
            {state === 'done' && (
              <>
                <a class="button primary" href={opened('explore')}>
                  Explore it
                </a>
                <a class="button" href={opened('directions')}>
                  Move it
                </a>
                <a class="button" href={opened('mix')}>
                  Mix it
                </a>
              </>
            )}
            {state === 'running' && (
              <button type="button" onClick={() => attempt('api/project/stop')}>
                Stop
              </button>
            )}
            {state === 'stopped' && (
              <button type="button" onClick={() => attempt('api/project/go-on')}>
                Go on
              </button>
            )}
          </div>
          <Fault message={error} />
          <Copy command={command} />
        </div>
      </div>
    </section>
  )
}
