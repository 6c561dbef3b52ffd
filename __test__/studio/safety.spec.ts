/** Who may ask the studio, for what, and what it tells. */
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { Rng } from '../../ts/native/index.ts'
import { Guard, tokenOf } from '../../ts/studio/server/guard.ts'
import { Refused } from '../../ts/studio/server/refused.ts'
import { told, Place } from '../../ts/studio/server/place.ts'
import { folder } from '../support/folder.ts'
import { Client, json, lookOf, send, studioFor } from '../support/studio.ts'

const routes = [
  ...['about', 'live?page=a', 'run?id=a', 'picture', 'networks', 'network', 'components', 'directions', 'train'],
  ...['projections', 'projection', 'nothing'],
]
const posts = [
  ...['draw', 'frame', 'video', 'train/estimate', 'train/start', 'train/go-on', 'train/stop'],
  ...['directions/find', 'project/start', 'project/go-on', 'project/stop'],
]

test('the page itself needs no token, everything else does', async (t) => {
  const studio = await studioFor(t)
  const page = await send(studio, '/')
  t.is(page.status, 200)
  const head = await send(studio, '/', { method: 'HEAD' })
  t.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, String(page.body.length), 0])
  t.regex(String(page.headers['content-security-policy']), /default-src 'none'; script-src 'self'/)
  for (const path of routes) t.is((await send(studio, `/api/${path}`)).status, 401, path)
  for (const path of posts) t.is((await send(studio, `/api/${path}`, json({}))).status, 401, path)
  const { cookie } = await Client.open(studio)
  const wrong = cookie.slice(0, -1) + (cookie.endsWith('0') ? '1' : '0')
  t.is((await send(studio, '/api/about', { headers: { cookie: wrong } })).status, 401)
  t.false(cookie.includes(studio.token), 'a cookie does not tell the token')
  t.is((await send(studio, '/api/about', { headers: { cookie } })).status, 200)
})

test('the cookie is for this site alone and no script reads it', async (t) => {
  const studio = await studioFor(t)
  const { headers } = await send(studio, '/api/session', json({ token: studio.token }))
  t.regex(headers['set-cookie']![0]!, /^stylegan-studio-\d+=[0-9a-f]{64}; HttpOnly; SameSite=Strict; Path=\/;/)
})

test('other names and pages of other origins are refused', async (t) => {
  const studio = await studioFor(t)
  const { cookie } = await Client.open(studio)
  const own = `127.0.0.1:${studio.port}`
  const ask = async (headers: Record<string, string>) =>
    (await send(studio, '/api/about', { headers: { host: own, cookie, ...headers } })).status
  t.is(await ask({}), 200)
  t.is(await ask({ host: `localhost:${studio.port}` }), 200)
  t.is(await ask({ origin: `http://${own}` }), 200)
  for (const host of ['evil.example', `evil.example:${studio.port}`, '127.0.0.1.evil.example', '169.254.0.1']) {
    t.is(await ask({ host }), 403, `host ${host}`)
  }
  for (const origin of ['http://evil.example', 'null', `https://${own}`, 'http://127.0.0.1:1']) {
    t.is(await ask({ origin }), 403, `origin ${origin}`)
  }
  for (const site of ['cross-site', 'same-site']) t.is(await ask({ 'sec-fetch-site': site }), 403, site)
  t.is((await send(studio, '/', { headers: { host: 'evil.example' } })).status, 403, 'nor the page')
})

test('the token is in a file that only its owner can read, and stays when the studio starts again', async (t) => {
  const outdir = await folder()
  const first = await studioFor(t, { outdir })
  const path = join(outdir, '.studio-token')
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.is((await readFile(path, 'utf8')).trim(), first.token)
  const client = await Client.open(first)
  await first.close()
  const second = await studioFor(t, { outdir, port: first.port })
  t.is(second.token, first.token)
  t.is((await send(second, '/api/about', { headers: { cookie: client.cookie } })).status, 200)
})

test('studios that begin at once in one folder have one token', async (t) => {
  const outdir = await folder()
  const tokens = await Promise.all([1, 2, 3, 4].map(async () => (await studioFor(t, { outdir })).token))
  t.is(new Set(tokens).size, 1)
  for (let round = 0; round < 100; round++) {
    const fresh = await folder()
    const soon = async (i: number) => {
      for (let turn = 0; turn < (i * round) % 13; turn++) await setImmediate()
      return tokenOf(fresh)
    }
    t.is(new Set(await Promise.all(Array.from({ length: 8 }, (_, i) => soon(i)))).size, 1)
  }
})

