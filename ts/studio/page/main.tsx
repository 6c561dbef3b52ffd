/** The page: exchanges the token of its address for a cookie, then shows the studio. */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import 'uplot/dist/uPlot.min.css'
import './theme.ts'
import { ask, messageOf, StudioError, tell } from './api.ts'
import { App } from './app.tsx'
import { linkTo } from './link.ts'
import { listen } from './live.ts'
import { Locked } from './panels/locked.tsx'
import { Fault } from './parts/controls.tsx'

type State = 'opening' | 'open' | 'locked' | { readonly error: string }

function Page() {
  const [state, setState] = useState<State>('opening')
  const look = () => {
    ask('api/about').then(
      () => {
        listen()
        setState('open')
      },
      (error: unknown) =>
        setState(error instanceof StudioError && error.status === 401 ? 'locked' : { error: messageOf(error) }),
    )
  }
  useEffect(() => {
    const token = /^#token=([0-9a-f]+)$/.exec(location.hash)?.[1]
    if (token === undefined) return look()
    // The token leaves the address at once: nobody shares it with a link.
    history.replaceState(null, '', linkTo('runs'))
    tell('api/session', { token }).then(look, look)
  }, [])
  if (state === 'opening') return null
  if (state === 'open') return <App />
  if (state === 'locked') return <Locked onOpen={look} />
  return (
    <main class="locked">
      <Fault message={state.error} />
    </main>
  )
}

render(<Page />, document.querySelector('#studio')!)
