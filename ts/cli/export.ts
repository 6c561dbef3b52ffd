/** `stylegan export`: a generator for other programs. */
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { packageFile } from '../files/package-files.ts'
import { Command, Option } from 'commander'
import { writeGenerator, writeOnnx, type NetworkMetadata, type OnnxChoices } from '../checkpoints/index.ts'
import { defaultCutoff, defaultPsi } from '../figures/generator.ts'
import { Device } from '../native/index.ts'
import { readGenerator } from '../training/state.ts'
import { findSnapshot } from '../runs/snapshots.ts'
import { flagOf, makeFolder, networkHelp, parsePsi, parseWhole, refuseIgnored, sayPath } from './arguments.ts'
import { checkOutput } from '../runs/outputs.ts'

/** Draws an exported file with PyTorch. */
const torchModule = 'stylegan_torch.py'

/** How an ONNX file is drawn from. */
interface OnnxOptions {
  input?: 'z' | 'w'
  noiseMode?: OnnxChoices['noise']
  trunc?: OnnxChoices['psi']
  truncCutoff?: OnnxChoices['cutoff']
  pixels?: OnnxChoices['pixels']
}

interface Options extends OnnxOptions {
  network: string
  format: 'safetensors' | 'npz' | 'onnx'
  output?: string
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Write the generator of a network for other programs.')
    .requiredOption('--network <path>', `${networkHelp}; or a checkpoint of another code base`)
    .addOption(
      new Option(
        '--format <name>',
        `the official variables as safetensors, with ${torchModule} that draws them in PyTorch, or as npz, for NumPy; or a graph for ONNX runtimes`,
      )
        .choices(['safetensors', 'npz', 'onnx'])
        .default('safetensors'),
    )
    .option('--output <file>', 'where it goes, a name that ends as its format (default: out/network.safetensors, …)')
    .addOption(new Option('--input <name>', 'onnx: latents z (default), or w, one for each layer').choices(['z', 'w']))
    .addOption(
      new Option('--noise-mode <mode>', 'onnx: fixed noise of the network (default), an input, or none').choices([
        'const',
        'input',
        'none',
      ]),
    )
    .option(
      '--trunc <psi>',
      "onnx: truncation, or 'input' (default: 0.7; of w and without styles 1)",
      orInput(parsePsi),
    )
    .option(
      '--trunc-cutoff <layers>',
      "onnx: layers that truncation moves, or 'input' (default: 8)",
      orInput(parseWhole),
    )
    .addOption(
      new Option('--pixels <type>', 'onnx: floats, channels first (default), or bytes, channels last').choices([
        'floats',
        'bytes',
      ]),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ stylegan export --network results --output out/faces.safetensors
  $ python out/${torchModule} out/faces.safetensors --seeds 0,1,2
  $ stylegan export --network results --format onnx --trunc input --pixels bytes --output faces.onnx`,
    )
    .action(run)
}

const orInput =
  (parse: (text: string) => number) =>
  (text: string): number | 'input' =>
    text === 'input' ? text : parse(text)

async function run({ network, format, output = join('out', `network.${format}`), ...onnx }: Options): Promise<void> {
  if (format !== 'onnx') refuseOptions(onnx, format)
  const snapshot = await findSnapshot(network)
  await checkOutput(output, [`.${format}`], [snapshot])
  const module = join(dirname(output), torchModule)
  const source = await readFile(packageFile(`export/${torchModule}`))
  if (format === 'safetensors') await checkModule(module, source)
  const { Gs, options, classes, oneClass, lod, origin } = await readGenerator(snapshot, Device.open('cpu'))
  const { what, licence } = origin ?? { what: 'stylegan, trained with it', licence: 'none is stated' }
  const metadata: NetworkMetadata = { what, licence, options, classes, oneClass, lod: lod ?? 0 }
  await makeFolder(output)
  if (format === 'onnx') await writeOnnx(output, Gs.params, metadata, choicesOf(onnx, metadata))
  else await writeGenerator(output, Gs.params, format, metadata)
  sayPath(output)
  if (format !== 'safetensors') return
  await writeFile(module, source)
  sayPath(module)
}

function refuseOptions(onnx: OnnxOptions, format: string): void {
  const why = `it belongs to --format onnx, got ${format}`
  refuseIgnored(...Object.keys(onnx).map((key) => [flagOf(key), true, why] as const))
}

/** @throws Error if a file of another origin has the module's name */
async function checkModule(path: string, source: Uint8Array): Promise<void> {
  const there = await readFile(path).catch(() => undefined)
  if (there === undefined || there.equals(source)) return
  throw new Error(
    `${path}: no file or this program's own ${torchModule} is expected, got another file; move it away, or give --output another folder`,
  )
}

function choicesOf(onnx: OnnxOptions, { options }: NetworkMetadata): OnnxChoices {
  const { input = 'z', noiseMode: noise = 'const', truncCutoff: cutoff = defaultCutoff, pixels = 'floats' } = onnx
  const psi = onnx.trunc ?? (input === 'w' ? 1 : defaultPsi(options))
  refuseIgnored(['--trunc-cutoff', onnx.truncCutoff !== undefined && psi === 1, 'psi 1 truncates nothing'])
  return { input, noise, psi, cutoff, pixels }
}
