/** `stylegan info`: what a snapshot holds. */
import { Command } from 'commander'
import { layerTable } from '../networks/layer-table.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { isCheckpoint, openCheckpoint, type Checkpoint } from '../checkpoints/index.ts'
import { readMetadata } from '../files/safetensors.ts'
import { trainingMetadata } from '../training/snapshot-metadata.ts'
import { shown } from '../files/shown.ts'
import { describeSemantics } from '../networks/semantics.ts'
import { findSnapshot } from '../runs/snapshots.ts'

export function infoCommand(): Command {
  return new Command('info')
    .description('Print the layers of a snapshot and how it was trained.')
    .argument('<snapshot>', 'snapshot, or a folder: its newest snapshot')
    .action(run)
}

async function describeCheckpoint(path: string): Promise<string> {
  const checkpoint = await openCheckpoint([path])
  const { options, D } = checkpoint
  const tables = [layerTable('G', generatorSpecs(options), options)]
  if (D) tables.push(layerTable('D', discriminatorSpecs(options), options))
  return [checkpointText(path, checkpoint), ...tables].join('\n\n')
}

/** What a checkpoint is, for people. */
export function checkpointText(path: string, checkpoint: Checkpoint): string {
  const { what, licence, sha256, options, lod, Gs, G, D, classes, notes } = checkpoint
  const { config = 'F', resolution, numChannels, labelSize, semantics } = options
  const networks = Object.entries({ Gs, G, D }).filter(([, weights]) => weights !== undefined)
  const differs = describeSemantics(semantics)
  return [
    `File           ${shown(path)}`,
    `SHA-256        ${sha256}`,
    `Written by     ${what}`,
    `Licence        ${licence}`,
    `Networks       ${networks.map(([name]) => name).join(', ')}`,
    `Configuration  ${config}, ${resolution}x${resolution}x${numChannels}, ${labelSize} classes, lod ${lod.toFixed(2)}`,
    ...(classes.length > 0 ? [`Classes        ${classes.map((name, i) => `${i} ${shown(name)}`).join(', ')}`] : []),
    ...(differs ? [`Differs in     ${differs}`] : []),
    ...notes.map((note) => `Note           ${note}`),
  ].join('\n')
}

async function run(snapshot: string): Promise<void> {
  const path = await findSnapshot(snapshot)
  if (await isCheckpoint(path)) {
    console.log(await describeCheckpoint(path))
    return
  }
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
