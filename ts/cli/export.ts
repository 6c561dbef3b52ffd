/** `stylegan export`: a generator for other programs. */
import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { writeGenerator } from '../checkpoints/index.ts'
import { Device } from '../native/index.ts'
import { readGenerator } from '../training/state.ts'
import { findSnapshot } from '../runs/snapshots.ts'
import { makeFolder } from './arguments.ts'
import { checkOutput } from './outputs.ts'

/** Draws an exported file with PyTorch. */
const torchModule = 'stylegan_torch.py'

interface Options {
  network: string
  format: 'safetensors' | 'npz'
  output?: string
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Write the generator of a network for other programs, under the official names.')
    .requiredOption('--network <path>', 'snapshot, a folder with one, or a checkpoint of another code base')
    .addOption(
      new Option('--format <name>', `safetensors, with ${torchModule} that draws it in PyTorch; or npz, for NumPy`)
        .choices(['safetensors', 'npz'])
        .default('safetensors'),
    )
    .option(
      '--output <file>',
      'where it goes, a name that ends as its format (default out/network.safetensors or .npz)',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ stylegan export --network results --output out/faces.safetensors
  $ python out/${torchModule} out/faces.safetensors --seeds 0,1,2`,
    )
    .action(run)
}

async function run({ network, format, output = join('out', `network.${format}`) }: Options): Promise<void> {
  const snapshot = await findSnapshot(network)
  await checkOutput(output, [`.${format}`], [snapshot])
  const { Gs, options, classes, lod, origin } = await readGenerator(snapshot, Device.open('cpu'))
  await makeFolder(output)
  const { what, licence } = origin ?? { what: 'stylegan, trained with it', licence: 'none is stated' }
  await writeGenerator(output, Gs.params, format, { what, licence, options, classes, lod: lod ?? 0 })
  console.log(output)
  if (format !== 'safetensors') return
  const module = join(dirname(output), torchModule)
  await copyFile(fileURLToPath(new URL(`../../export/${torchModule}`, import.meta.url)), module)
  console.log(module)
}
