/** A classifier of an attribute that nobody would see in the noise of the tiny data set. */
import { join } from 'node:path'
import { openDataset } from '../../ts/data/dataset.ts'
import { classifierName, saveClassifier, trainClassifier } from '../../ts/metrics/classifier.ts'
import { Device } from '../../ts/native/index.ts'
import { folder } from './folder.ts'
import { tinyDataset } from './tiny.ts'

/** Trains one into a folder; its file. */
export async function tinyClassifier(dir: string, attribute: string): Promise<string> {
  const prepare = { data: await tinyDataset(), cache: await folder(), resolution: 8, channels: 3, skipBad: false }
  const dataset = await openDataset(prepare)
  const values = Uint8Array.from({ length: dataset.info.count }, (_, i) => i % 2)
  const size = { resolution: 8, numChannels: 3, fmapBase: 32, fmapMax: 8 }
  const options = { ...size, kimg: 0.032, batch: 8, rate: 1e-3, mirror: false, seed: 0 }
  const path = join(dir, classifierName(attribute))
  await saveClassifier(path, await trainClassifier(Device.open('cpu'), dataset, attribute, values, options))
  return path
}
