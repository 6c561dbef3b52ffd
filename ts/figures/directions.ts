/**
 * Moves of w along directions of W: principal components by number, and attributes by name. The direction of an attribute is the
 * normal of the hyperplane that separates the styles of images with it from those without (StyleGAN, Section 4.2). Its file lies
 * beside the network.
 */
import { optionError } from '../files/option-names.ts'
import { stat } from 'node:fs/promises'
import { isRecord, parseJson } from '../files/json.ts'
import { encodeSafetensors, SafetensorsFile, type HostTensor } from '../files/safetensors.ts'
import { shown, shownValue } from '../files/shown.ts'
import { isFormat } from '../files/version.ts'
import { hashNetwork } from '../networks/hash.ts'
import { checkSaved, firstNotFinite } from '../networks/load.ts'
import type { Components } from './components.ts'
import type { ImageGenerator } from './generator.ts'
import { Styles } from './styles.ts'

/** A move along a direction. */
export interface Shift {
  /** A principal component by its number from 0, the one of the largest deviation; or an attribute by its name. */
  readonly direction: number | string
  /** In standard deviations of w along it, from -100 to 100. */
  readonly by: number
  /** Numbers from 0, the coarsest. */
  readonly layers: readonly number[]
}

/** Where an attribute grows in W. */
export interface AttributeDirection {
  /** Letters, digits, dots and dashes, to be written into commands and links; never digits alone. */
  readonly name: string
  /** `[dlatentSize]`, of unit length, towards images that have it. */
  readonly vector: Float64Array
  /** Standard deviation of w along it. */
  readonly deviation: number
  /** Share of the images on whose side of the hyperplane the classifier says the same. */
  readonly agreement: number
}

/** The attributes of one network. */
export interface Directions {
  /** SHA-256 of the network's weights. */
  readonly network: string
  readonly attributes: readonly AttributeDirection[]
}

const [format, formatVersion] = ['stylegan-directions', 1]
const ending = '.directions.safetensors'

/** Where the directions of a network's file are. */
export const directionsFile = (network: string): string => network.replace(/\.[^./\\]+$/, '') + ending

export const isDirectionsFile = (name: string): boolean => name.endsWith(ending)

/** The name of an attribute's direction. Digits alone would be a component. */
export function directionName(attribute: string): string {
  const name = attribute.replaceAll(/[^\w.-]+/g, '-')
  return /^\d*$/.test(name) ? `is-${name}` : name
}

/** The bytes of a file of directions. */
export function encodeDirections({ network, attributes }: Directions): Iterable<Uint8Array> {
  const tensors = new Map<string, HostTensor>()
  for (const { name, vector } of attributes) tensors.set(name, { shape: [vector.length], values: vector })
  const found = attributes.map(({ name, deviation, agreement }) => ({ name, deviation, agreement }))
  const metadata = { format: `${format}-${formatVersion}`, directions: JSON.stringify({ network, attributes: found }) }
  return encodeSafetensors({ tensors, metadata })
}

/**
 * Reads what `stylegan directions` wrote.
 *
 * @throws SnapshotError if it is another file or damaged, VersionError if a newer program wrote it
 */
export async function readDirections(path: string): Promise<Directions> {
  return SafetensorsFile.use(path, async (file) => {
    if (!isFormat(path, file.metadata['format'], format, formatVersion)) {
      throw file.error("directions of 'stylegan directions' are expected, this is another file")
    }
    const { network, attributes } = parseDirections(file)
    const read = attributes.map(async ({ name, ...numbers }) => {
      const size = file.tensors.get(name)?.shape[0] ?? 0
      checkSaved(file, name, [size])
      const vector = Float64Array.from((await file.read(name)).values)
      if (firstNotFinite(vector) >= 0) throw file.error(`'${name}' must be finite; make the file again`)
      return { name, vector, ...numbers }
    })
    return { network, attributes: await Promise.all(read) }
  })
}

