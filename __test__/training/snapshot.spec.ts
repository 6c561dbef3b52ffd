/** Snapshots that are damaged or that somebody else wrote: a {@link SnapshotError}, before memory is taken. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { encodeSafetensors, readSafetensors, SnapshotError, type TensorFile } from '../../ts/files/safetensors.ts'
import { writeAtomic } from '../../ts/files/write-atomic.ts'
import { Device } from '../../ts/native/index.ts'
import { resolveConfig } from '../../ts/training/config.ts'
import { trainingMetadata } from '../../ts/training/snapshot-metadata.ts'
import { createState, encodeState, readGenerator, loadState } from '../../ts/training/state.ts'
import { tinyConfig } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

const device = Device.open('cpu')
const config = resolveConfig('demo', tinyConfig)
const newPath = async () => join(await folder(), 'network-snapshot-000000.safetensors')

async function snapshot(change: (file: TensorFile) => void = () => {}): Promise<string> {
  const path = await newPath()
  await writeAtomic(path, encodeState(createState(device, config), config))
  const file = await readSafetensors(path)
  change(file)
  await writeFile(path, Buffer.concat([...encodeSafetensors(file)]))
  return path
}

const hostile = (name: string) => new URL(`../fixtures/hostile/${name}.safetensors`, import.meta.url).pathname

for (const [name, message] of [
  ['configZ', /: its network cannot be used: config: one of A, B, C, D, E, F is expected, got "Z"/],
  ['layersInf', /: its network cannot be used: mappingLayers: a whole number from 0 to 64 is expected, got 1e\+308$/],
  ['res30', /: its network cannot be used: resolution: a power of two from 4 to 1024 is expected, got 1073741824/],
  ['posnull', /: its position cannot be used: an object is expected$/],
  ['overlap', /: 'b' must begin at byte 16 of the data, got 0$/],
] as const) {
  test(`${name}.safetensors is refused when it is drawn and when it is resumed from`, async (t) => {
    for (const open of [readGenerator(hostile(name), device), loadState(hostile(name), device, config)]) {
      const error = await t.throwsAsync(open, { instanceOf: SnapshotError })
      t.regex(error.message, message)
    }
  })
}

for (const [name, changes, message] of [
  ['no network', { network: undefined }, /its network cannot be used: /],
  ['a network of the wrong type', { network: '{"resolution":"8"}' }, /its network cannot be used: resolution: /],
  ['a config that is no JSON', { config: '{' }, /its config cannot be used: /],
  ['an unknown preset', { config: '{"preset":"\\u001b[2J"}' }, /its config cannot be used: preset: /],
  ['classes that are numbers', { classes: '[1]' }, /its classes cannot be used: a list of names is expected$/],
  ['a position without numbers', { position: '{}' }, /its position cannot be used: nimg: a whole number is expected$/],
  ['a seed that is none', { rng: '{"seed":1e999}' }, /its rng cannot be used: Rng: seed must be a whole number from 0/],
  ['a config of 1,000 levels', { config: '['.repeat(1000) }, /its config cannot be used: JSON of at most 16 levels/],
] as const) {
  test(`a snapshot with ${name} is refused`, async (t) => {
    const path = await snapshot(({ metadata }) => {
      for (const [key, value] of Object.entries(changes as Record<string, string | undefined>)) {
        if (value === undefined) Reflect.deleteProperty(metadata, key)
        else metadata[key] = value
      }
    })
    const error = await t.throwsAsync(loadState(path, device, config), { instanceOf: SnapshotError })
    t.regex(error.message, message)
    t.notRegex(error.message, /\p{Cc}/u)
  })
}

test('a snapshot whose metadata asks for more than it holds takes no memory', async (t) => {
  const path = await snapshot(({ metadata }) => {
    const network = JSON.parse(metadata['network']!) as object
    metadata['network'] = JSON.stringify({ ...network, resolution: 1024, fmapBase: 2 ** 20, fmapMax: 2 ** 14 })
  })
  // The other tests of this file take memory of theirs meanwhile.
  const own = Device.open('cpu')
  const before = own.memory().peak
  await t.throwsAsync(readGenerator(path, own), {
    instanceOf: SnapshotError,
    message: /'Gs\/.* is expected and missing$/,
  })
  t.is(own.memory().peak, before)
})

test('weights that are not finite are neither drawn nor resumed from', async (t) => {
  for (const value of [NaN, -Infinity]) {
    const path = await snapshot(({ tensors }) => {
      tensors.get('Gs/G_mapping/Dense0/weight')!.values[3] = value
    })
    const expected = {
      instanceOf: SnapshotError,
      message: new RegExp(`Dense0/weight' must be finite, got ${value}; use`),
    }
    await t.throwsAsync(readGenerator(path, device), expected)
    await t.throwsAsync(loadState(path, device, config), expected)
  }
})

test('a state that is not finite is not written', async (t) => {
  const state = createState(device, config)
  const weight = state.D.params.get('D/4x4/Dense0/weight') ?? [...state.D.params.values()][0]!
  weight.assign(device.full(weight.shape, NaN))
  const path = await newPath()
  await t.throwsAsync(writeAtomic(path, encodeState(state, config)), {
    instanceOf: RangeError,
    message: /is no longer finite$/,
  })
})

test('flipped bits of a snapshot are noticed before training goes on', async (t) => {
  const path = await snapshot()
  const whole = await readFile(path)
  const start = 8 + Number(whole.readBigUInt64LE())
  const name = whole.indexOf('header_crc32c')
  // A sample of the header and one of the data: every bit of small files is tested with the reader.
  const places = [...Array(300).keys()].map((i) => Math.floor((i * start) / 300))
  places.push(...[...Array(100).keys()].map((i) => start + Math.floor((i * (whole.length - start)) / 100)))
  for (const [i, at] of places.entries()) {
    if (at >= name && at < name + 13) continue // without the checksum's name it is a file without one
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 1 << (i % 8)
    await writeFile(path, damaged)
    await t.throwsAsync(loadState(path, device, config), { instanceOf: SnapshotError }, `byte ${at}`)
  }
})

test('a class name with terminal escapes is kept, and shown without them by info', async (t) => {
  const { metadata } = await readSafetensors(hostile('ansi'))
  t.deepEqual(trainingMetadata('ansi', { metadata }).classes, ['\u001b]0;pwned\u0007\u001b[2J'])
})
