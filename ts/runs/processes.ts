/** Training as one of several processes that mpirun, mpiexec or srun has started. */
import { availableParallelism, cpus, hostname } from 'node:os'
import { existsSync, fstatSync, readlinkSync } from 'node:fs'
import { isAlive } from '../files/lock.ts'
import { shown, shownLine } from '../files/shown.ts'
import { gatherJson, Processes, ProcessesError } from '../native/index.ts'

/** Seconds without a sign of life after which another process counts as lost. */
export const defaultTimeoutSec = 60

/** Variables by name. */
type Environment = Readonly<Record<string, string | undefined>>

/** What `--processes` tells the processes that it starts, so that none of them starts more: a program and the number of ours. */
export const startedBy = 'STYLEGAN_STARTED_BY'

/** Who has started this process for `--processes`. */
export function starterOf(env: Environment = process.env): { name: string; pid: number } | undefined {
  const [, name, pid] = /^(\S+) (\d+)$/.exec(env[startedBy] ?? '') ?? []
  return name === undefined ? undefined : { name, pid: Number(pid) }
}

/** What started this process, if it is one of several. */
export interface Launch {
  readonly by: string
  /** Processes that were started, where that is known before MPI is asked. */
  readonly size: number | undefined
  /** File names of the MPI libraries that belong to it, the likeliest first. */
  readonly libraries: readonly string[]
}

const endings: Partial<Record<NodeJS.Platform, readonly [mpich: string[], openMpi: string[], standard: string[]]>> = {
  darwin: [['libmpi.12.dylib', 'libmpich.12.dylib'], ['libmpi.40.dylib'], ['libmpi_abi.0.dylib', 'libmpi_abi.dylib']],
  win32: [['msmpi.dll', 'impi.dll'], [], ['mpi_abi.dll']],
}
const [mpich, openMpi, standard] = endings[process.platform] ?? [
  ['libmpi.so.12', 'libmpich.so.12'],
  ['libmpi.so.40'],
  ['libmpi_abi.so.1', 'libmpi_abi.so.0', 'libmpi_abi.so'],
]

/** Looks for the variables that starters of MPI jobs set. */
export function launchOf(env: Environment = process.env): Launch | undefined {
  const count = (name: string) => (env[name] === undefined ? undefined : Number(env[name]))
  const inSlurm = env['SLURM_STEP_NUM_TASKS'] !== undefined
  const by = starterOf(env)?.name ?? (inSlurm ? 'srun' : 'mpirun')
  const all = [...mpich, ...openMpi, ...standard]
  const launches: [isSo: boolean, Launch][] = [
    [
      env['OMPI_COMM_WORLD_RANK'] !== undefined,
      { by, size: count('OMPI_COMM_WORLD_SIZE'), libraries: [...openMpi, ...standard, ...mpich] },
    ],
    // MPICH's hydra, Intel MPI, and Slurm's pmi2.
    [env['PMI_RANK'] !== undefined, { by, size: count('PMI_SIZE'), libraries: [...mpich, ...standard, ...openMpi] }],
    [
      env['PMIX_RANK'] !== undefined,
      { by, size: count('SLURM_STEP_NUM_TASKS'), libraries: [...openMpi, ...standard, ...mpich] },
    ],
    [inSlurm, { by, size: count('SLURM_STEP_NUM_TASKS'), libraries: all }],
  ]
  const launch = launches.find(([isSo]) => isSo)?.[1]
  return launch?.size === 1 ? undefined : launch
}

/** The variables for a program that is no process of the job: without those by which it would take itself for one. */
export function outsideJob(env: Environment = process.env): Record<string, string | undefined> {
  const ofJob = /^(OMPI_COMM_WORLD_|PMI_|PMIX_|MPI_LOCAL|SLURM_STEP_|SLURM_PROCID$)/
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== startedBy && !ofJob.test(name)))
}

