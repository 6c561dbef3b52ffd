/** Pictures that are projected from the page, and attributes that are found from it. */
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { writeGenerator } from '../../ts/checkpoints/index.ts'
import { encodeNpz } from '../../ts/files/npz.ts'
import { readProjected } from '../../ts/figures/projected.ts'
import { drawLook } from '../../ts/figures/look.ts'
import { encodePng } from '../../ts/native/index.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { lookCode, lookCommand } from '../../ts/studio/commands.ts'
import type { About, Directions, Job, Look, NetworkFile, NetworkInfo, Projection } from '../../ts/studio/protocol.ts'
import { tinyClassifier } from '../support/classifier.ts'
import { stylegan } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { Client, lookOf, studioFor, tinyRun, until } from '../support/studio.ts'

let made: Promise<{ outdir: string; network: string }> | undefined
const trained = () =>
  (made ??= folder().then(async (outdir) => {
    const run = await tinyRun(outdir)
    const { path } = await loadGenerator(outdir)
    return { outdir, network: `${run}/${path.split(/[\\/]/).at(-1)}` }
  }))

/** A square of one colour, as the page sends it. */
async function square(value = 90): Promise<string> {
  return Buffer.from(await encodePng(new Uint8Array(8 * 8 * 3).fill(value), 8, 8, 3)).toString('base64')
}

const asked = async (network: string, more: object = {}) => ({
  ...{ network, name: 'my face.jpg', target: await square(), space: 'w', steps: 3, seed: 1 },
  ...more,
})

async function projections(client: Client): Promise<Projection[]> {
  return (await client.get('/api/projections')).json as unknown as Projection[]
}

const ended = (client: Client, id: string) =>
  until(`the end of ${id}`, async () =>
    (await projections(client)).find((one) => one.id === id && one.state !== 'running'),
  )

test('a picture is projected, drawn as w, moved and mixed, and its commands do the same', async (t) => {
  const { outdir, network } = await trained()
  const client = await Client.open(await studioFor(t, { outdir }))
  const { status, json } = await client.post('/api/project/start', await asked(network))
  t.is(status, 200, String(json['error']))
  t.regex(String(json['id']), /^projections\/my-face-jpg-\d+$/)
  const id = String(json['id'])
  const done = await ended(client, id)
  t.like(done, { state: 'done', network, space: 'w', steps: 3 })
  t.true(done.version > 0)
  for (const name of ['cut', 'found']) {
    const { headers } = await client.get(`/api/projection?id=${id}&name=${name}`)
    t.is(headers['content-type'], 'image/png', name)
  }

  const info = (await client.get(`/api/network?network=${network}`)).json as unknown as NetworkInfo
  const more = { mix: [{ seed: 5, layers: [3] }], shifts: [{ direction: 0, by: 1, layers: [0] }] }
  const G = await loadGenerator(outdir)
  const projected = await readProjected(join(outdir, id, 'projected_w.npz'))
  for (const parts of [{}, more, { noise: 'random', noiseSeed: 4 }]) {
    const look = { ...lookOf(network), seed: 0, projected: id, ...parts } as Look
    const { body } = await client.post('/api/draw', { page: 'a', slot: 'b', scale: 1, look })
    const { noiseStrength: _, ...rest } = look
    t.deepEqual(body, Buffer.from(await (await drawLook(G, { ...rest, projected })).png(0)))
    const out = await folder()
    const { code, err } = await stylegan([...lookCommand(look, info).split(' ').slice(1), '--outdir', out])
    t.is(code, 0, err)
    t.deepEqual(await readFile(join(out, 'proj00.png')), body)
    t.regex(lookCode(look, info), /projected: await readProjected\('.*projected_w\.npz'\),/)
  }

  // The command of the projection writes the same w into its folder.
  const again = await folder()
  const words = done.command.split(' ').slice(1)
  const { code, err } = await stylegan([...words.slice(0, -1), again])
  t.is(code, 0, err)
  const file = 'projected_w.npz'
  t.deepEqual(await readFile(join(again, file)), await readFile(join(outdir, id, file)))
})

test('a projection is stopped, and goes on to the same w after the studio was started again', async (t) => {
  const { outdir, network } = await trained()
  const first = await studioFor(t, { outdir })
  const client = await Client.open(first)
  const start = async (steps: number) =>
    String((await client.post('/api/project/start', await asked(network, { steps }))).json['id'])
  const id = await start(400)
  const isStopped = await until('a stop that is taken', async () => {
    const { status } = await client.post('/api/project/stop', { id })
    return status === 200 ? true : undefined
  })
  t.true(isStopped)
  t.is((await ended(client, id)).state, 'stopped')
  const files = await readdir(join(outdir, id))
  t.true(files.includes('projection.safetensors') && !files.includes('projected_w.npz'), files.join())
  await first.close()
  const second = await Client.open(await studioFor(t, { outdir }))
  t.is((await second.post('/api/project/go-on', { id })).status, 200)
  t.is((await ended(second, id)).state, 'done')
  const names = (await second.get('/api/networks')).json as unknown as NetworkFile[]
  t.deepEqual(
    names.filter(({ group }) => group === 'Files'),
    [],
  )
})

