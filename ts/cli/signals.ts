/** Ending well: Ctrl-C, SIGTERM, a terminal that was closed, and a screen that nobody reads any more. */
import { readFileSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'

/** The exit code that tells of a signal, as shells have it. */
const exitCodeOf = (signal: NodeJS.Signals) => 128 + constants.signals[signal]

/** A second Ctrl-C within this time is the same one: terminals and npm both send it. */
const sameMs = 500

/**
 * An abort signal for Ctrl-C, SIGTERM, SIGUSR1 and a closed terminal, with what to say then; a second Ctrl-C or SIGTERM ends the process at once.
 * The process then ends with 128 plus the signal's number.
 */
export async function interruptible(
  message: string,
  work: (signal: AbortSignal) => Promise<void>,
  say: (line: string) => void = console.log,
): Promise<void> {
  const stop = new AbortController()
  let first = 0
  const interrupt = (signal: NodeJS.Signals) => {
    if (!stop.signal.aborted) {
      first = performance.now()
      process.exitCode = exitCodeOf(signal)
      stop.abort()
      say(`\n${message}`)
    } else if (['SIGINT', 'SIGTERM'].includes(signal) && performance.now() - first > sameMs)
      process.exit(exitCodeOf(signal))
  }
  const signals: NodeJS.Signals[] = [
    ...(['SIGINT', 'SIGTERM'] as const),
    ...(hangupIsIgnored ? [] : (['SIGHUP'] as const)),
    // Schedulers of clusters send it some time before they end a job.
    ...(process.platform === 'win32' ? [] : (['SIGUSR1'] as const)),
  ]
  for (const signal of signals) process.on(signal, interrupt)
  try {
    await work(stop.signal)
  } catch (error) {
    if (!stop.signal.aborted || !(error instanceof Error && error.name === 'AbortError')) throw error
  } finally {
    for (const signal of signals) process.off(signal, interrupt)
  }
}

const hangupIsIgnored = wasHangupIgnored()
// Node takes back the SIG_IGN with which nohup started it.
if (hangupIsIgnored) process.on('SIGHUP', () => {})

/**
 * Whether whoever started this process told it to ignore SIGHUP. Node forgets that before it runs any JavaScript, so what can still be
 * seen must do: a parent that ignores it, as the child of `nohup sh` has; nohup as the command that the shell ran; or the standard input
 * that nohup sets, `/dev/null` opened for writing.
 */
function wasHangupIgnored(): boolean {
  if (/(^|\/)nohup$/.test(process.env['_'] ?? '')) return true
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(textOf(`/proc/${process.ppid}/status`))
  if (ignored && (BigInt(`0x${ignored[1]}`) & 1n) === 1n) return true // bit n − 1 is signal n, SIGHUP is 1
  const flags = /^flags:\s*([0-7]+)$/m.exec(textOf('/proc/self/fdinfo/0'))
  return flags !== null && (parseInt(flags[1]!, 8) & 3) === 1 && targetOf('/proc/self/fd/0') === '/dev/null'
}

/** Text of a file; none where there is no such file, as on other systems than Linux. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

let goesOn = false

/** From now on the process goes on when its screen goes away, as training does, which keeps a log. */
export function outliveScreen(): void {
  goesOn = true
}

/** Once standard output is closed, most commands have nobody to work for. */
export function watchScreen(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (goesOn) return
    if (error.code === 'EPIPE') process.exit(exitCodeOf('SIGPIPE')) // quietly, as `| head` expects
    process.stderr.write(`stylegan: standard output: ${error.message}; write to another place\n`)
    process.exit(1)
  })
  process.stderr.on('error', () => {})
}
