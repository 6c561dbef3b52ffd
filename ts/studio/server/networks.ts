/** Networks to explore: snapshots of runs, and files that `stylegan import` reads. */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isGeneratorNpz } from '../../checkpoints/own.ts'
import { isDirectionsFile } from '../../figures/directions.ts'
import { defaultPsi, type ImageGenerator } from '../../figures/generator.ts'
import { configurationOf } from '../../networks/configurations.ts'
import { numLayers } from '../../networks/params.ts'
import { builtInNames, builtInNetwork } from '../../runs/built-in.ts'
import { snapshotsIn } from '../../runs/snapshots.ts'
import type { NetworkFile, NetworkInfo } from '../protocol.ts'
import type { Place } from './place.ts'
import { Refused } from './refused.ts'

/** Begins the name of a network below the data root. */
const DATA = 'data:'
/** Begins the name of a network of the package. */
const BUILT_IN = 'built-in:'
/** How files of networks of other programs end. */
const importable = /\.(pkl|pth|pt|model|npz|safetensors)$/i
/** Files of ours that are no networks to draw with. */
const isOther = (name: string) => isDirectionsFile(name) || /^(classifier-.*|projection)\.safetensors$/.test(name)
const mostFiles = 500

export class Networks {
  readonly #outdir: Place
  readonly #dataRoot: Place | undefined

  constructor(outdir: Place, dataRoot: Place | undefined) {
    this.#outdir = outdir
    this.#dataRoot = dataRoot
  }

  /** @throws Refused unless it is a file below the studio's folders */
  async fileOf(network: string): Promise<string> {
    const own = network.startsWith(BUILT_IN) ? builtInNetwork(network.slice(BUILT_IN.length)) : undefined
    if (own !== undefined) return own
    if (!network.startsWith(DATA)) return this.#outdir.inside(network)
    if (!this.#dataRoot) throw new Refused(404, `${network}: the studio was started without --data-root`)
    return this.#dataRoot.inside(network.slice(DATA.length))
  }

  /** Whether it lies in a folder of the studio, where files may be put beside it. */
  isOwn(network: string): boolean {
    return !network.startsWith(BUILT_IN)
  }

  /** How a command names it. */
  pathOf(network: string): string {
    if (network.startsWith(BUILT_IN)) return network.slice(BUILT_IN.length)
    return network.startsWith(DATA)
      ? (this.#dataRoot?.pathOf(network.slice(DATA.length)) ?? network)
      : this.#outdir.pathOf(network)
  }

  /** Snapshots of the runs, newest first, then other files, in the folders of the studio and one level below. */
  async list(runs: readonly string[]): Promise<NetworkFile[]> {
    const found: NetworkFile[] = []
    const add = (network: string, title: string, group: string) =>
      found.push({ network, path: this.pathOf(network), title, group })
    for (const run of runs) {
      for (const { path, kimg } of await snapshotsIn(await this.#outdir.inside(run).catch(() => ''))) {
        const network = `${run}/${basename(path)}`
        if (await this.#outdir.inside(network).catch(() => undefined)) add(network, `${kimg} kimg`, run)
      }
    }
    for (const name of await filesIn(this.#outdir.given)) add(name, name, 'Files')
    if (this.#dataRoot) for (const name of await filesIn(this.#dataRoot.given)) add(DATA + name, name, 'Files')
    found.length = Math.min(found.length, mostFiles)
    for (const name of builtInNames) add(BUILT_IN + name, name, 'Built in')
    return found
  }

  /** What the page must know of an open network. */
  infoOf(network: string, G: ImageGenerator): NetworkInfo {
    const { options, classes, height, origin, nimg } = G
    const has = configurationOf(options)
    return {
      network,
      path: this.pathOf(network),
      outdir: this.#outdir.given,
      resolution: options.resolution,
      height,
      layers: numLayers(options.resolution),
      classes,
      labelSize: options.labelSize,
      hasStyles: !has.traditional,
      hasNoise: has.noise,
      canTruncate: options.config !== 'A',
      defaultPsi: defaultPsi(options),
      kimg: nimg / 1000,
      origin: origin && { what: origin.what, licence: origin.licence },
    }
  }
}

/** Files of networks in a folder and one below. Snapshots of runs are listed with their runs. */
async function filesIn(root: string): Promise<string[]> {
  const found: string[] = []
  const add = async (name: string) => {
    if (!importable.test(name) || isOther(basename(name))) return
    // Most are images, statistics, or the w of a picture.
    const isNpz = name.toLowerCase().endsWith('.npz')
    if (!isNpz || (await isGeneratorNpz(join(root, name)).catch(() => false))) found.push(name)
  }
  for (const entry of await readdir(root, { withFileTypes: true }).catch(() => [])) {
    if (entry.name.startsWith('.')) continue
    if (entry.isFile()) await add(entry.name)
    if (!entry.isDirectory()) continue
    for (const inner of await readdir(join(root, entry.name), { withFileTypes: true }).catch(() => [])) {
      const { name } = inner
      if (inner.isFile() && !name.startsWith('network-snapshot-')) await add(`${entry.name}/${name}`)
    }
  }
  return found.sort()
}
