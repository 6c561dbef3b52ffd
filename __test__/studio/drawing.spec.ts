/** Pictures of the studio: those of the commands, the newest first, of networks that come and go. */
import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { layersText, lookCode, lookCommand, quoted, walkCommand } from '../../ts/studio/commands.ts'
import type { Look, NetworkFile, NetworkInfo, Walk } from '../../ts/studio/protocol.ts'
import { Drawing } from '../../ts/studio/server/drawing.ts'
import { stylegan } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { Client, lookOf, studioFor, tinyRun } from '../support/studio.ts'

let made: Promise<{ outdir: string; file: string; network: string }> | undefined
const trained = () =>
  (made ??= folder().then(async (outdir) => {
    await tinyRun(outdir)
    const { path } = await loadGenerator(outdir)
    return { outdir, file: path, network: path.slice(outdir.length + 1) }
  }))

const ask = (look: object, more: object = {}) => ({ page: 'a', slot: 'b', scale: 1, look, ...more })

/** A command line as words; nothing in these tests needs quotes. */
const words = (command: string) => command.split(' ').slice(1)

test('a picture is what its copied command writes, byte for byte', async (t) => {
  const { outdir, network } = await trained()
  const client = await Client.open(await studioFor(t, { outdir }))
  const info = (await client.get(`/api/network?network=${network}`)).json as unknown as NetworkInfo
  t.like(info, { resolution: 8, layers: 4, labelSize: 0, hasNoise: true, hasStyles: true, defaultPsi: 0.7 })
  const looks = [
    lookOf(network),
    lookOf(network, {
      ...{ seed: 3, psi: -0.5, cutoff: 2, noise: 'random', noiseSeed: 9, noiseStrength: [1, 0, 0.5, 2] },
      mix: [{ seed: 5, layers: [0, 1, 3] }],
      shifts: [{ direction: 1, by: -1.5, layers: [0, 1] }],
    }),
  ] as Look[]
  for (const look of looks) {
    const { status, body, headers } = await client.post('/api/draw', ask(look))
    t.is(status, 200, body.toString())
    t.is(headers['content-type'], 'image/png')
    const out = await folder()
    const { code, err } = await stylegan([...words(lookCommand(look, info)), '--outdir', out])
    t.is(code, 0, err)
    t.deepEqual(body, await readFile(join(out, `seed000${look.seed}.png`)))
  }
})

test('the built-in network is there before anything is trained', async (t) => {
  const client = await Client.open(await studioFor(t))
  const [first] = (await client.get('/api/networks')).json as unknown as NetworkFile[]
  t.like(first, { network: 'built-in:avatars', path: 'avatars', group: 'Built in' })
  const { status, body } = await client.post('/api/draw', ask(lookOf(first!.network)))
  t.is(status, 200)
  t.deepEqual(body, Buffer.from(await (await (await loadGenerator('avatars')).images({ seeds: 1 })).png(0)))
})

test('a walk is what its copied command writes', async (t) => {
  const { outdir, network } = await trained()
  const client = await Client.open(await studioFor(t, { outdir }))
  const info = (await client.get(`/api/network?network=${network}`)).json as unknown as NetworkInfo
  const walk: Walk = {
    network,
    seeds: [1, 2],
    psi: 0.7,
    cutoff: 8,
    space: 'z',
    easing: 'cubic',
    framesPerKey: 2,
    fps: 5,
  }
  const output = join(await folder(), 'walk.png')
  const { code, err } = await stylegan(words(walkCommand(walk, info, output)))
  t.is(code, 0, err)
  const video = await client.post('/api/video', { page: 'a', walk, kind: 'png', scale: 16 })
  t.deepEqual(video.body, await readFile(output))
  const frame = await client.post('/api/frame', { page: 'a', slot: 'b', walk, position: 1 })
  const still = await client.post('/api/draw', ask(lookOf(network, { seed: 2 })))
  t.deepEqual(frame.body, still.body, 'a key frame is the image of its seed')
  const long = { ...walk, framesPerKey: 600, seeds: Array(64).fill(1) }
  const refused = await client.post('/api/video', { page: 'a', walk: long, kind: 'png', scale: 1 })
  t.regex(String(refused.json['error']), /^a walk of 38400 frames is too large/)
})

/** A promise, and what keeps it. */
function gateOf(): [gate: Promise<void>, open: () => void] {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  return [gate, () => open()]
}

