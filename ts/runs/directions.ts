/** Finding the directions of attributes in a network, as an async iterable of events. */
import { listClassifiers, loadClassifier } from '../metrics/classifier.ts'
import { attributeDirections, type FoundAttribute } from '../metrics/directions.ts'
import { checkKeys, checkText } from '../files/keys.ts'
import { optionError } from '../files/option-names.ts'
import { writeAtomic } from '../files/write-atomic.ts'
import { directionsFile, encodeDirections, type AttributeDirection } from '../figures/directions.ts'
import type { ImageGenerator } from '../figures/generator.ts'
import { Device } from '../native/index.ts'
import { hashNetwork } from '../networks/hash.ts'
import { emitting } from './emitting.ts'
import { loadGenerator } from './load-generator.ts'
import { checkOutput } from './outputs.ts'

/** What `findDirections` reads. */
export interface DirectionsOptions {
  /** As `loadGenerator` takes it. */
  readonly network: string
  /** Folder of `stylegan classifier train`. */
  readonly classifiers: string
  /** Images that are drawn and classified. Default 10,000. */
  readonly num?: number | undefined
  /** Default 0. */
  readonly seed?: number | undefined
  /** Default: beside the network, where `drawLook` and the studio look for it. */
  readonly output?: string | undefined
  /** A name, or an open device; `cpu` by default. */
  readonly device?: string | Device | undefined
}

const optionKeys = Object.keys({
  network: 0,
  classifiers: 0,
  num: 0,
  seed: 0,
  output: 0,
  device: 0,
} satisfies Record<keyof DirectionsOptions, 0>)

/** What happens while directions are looked for. */
export type DirectionsEvent =
  | { type: 'start'; network: string; attributes: readonly string[] }
  | { type: 'classifying'; done: number; total: number }
  /** A direction was found; without `agreement` all images that count are alike. */
  | { type: 'attribute'; attribute: string; name?: string; agreement?: number }
  | { type: 'file'; path: string }

/**
 * Finds where attributes grow in W: images are drawn and classified, and a hyperplane is fitted between the styles of those with
 * an attribute and those without.
 *
 * @throws RangeError without classifiers, or if they are for other images than the network's
 */
export async function* findDirections(
  options: DirectionsOptions,
  hooks: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<DirectionsEvent, void> {
  checkKeys(options, optionKeys, 'option')
  checkKeys(hooks, ['signal'], 'hook')
  const { network, classifiers, num = 10_000, seed = 0, output, device = 'cpu' } = options
  checkText(network, 'network', 'the path of a network')
  checkText(classifiers, 'classifiers', "the folder of 'stylegan classifier train'")
  if (!(Number.isInteger(num) && num >= 2)) {
    throw new RangeError(`num: a whole number from 2 is expected, got ${num}`)
  }
  const paths = await listClassifiers(classifiers)
  if (paths.length === 0) {
    throw optionError(
      (name) =>
        `${classifiers}: attribute classifiers are expected, got none; train some with 'stylegan classifier train' and give their folder as ${name('classifiers')}`,
    )
  }
  const open = device instanceof Device ? device : Device.open(device)
  const G = await loadGenerator(network, { device: open })
  try {
    const path = output ?? directionsFile(G.path)
    await checkOutput(path, ['.safetensors'], [G.path, ...paths])
    const loaded = await Promise.all(paths.map((file) => loadClassifier(file, open)))
    yield { type: 'start', network: G.path, attributes: loaded.map(({ info }) => info.attribute) }
    const found: AttributeDirection[] = []
    const work = emitting<DirectionsEvent, unknown>(async (emit, signal) => {
      const onImages = (done: number, total: number) => emit({ type: 'classifying', done, total })
      for await (const one of attributeDirections(G, loaded, { num, seed, signal, onImages })) {
        if (one.direction) found.push(one.direction)
        emit(told(one))
      }
    }, hooks.signal)
    yield* work
    await write(path, G, found)
    yield { type: 'file', path }
  } finally {
    G.dispose()
  }
}

const told = ({ attribute, direction }: FoundAttribute): DirectionsEvent => ({
  type: 'attribute',
  attribute,
  ...(direction && { name: direction.name, agreement: direction.agreement }),
})

async function write(path: string, G: ImageGenerator, found: readonly AttributeDirection[]): Promise<void> {
  const names = new Set<string>()
  for (const { name } of found) {
    if (names.has(name))
      throw new RangeError(`${name}: attributes with different names are expected, got two of this one`)
    names.add(name)
  }
  await writeAtomic(path, encodeDirections({ network: await hashNetwork(G.Gs), attributes: found }))
}
