/** Pictures that the page projects into networks: each has a folder below `projections` in that of the runs. */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolders } from '../../files/make-folders.ts'
import { codeOf, diskError, writeAtomic } from '../../files/write-atomic.ts'
import { readProjected, type Projected } from '../../figures/projected.ts'
import { holderOfRun } from '../../runs/run-lock.ts'
import { commandLine } from '../commands.ts'
import type { Projection, ProjectRequest } from '../protocol.ts'
import { Fields } from './fields.ts'
import type { Jobs } from './jobs.ts'
import type { Networks } from './networks.ts'
import type { Place } from './place.ts'
import { Refused } from './refused.ts'

const FOLDER = 'projections'
/** The square that the page cut out, and what was asked for. */
const [CUT, REQUEST] = ['cut.png', 'request.json']
/** What `stylegan project` writes. */
const [PICTURE, STYLES] = ['proj.png', 'projected_w.npz']
/** Bytes of a cut square, and of its request. */
const mostBytes = 16 << 20
export const mostRequest = Math.ceil((mostBytes * 4) / 3) + 4096
const mostShown = 100
/** Pictures of how far it is, in all. */
const previews = 50
const ids = /^projections\/[\w-]{1,60}$/
const pngStart = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** What is kept of a request, to go on with it. */
type Kept = Omit<ProjectRequest, 'name' | 'target'>

export interface ProjectionsOptions {
  readonly outdir: Place
  readonly networks: Networks
  readonly jobs: Jobs
  readonly device: string
}

export class Projections {
  readonly #options: ProjectionsOptions
  /** The w that was drawn last, and of which file. */
  #known: { readonly version: string; readonly projected: Projected } | undefined

  constructor(options: ProjectionsOptions) {
    this.#options = options
  }

  /** @throws Refused if there is no such network, or the square is no PNG */
  async start({ name, target, ...kept }: ProjectRequest): Promise<{ id: string }> {
    await this.#options.networks.fileOf(kept.network)
    const bytes = Buffer.from(target, 'base64')
    if (bytes.length > mostBytes) throw new Refused(413, `target: at most ${mostBytes} bytes are expected`)
    if (!bytes.subarray(0, pngStart.length).equals(pngStart)) throw new Refused(400, 'target: a PNG is expected')
    const id = await this.#newFolder(name)
    const dir = await this.#options.outdir.inside(id)
    await writeAtomic(join(dir, CUT), bytes)
    await writeAtomic(join(dir, REQUEST), Buffer.from(JSON.stringify(kept)))
    this.#options.jobs.start(this.#words(id, kept, true), 'projection')
    return { id }
  }

