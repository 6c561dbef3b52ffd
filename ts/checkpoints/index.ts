/** Networks of other code bases, opened without executing anything: formats are told by their content. */
import { createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { checkFile, whyNoFile } from '../files/kind.ts'
import { isOnnx } from '../files/onnx.ts'
import { readMetadata } from '../files/safetensors.ts'
import { isTorchFile, readTorch, type TorchFile } from '../files/torch.ts'
import { trainingFormat } from '../files/version.ts'
import { codeOf } from '../files/write-atomic.ts'
import { isZip } from '../files/zip.ts'
import { WeightsError } from '../files/weights.ts'
import type { Checkpoint, Networks, ReadOptions } from './convert.ts'
import { readGenforce } from './genforce.ts'
import { readHuangzh13 } from './huangzh13.ts'
import { readLernapparat } from './lernapparat.ts'
import { readNvlabs } from './nvlabs.ts'
import { checkNetworks } from './official.ts'
import { isNetworkFile, readGeneratorNpz, readNetworkFile } from './own.ts'
import { recognise } from './published.ts'
import { readRosinality } from './rosinality.ts'
import { readSiskonEmilia } from './siskonemilia.ts'

export type { Checkpoint, ReadOptions } from './convert.ts'
export { assignImported, createImported } from './create.ts'
export type { OnnxChoices } from './onnx.ts'
export type { NetworkMetadata } from './own.ts'
export { writeGenerator, writeNetworks, writeOnnx } from './write.ts'

/**
 * Opens the files of one checkpoint: most code bases write one, huangzh13 one for each network (the average before the generator).
 *
 * @throws WeightsError naming the file and why it cannot be read
 */
export async function openCheckpoint(paths: readonly string[], options: ReadOptions = {}): Promise<Checkpoint> {
  const read: { path: string; networks: Networks; sha256: string }[] = []
  for (const path of paths) {
    const bytes = await bytesOf(path)
    const own = isSafetensors(bytes) ? await readMetadata(path) : undefined
    if (own?.['format']?.startsWith(`${trainingFormat}-`)) {
      throw new WeightsError(
        `${path}: a checkpoint of another code base is expected, got a snapshot of stylegan, which needs no import; use it as it is`,
      )
    }
    const networks = refusing(path, () =>
      own ? readNetworkFile(bytes, path, own) : readNetworks(bytes, path, options),
    )
    read.push({ path, networks, sha256: createHash('sha256').update(bytes).digest('hex') })
  }
  const [first, ...others] = read
  if (first === undefined) throw new WeightsError('a file with networks is expected')
  const all = others.reduce((merged, { networks }) => merge(merged, networks), first.networks)
  return refusing(first.path, () => {
    const { options: found, D, notes } = checkNetworks(all)
    const { Gs, G, lod = 0, classes = [], oneClass } = all
    const told = [...(all.notes ?? []), ...notes]
    const { sha256 } = first
    const published = recognise(basename(first.path), sha256)
    const what = published?.file ? `${published.file}, ${all.what}` : all.what
    const licence = published?.licence ?? all.licence
    const networks = { options: found, lod, Gs, G, D, classes, oneClass }
    return { what, licence, published: published?.text, sha256, ...networks, notes: told }
  })
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const obstacle = await whyNoFile(path)
  if (obstacle !== undefined) throw new WeightsError(`${path || "''"}: a file with networks is expected, ${obstacle}`)
  return readFile(path).catch((error: unknown) => {
    throw new WeightsError(`${path}: a file that can be read is expected; check its permissions (${codeOf(error)})`)
  })
}

/** The header's JSON begins behind its length. */
const isSafetensors = (bytes: Uint8Array) => bytes.length > 8 && bytes[8] === 0x7b && bytes[7] === 0

/** Whether a file is for {@link openCheckpoint}: any but a snapshot of a training run. */
export async function isCheckpoint(path: string): Promise<boolean> {
  await checkFile(path)
  const file = await open(path)
  const { buffer } = await file.read(Buffer.alloc(9), 0, 9, 0).finally(() => file.close())
  // A damaged snapshot is still one of ours.
  const isOwn = path.endsWith('.safetensors') || isSafetensors(buffer)
  return !isOwn || isNetworkFile(path, await readMetadata(path))
}

function refusing<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) {
      throw new WeightsError(`${path}: ${error.message}`)
    }
    throw error
  }
}

function merge(a: Networks, b: Networks): Networks {
  return {
    ...b,
    ...a,
    what: `${a.what}; ${b.what}`,
    Gs: a.Gs ?? b.Gs,
    G: a.G ?? (a.Gs ? b.Gs : b.G),
    D: a.D ?? b.D,
    semantics: { ...b.semantics, ...a.semantics },
    options: { ...b.options, ...a.options },
    notes: [...(a.notes ?? []), ...(b.notes ?? [])],
  }
}

const torchReaders: readonly ((torch: TorchFile, file: string, options: ReadOptions) => Networks | undefined)[] = [
  readGenforce,
  readRosinality,
  readSiskonEmilia,
  readHuangzh13,
  readLernapparat,
]

const formats = "NVIDIA's .pkl, genforce, rosinality, huangzh13, lernapparat and SiskonEmilia"

function readNetworks(bytes: Uint8Array, path: string, options: ReadOptions): Networks {
  refuseText(bytes)
  if (!isTorchFile(bytes)) return readNvlabs(bytes)
  const own = isZip(bytes) ? readGeneratorNpz(bytes, path) : undefined
  if (own) return own
  const file = basename(path)
  const torch = readTorch(bytes)
  for (const reader of torchReaders) {
    const networks = reader(torch, file, options)
    if (networks) return networks
  }
  const { value } = torch
  if (value instanceof Map && value.has('param_groups')) {
    throw new TypeError("it holds an optimizer's state and no network: open the file of the network")
  }
  throw new TypeError(`it holds tensors of no network that is known: ${formats} are read`)
}

/** What is often found under a checkpoint's name, and any file that begins as no pickle does. */
function refuseText(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new TypeError('the file is empty: get it again')
  const start = Buffer.from(bytes.subarray(0, 256)).toString('latin1').trimStart().toLowerCase()
  if (start.startsWith('<!doctype') || start.startsWith('<html')) {
    throw new TypeError('it is a web page, as a download service sends when too many have asked: get the file again')
  }
  if (start.startsWith('version https://git-lfs')) {
    throw new TypeError("it is a pointer of Git LFS in the file's place: run 'git lfs pull', or get the file itself")
  }
  if (isOnnx(bytes)) {
    throw new TypeError('it is an ONNX file, which cannot be read back: give the network that it was exported from')
  }
  if (isTorchFile(bytes) || bytes[0] === 0x80 || /^[(c\]}]/.test(start)) return
  throw new TypeError(`it is neither a pickle nor a file of PyTorch: ${formats} are read`)
}
