/** A data set and networks so small that a test can train on them. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConfigOverrides } from '../../ts/training/config.ts'
import { encodePng, Rng } from '../../ts/native/index.ts'
import type { NetworkOptions } from '../../ts/networks/params.ts'
import { folder } from './folder.ts'

export const tinyConfig = {
  resolution: 8,
  batch: 8,
  kimg: 0.096,
  tick: 0.032,
  snap: 1,
  metrics: 'none',
  fmapBase: 32,
  fmapMax: 8,
  latentSize: 8,
  mappingLayers: 2,
  lodInitialResolution: 4,
  lodTrainingKimg: 0.032,
  lodTransitionKimg: 0.032,
} satisfies ConfigOverrides

/** Networks of 8×8 images; a test of growing spreads a larger resolution over them. */
export const tinyNetwork: NetworkOptions = {
  resolution: 8,
  numChannels: 3,
  fmapBase: 16,
  fmapDecay: 1,
  fmapMax: 4,
  latentSize: 8,
  dlatentSize: 8,
  mappingLayers: 2,
  mappingFmaps: 8,
  mappingLrmul: 0.01,
  labelSize: 0,
  mbstdGroup: 4,
  fusedScale: 'auto',
}

let made: Promise<string> | undefined

/** A folder of 20 PNG files of 8×8 coloured noise, the same for every test of a file. */
export function tinyDataset(): Promise<string> {
  return (made ??= (async () => {
    const dir = await folder()
    const rng = new Rng(5)
    for (let i = 0; i < 20; i++) {
      const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, () => rng.nextInteger(0, 256))
      await writeFile(join(dir, `${i}.png`), await encodePng(pixels, 8, 8, 3))
    }
    return dir
  })())
}