/** How a process joins the others of its job. */
export interface JoinOptions {
  /** An MPI library, in place of those that are looked for. */
  readonly library?: string | undefined
  readonly timeoutSec?: number | undefined
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * Joins the others, if this process was started as one of several.
 *
 * @throws ProcessesError if no MPI library can be used, or it does not belong to what started the processes
 */
export async function joinProcesses({
  library,
  timeoutSec = defaultTimeoutSec,
  env = process.env,
}: JoinOptions = {}): Promise<Processes | undefined> {
  const launch = launchOf(env)
  const starter = starterOf(env)
  if (launch === undefined) {
    if (starter === undefined) return undefined
    throw new ProcessesError(
      `--processes: ${starter.name} is expected to tell its processes that they are several, it did not; install MPICH or Open MPI`,
    )
  }
  checkConnection(env)
  // UCX, which MPI libraries send with, exchanges brk in the running program to hear of memory that is given back. With UCX 1.13 one of
  // a hundred processes then lost the end of its heap. Without it only what is sent by RDMA costs more.
  process.env['UCX_MEM_EVENTS'] ??= 'n'
  const named = library ?? env['STYLEGAN_MPI']
  const tried: string[] = []
  for (const name of named ? [named] : launch.libraries) {
    const joined = await joinBy(name, timeoutSec)
    if (typeof joined === 'string') tried.push(named ? joined : name)
    else return checkedSize(joined, launch)
  }
  const looked = named ? whyNot(named, tried[0]!) : `none of ${tried.join(', ')} can be loaded`
  const several = launch.size === undefined ? 'several' : String(launch.size)
  throw new ProcessesError(
    shownLine(
      `an MPI library is expected, since ${launch.by} has started ${several} processes${starter ? ' for --processes' : ''}, but ${looked}; install the one that ${launch.by} belongs to, or name its file with --mpi-library or STYLEGAN_MPI`,
    ),
  )
}

/** npx and npm close what MPICH's starter talks through, and the library then fails without saying so. */
function checkConnection(env: Environment): void {
  const connection = env['PMI_FD']
  if (connection === undefined) return
  try {
    if (fstatSync(Number(connection)).isSocket()) return
  } catch {
    // It is closed.
  }
  throw new ProcessesError(
    shownLine(
      `PMI_FD: an open connection to mpirun is expected, file descriptor ${connection} is none, since npx and npm do not pass it on; start node_modules/.bin/stylegan in place of npx stylegan`,
    ),
  )
}

/** Why a library cannot be loaded; loaders do not tell. */
function whyNot(name: string, text: string): string {
  if (!text.endsWith('dlopen failed')) return text
  if (!name.includes('/')) return `${name}: no library of this name is found`
  return existsSync(name)
    ? `${name}: it is no library for this processor, or one that it needs is not found`
    : `${name}: there is no such file`
}

/** MPI itself waits for ever for a process that never comes. */
async function joinBy(name: string, timeoutSec: number): Promise<Processes | string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = new ProcessesError(
      `${name}: all processes are expected to join within ${timeoutSec} seconds, some did not; see what the others say, or raise --timeout`,
    )
    timer = setTimeout(() => reject(error), timeoutSec * 1000)
  })
  const joining = Processes.join(name, `${hostname()}, process ${process.pid}`, timeoutSec * 1000)
  return Promise.race([joining, late]).finally(() => clearTimeout(timer))
}

async function checkedSize(processes: Processes, { by, size }: Launch): Promise<Processes> {
  if (size === undefined || size === processes.size) return processes
  const remedy =
    by === 'srun'
      ? "use srun's --mpi=pmix or --mpi=pmi2, whichever this library knows"
      : `name the library that belongs to ${by} with --mpi-library`
  throw new ProcessesError(
    `${processes.library}: ${size} processes are expected, as ${by} has started them, MPI sees ${processes.size}; ${remedy}`,
  )
}

/**
 * Compares facts that must be the same everywhere.
 *
 * @throws ProcessesError in all processes, naming the first one that differs from rank 0, and in what
 */
export async function checkSame(processes: Processes, facts: Readonly<Record<string, string>>): Promise<void> {
  const [first, ...others] = await gatherJson(processes, facts)
  for (const [i, other] of others.entries()) {
    const keys = Object.keys({ ...first, ...other }).filter((key) => first![key] !== other[key])
    if (keys.length === 0) continue
    const differences = keys.map(
      (key) => `${key} ${shown(first![key] ?? 'not given')} there, ${shown(other[key] ?? 'not given')} here`,
    )
    throw new ProcessesError(
      `${processes.names[i + 1]}: the same as of rank 0 is expected, got ${differences.join('; ')}; start all processes with the same program, options and files`,
    )
  }
}

/** Where a process runs. */
interface Place {
  readonly host: string
  readonly pid: number
  /** Numbers of processes mean something in one namespace alone. */
  readonly namespace: string
}

function ownPlace(): Place {
  let namespace = ''
  try {
    namespace = readlinkSync('/proc/self/ns/pid')
  } catch {
    // Other systems than Linux have no namespaces.
  }
  return { host: hostname(), pid: process.pid, namespace }
}

/** The processes of this machine, and which of them this one is. */
export class Neighbours {
  readonly #places: readonly Place[]
  readonly #rank: number

  private constructor(places: readonly Place[], rank: number) {
    this.#places = places
    this.#rank = rank
  }

  static async find(processes: Processes): Promise<Neighbours> {
    return new Neighbours(await gatherJson(processes, ownPlace()), processes.rank)
  }

  get #own(): Place {
    return this.#places[this.#rank]!
  }

  get hosts(): number {
    return new Set(this.#places.map(({ host }) => host)).size
  }

  /** Number of this process among those of its machine. */
  get localRank(): number {
    return this.#places.slice(0, this.#rank).filter(({ host }) => host === this.#own.host).length
  }

  get count(): number {
    return this.#places.filter(({ host }) => host === this.#own.host).length
  }

  /** Divides the cores among the processes of a machine, unless whoever started them did. */
  divideCores(): void {
    const isBound = availableParallelism() < cpus().length
    if (this.count === 1 || isBound) return
    process.env['RAYON_NUM_THREADS'] ??= String(Math.max(1, Math.floor(availableParallelism() / this.count)))
  }

  /**
   * Looks whether those of this machine live, which takes no timeout.
   *
   * @param onEnd called with the rank of one that does not; without time to wait where whoever started them is ending all
   */
  watch(onEnd: (rank: number, mayWait: boolean) => void): { stop(): void } {
    const { host, namespace, pid: own } = this.#own
    const near = [...this.#places.entries()].filter(([, place]) => {
      return place.host === host && place.namespace === namespace && place.pid !== own
    })
    const look = (mayWait: boolean) => {
      const gone = near.find(([, { pid }]) => !isAlive(pid))
      if (gone) onEnd(gone[0], mayWait)
    }
    const timer = setInterval(() => look(true), 250)
    timer.unref()
    const ending = () => look(false)
    process.on('SIGTERM', ending)
    const stop = () => {
      clearInterval(timer)
      process.off('SIGTERM', ending)
    }
    return { stop }
  }
}
