/** Several processes on the command line: starting them, and ending together. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive } from '../files/lock.ts'
import { messageOf } from '../files/option-names.ts'
import { shownLine } from '../files/shown.ts'
import { addonBuilt, listDevices, ProcessesError, type Processes } from '../native/index.ts'
import { DivergedError } from '../runs/loop.ts'
import { joinProcesses, launchOf, Neighbours, startedBy, starterOf, type JoinOptions } from '../runs/processes.ts'
import { flagOf } from './arguments.ts'
import { clearBar } from './progress.ts'

/** What programs and machines must have in common for the same bits. */
export function ofProgram(): Record<string, string> {
  const { version, sources } = addonBuilt()
  return { version: `${version} (${sources.slice(0, 8)})`, 'instruction set': listDevices()[0].simd }
}

/** Whether this process is none that a starter has started. */
export function mayStart(): boolean {
  return starterOf() === undefined && launchOf() === undefined
}

/** Joins the others; a process that cannot ends, though MPI may wait for ever. */
export async function joinOrEnd(options: JoinOptions): Promise<Processes | undefined> {
  try {
    return await joinProcesses(options)
  } catch (error) {
    setTimeout(() => process.exit(1), 200).unref()
    throw error
  }
}

/** Saves and ends when the process that `--processes` was given to is gone: nobody can stop the job any more. */
function endWithStarter(): void {
  const starter = starterOf()
  if (starter === undefined) return
  const timer = setInterval(() => {
    if (isAlive(starter.pid)) return
    clearInterval(timer)
    if (process.listenerCount('SIGUSR1') === 0) process.exit(1)
    process.kill(process.pid, 'SIGUSR1')
  }, 1000)
  timer.unref()
}

/** Does a process's work; whether it ends well or not, the others are told. */
export async function amongOthers(processes: Processes, work: (place: Neighbours) => Promise<void>): Promise<void> {
  const place = await Neighbours.find(processes)
  place.divideCores()
  endWithStarter()
  const watching = place.watch((rank, mayWait) => endSoon(`${processes.names[rank]} has ended without a word`, mayWait))
  processes.watch().catch((error: unknown) => endSoon((error as Error).message))
  try {
    await work(place)
    watching.stop()
    // Open MPI takes another code for a failure; the starter itself tells of the signal.
    if (starterOf()) process.exitCode = 0
    await processes.leave()
  } catch (error) {
    watching.stop()
    // All processes find the same number that is not finite.
    if (error instanceof DivergedError && processes.rank > 0) process.exit(1)
    await endAll(processes, error)
  } finally {
    // A process that waits for nobody must not wait for its device.
    setTimeout(() => process.exit(), 1000).unref()
  }
}

const goesOn = 'the same command goes on from the last snapshot'

/** Says once in a job why it ends, tells the others, and ends. */
async function endAll(processes: Processes, error: unknown): Promise<never> {
  const text = error instanceof Error ? messageOf(error, flagOf) : String(error)
  if (!wasSaid(text) && !(await isSaidBefore(processes, text))) {
    const isOwn = !(error instanceof ProcessesError)
    const advice = !isOwn && error.code === 'ERR_LOST' ? `; ${goesOn}` : ''
    clearBar()
    // First said, then told: starters end the job with the first process that ends.
    console.error(shownLine(`stylegan: ${isOwn ? `${processes.names[processes.rank]}: ` : ''}${text}${advice}`))
  }
  await processes.fail(text)
  process.exit(1)
}

/** Whether an error is what another process has told, and said itself. */
const wasSaid = (text: string) => / has ended: /.test(text)

/** Whether a process of a lower rank ends for the same reason; it is given a moment to say so. */
async function isSaidBefore(processes: Processes, text: string): Promise<boolean> {
  if (processes.rank === 0) return false
  const told = processes.watch().then(
    () => '',
    (error: unknown) => (error as Error).message,
  )
  const other = await Promise.race([told, delay(Math.min(processes.rank, 5) * 200, '')])
  const [, said] = / has ended: (.*)$/s.exec(other) ?? []
  // Long reasons are told by their beginning.
  return said !== undefined && said !== '' && text.startsWith(said.replace(/\uFFFD$/, ''))
}

/** Ends this process, unless it comes to that itself: it may wait for another. */
function endSoon(reason: string, mayWait = true): void {
  const end = () => {
    if (!wasSaid(reason)) console.error(shownLine(`stylegan: ${reason}; ${goesOn}`))
    process.exit(1)
  }
  if (mayWait) setTimeout(end, 1500).unref()
  else end()
}

/** Starters that a machine may have. */
const starters = ['mpiexec', 'mpirun']

/** The first one that is here, and what it says of itself. */
function findStarter(): { name: string; version: string } | undefined {
  for (const name of starters) {
    const { error, stdout, stderr } = spawnSync(name, ['--version'], { encoding: 'utf8' })
    if (error === undefined) return { name, version: stdout + stderr }
  }
  return undefined
}

/**
 * Starts this command as several processes, and ends as they do.
 *
 * @throws ProcessesError if there is no mpiexec
 */
export async function startProcesses(count: number): Promise<void> {
  const starter = findStarter()
  if (starter === undefined) {
    throw new ProcessesError(
      `--processes: mpiexec or mpirun is expected to start ${count} processes, got neither in PATH; install MPICH or Open MPI`,
    )
  }
  const isOpenMpi = /open ?mpi|openrte|prte/i.test(starter.version)
  const asRoot = process.getuid?.() === 0 ? ['--allow-run-as-root'] : []
  const own = isOpenMpi ? ['--oversubscribe', '--bind-to', 'none', ...asRoot] : []
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn(starter.name, ['-n', String(count), ...own, ...command], {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, [startedBy]: `${starter.name} ${process.pid}` },
  })
  let stoppedBy: NodeJS.Signals | undefined
  const stop = (signal: NodeJS.Signals) => {
    // The processes save before they end; mpiexec hands this signal on.
    child.kill(stoppedBy === undefined ? 'SIGUSR1' : 'SIGTERM')
    stoppedBy ??= signal
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, stop)
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  const by = stoppedBy ?? signal
  process.exitCode = by ? 128 + constants.signals[by] : (code ?? 1)
}
