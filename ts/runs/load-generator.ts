/** Opens trained networks for programs and commands. */
import { ImageGenerator } from '../figures/generator.ts'
import { Device } from '../native/index.ts'
import { readGenerator } from '../training/state.ts'
import { findSnapshot } from './snapshots.ts'

/**
 * Opens a trained network.
 *
 * @param path a snapshot, a folder (its newest snapshot), or a file that `stylegan import` reads
 * @param options `device`: a name such as `cpu`, `wgpu` or `auto`, or an open device; default `cpu`
 * @throws Error if no snapshot is there, SnapshotError or WeightsError if it cannot be read
 */
export async function loadGenerator(
  path: string,
  { device = 'cpu' }: { readonly device?: string | Device } = {},
): Promise<ImageGenerator> {
  const file = await findSnapshot(path)
  return new ImageGenerator(file, await readGenerator(file, typeof device === 'string' ? Device.open(device) : device))
}
