/** Our own files of networks without a training state: safetensors with official names, and NumPy's `.npz` of the same variables. */
import { open } from 'node:fs/promises'
import { checkFile } from '../files/kind.ts'
import { isRecord, parseJson } from '../files/json.ts'
import { encodeNpz, readNpz } from '../files/npz.ts'
import { encodeSafetensors, type HostTensor } from '../files/safetensors.ts'
import { shown } from '../files/shown.ts'
import { isFormat } from '../files/version.ts'
import { parseWeights } from '../files/weight-file.ts'
import type { Weight, Weights } from '../files/weights.ts'
import type { NetworkOptions } from '../networks/params.ts'
import { checkSemantics } from '../networks/semantics.ts'
import { readZip } from '../files/zip.ts'
import type { Networks } from './convert.ts'

const format = 'stylegan-network'
const formatVersion = 1

/** What a file of networks says beside its tensors. */
export interface NetworkMetadata {
  readonly what: string
  readonly licence: string
  readonly options: NetworkOptions
  readonly classes?: readonly string[] | undefined
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass?: boolean | undefined
  readonly lod?: number
}

/** Text by name, as safetensors hold it. */
export function metadataOf({
  what,
  licence,
  options,
  classes = [],
  oneClass,
  lod = 0,
}: NetworkMetadata): Record<string, string> {
  return {
    format: `${format}-${formatVersion}`,
    what,
    licence,
    network: JSON.stringify(options),
    classes: JSON.stringify(classes),
    ...(oneClass === undefined ? {} : { oneClass: String(oneClass) }),
    lod: String(lod),
  }
}

/** The bytes of a file of networks: a generator alone under its official names, several behind `Gs/`, `G/` and `D/`. */
export function encodeNetworks(
  networks: Readonly<Record<string, ReadonlyMap<string, HostTensor>>>,
  metadata: NetworkMetadata,
): Iterable<Uint8Array> {
  const tensors = new Map<string, HostTensor>()
  const groups = Object.entries(networks)
  for (const [group, variables] of groups) {
    for (const [name, tensor] of variables)
      tensors.set(groups.length === 1 && group === 'Gs' ? name : `${group}/${name}`, tensor)
  }
  return encodeSafetensors({ tensors, metadata: metadataOf(metadata) })
}

/** The file of a `.npz` that holds what its arrays do not say. */
const metadataFile = 'stylegan.json'

/** The bytes of a generator's variables as `.npz`. */
export function encodeGenerator(Gs: ReadonlyMap<string, HostTensor>, metadata: NetworkMetadata): Iterable<Uint8Array> {
  const arrays = new Map(
    Array.from(Gs, ([name, { shape, values }]) => [name, { shape, values: values as Float32Array }]),
  )
  return encodeNpz(arrays, { [metadataFile]: JSON.stringify(metadataOf(metadata)) })
}

/** Whether a file is a `.npz` of ours: the first in such an archive is {@link metadataFile}. */
export async function isGeneratorNpz(path: string): Promise<boolean> {
  const length = 30 + metadataFile.length // a local header, then the name
  await checkFile(path)
  const file = await open(path)
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0).finally(() => file.close())
  return buffer.toString('latin1', 30) === metadataFile
}

/**
 * The networks of a `.npz` file of ours.
 *
 * @returns undefined if the archive is another
 */
export function readGeneratorNpz(bytes: Uint8Array, path: string): Networks | undefined {
  if (!readZip(bytes).has(metadataFile)) return undefined
  const { arrays, texts } = readNpz(bytes)
  const metadata = parseJson(texts.get(metadataFile)!)
  if (!isTexts(metadata) || !isNetworkFile(path, metadata))
    throw new TypeError(`its ${metadataFile} is none of 'stylegan export'`)
  return networksOf(metadata, (group) => (group === 'Gs' ? arrays : undefined))
}

function isTexts(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((text) => typeof text === 'string')
}

/** Whether the header of a safetensors file is of a file of networks. */
export function isNetworkFile(path: string, metadata: Readonly<Record<string, string>>): boolean {
  return isFormat(path, metadata['format'], format, formatVersion)
}

/** @throws TypeError if the metadata are not those of a file of networks */
export function readNetworkFile(bytes: Uint8Array, path: string, metadata: Readonly<Record<string, string>>): Networks {
  const groups = new Map<string, Map<string, Weight>>()
  for (const [name, weight] of parseWeights(bytes, path)) {
    const [, group = 'Gs', variable = name] = /^(Gs|G|D)\/(.*)$/.exec(name) ?? []
    groups.set(group, (groups.get(group) ?? new Map<string, Weight>()).set(variable, weight))
  }
  return networksOf(metadata, (group) => groups.get(group))
}

/** What the header says beside the shapes of the variables; anybody may have written it. */
function networksOf(
  metadata: Readonly<Record<string, string>>,
  group: (name: string) => Weights | undefined,
): Networks {
  const network = recordOf(metadata['network'])
  const { config, fusedScale, labelSize, mappingLrmul, mbstdGroup } = network
  const number = (key: string, value: unknown) =>
    typeof value === 'number' && Number.isFinite(value) ? { [key]: value } : {}
  const classes: unknown = parseJson(metadata['classes'] ?? '[]')
  return {
    what: shown(metadata['what'] ?? 'a network'),
    licence: shown(metadata['licence'] ?? 'none is stated'),
    Gs: group('Gs'),
    G: group('G'),
    D: group('D'),
    lod: Number(metadata['lod']) || 0,
    fusedScale: typeof fusedScale === 'boolean' ? fusedScale : 'auto',
    semantics: checkSemantics(network['semantics']),
    options: {
      ...number('labelSize', labelSize),
      ...number('mappingLrmul', mappingLrmul),
      ...number('mbstdGroup', mbstdGroup),
      ...(config === 'E' ? { config } : {}),
    },
    oneClass: metadata['oneClass'] === undefined ? undefined : metadata['oneClass'] === 'true',
    classes: Array.isArray(classes) ? classes.filter((name) => typeof name === 'string') : [],
  }
}

function recordOf(text: string | undefined): Record<string, unknown> {
  const value: unknown = parseJson(text ?? '')
  if (!isRecord(value)) throw new TypeError("its 'network' names no options")
  return value
}
