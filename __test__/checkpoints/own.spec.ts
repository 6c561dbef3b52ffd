/** Imported networks as files of ours. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { isCheckpoint, openCheckpoint, writeGenerator, writeNetworks } from '../../ts/checkpoints/index.ts'
import { encodeNpz } from '../../ts/files/npz.ts'
import type { Weights } from '../../ts/files/weights.ts'
import { Device, Rng, scope } from '../../ts/native/index.ts'
import { renderLatents } from '../../ts/figures/render.ts'
import { readGenerator } from '../../ts/training/state.ts'
import { folder } from '../support/checkpoints.ts'

const at = (file: string) => new URL(file, folder).pathname
const temporary = () => mkdtemp(join(tmpdir(), 'stylegan-own-'))

function bits(weights: Weights | undefined): Map<string, unknown> {
  return new Map(
    [...(weights ?? [])]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { shape, values }]) => [name, [shape, values()]]),
  )
}

test('an imported checkpoint written as a file of ours has the same variables, bit for bit, and says what it was', async (t) => {
  const read = await openCheckpoint([at('nvlabs/labels16/network.pkl')])
  const path = join(await temporary(), 'labels.safetensors')
  await writeNetworks(path, read)
  t.true(await isCheckpoint(path))
  const again = await openCheckpoint([path])
  t.deepEqual(again.options, read.options)
  t.is(again.licence, 'CC BY-NC 4.0')
  t.is(again.what, read.what)
  for (const name of ['Gs', 'G', 'D'] as const) t.deepEqual(bits(again[name]), bits(read[name]), name)
})

test('a network draws the same picture from its checkpoint and from a file of ours, options of its own included', async (t) => {
  const path = join(await temporary(), 'sisk.safetensors')
  const source = at('siskonemilia/trained/trained.pth')
  await writeNetworks(path, await openCheckpoint([source]))
  const device = Device.open('cpu')
  const pictures = await Promise.all(
    [source, path].map(async (file) => {
      const generator = await readGenerator(file, device)
      t.is(generator.options.semantics?.bilinear, true)
      return scope(() => renderLatents(generator, new Rng(1).normal(device, [1, 24]), { noise: 'const' })).data()
    }),
  )
  t.deepEqual(pictures[0], pictures[1])
})

test('a checkpoint taken while growing is drawn at its level of detail', async (t) => {
  const { lod, options } = await readGenerator(at('nvlabs/fading32/network.pkl'), Device.open('cpu'))
  t.true(Math.abs(lod! - 1.4) < 1e-6)
  t.is(options.resolution, 32)
})

test('files of one checkpoint are opened together: the average first, then what else there is', async (t) => {
  const files = ['GAN_GEN_SHADOW_3_7.pth', 'GAN_DIS_3_7.pth'].map((name) => at(`huangzh13/linear32/${name}`))
  const { Gs, G, D, options } = await openCheckpoint(files)
  t.deepEqual([Gs !== undefined, G !== undefined, D !== undefined], [true, false, true])
  t.deepEqual(options.semantics, { epsilon: 1e-5, linearFromRgb: true })
})

test('a file that holds an optimizer, or a discriminator alone, says so where a generator is drawn from', async (t) => {
  const device = Device.open('cpu')
  const message = async (file: string) =>
    (await t.throwsAsync(readGenerator(at(`huangzh13/linear32/${file}`), device))).message
  t.regex(await message('GAN_GEN_OPTIM_3_7.pth'), /holds an optimizer's state and no network/)
  t.regex(await message('GAN_DIS_3_7.pth'), /holds a discriminator alone/)
})

test('a file of networks of a newer version is refused, and one of other text too', async (t) => {
  const path = join(await temporary(), 'x.safetensors')
  const header = Buffer.from(JSON.stringify({ __metadata__: { format: 'stylegan-network-2' } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  await writeFile(path, Buffer.concat([length, header]))
  await t.throwsAsync(readGenerator(path, Device.open('cpu')), { message: /version 1 of its format/ })
})

test('an exported archive whose description is no text by name is refused', async (t) => {
  const path = join(await temporary(), 'x.npz')
  for (const description of ['{"format": 1}', 'null', '[]']) {
    await writeFile(path, Buffer.concat([...encodeNpz(new Map(), { 'stylegan.json': description })]))
    await t.throwsAsync(openCheckpoint([path]), { message: `${path}: its stylegan.json is none of 'stylegan export'` })
  }
})

for (const format of ['safetensors', 'npz'] as const) {
  test(`a generator exported as ${format} is read back bit for bit, with its options, classes and licence`, async (t) => {
    const read = await openCheckpoint([at('nvlabs/labels16/network.pkl')])
    const { Gs, options } = await readGenerator(at('nvlabs/labels16/network.pkl'), Device.open('cpu'))
    const path = join(await temporary(), `labels.${format}`)
    await writeGenerator(path, Gs.params, format, { ...read, options, classes: ['a', 'b', 'c'] })
    const again = await openCheckpoint([path])
    t.deepEqual(bits(again.Gs), bits(read.Gs))
    t.deepEqual([again.options, again.licence, again.classes], [read.options, 'CC BY-NC 4.0', ['a', 'b', 'c']])
    t.true(again.Gs!.has('G_synthesis/4x4/Const/const'))
  })
}

for (const protocol of [0, 1]) {
  test(`pickle protocol ${protocol}, which is text in places, holds the same networks bit for bit`, async (t) => {
    const [old, usual] = await Promise.all(
      [`p${protocol}.pkl`, 'p4.pkl'].map((name) => openCheckpoint([at(`nvlabs/serialisations/${name}`)])),
    )
    for (const name of ['Gs', 'G', 'D'] as const) t.deepEqual(bits(old![name]), bits(usual![name]), name)
  })
}
