/** `stylegan import`: what a checkpoint of another code base holds, and its networks as a file of ours. */
import { Command } from 'commander'
import { openCheckpoint, writeNetworks } from '../checkpoints/index.ts'
import { makeFolder, parseWhole, sayPath } from './arguments.ts'
import { checkpointText } from './info.ts'
import { checkOutput } from '../runs/outputs.ts'

export function importCommand(): Command {
  return new Command('import')
    .description("Open a checkpoint of another code base, without executing it: NVIDIA's .pkl, PyTorch ports.")
    .argument('<files...>', 'the checkpoint; several where each network has a file of its own, the average first')
    .option('--output <file>', 'write its networks as .safetensors under the official names')
    .option(
      '--resolution <pixels>',
      'side of the images, where the file does not say how far training came',
      parseWhole,
    )
    .addHelpText(
      'after',
      `
Every --network takes such a file as well, and so does train --resume.

Examples:
  $ stylegan import karras2019stylegan-ffhq-1024x1024.pkl
  $ stylegan import train_step-6.model --output faces.safetensors
  $ stylegan import GAN_GEN_SHADOW_7_40.pth GAN_DIS_7_40.pth --output both.safetensors`,
    )
    .action(run)
}

async function run(files: string[], { output, resolution }: { output?: string; resolution?: number }): Promise<void> {
  if (output !== undefined) await checkOutput(output, ['.safetensors'], files)
  const checkpoint = await openCheckpoint(files, { resolution })
  const own = checkpoint.options.resolution
  if (resolution !== undefined && resolution !== own) {
    throw new RangeError(`--resolution: ${own} is expected, as the file says, got ${resolution}; leave it out`)
  }
  console.log(checkpointText(files.join(', '), checkpoint))
  if (output === undefined) return
  await makeFolder(output)
  await writeNetworks(output, checkpoint)
  sayPath(output)
}