test('a token that others could read or have put there is replaced', async (t) => {
  const outdir = await folder()
  const path = join(outdir, '.studio-token')
  const { token } = await studioFor(t, { outdir })
  await chmod(path, 0o644)
  t.not((await studioFor(t, { outdir })).token, token)
  const elsewhere = join(await folder(), 'known')
  await writeFile(elsewhere, 'a'.repeat(64), { mode: 0o600 })
  const linked = await folder()
  await symlink(elsewhere, join(linked, '.studio-token'))
  t.not((await studioFor(t, { outdir: linked })).token, 'a'.repeat(64))
})

test('after ten wrong tokens there is a pause', async (t) => {
  const studio = await studioFor(t)
  const statuses: number[] = []
  for (let i = 0; i < 12; i++) statuses.push((await send(studio, '/api/session', json({ token: 'x' }))).status)
  t.deepEqual(statuses.slice(0, 10), Array(10).fill(401))
  t.is(statuses[11], 429)
  t.is((await send(studio, '/api/session', json({ token: studio.token }))).status, 200, 'the right one still opens')
})

test('nothing outside of the folders is read, links resolved', async (t) => {
  const [outdir, outside] = [await folder(), await folder()]
  await mkdir(join(outside, 'run'))
  await writeFile(join(outside, 'run', 'training_options.json'), '{}')
  await writeFile(join(outside, 'run', 'reals.png'), 'secret')
  await writeFile(join(outside, 'run', 'log.txt'), 'secret')
  await writeFile(join(outside, 'secret.safetensors'), 'secret')
  await symlink(join(outside, 'run'), join(outdir, 'linked'))
  await symlink(join(outside, 'secret.safetensors'), join(outdir, 'secret.safetensors'))
  await mkdir(join(outdir, 'own'))
  await writeFile(join(outdir, 'own', 'stats.jsonl'), '{"Progress/kimg":1}\n')
  for (const name of ['reals.png', 'log.txt', 'training_options.json']) {
    await symlink(join(outside, 'run', name), join(outdir, 'own', name))
  }
  const studio = await studioFor(t, { outdir, dataRoot: await folder() })
  const client = await Client.open(studio)
  const paths = ['linked', '..', `../${outside.split('/').at(-1)}/run`, `${outside}/run`, 'own/..', 'a\0b', '.', '']
  for (const run of paths) {
    const id = encodeURIComponent(run)
    t.is((await client.get(`/api/run?id=${id}`)).status, 404, `run ${run}`)
    t.is((await client.get(`/api/picture?name=reals.png&run=${id}`)).status, 404, `picture ${run}`)
    t.is((await client.post('/api/train/stop', { run })).status, 404, `stop ${run}`)
  }
  t.is((await client.get('/api/picture?run=own&name=reals.png')).status, 404, 'a picture that is a link to outside')
  for (const name of ['../own/reals.png', 'training_options.json', '.studio-token', 'reals.png/..']) {
    t.is((await client.get(`/api/picture?run=own&name=${encodeURIComponent(name)}`)).status, 404, name)
  }
  for (const network of ['secret.safetensors', `${outside}/secret.safetensors`, `data:${outside}/secret.safetensors`]) {
    const reply = await client.post('/api/draw', { page: 'a', slot: 'b', scale: 1, look: lookOf(network) })
    t.is(reply.status, 404, network)
  }
  for (const data of ['..', outside, '../x']) {
    const reply = await client.post('/api/train/start', { options: { preset: 'demo', data } })
    t.is(reply.status, 404, `data ${data}`)
  }
  await symlink(join(outside, 'secret.safetensors'), join(outdir, 'own', 'network-snapshot-000001.safetensors'))
  await symlink(join(outside, 'secret.safetensors'), join(outdir, 'own', 'linked.pkl'))
  await symlink(join(outside, 'run', 'reals.png'), join(outdir, 'own', 'fakes000000.png'))
  t.notRegex((await client.get('/api/networks')).body.toString(), /own\//, 'what is refused is not listed')
  const own = await client.get('/api/run?id=own')
  t.deepEqual([own.json['pictures'], own.json['snapshots'], own.json['reals']], [[], [], undefined])
  t.is(own.status, 200)
  t.false(own.body.toString().includes('secret'), 'a log that is a link to outside')
  t.false((await client.get('/api/networks')).body.toString().includes(outside))
})

test('a file that is no network is the fault of the request', async (t) => {
  const outdir = await folder()
  await writeFile(join(outdir, 'a.safetensors'), 'nonsense')
  await writeFile(join(outdir, 'a.pkl'), 'nonsense')
  const client = await Client.open(await studioFor(t, { outdir }))
  for (const network of ['a.safetensors', 'a.pkl']) {
    const reply = await client.post('/api/draw', { page: 'a', slot: 'b', scale: 1, look: lookOf(network) })
    t.is(reply.status, 422, `${network}: ${reply.body.toString()}`)
  }
})

test('options that name files are not taken from the page', async (t) => {
  const client = await Client.open(await studioFor(t))
  for (const key of ['outdir', 'resume', 'weights', 'classifiers', '__proto__', 'constructor', 'minibatchRepeats']) {
    const options = JSON.parse(`{ "preset": "demo", "${key}": "1" }`) as object
    const { status, json: told } = await client.post('/api/train/start', { options })
    t.is(status, 400, key)
    t.is(told['error'], `${key}: an option that the page may set is expected`)
  }
})

test('what is too large, too often or of another kind is refused', async (t) => {
  const studio = await studioFor(t)
  const { cookie } = await Client.open(studio)
  const post = (body: string, type = 'application/json') =>
    send(studio, '/api/draw', { method: 'POST', headers: { cookie, 'content-type': type }, body })
  t.is((await post('x'.repeat(70_000))).status, 413)
  t.is((await post('{}', 'text/plain')).status, 415)
  t.is((await post('{')).status, 400)
  t.is((await post('['.repeat(10_000))).status, 400)
  t.is((await send(studio, '/api/nothing', { headers: { cookie } })).status, 404)
  t.is((await send(studio, '/api/about', { method: 'DELETE', headers: { cookie } })).status, 404)
})

test('the 801st request of a moment is refused, those of another address are not', (t) => {
  const guard = new Guard({ token: '', host: '127.0.0.1', port: 1 })
  const asked = (remoteAddress: string) => guard.checkRate({ socket: { remoteAddress } })
  // The bucket fills while it is emptied.
  t.throws(() => Array.from({ length: 1600 }, () => asked('a')), { instanceOf: Refused, message: /too many requests/ })
  t.notThrows(() => asked('b'))
})

test('a message tells no way outside and no stack', async (t) => {
  const outdir = await folder()
  const place = await Place.open(outdir)
  const message = `${outdir}/run/a.png: found it full (/etc/shadow, ${process.cwd()}/x)\n    at f (/src/a.ts:1:2)`
  t.is(told(message, [place]), 'run/a.png: found it full (…/shadow, …/x)')
  t.is(told('C:\\Users\\me\\x.png: no PNG', [place]), '…/x.png: no PNG')
  t.is(told('32/64 kimg; 8×8 and 1/2', [place]), '32/64 kimg; 8×8 and 1/2')
  t.is(told('\u001b[31mred', [place]), '\\u001b[31mred')
})

test('fuzzed requests are refused in one sentence and leave the studio whole', async (t) => {
  const studio = await studioFor(t)
  const { cookie } = await Client.open(studio)
  const rng = new Rng(2018)
  const one = <T>(list: readonly T[]): T => list[rng.nextInteger(0, list.length)]!
  const values = [null, true, -1, 1e308, 'x', '', [], {}, [[[]]], { a: 1 }, '../../etc/passwd', '\0', 'é'.repeat(300)]
  const good = { page: 'a', slot: 'b', scale: 1, position: 0, kind: 'png', run: 'x', options: {}, token: 'x' }
  const value = (): unknown => (rng.nextInteger(0, 4) === 0 ? lookOf('x', { [one(names)]: one(values) }) : one(values))
  const names = ['look', 'walk', 'page', 'slot', 'scale', 'network', 'seed', 'mix', 'shifts', 'seeds', 'options', 'run']
  for (let i = 0; i < 400; i++) {
    const body = { ...good, [one(names)]: value(), [one(names)]: value() }
    const path = `/api/${one([...posts, ...routes, 'session', '%00', '..%2f..%2fetc'])}`
    const headers = { cookie, 'content-type': one(['application/json', 'text/html']) }
    const text = one([JSON.stringify(body), JSON.stringify(body).slice(0, -1), '', 'nul', '"', '\u0000'])
    const method = one(['GET', 'POST', 'PUT'])
    if (method === 'GET' && path.startsWith('/api/live')) continue // it stays open
    const reply = await send(studio, path, { method, headers, ...(method === 'GET' ? {} : { body: text }) })
    t.true(reply.status < 500, `${method} ${path} ${text}: ${reply.status} ${reply.body.toString()}`)
    if (reply.status === 200) continue
    t.regex(String(reply.json['error']), /^[^\n]+$/)
    t.notRegex(reply.body.toString(), /\bat .*\.ts|node_modules|node:internal/)
  }
  t.is((await send(studio, '/api/about', { headers: { cookie } })).status, 200)
})
