/**
 * Checkpoints that other code bases wrote, with what their own code computed from them: `fixtures/checkpoints`, some of a larger
 * set, which STYLEGAN_CHECKPOINTS may name.
 */
import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { createImported, openCheckpoint, type Checkpoint } from '../../ts/checkpoints/index.ts'
import { readSafetensors, type HostTensor } from '../../ts/files/safetensors.ts'
import { scope, type Device, type Tensor } from '../../ts/native/index.ts'
import { discriminator, discriminatorSpecs } from '../../ts/networks/discriminator.ts'
import { generate, generatorSpecs } from '../../ts/networks/generator.ts'
import { upscale } from '../../ts/networks/layers.ts'
import { mapping } from '../../ts/networks/mapping.ts'
import { get, numLayers, type Network } from '../../ts/networks/params.ts'
import type { Noise } from '../../ts/networks/synthesis.ts'

const larger = process.env['STYLEGAN_CHECKPOINTS']
export const folder = larger ? pathToFileURL(`${larger}/`) : new URL('../fixtures/checkpoints/', import.meta.url)

/** One expected tensor, and how it was computed. */
interface Check {
  readonly tensor: string
  readonly network: string
  readonly psi?: number
  readonly cutoff?: number | string | null
  readonly step?: number
  readonly alpha?: number
  readonly depth?: number
  readonly noise?: string | null
  readonly files: readonly string[]
}

interface Opened extends Checkpoint {
  readonly networks: ReadonlyMap<string, Network>
}

type Tensors = ReadonlyMap<string, HostTensor>

/** The largest difference of each expected tensor, of the larger of 1 and its largest value. */
export async function differences(variant: string, device: Device): Promise<Map<string, number>> {
  const at = new URL(`${variant}/`, folder)
  const { checks } = JSON.parse(await readFile(new URL('fixture.json', at), 'utf8')) as { checks: Check[] }
  const read = async (name: string): Promise<Tensors> => {
    return (await readSafetensors(new URL(`${name}.safetensors`, at).pathname)).tensors
  }
  const [inputs, expected] = [await read('inputs'), await read('expected')]
  const found = new Map<string, number>()
  const opened = new Map<string, Opened>()
  for (const check of checks) {
    // Files of one variant hold the same networks; those that a copy leaves out have no say.
    for (const file of check.files) {
      const bytes = await readFile(new URL(file, at)).catch(() => undefined)
      if (bytes === undefined) continue
      const resolution = check.step === undefined ? sideOf(check.tensor) : 4 * 2 ** check.step
      const key = `${file} ${resolution}`
      const checkpoint = opened.get(key) ?? (await open(new URL(file, at).pathname, resolution, device))
      opened.set(key, checkpoint)
      const wanted = expected.get(check.tensor)!
      const result = scope(() => compute(check, checkpoint, inputs, wanted, device))
      found.set(`${file} ${check.tensor}`, difference(await result.data(), wanted.values))
      result.dispose()
    }
  }
  return found
}

/** `scores16_batch8` is of a network of 16×16. */
function sideOf(tensor: string): number | undefined {
  const side = /^scores(\d+)/.exec(tensor)?.[1]
  return side === undefined ? undefined : Number(side)
}

async function open(path: string, resolution: number | undefined, device: Device): Promise<Opened> {
  const checkpoint = await openCheckpoint([path], { resolution })
  const { options, Gs, G, D } = checkpoint
  const networks = new Map<string, Network>()
  if (Gs) networks.set('Gs', createImported(device, generatorSpecs(options), Gs, options))
  if (G) networks.set('G', createImported(device, generatorSpecs(options), G, options))
  if (D) networks.set('D', createImported(device, discriminatorSpecs(options), D, options))
  return { ...checkpoint, networks }
}

function compute(check: Check, opened: Opened, inputs: Tensors, { shape }: HostTensor, device: Device): Tensor {
  const input = (name: string) => {
    const { values, shape: axes } = inputs.get(name)!
    return device.tensor(values, axes)
  }
  const { options, networks } = opened
  const alpha = check.alpha ?? Number(/_alpha([\d.]+)$/.exec(check.tensor)?.[1] ?? 1)
  const depth = check.depth === undefined ? 0 : Math.log2(options.resolution) - 2 - check.depth
  const lod = depth + (alpha < 1 ? 1 - alpha : 0) || opened.lod
  if (check.tensor.startsWith('scores')) {
    const images = input(check.tensor.startsWith('scores16') ? 'd_images16' : 'd_images')
    const labels = options.labelSize > 0 && inputs.has('d_labels') ? input('d_labels') : undefined
    return discriminator(networks.get('D')!.params, images, labels, lod, options)
  }
  const raw = check.tensor.startsWith('g/') && networks.has('G')
  const { params } = networks.get(raw ? 'G' : 'Gs')!
  const N = shape[0]!
  const labels = options.labelSize > 0 ? input('labels') : undefined
  if (check.tensor === 'mean_style') return mapping(params, input('mean_z'), undefined, options).mean([0], true)
  if (/^(g\/)?w$/.test(check.tensor)) return mapping(params, input('z'), labels, options)
  const average = inputs.has('dlatent_avg')
    ? input('dlatent_avg')
    : inputs.has('mean_z') && mapping(params, input('mean_z'), undefined, options).mean([0])
  if (average) get(params, 'dlatent_avg').assign(average)
  const all = input('z')
  const z = all.slice([0, 0], [N, all.shape[1]!])
  const truncation = {
    truncationPsi: check.psi ?? 1,
    truncationCutoff: typeof check.cutoff === 'number' ? check.cutoff : Infinity,
  }
  const noise = noiseOf(inputs, input, numLayers(options.resolution), N)
  const images = generate(params, z, { labels, noise, lod, ...truncation }, options)
  return upscale(images, shape[1]! / images.dims4()[1])
}

/** One map a layer, one a resolution, or the file's own. */
function noiseOf(inputs: Tensors, input: (name: string) => Tensor, layers: number, N: number): Noise {
  const names = Array.from({ length: layers }, (_, i) =>
    inputs.has('noise0') ? `noise${i}` : inputs.has('noise_step0') ? `noise_step${Math.floor(i / 2)}` : undefined,
  )
  if (names[0] === undefined) return 'const'
  return names.map((name) => {
    const maps = input(name!)
    const [, , H, W] = maps.shape as [number, number, number, number]
    return maps.slice([0, 0, 0, 0], [N, 1, H, W]).reshape([N, H, W, 1])
  })
}

/** NaN if any value is none. */
function difference(values: ArrayLike<number>, expected: ArrayLike<number>): number {
  const largest = (all: Iterable<number>) => Array.from(all).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  if (values.length !== expected.length) return NaN
  const off = Array.from(expected, (value, i) => values[i]! - value)
  return off.some(Number.isNaN) ? NaN : largest(off) / Math.max(1, largest(Array.from(expected)))
}