function parseDirections(file: SafetensorsFile): { network: string; attributes: Omit<AttributeDirection, 'vector'>[] } {
  const wrong = () => file.error('its list of attributes cannot be read; make the file again')
  let saved: unknown
  try {
    saved = parseJson(file.metadata['directions'] ?? '')
  } catch {
    throw wrong()
  }
  if (!isRecord(saved) || typeof saved['network'] !== 'string' || !Array.isArray(saved['attributes'])) throw wrong()
  const attributes = saved['attributes'].map((one: unknown) => {
    if (!isRecord(one)) throw wrong()
    const { name, deviation, agreement } = one
    const isName = typeof name === 'string' && name === directionName(name)
    if (!isName || typeof deviation !== 'number' || typeof agreement !== 'number') throw wrong()
    return { name, deviation, agreement }
  })
  return { network: saved['network'], attributes }
}

const known = new WeakMap<ImageGenerator, { readonly version: string; readonly attributes: AttributeDirection[] }>()

/**
 * The attributes whose directions lie beside a network's file; none where there is no such file, or one of other weights. They
 * are read again when the file changes.
 *
 * @throws SnapshotError if the file is damaged
 */
export async function directionsOf(G: ImageGenerator): Promise<readonly AttributeDirection[]> {
  const path = directionsFile(G.path)
  const entry = await stat(path).catch(() => undefined)
  if (!entry?.isFile()) return []
  const version = `${entry.mtimeMs} ${entry.size}`
  const kept = known.get(G)
  if (kept?.version === version) return kept.attributes
  const { network, attributes } = await readDirections(path)
  const own = network === (await hashNetwork(G.Gs)) ? [...attributes] : []
  known.set(G, { version, attributes: own })
  return own
}

/** What {@link shiftStyles} knows directions by; only those that are moved along are needed. */
export interface Known {
  readonly components?: Components | undefined
  readonly attributes?: readonly AttributeDirection[] | undefined
}

/** Far more than any picture survives. */
const mostDeviations = 100

/**
 * w moved along directions.
 *
 * @throws RangeError for a direction or a layer that there is not, or a move that no picture survives
 */
export function shiftStyles(w: Styles, shifts: readonly Shift[], directions: Known): Styles {
  if (shifts.length === 0) return w
  const values = w.values.slice()
  for (const { direction, by, layers } of shifts) {
    const { vector, deviation } =
      typeof direction === 'number' ? componentAt(direction, directions) : attributeNamed(direction, directions)
    if (vector.length !== w.width) {
      throw optionError(
        (name) =>
          `${name('shift')}: directions of ${w.width} numbers are expected, got ${vector.length} of another network`,
      )
    }
    if (!(Math.abs(by) <= mostDeviations)) {
      throw optionError(
        (name) =>
          `${name('shift')}: deviations from -${mostDeviations} to ${mostDeviations} are expected, got ${shownValue(by)}`,
      )
    }
    for (const layer of layers) {
      if (!(layer >= 0 && layer < w.layers)) {
        throw optionError((name) => `${name('shift')}: layers from 0 to ${w.layers - 1} are expected, got ${layer}`)
      }
      for (let image = 0; image < w.count; image++) {
        const start = (image * w.layers + layer) * w.width
        vector.forEach((value, i) => (values[start + i]! += by * deviation * value))
      }
    }
  }
  return new Styles(values, [w.count, w.layers, w.width])
}

type Move = Pick<AttributeDirection, 'vector' | 'deviation'>

function componentAt(number: number, { components }: Known): Move {
  const { directions = [], deviations = [] } = components ?? {}
  const vector = directions[number]
  if (vector !== undefined) return { vector, deviation: deviations[number]! }
  throw optionError(
    (name) => `${name('shift')}: a component from 0 to ${directions.length - 1} is expected, got ${number}`,
  )
}

function attributeNamed(name: string, { attributes = [] }: Known): Move {
  const found = attributes.find((one) => one.name === name)
  if (found !== undefined) return found
  const names = attributes.length === 0 ? 'there are none' : `there are ${attributes.map((one) => one.name).join(', ')}`
  throw optionError(
    (of) =>
      `${of('shift')}: an attribute of this network is expected, got '${shown(name, 60)}'; ${names}; stylegan directions finds some`,
  )
}
