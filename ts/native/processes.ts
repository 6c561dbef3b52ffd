/** The processes of an MPI job as one of them sees them; the addon's thread makes all calls of MPI. */
import { native, wait, type Native } from './addon.ts'
import { Tensor } from './tensor.ts'

/** The processes that MPI has started together. All must ask for the same things in the same order. */
export class Processes {
  readonly #group: Native.NativeGroup
  /** Name of the MPI library. */
  readonly library: string

  private constructor(group: Native.NativeGroup, library: string) {
    this.#group = group
    this.library = library
  }

  /**
   * Joins the job that this process was started for.
   *
   * @param library file name of an MPI library
   * @param ownName how errors of the others name this process
   * @param timeoutMs how long another process may give no sign of life
   * @returns why, if the library cannot be loaded
   * @throws ProcessesError if MPI refuses, or a process is lost
   */
  static async join(library: string, ownName: string, timeoutMs: number): Promise<Processes | string> {
    try {
      return new Processes(await wait(() => native.joinGroup(library, ownName, timeoutMs)), library)
    } catch (error) {
      const [, text] = /^ERR_MPI_LIBRARY: (.*)$/s.exec((error as Error).message) ?? []
      if (text === undefined) throw error
      return text
    }
  }

  /** Number of this process, from 0. */
  get rank(): number {
    return this.#group.rank
  }

  get size(): number {
    return this.#group.size
  }

  /** What the MPI library says of itself. */
  get version(): string {
    return this.#group.version
  }

  /** All processes, by rank: "rank 2 (…)". */
  get names(): readonly string[] {
    return this.#group.names
  }

  /**
   * Replaces the elements of a tensor of f32 by the sum over the processes.
   *
   * @param counts leaves of the tree that each process has added already, by rank
   */
  sum(elements: Tensor, counts: readonly number[]): Promise<void> {
    return wait(() => native.sumOverGroup(Tensor.handle(elements), [...counts]))
  }

  /** The bytes of every process, by rank. */
  gather(bytes: Uint8Array): Promise<Uint8Array[]> {
    return wait(() => native.gatherFromGroup(bytes))
  }

  /** Rejected with a {@link ProcessesError} as soon as a process is lost; resolved when all have parted. */
  watch(): Promise<void> {
    return wait(() => native.watchGroup())
  }

  /** Tells the others why this process ends. */
  fail(reason: string): Promise<void> {
    return wait(() => native.failGroup(reason))
  }

  /** Waits for the others, and parts. */
  leave(): Promise<void> {
    return wait(() => native.leaveGroup())
  }
}

/** A value of every process, by rank. */
export async function gatherJson<T>(processes: Processes, value: T): Promise<T[]> {
  const all = await processes.gather(Buffer.from(JSON.stringify(value)))
  return all.map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as T)
}

/** What the first process makes; all get it. */
export async function ofFirst<T>(processes: Processes | undefined, make: () => T | Promise<T>): Promise<T> {
  if (processes === undefined) return make()
  const [first] = await gatherJson(processes, processes.rank === 0 ? await make() : null)
  return first as T
}

/** Whether something is so in any process. */
export async function anyOf(processes: Processes | undefined, isSo: boolean): Promise<boolean> {
  return processes === undefined ? isSo : (await gatherJson(processes, isSo)).includes(true)
}