test('of the requests of one slot that wait, the newest wins and none queue up', async (t) => {
  const { file } = await trained()
  const drawing = new Drawing('cpu')
  const drawn: string[] = []
  const [gate, open] = gateOf()
  const first = drawing.draw('a', file, async () => (await gate, drawn.push('first')))
  const ask = (slot: string, name: string) => drawing.draw(slot, file, async () => drawn.push(name))
  const older = ['a', 'a', 'b'].map((slot, i) => ask(slot, `older ${i}`))
  const newer = [ask('a', 'newest a'), ask('b', 'newest b')]
  open()
  await Promise.all([first, ...newer])
  t.deepEqual(drawn, ['first', 'newest a', 'newest b'])
  for (const one of older) await t.throwsAsync(one, { message: 'a newer picture was asked for' })
})

test('a picture that nobody waits for is not drawn', async (t) => {
  const { file } = await trained()
  const drawing = new Drawing('cpu')
  const [gate, open] = gateOf()
  const first = drawing.draw('a', file, () => gate)
  const leaving = new AbortController()
  const left = drawing.draw('b', file, async () => t.fail(), leaving.signal)
  leaving.abort()
  open()
  await first
  await t.throwsAsync(left, { message: 'nobody waits for this picture' })
})

test('networks that are replaced, removed or damaged are told apart', async (t) => {
  const { outdir: from, network: name } = await trained()
  const outdir = await folder()
  const path = join(outdir, 'a.safetensors')
  await copyFile(join(from, name), path)
  const client = await Client.open(await studioFor(t, { outdir }))
  t.is((await client.post('/api/draw', ask(lookOf('a.safetensors')))).status, 200)
  const bytes = await readFile(path)
  await writeFile(path, bytes.subarray(0, bytes.length - 100))
  const damaged = await client.post('/api/draw', ask(lookOf('a.safetensors')))
  t.is(damaged.status, 422)
  t.regex(String(damaged.json['error']), /^a\.safetensors: /)
  await rm(path)
  const gone = await client.post('/api/draw', ask(lookOf('a.safetensors')))
  t.is(gone.status, 404)
  t.regex(String(gone.json['error']), /^a\.safetensors: .* got none$/)
  t.true((await stat(join(from, name))).isFile())
})

test('a device that is lost is opened again for the next picture', async (t) => {
  const { file } = await trained()
  const { DeviceError } = await import('../../ts/native/index.ts')
  const drawing = new Drawing('cpu')
  const fault = drawing.draw('a', file, async () => {
    throw new DeviceError('the device is lost', 'ERR_DEVICE')
  })
  await t.throwsAsync(fault, { message: 'the device is lost' })
  const images = await drawing.draw('a', file, (G) => G.images({ seeds: 1 }))
  t.is(images.count, 1)
})

test('options that cannot be are refused by name', async (t) => {
  const { outdir, network } = await trained()
  const client = await Client.open(await studioFor(t, { outdir }))
  const error = async (look: object) =>
    String((await client.post('/api/draw', ask(lookOf(network, look)))).json['error'])
  t.is(await error({ seed: -1 }), 'seed: a whole number from 0 to 4294967295 is expected, got -1')
  t.is(await error({ noise: 'loud' }), 'noise: one of const, random, none is expected, got "loud"')
  t.regex(await error({ mix: [{ seed: 1, layers: [9] }] }), /layers from 0 to 3/)
  t.regex(await error({ shifts: [{ direction: 50, by: 1, layers: [0] }] }), /component from 0 to/)
  t.regex(await error({ noiseStrength: [1] }), /^noiseStrength: one number or 4/)
  t.regex(await error({ class: 1 }), /^class: /)
})

test('commands and code are quoted', (t) => {
  t.is(quoted('a b'), "'a b'")
  t.is(quoted("it's"), String.raw`'it'\''s'`)
  t.is(layersText([3, 0, 1, 2, 5, 7, 8]), '0-3+5+7-8')
  const info = { path: "o'r \\x", resolution: 8, hasNoise: true, canTruncate: true, labelSize: 0 } as NetworkInfo
  const look = lookOf('x', { mix: [{ seed: 5, layers: [0] }] }) as Look
  t.is(
    lookCommand(look, info),
    String.raw`stylegan generate --network 'o'\''r \x' --seeds 1 --trunc 0.7 --trunc-cutoff 8 --mix 5:0`,
  )
  t.regex(lookCode(look, info), /loadGenerator\('o\\'r \\\\x'\)/)
})
