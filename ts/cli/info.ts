/** `stylegan info`: what a snapshot or a checkpoint holds. */
import { Command } from 'commander'
import { layerRows, layerTable } from '../networks/layer-table.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import { isCheckpoint, openCheckpoint, type Checkpoint } from '../checkpoints/index.ts'
import { readMetadata } from '../files/safetensors.ts'
import { trainingMetadata, type SnapshotMetadata } from '../training/snapshot-metadata.ts'
import { shown } from '../files/shown.ts'
import { formatKimg, plural } from '../files/units.ts'
import { describeSemantics } from '../networks/semantics.ts'
import type { NetworkOptions } from '../networks/params.ts'
import { findSnapshot } from '../runs/snapshots.ts'
import { sayJson } from './arguments.ts'

interface Options {
  network?: string
  json?: boolean
}

export function infoCommand(): Command {
  return new Command('info')
    .description('Print the layers of a snapshot and how it was trained.')
    .argument('[path]', 'snapshot, or a folder: its newest snapshot')
    .option('--network <path>', 'the same, as other commands have it')
    .option('--json', 'as JSON, for programs')
    .addHelpText('after', '\nExamples:\n  $ stylegan info results\n  $ stylegan info results --json')
    .action(run)
}

async function run(path: string | undefined, { network, json = false }: Options): Promise<void> {
  if ((path === undefined) === (network === undefined)) {
    const got = path === undefined ? 'none' : 'both'
    throw new RangeError(`--network: one snapshot or folder is expected, got ${got}; as in stylegan info results`)
  }
  const file = await findSnapshot(path ?? network!)
  if (await isCheckpoint(file)) {
    const checkpoint = await openCheckpoint([file])
    if (json) sayJson(checkpointJson(file, checkpoint))
    else console.log(checkpointTables(file, checkpoint))
    return
  }
  const metadata = trainingMetadata(file, { metadata: await readMetadata(file) })
  if (json) sayJson(snapshotJson(file, metadata))
  else console.log(snapshotText(file, metadata))
}

function checkpointTables(path: string, checkpoint: Checkpoint): string {
  const { options, D } = checkpoint
  const tables = [layerTable('G', generatorSpecs(options), options)]
  if (D) tables.push(layerTable('D', discriminatorSpecs(options), options))
  return [checkpointText(path, checkpoint), ...tables].join('\n\n')
}

/** What a checkpoint is, for people. */
export function checkpointText(path: string, checkpoint: Checkpoint): string {
  const { what, licence, published, sha256, options, lod, classes, notes } = checkpoint
  const { config = 'F', resolution, numChannels, labelSize, semantics } = options
  const differs = describeSemantics(semantics)
  return [
    `File           ${shown(path)}`,
    `SHA-256        ${sha256}`,
    ...(published ? [`Published as   ${published}`] : []),
    `Written by     ${what}`,
    `Licence        ${licence}`,
    `Networks       ${networksOf(checkpoint).join(', ')}`,
    `Configuration  ${config}, ${resolution}x${resolution}x${numChannels}, ${labelSize} ${plural(labelSize, 'class', 'classes')}, lod ${lod.toFixed(2)}`,
    ...classesLine(classes),
    ...(differs ? [`Differs in     ${differs}`] : []),
    ...notes.map((note) => `Note           ${note}`),
  ].join('\n')
}

function snapshotText(path: string, { network, classes, position }: SnapshotMetadata): string {
  const { config = 'F', resolution, numChannels, labelSize } = network
  const { nimg, step, lod } = position
  return [
    `Snapshot       ${shown(path)}`,
    `Configuration  ${config}, ${resolution}x${resolution}x${numChannels}, ${labelSize} ${plural(labelSize, 'class', 'classes')}`,
    ...classesLine(classes),
    `Trained        ${formatKimg(nimg)} kimg, ${step} ${plural(step, 'step')}, lod ${lod.toFixed(2)}`,
    `\n${layerTable('G', generatorSpecs(network), network)}`,
    `\n${layerTable('D', discriminatorSpecs(network), network)}`,
  ].join('\n')
}

const classesLine = (classes: readonly string[]) =>
  classes.length > 0 ? [`Classes        ${classes.map((name, i) => `${i} ${shown(name)}`).join(', ')}`] : []

function networksOf({ Gs, G, D }: Checkpoint): string[] {
  return Object.entries({ Gs, G, D }).flatMap(([name, weights]) => (weights === undefined ? [] : [name]))
}

/** docs/json.md says what each field is. */
function snapshotJson(file: string, { network, classes, position, config }: SnapshotMetadata) {
  const { nimg, step, lod, seconds } = position
  const layers = layersJson(network, ['G', 'D'])
  return { kind: 'snapshot', file, network, classes, nimg, step, lod, seconds, training: config, layers }
}

function checkpointJson(file: string, checkpoint: Checkpoint) {
  const { sha256, published, what, licence, options: network, classes, lod, notes } = checkpoint
  const networks = networksOf(checkpoint)
  const layers = layersJson(network, networks.includes('D') ? ['G', 'D'] : ['G'])
  const of = { sha256, published: published ?? null, writtenBy: what, licence }
  return { kind: 'checkpoint', file, ...of, networks, network, classes, lod, notes, layers }
}

function layersJson(options: NetworkOptions, networks: readonly ('G' | 'D')[]) {
  const specs = { G: generatorSpecs, D: discriminatorSpecs }
  return Object.fromEntries(networks.map((name) => [name, layerRows(specs[name](options), options)]))
}
