/** The frame of the page: where one can go, and whether the studio still answers. */
import { useEffect, useRef } from 'preact/hooks'
import { linkTo, useLink } from './link.ts'
import { useLive } from './live.ts'
import { Directions } from './panels/directions.tsx'
import { Explore } from './panels/explore.tsx'
import { Mix } from './panels/mix.tsx'
import { Project } from './panels/project.tsx'
import { Run } from './panels/run.tsx'
import { Runs } from './panels/runs.tsx'
import { Start } from './panels/start.tsx'
import { Walk } from './panels/walk.tsx'
import { Icon } from './parts/icon.tsx'
import { chosenTheme, chooseTheme } from './theme.ts'

const places = [
  ['runs', 'Runs'],
  ['explore', 'Explore'],
  ['mix', 'Mix'],
  ['walk', 'Walk'],
  ['directions', 'Directions'],
  ['project', 'Project'],
] as const

const panels = {
  ...{ runs: Runs, run: Run, start: Start },
  ...{ explore: Explore, mix: Mix, walk: Walk, directions: Directions, project: Project },
}

export function App() {
  const link = useLink()
  const { isConnected } = useLive()
  const main = useRef<HTMLElement>(null)
  const name = Object.hasOwn(panels, link.panel) ? (link.panel as keyof typeof panels) : 'runs'
  const Panel = panels[name]
  const section = name === 'run' || name === 'start' ? 'runs' : name
  const { network } = link.params
  const title = places.find(([one]) => one === section)![1]
  const shown = useRef(name)
  useEffect(() => {
    document.title = `${link.id || title} – stylegan studio`
    // Whoever reads by ear hears the new panel.
    if (shown.current !== name) main.current?.focus()
    shown.current = name
  }, [name, link.id])
  return (
    <>
      <header class="top">
        <a class="skip" href={location.hash} onClick={(event) => (event.preventDefault(), main.current?.focus())}>
          Skip to the panel
        </a>
        <a class="brand" href={linkTo('runs')}>
          <span class="mark" aria-hidden="true" />
          stylegan studio
        </a>
        <nav aria-label="Panels">
          {places.map(([one, text]) => (
            <a
              key={one}
              href={linkTo(one, '', one === 'runs' ? {} : { network })}
              aria-current={one === section ? 'page' : undefined}
            >
              {text}
            </a>
          ))}
        </nav>
        <Theme />
      </header>
      {!isConnected && (
        <p class="lost" role="status">
          The studio does not answer. The page goes on by itself when it is back.
        </p>
      )}
      <main ref={main} tabIndex={-1}>
        <Panel key={name} />
      </main>
    </>
  )
}

function Theme() {
  // Chosen here or by the system, the whole page is drawn again.
  const other = chosenTheme() === 'dark' ? 'light' : 'dark'
  return (
    <button type="button" class="square plain" aria-label={`Show it ${other}`} onClick={() => chooseTheme(other)}>
      <Icon name={other === 'dark' ? 'moon' : 'sun'} />
    </button>
  )
}