  /** Makes a folder named after the picture, with a number that is free. */
  async #newFolder(name: string): Promise<string> {
    const { outdir } = this.#options
    const root = outdir.pathOf(FOLDER)
    const base = name.replaceAll(/[^\w-]+/g, '-').slice(0, 40) || 'picture'
    try {
      await makeFolders(root, 'outdir')
      await outdir.inside(FOLDER) // not where a link leads elsewhere
      for (let number = 1; ; number++) {
        const isMade = await mkdir(join(root, `${base}-${number}`)).then(
          () => true,
          (error: unknown) => {
            if (codeOf(error) === 'EEXIST') return false
            throw error
          },
        )
        if (isMade) return `${FOLDER}/${base}-${number}`
      }
    } catch (error) {
      throw diskError(root, error, 'outdir')
    }
  }

  /** What makes it, or goes on with it; watched, it also draws pictures of how far it is. */
  #words(id: string, { network, space, steps, seed, class: one }: Kept, isWatched = false): string[] {
    const { outdir, networks, device } = this.#options
    const dir = outdir.pathOf(id)
    return [
      ...['project', '--network', networks.pathOf(network), '--target', join(dir, CUT), '--space', space],
      ...['--num-steps', String(steps), '--seed', String(seed)],
      ...(one === undefined ? [] : ['--class', String(one)]),
      ...(device === 'cpu' ? [] : ['--device', device]),
      ...['--outdir', dir],
      ...(isWatched ? ['--preview', String(Math.ceil(steps / previews)), '--json'] : []),
    ]
  }

  /** The newest first. */
  async list(): Promise<Projection[]> {
    const names = await readdir(this.#options.outdir.pathOf(FOLDER)).catch(() => [])
    const found = await Promise.all(names.map((name) => this.#shown(`${FOLDER}/${name}`).catch(() => undefined)))
    const dated = found.filter((one) => one !== undefined).sort((a, b) => b.began - a.began)
    return dated.slice(0, mostShown).map(({ projection }) => projection)
  }

  async #shown(id: string): Promise<{ projection: Projection; began: number }> {
    const { dir, kept } = await this.#read(id)
    const { network, space, steps } = kept
    const picture = await stat(join(dir, PICTURE)).catch(() => undefined)
    const isDone = (await stat(join(dir, STYLES)).catch(() => undefined)) !== undefined
    const watched = commandLine(this.#words(id, kept, true))
    const job = this.#options.jobs.list().findLast(({ command }) => command === watched)
    const state = job?.state === 'running' || holderOfRun(dir) ? 'running' : isDone ? 'done' : 'stopped'
    const version = Math.round((picture?.mtimeMs ?? 0) * 1000)
    const command = commandLine(this.#words(id, kept))
    const began = (await stat(join(dir, REQUEST))).mtimeMs
    return { projection: { id, network, state, space, steps, command, job: job?.id, version }, began }
  }

  /** @throws Refused if there is no such projection */
  async #read(id: string): Promise<{ dir: string; kept: Kept }> {
    if (!ids.test(id)) throw new Refused(404, 'a projection is expected, got none')
    const dir = await this.#options.outdir.inside(id)
    const file = await this.#options.outdir.inside(`${id}/${REQUEST}`)
    return { dir, kept: readKept(Fields.parse(await readFile(file, 'utf8'))) }
  }

  /** @throws Refused if it runs, or is done */
  async goOn(id: string): Promise<void> {
    const { dir, kept } = await this.#read(id)
    if (holderOfRun(dir)) throw new Refused(409, `${id} goes on already`)
    this.#options.jobs.start(this.#words(id, kept, true), 'projection')
  }

  /** @throws Refused if nothing works there, or on another machine */
  async stop(id: string): Promise<void> {
    const { dir } = await this.#read(id)
    const holder = holderOfRun(dir)
    if (!holder) throw new Refused(409, `${id}: nothing works there; it may be done`)
    if (!holder.isHere) throw new Refused(409, `${id} is made on another machine; stop it there`)
    this.#options.jobs.interrupt(dir, holder.pid)
  }

  /** What was cut out, or the picture that was found so far. */
  async picture(id: string, name: string): Promise<Uint8Array> {
    await this.#read(id)
    const file = name === 'cut' ? CUT : PICTURE
    const path = await this.#options.outdir.inside(`${id}/${file}`)
    return readFile(path)
  }

  /** The w of a projection. */
  async projected(id: string): Promise<Projected> {
    if (!ids.test(id)) throw new Refused(400, 'projected: a projection is expected')
    const path = await this.#options.outdir.inside(`${id}/${STYLES}`)
    const { mtimeMs, size } = await stat(path)
    const version = `${path} ${mtimeMs} ${size}`
    if (this.#known?.version !== version) this.#known = { version, projected: await readProjected(path) }
    return this.#known.projected
  }
}

/** The request of a page. */
export function readProjection(fields: Fields): ProjectRequest {
  return { name: fields.text('name', 200), target: fields.text('target', mostRequest), ...readKept(fields) }
}

function readKept(fields: Fields): Kept {
  return {
    network: fields.text('network'),
    space: fields.oneOf('space', ['w', 'w+']),
    steps: fields.number('steps', { least: 1, most: 10_000, whole: true }),
    seed: fields.number('seed', { least: 0, most: 2 ** 32 - 1, whole: true }),
    class: fields.has('class') ? fields.number('class', { least: 0, most: 2 ** 14, whole: true }) : undefined,
  }
}
