/**
 * Weight files that the user names: PyTorch's `.pth` or safetensors, read without executing anything, known by their SHA-256
 * and by the shapes of their tensors.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { crc32c } from '../native/index.ts'
import { type Header, headerLength, NoSafetensorsError, parseHeader } from './safetensors-header.ts'
import { shown } from './shown.ts'
import { isTorchFile, readTorchFile } from './torch.ts'
import {
  bytesOf,
  rowMajor,
  stridedWeight,
  type Weight,
  type WeightDType,
  type Weights,
  WeightsError,
} from './weights.ts'

/** A published weight file. */
export interface KnownWeights {
  readonly file: string
  readonly sha256: string
  /** Where it is published. */
  readonly source: string
}

/** The published files that the metrics of the literature were computed with. */
export const knownWeights = {
  /** Inception-v3 of TensorFlow, 2015-12-05, as pytorch-fid converted it (Apache-2.0). */
  inception: {
    file: 'pt_inception-2015-12-05-6726825d.pth',
    sha256: '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2',
    source: 'https://github.com/mseitzer/pytorch-fid/releases/tag/fid_weights',
  },
  /** VGG-16 of torchvision (CC-BY-4.0): the trunk of LPIPS, and the features of precision and recall. */
  vgg: {
    file: 'vgg16-397923af.pth',
    sha256: '397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0',
    source: 'https://download.pytorch.org/models/vgg16-397923af.pth',
  },
  /** The heads of LPIPS v0.1 on VGG-16 (BSD-2-Clause); this package carries them. */
  lpips: {
    file: 'vgg.pth',
    sha256: 'a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868',
    source: 'https://github.com/richzhang/PerceptualSimilarity, lpips/weights/v0.1/vgg.pth',
  },
} as const satisfies Record<string, KnownWeights>

export interface WeightFileOptions {
  /** Takes a file of another hash, if its tensors have the right names and shapes; default no. */
  readonly allowUnknownWeights?: boolean
}

export interface WeightFile {
  readonly weights: Weights
  /** Of the whole file, in hexadecimal. */
  readonly sha256: string
}

/**
 * Reads a weight file.
 *
 * @param known what it should be
 * @throws WeightsError if it is missing, is another file, or is damaged
 */
export async function readWeightFile(
  path: string,
  known: KnownWeights,
  { allowUnknownWeights = false }: WeightFileOptions = {},
): Promise<WeightFile> {
  const bytes = await readBytes(path, known)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (sha256 !== known.sha256 && !allowUnknownWeights) {
    throw new WeightsError(`${path}: SHA-256 ${sha256} is not that of ${describe(known)}`)
  }
  return { weights: parseWeights(bytes, path), sha256 }
}

async function readBytes(path: string, known: KnownWeights): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const problem = code === 'ENOENT' ? 'no such file' : message
    throw new WeightsError(`${path}: ${problem}; ${describe(known)} is expected`)
  }
}

function describe({ file, sha256, source }: KnownWeights): string {
  return `${file} (SHA-256 ${sha256}), published at ${source}`
}

/**
 * Weights from the bytes of a file.
 *
 * @param path named in errors
 * @throws WeightsError if they are no whole weight file
 */
export function parseWeights(bytes: Uint8Array, path: string): Weights {
  try {
    return isTorchFile(bytes) ? readTorchFile(bytes) : readSafetensors(bytes)
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw new WeightsError(`${path}: ${error.message}`)
    throw error
  }
}

const safetensorsTypes = { F16: 'f16', F32: 'f32', F64: 'f64', I64: 'i64' } as const satisfies Record<
  string,
  WeightDType
>
const elementBytes = Object.fromEntries(Object.entries(safetensorsTypes).map(([type, dtype]) => [type, bytesOf[dtype]]))

function readSafetensors(bytes: Uint8Array): Weights {
  const { header, start } = readHeader(bytes)
  const end = start + header.dataBytes
  if (end > bytes.length) throw new RangeError(`it is cut off: ${end} bytes are expected, there are ${bytes.length}`)
  if (end < bytes.length) throw new RangeError(`${end} bytes are expected, there are ${bytes.length}`)
  const weights = new Map<string, Weight>()
  for (const [name, { dtype: type, shape, from, to, checksum }] of header.entries) {
    const data = bytes.subarray(start + from, start + to)
    if (checksum !== undefined && crc32c(data) !== checksum) {
      throw new RangeError(`'${shown(name)}' is damaged: its checksum differs`)
    }
    const dtype = safetensorsTypes[type as keyof typeof safetensorsTypes]
    weights.set(name, stridedWeight({ dtype, bytes: data }, 0, shape, rowMajor(shape)))
  }
  return weights
}

function readHeader(bytes: Uint8Array): { header: Header; start: number } {
  const neither = new TypeError('neither a file of torch.save nor safetensors')
  if (bytes.length < 8) throw neither
  try {
    const start = 8 + headerLength(bytes)
    if (start > bytes.length) throw neither
    return { header: parseHeader(bytes.subarray(8, start), elementBytes), start }
  } catch (error) {
    throw error instanceof NoSafetensorsError ? neither : error
  }
}

/**
 * One tensor of a file.
 *
 * @throws WeightsError if it is missing or has another shape
 */
export function weight(weights: Weights, name: string, shape: readonly number[], path: string): Float32Array {
  const found = weights.get(name)
  if (found === undefined) {
    throw new WeightsError(`${path}: '${name}' [${shape.join(', ')}] is missing: the file is of another network`)
  }
  if (found.shape.join() !== shape.join()) {
    throw new WeightsError(
      `${path}: '${name}' must be [${shape.join(', ')}], got [${found.shape.join(', ')}]: the file is of another network`,
    )
  }
  return found.values()
}
