/** Networks of other files than our snapshots: to draw with, and as a start of training. */
import { createImported, openCheckpoint } from '../checkpoints/index.ts'
import { WeightsError } from '../files/weights.ts'
import type { Device } from '../native/index.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { frozen, type Network, type NetworkOptions } from '../networks/params.ts'

/** A generator for pictures. */
export interface LoadedGenerator {
  readonly Gs: Network
  readonly options: NetworkOptions
  readonly classes: readonly string[]
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass?: boolean | undefined
  /** Rows that pictures show. */
  readonly height: number
  readonly nimg: number
  /** Level of detail that training has reached; 0 is the full resolution. */
  readonly lod?: number
  /** What wrote an imported network, and its licence. */
  readonly origin?: Origin | undefined
}

/** Where a network comes from that this program did not train from the start. */
export interface Origin {
  readonly what: string
  readonly licence: string
}

/**
 * The generator of a file that `openCheckpoint` reads, for pictures.
 *
 * @throws WeightsError if it cannot be read, or holds a discriminator alone
 */
export async function importGenerator(path: string, device: Device): Promise<LoadedGenerator> {
  const { Gs, options, lod, classes, oneClass, what, licence } = await openCheckpoint([path])
  if (Gs === undefined) throw new WeightsError(`${path}: a generator is expected, it holds a discriminator alone`)
  const network = createImported(device, generatorSpecs(options), Gs, options)
  const height = options.resolution
  const origin = { what, licence }
  const drawn = { ...network, params: frozen(network.params) }
  return { Gs: drawn, options, classes, oneClass, lod, height, nimg: 0, origin }
}
