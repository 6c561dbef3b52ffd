/** Moves along attributes: found in a network, kept beside it, and drawn by name. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  directionName,
  directionsFile,
  directionsOf,
  encodeDirections,
  shiftStyles,
} from '../../ts/figures/directions.ts'
import { drawLook } from '../../ts/figures/look.ts'
import { Styles } from '../../ts/figures/styles.ts'
import { encodeSafetensors } from '../../ts/files/safetensors.ts'
import { VersionError } from '../../ts/files/version.ts'
import { classify, loadClassifier } from '../../ts/metrics/classifier.ts'
import { Device, scope } from '../../ts/native/index.ts'
import { findDirections, type DirectionsEvent } from '../../ts/runs/directions.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { tinyClassifier } from '../support/classifier.ts'
import { stylegan } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { tinyRun } from '../support/studio.ts'

const device = Device.open('cpu')

/** A tiny network, and a classifier. */
async function make(): Promise<{ network: string; classifiers: string }> {
  const [outdir, classifiers] = [await folder(), await folder()]
  await tinyRun(outdir)
  await tinyClassifier(classifiers, 'wears a hat?')
  return { network: (await loadGenerator(outdir)).path, classifiers }
}
let made: ReturnType<typeof make> | undefined
const trained = () => (made ??= make())

async function find(options: { num?: number; output?: string } = {}): Promise<DirectionsEvent[]> {
  const events: DirectionsEvent[] = []
  for await (const event of findDirections({ ...(await trained()), num: 512, ...options })) events.push(event)
  return events
}

test.serial('a direction is found beside its network, and images have more of the attribute along it', async (t) => {
  const { network, classifiers } = await trained()
  const events = await find()
  t.deepEqual(
    events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]),
    ['start', 'classifying', 'attribute', 'file'],
  )
  t.like(events.at(-1), { path: directionsFile(network) })
  const G = await loadGenerator(network)
  const [direction] = await directionsOf(G)
  t.is(direction!.name, 'wears-a-hat-')
  t.true(direction!.agreement > 0.9, String(direction!.agreement))
  const classifier = await loadClassifier(join(classifiers, 'classifier-wears-a-hat-.safetensors'), device)
  const layers = [0, 1, 2, 3]
  const logitOf = async (by: number) => {
    const images = await Promise.all(
      [1, 2, 3, 4].map((seed) => drawLook(G, { seed, psi: 1, shifts: [{ direction: direction!.name, by, layers }] })),
    )
    const values = images.flatMap(({ pixels }) => Array.from(pixels, (value) => value / 127.5 - 1))
    const logits = scope(() => classify(classifier, device.tensor(values, [4, 8, 8, 3])).mean())
    return logits.item()
  }
  const [less, own, more] = [await logitOf(-3), await logitOf(0), await logitOf(3)]
  t.true(less < own && own < more, `${less} ${own} ${more}`)
})

test.serial('a command draws along the attribute of a file, and tells which there are', async (t) => {
  const { network } = await trained()
  const output = join(await folder(), 'found.directions.safetensors')
  await find({ output })
  const outdir = await folder()
  const args = (name: string) => [
    ...['generate', '--network', network, '--seeds', '1', '--outdir', outdir],
    ...['--shift', `${name}:1.5:0-1`, '--directions', output],
  ]
  const { code, err } = await stylegan(args('wears-a-hat-'))
  t.is(code, 0, err)
  const shifts = [{ direction: 'wears-a-hat-', by: 1.5, layers: [0, 1] }]
  const images = await drawLook(await loadGenerator(network), { seed: 1, shifts, directions: output })
  t.deepEqual(await readFile(join(outdir, 'seed0001.png')), Buffer.from(await images.png(0)))
  const wrong = await stylegan(args('smile'))
  t.is(wrong.code, 1)
  t.regex(wrong.err, /shift: an attribute of this network is expected, got 'smile'; there are wears-a-hat-; /)
})

test.serial('the same seed finds the same directions', async (t) => {
  const [a, b] = [join(await folder(), 'a.safetensors'), join(await folder(), 'b.safetensors')]
  await find({ output: a })
  await find({ output: b })
  t.deepEqual(await readFile(a), await readFile(b))
})

test.serial('directions of other weights than the network has are none of its own', async (t) => {
  const { network } = await trained()
  const vector = Float64Array.from({ length: 8 }, (_, i) => Number(i === 0))
  const attributes = [{ name: 'hat', vector, deviation: 1, agreement: 1 }]
  const path = directionsFile(network)
  await writeFile(path, Buffer.concat([...encodeDirections({ network: 'another', attributes })]))
  const G = await loadGenerator(network)
  t.deepEqual(await directionsOf(G), [])
  const look = { seed: 1, shifts: [{ direction: 'hat', by: 1, layers: [0] }] }
  await t.throwsAsync(drawLook(G, look), { message: /got 'hat'; there are none; / })
  const bytes = await readFile(path)
  const metadata = { format: 'stylegan-directions-2' }
  await writeFile(path, Buffer.concat([...encodeSafetensors({ tensors: new Map(), metadata })]))
  await t.throwsAsync(directionsOf(G), { instanceOf: VersionError })
  await writeFile(path, bytes.subarray(0, -8))
  await t.throwsAsync(directionsOf(G), { message: /directions\.safetensors: / })
})

test('w moves by deviations along a unit vector, in the layers that are named', (t) => {
  const w = new Styles(new Float64Array(12), [1, 3, 4])
  const attributes = [{ name: 'hat', vector: Float64Array.of(0, 1, 0, 0), deviation: 3, agreement: 1 }]
  const moved = shiftStyles(w, [{ direction: 'hat', by: -2, layers: [1, 2] }], { attributes })
  t.deepEqual(Array.from(moved.values), [0, 0, 0, 0, 0, -6, 0, 0, 0, -6, 0, 0])
  t.throws(() => shiftStyles(w, [{ direction: 'hat', by: 1, layers: [3] }], { attributes }), {
    message: /layers from 0/,
  })
  const other = [{ ...attributes[0]!, vector: new Float64Array(5) }]
  t.throws(() => shiftStyles(w, [{ direction: 'hat', by: 1, layers: [0] }], { attributes: other }), {
    message: /directions of 4 numbers are expected, got 5 of another network/,
  })
})

test('names of attributes can be written into commands and links', (t) => {
  t.is(directionName('skinColor=#614335'), 'skinColor-614335')
  t.is(directionName('facial-hair'), 'facial-hair')
  t.is(directionName('7'), 'is-7')
})

test('without classifiers it says where they come from', async (t) => {
  const empty = await folder()
  const { code, err } = await stylegan(['directions', '--network', 'avatars', '--classifiers', empty])
  t.is(code, 1)
  t.regex(err, /attribute classifiers are expected, got none; train some with 'stylegan classifier train'/)
})
