/** `stylegan generate`: pictures of seeds. */
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { streams } from '../dataset.ts'
import { Device, encodePng, Rng, scope } from '../native.ts'
import { imagesOf } from '../pictures.ts'
import { writeAtomic } from '../run-dir.ts'
import { loadGenerator } from '../training-state.ts'

interface Options {
  network: string
  seeds: number[]
  trunc: number
  truncCutoff: number
  noiseMode: 'const' | 'random' | 'none'
  outdir: string
  device: string
}

export function generateCommand(): Command {
  return new Command('generate')
    .description('Draw one picture for each seed from a trained network.')
    .requiredOption('--network <path>', 'snapshot, or a folder: its newest snapshot')
    .requiredOption('--seeds <list>', 'seeds, such as 0,1,4-6', parseSeeds)
    .option('--trunc <psi>', 'truncation: 1 draws from all that was learned, 0 draws the mean image', parseNumber, 0.7)
    .option('--trunc-cutoff <layers>', 'layers that truncation moves, from the coarsest', parseNumber, 8)
    .addOption(
      new Option('--noise-mode <mode>', 'noise: fixed buffers, drawn from the seed, or none')
        .choices(['const', 'random', 'none'])
        .default('const'),
    )
    .option('--outdir <dir>', 'where seedNNNN.png go', 'out')
    .option('--device <name>', 'cpu, or reference (slow and exact)', 'cpu')
    .addHelpText(
      'after',
      `
Examples:
  $ stylegan generate --network results --seeds 0-9
  $ stylegan generate --network network-snapshot-002000.safetensors --seeds 7 --trunc 0.5 --noise-mode none`,
    )
    .action(run)
}

async function run({ network, seeds, trunc, truncCutoff, noiseMode, outdir, device: name }: Options): Promise<void> {
  const device = Device.open(name)
  const path = await findSnapshot(network)
  const { Gs, options } = await loadGenerator(path, device)
  await mkdir(outdir, { recursive: true })
  for (const seed of seeds) {
    const image = scope(() => {
      const z = new Rng(seed, streams.grid).normal(device, [1, options.latentSize])
      const noise = noiseMode === 'random' ? new Rng(seed, streams.noise) : noiseMode
      return imagesOf(Gs, z, { truncationPsi: trunc, truncationCutoff: truncCutoff, noise }, options)
    })
    const pixels = (await image.data()) as Uint8Array
    image.dispose()
    const file = join(outdir, `seed${String(seed).padStart(4, '0')}.png`)
    await writeAtomic(file, await encodePng(pixels, options.resolution, options.resolution, options.numChannels))
    console.log(file)
  }
}

/** The newest snapshot under a path. */
async function findSnapshot(path: string): Promise<string> {
  const entry = await stat(path).catch(() => undefined)
  if (entry === undefined) throw new Error(`${path}: a snapshot or a folder with one is expected, there is nothing`)
  if (entry.isFile()) return path
  const names = await readdir(path, { recursive: true })
  const snapshots = names.filter((name) => /network-snapshot-\d+\.safetensors$/.test(name))
  const dated = await Promise.all(
    snapshots.map(async (name) => ({ file: join(path, name), time: (await stat(join(path, name))).mtimeMs })),
  )
  const newest = dated.sort((a, b) => b.time - a.time)[0]
  if (!newest) throw new Error(`${path}: no network-snapshot-NNNNNN.safetensors is in there; train a network first`)
  return newest.file
}

/** `0,1,4-6` as 0, 1, 4, 5, 6. */
function parseSeeds(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part.trim())
    if (!range) throw new InvalidArgumentError(`seeds such as 0,1,4-6 are expected, got '${part}'.`)
    const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])]
    if (last < first || last - first >= 100_000) {
      throw new InvalidArgumentError(`a range of at most 100,000 rising seeds is expected, got '${part}'.`)
    }
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError(`a number is expected, got '${text}'.`)
  return value
}
