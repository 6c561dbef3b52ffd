/** Networks to files: all that a checkpoint has, or its generator for others. */
import type { HostTensor } from '../files/safetensors.ts'
import { encodeOnnx } from '../files/onnx.ts'
import { writeAtomic } from '../files/write-atomic.ts'
import { Device } from '../native/index.ts'
import { discriminatorSpecs } from '../networks/discriminator.ts'
import { generatorSpecs } from '../networks/generator.ts'
import type { Params } from '../networks/params.ts'
import { createImported } from './create.ts'
import type { Checkpoint } from './convert.ts'
import { onnxGenerator, type OnnxChoices } from './onnx.ts'
import { encodeGenerator, encodeNetworks, type NetworkMetadata } from './own.ts'

/** Writes the networks of a checkpoint under official names, whole: with the noise and the mean of w that its file may lack. */
export async function writeNetworks(path: string, checkpoint: Checkpoint): Promise<void> {
  const { options, Gs, G, D } = checkpoint
  const device = Device.open('cpu')
  const networks: Record<string, ReadonlyMap<string, HostTensor>> = {}
  for (const [name, weights] of Object.entries({ Gs, G, D })) {
    if (weights === undefined) continue
    const specs = name === 'D' ? discriminatorSpecs(options) : generatorSpecs(options)
    networks[name] = await variablesOf(createImported(device, specs, weights, options).params)
  }
  await writeAtomic(path, encodeNetworks(networks, checkpoint))
}

/** Writes a generator under official names, for others: `safetensors`, or NumPy's `npz`. */
export async function writeGenerator(
  path: string,
  Gs: Params,
  format: 'safetensors' | 'npz',
  metadata: NetworkMetadata,
): Promise<void> {
  const variables = await variablesOf(Gs)
  await writeAtomic(
    path,
    format === 'npz' ? encodeGenerator(variables, metadata) : encodeNetworks({ Gs: variables }, metadata),
  )
}

/**
 * Writes a generator as a graph for ONNX runtimes. Its weights are made one at a time.
 *
 * @throws RangeError for a choice that the network has no use for
 */
export async function writeOnnx(
  path: string,
  Gs: Params,
  metadata: NetworkMetadata,
  choices: OnnxChoices,
): Promise<void> {
  await writeAtomic(path, encodeOnnx(onnxGenerator(Gs, metadata, choices)))
}

/** A network's variables in host memory. */
async function variablesOf(params: Params): Promise<Map<string, HostTensor>> {
  const variables = new Map<string, HostTensor>()
  for (const [name, tensor] of params) variables.set(name, { shape: tensor.shape, values: await tensor.data() })
  return variables
}
