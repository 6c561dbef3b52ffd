/** Opens trained networks for programs and commands. */
import { ImageGenerator } from '../figures/generator.ts'
import { checkKeys, checkText } from '../files/keys.ts'
import type { CustomLayer } from '../networks/params.ts'
import { Device } from '../native/index.ts'
import { readGenerator } from '../training/state.ts'
import { findSnapshot } from './snapshots.ts'

/** Where a network is drawn, and what it needs for that. */
export interface LoadOptions {
  /** A name such as `cpu`, `wgpu` or `auto`, or an open device; `cpu` by default. */
  readonly device?: string | Device
  /** The layer of a program, if the network was trained with one. */
  readonly layer?: CustomLayer | undefined
}

/**
 * Opens a trained network.
 *
 * @param path a snapshot, a folder (its newest snapshot), a file that `stylegan import` reads, or `avatars`, the built-in network
 * @throws RangeError for an unknown option, Error if no snapshot is there, SnapshotError or WeightsError if it cannot be read
 */
export async function loadGenerator(path: string, options: LoadOptions = {}): Promise<ImageGenerator> {
  checkText(path, 'network', 'the path of a network')
  checkKeys(options, ['device', 'layer'] satisfies (keyof LoadOptions)[], 'option')
  const { device = 'cpu', layer } = options
  const file = await findSnapshot(path)
  const opened = device instanceof Device ? device : Device.open(device)
  return new ImageGenerator(file, await readGenerator(file, opened, layer))
}