test('what cannot be projected is refused in a sentence, and nothing is left', async (t) => {
  const { network } = await trained()
  const outdir = await folder()
  const client = await Client.open(await studioFor(t, { outdir }))
  const error = async (more: object) => {
    const { json } = await client.post('/api/project/start', await asked('built-in:avatars', more))
    return String(json['error'])
  }
  t.regex(await error({ network }), /a file below the studio's folders is expected/)
  t.is(await error({ target: Buffer.from('GIF89a').toString('base64') }), 'target: a PNG is expected')
  t.regex(await error({ space: 'z' }), /^space: one of w, w\+ is expected/)
  t.regex(await error({ steps: 0 }), /^steps: a whole number from 1 to 10000/)
  const large = await client.post('/api/project/start', { target: 'A'.repeat(23 << 20) })
  t.is(large.status, 413)
  t.deepEqual(await projections(client), [])
  const elsewhere = await folder()
  await symlink(elsewhere, join(outdir, 'projections'))
  t.regex(await error({}), /a file below the studio's folders is expected/)
  t.deepEqual(await readdir(elsewhere), [])
  for (const id of ['projections/..', '../x', 'projections/none', 'x']) {
    t.is((await client.get(`/api/projection?id=${id}&name=cut`)).status, 404, id)
    t.is((await client.post('/api/project/go-on', { id })).status, 404, id)
  }
})

test('attributes are found where classifiers are there, and drawn along', async (t) => {
  const [outdir, classifiers] = [await folder(), await folder()]
  const run = await tinyRun(outdir)
  const network = `${run}/${(await loadGenerator(outdir)).path.split(/[\\/]/).at(-1)}`
  const directions = async (client: Client) =>
    (await client.get(`/api/directions?network=${network}`)).json as unknown as Directions
  const without = await Client.open(await studioFor(t, { outdir, classifiers: join(classifiers, 'none') }))
  t.deepEqual(await directions(without), { attributes: [] })
  t.is((await without.post('/api/directions/find', { network })).status, 409)

  await tinyClassifier(classifiers, 'hat')
  const client = await Client.open(await studioFor(t, { outdir, classifiers }))
  t.is(((await client.get('/api/about')).json as unknown as About).classifiers, 1)
  const { command } = await directions(client)
  t.is(command, `stylegan directions --network ${join(outdir, network)} --classifiers ${classifiers}`)
  const job = (await client.post('/api/directions/find', { network })).json as unknown as Job
  t.like(job, { kind: 'directions', state: 'running' })
  const found = await until('the attributes', async () => {
    const { attributes } = await directions(client)
    return attributes.length > 0 ? attributes : undefined
  })
  t.is(found[0]!.name, 'hat')
  const look = lookOf(network, { shifts: [{ direction: 'hat', by: 2, layers: [0, 1, 2, 3] }] })
  const { body } = await client.post('/api/draw', { page: 'a', slot: 'b', scale: 1, look })
  const G = await loadGenerator(outdir)
  const shifts = [{ direction: 'hat', by: 2, layers: [0, 1, 2, 3] }]
  t.deepEqual(body, Buffer.from(await (await drawLook(G, { seed: 1, psi: 0.7, cutoff: 8, shifts })).png(0)))
  const wrong = { ...look, shifts: [{ direction: 'a b', by: 1, layers: [0] }] }
  const { json } = await client.post('/api/draw', { page: 'a', slot: 'b', scale: 1, look: wrong })
  t.is(json['error'], 'direction: a number or the name of an attribute is expected')
})

test('directions and classifiers are no networks to draw with', async (t) => {
  const outdir = await folder()
  await mkdir(join(outdir, 'classifiers'))
  await writeFile(join(outdir, 'classifiers', 'classifier-hat.safetensors'), '')
  await writeFile(join(outdir, 'a.directions.safetensors'), '')
  const image = { shape: [1, 4, 4, 3], values: new Float32Array(48) }
  await writeFile(join(outdir, 'images.npz'), Buffer.concat([...encodeNpz(new Map([['images', image]]))]))
  await writeFile(join(outdir, 'cut.npz'), '')
  const G = await loadGenerator('avatars')
  const metadata = { what: 'faces', licence: 'none is stated', options: G.options, classes: G.classes, lod: 0 }
  await writeGenerator(join(outdir, 'drawn.npz'), G.Gs.params, 'npz', metadata)
  await copyFile(G.path, join(outdir, 'mine.safetensors'))
  const client = await Client.open(await studioFor(t, { outdir }))
  const names = (await client.get('/api/networks')).json as unknown as NetworkFile[]
  t.deepEqual(
    names.map(({ network }) => network),
    ['drawn.npz', 'mine.safetensors', 'built-in:avatars'],
  )
})
