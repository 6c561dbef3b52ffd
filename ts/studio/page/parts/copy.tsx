/** The state of a panel as a command, as code and as a link. */
import { useState } from 'preact/hooks'
import { Choice } from './controls.tsx'

type Kind = 'command' | 'code' | 'link'

export function Copy({ command, code }: { readonly command: string; readonly code?: string | undefined }) {
  const [kind, setKind] = useState<Kind>('command')
  const [said, setSaid] = useState('')
  const text = kind === 'command' ? command : kind === 'code' ? (code ?? '') : location.href
  const copy = async () => {
    // Beside loopback and HTTPS there is no clipboard: the text can be marked by hand.
    if (!isSecureContext) {
      setSaid('The browser does not allow it here. Mark the text and copy it.')
      return
    }
    const isDone = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    )
    setSaid(isDone ? 'Copied.' : 'The browser does not allow it here. Mark the text and copy it.')
    setTimeout(() => setSaid(''), 3000)
  }
  const kinds: (readonly [Kind, string])[] = [
    ['command', 'Command'],
    ...(code === undefined ? [] : [['code', 'Code'] as const]),
    ['link', 'Link'],
  ]
  return (
    <section class="copy" aria-label="The same without the studio">
      <div class="row">
        <Choice label="Copy as" value={kind} choices={kinds} onChoose={setKind} />
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
        <span role="status">{said}</span>
      </div>
      <pre tabIndex={0}>{text}</pre>
    </section>
  )
}
