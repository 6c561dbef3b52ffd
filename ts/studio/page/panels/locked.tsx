/** A page without the token. */
import { useState } from 'preact/hooks'
import { messageOf, tell } from '../api.ts'
import { Fault } from '../parts/controls.tsx'

export function Locked({ onOpen }: { readonly onOpen: () => void }) {
  const [token, setToken] = useState('')
  const [error, setError] = useState<string>()
  return (
    <main class="locked">
      <h1>This studio is locked</h1>
      <p>
        Open the address that <code>stylegan studio</code> has printed. Or paste the token: it is in the file{' '}
        <code>.studio-token</code> in the folder of the runs.
      </p>
      <form
        class="row end"
        onSubmit={(event) => {
          event.preventDefault()
          tell('api/session', { token: token.trim() }).then(onOpen, (reason: unknown) => setError(messageOf(reason)))
        }}
      >
        <div class="field">
          <label for="token">Token</label>
          <input
            id="token"
            type="password"
            autocomplete="off"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </div>
        <button type="submit" class="primary">
          Open
        </button>
      </form>
      <Fault message={error} />
    </main>
  )
}
