/** `stylegan info`: what a snapshot holds. */
import { Command } from 'commander'
import { layerTable } from '../networks/layer-table.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { readMetadata } from '../files/safetensors.ts'
import { trainingMetadata } from '../training/snapshot-metadata.ts'
import { shown } from '../files/shown.ts'
import { findSnapshot } from './arguments.ts'

export function infoCommand(): Command {
  return new Command('info')
    .description('Print the layers of a snapshot and how it was trained.')
    .argument('<snapshot>', 'snapshot, or a folder: its newest snapshot')
    .action(run)
}

async function run(snapshot: string): Promise<void> {
  const path = await findSnapshot(snapshot)
  const metadata = await readMetadata(path)
  const { network, classes, position } = trainingMetadata(path, { metadata })
  const { config = 'F', resolution, numChannels, labelSize } = network
  console.log(`Snapshot       ${path}`)
  console.log(`Configuration  ${config}, ${resolution}x${resolution}x${numChannels}, ${labelSize} classes`)
  if (classes.length > 0) console.log(`Classes        ${classes.map((name, i) => `${i} ${shown(name)}`).join(', ')}`)
  console.log(
    `Trained        ${(position.nimg / 1000).toFixed(1)} kimg, ${position.step} steps, lod ${position.lod.toFixed(2)}`,
  )
  console.log(`\n${layerTable('G', generatorSpecs(network), network)}`)
  console.log(`\n${layerTable('D', discriminatorSpecs(network), network)}`)
}
