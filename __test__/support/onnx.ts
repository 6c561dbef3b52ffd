/** Exported graphs, run by ONNX Runtime in WebAssembly. */
import { InferenceSession, Tensor as OnnxTensor, env } from 'onnxruntime-web'
import { createImported, openCheckpoint } from '../../ts/checkpoints/index.ts'
import { onnxGenerator, type OnnxChoices } from '../../ts/checkpoints/onnx.ts'
import { encodeOnnx, type OnnxModel } from '../../ts/files/onnx.ts'
import { scope, type Device, type Tensor } from '../../ts/native/index.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import type { Network, NetworkOptions } from '../../ts/networks/params.ts'

env.wasm.numThreads = 1

export const plainChoices: OnnxChoices = { input: 'z', noise: 'const', psi: 1, cutoff: 8, pixels: 'floats' }

export interface Drawn {
  readonly shape: readonly number[]
  readonly values: Float32Array | Uint8Array
}

export interface Generator {
  readonly Gs: Network
  readonly options: NetworkOptions
  readonly lod: number
}

export async function importedGenerator(path: string, device: Device): Promise<Generator> {
  const { Gs, options, lod } = await openCheckpoint([path])
  return { Gs: createImported(device, generatorSpecs(options), Gs!, options), options, lod }
}

export async function bytesOfModel(model: OnnxModel): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of encodeOnnx(model)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** What the exported graph of a generator makes of its inputs. */
export async function drawOnnx(
  { Gs, options, lod }: Generator,
  choices: Partial<OnnxChoices>,
  inputs: Readonly<Record<string, Tensor | number | bigint>>,
): Promise<Drawn> {
  const metadata = { what: 'a test', licence: 'none is stated', options, lod }
  const bytes = await bytesOfModel(onnxGenerator(Gs.params, metadata, { ...plainChoices, ...choices }))
  const session = await InferenceSession.create(bytes)
  try {
    const feeds = await Promise.all(
      Object.entries(inputs).map(async ([name, value]) => [name, await feed(value)] as const),
    )
    const { images } = await session.run(Object.fromEntries(feeds))
    return { shape: images!.dims, values: images!.data as Float32Array }
  } finally {
    await session.release()
  }
}

async function feed(value: Tensor | number | bigint): Promise<OnnxTensor> {
  if (typeof value === 'number') return new OnnxTensor('float32', [value], [])
  if (typeof value === 'bigint') return new OnnxTensor('int64', [value], [])
  return new OnnxTensor('float32', Float32Array.from(await value.data()), value.shape)
}

/** The largest difference of a drawing from ours, images `[N, H, W, C]`: of floats as a part of the largest value. */
export async function differenceOf({ shape, values }: Drawn, expected: Tensor): Promise<number> {
  const ours = expected.dtype === 'u8' ? expected : scope(() => expected.permute([0, 3, 1, 2]))
  if (ours.shape.join() !== shape.join()) return NaN
  const wanted = await ours.data()
  let [off, largest] = [0, 0]
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs(values[i]! - wanted[i]!)
    if (!(difference <= off)) off = difference
    largest = Math.max(largest, Math.abs(wanted[i]!))
  }
  return expected.dtype === 'u8' ? off : off / largest
}
