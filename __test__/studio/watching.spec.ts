/** Runs as the studio sees them: from their files, of whatever process, and told when they change. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import test from 'ava'
import { acquireLock, holderOf } from '../../ts/files/lock.ts'
import { lockRun } from '../../ts/runs/run-lock.ts'
import type { Job, Run, RunSummary } from '../../ts/studio/protocol.ts'
import { Jobs } from '../../ts/studio/server/jobs.ts'
import { flagsOf } from '../../ts/studio/server/trainings.ts'
import { presets, resolveConfig, runName } from '../../ts/training/config.ts'
import { copying } from '../../ts/training/ada.ts'
import { presetNames } from '../../ts/training/options.ts'
import { stylegan } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { Client, studioFor, tinyRun, until } from '../support/studio.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

/** The events of a page, as they come. */
function listen(port: number, cookie: string) {
  const events: { name: string; data: unknown }[] = []
  let rest = ''
  const asked = get(
    { port, host: '127.0.0.1', path: '/api/live?page=test', headers: { cookie }, agent: false },
    (response) => {
      response.on('data', (chunk: Buffer) => {
        const parts = (rest + chunk.toString()).split('\n\n')
        rest = parts.pop()!
        for (const part of parts) {
          const match = /^event: (\w+)\ndata: (.*)$/.exec(part)
          if (match) events.push({ name: match[1]!, data: JSON.parse(match[2]!) })
        }
      })
    },
  )
  asked.on('error', () => {})
  const last = (name: string) => events.findLast((event) => event.name === name)?.data
  return {
    runs: () => last('runs') as RunSummary[] | undefined,
    jobs: () => last('jobs') as Job[] | undefined,
    close: () => asked.destroy(),
  }
}

let made: Promise<{ outdir: string; run: string }> | undefined
const finished = () => (made ??= folder().then(async (outdir) => ({ outdir, run: await tinyRun(outdir) })))

test('a run is shown with its curves, resolutions, pictures, snapshots and the command that goes on', async (t) => {
  const { outdir, run } = await finished()
  const client = await Client.open(await studioFor(t, { outdir }))
  const shown = (await client.get(`/api/run?id=${run}`)).json as unknown as Run
  t.is(shown.state, 'finished')
  t.is(shown.kimg, 0.096)
  const loss = shown.curves.find(({ name }) => name === 'Loss/G')!
  t.deepEqual(loss.kimg, [0.032, 0.064, 0.096])
  t.true(loss.values.every((value) => typeof value === 'number'))
  t.deepEqual(
    shown.phases.map(({ resolution, kind }) => [resolution, kind]),
    [
      [4, 'stable'],
      [8, 'fade'],
      [8, 'stable'],
    ],
  )
  t.is(shown.pictures[0]!.name, 'fakes000000.png')
  t.is(shown.reals, 'reals.png')
  t.is(shown.snapshots[0]!.network, `${run}/${shown.snapshots[0]!.name}`)
  t.regex(shown.command!, /^stylegan train --preset demo --data \S+ --outdir \S+ --resolution 8 /)
  t.regex(shown.log.at(-1)!, /^tick 3 /)
  const picture = await client.get(`/api/picture?run=${run}&name=reals.png`)
  t.deepEqual(picture.body, await readFile(join(outdir, run, 'reals.png')))
})

test('a run is running while its lock is held, then finished, stopped or diverged', async (t) => {
  // A run of its own: others look at theirs at the same time.
  const outdir = await folder()
  const run = await tinyRun(outdir)
  const client = await Client.open(await studioFor(t, { outdir }))
  const state = async () => ((await client.get(`/api/run?id=${run}`)).json as unknown as Run).state
  t.is(await state(), 'finished')
  const lock = await lockRun(join(outdir, run))
  t.is(await state(), 'running')
  lock.release()
  const options = join(outdir, run, 'training_options.json')
  const text = await readFile(options, 'utf8')
  await writeFile(options, text.replace('"kimg": 0.096', '"kimg": 5'))
  t.is(await state(), 'stopped')
  await writeFile(join(outdir, run, 'diverged.txt'), 'it diverged\n')
  t.is(await state(), 'diverged')
  await rm(join(outdir, run, 'diverged.txt'))
  await writeFile(options, text)
})

test('who holds a lock is told without taking it; what a killed process left is nobody', async (t) => {
  const path = join(await folder(), '.lock')
  t.is(holderOf(path), undefined)
  const lock = acquireLock(path, { what: 'a test', advice: 'wait' })
  t.deepEqual(holderOf(path), { pid: process.pid, isHere: true })
  t.deepEqual(holderOf(path), { pid: process.pid, isHere: true }, 'it is still held')
  lock.release()
  t.is(holderOf(path), undefined)
  const left = (pid: number, host = hostname()) => writeFile(path, JSON.stringify({ pid, host, since: '', id: '' }))
  await left(2 ** 22 + 1)
  t.is(holderOf(path), undefined, 'no such process')
  await left(process.pid)
  t.is(holderOf(path), undefined, 'a process of that number lives, and holds nothing')
  await writeFile(path, '')
  t.is(holderOf(path), undefined, 'somebody who is about to take it')
})

test('pages are told when a file of a run changes, and when a run goes away', async (t) => {
  const outdir = await folder()
  const studio = await studioFor(t, { outdir })
  const { cookie } = await Client.open(studio)
  const live = listen(studio.port, cookie)
  t.teardown(live.close)
  t.deepEqual(await until('the first list', live.runs), [])
  const dir = join(outdir, 'a')
  await mkdir(dir)
  await writeFile(join(dir, 'stats.jsonl'), '{"nimg":1000,"Progress/kimg":1}\n')
  await until('the run', () => live.runs()?.find(({ kimg }) => kimg === 1))
  await appendFile(join(dir, 'stats.jsonl'), '{"nimg":2000,"Progress/kimg":2}\n{"cut o')
  await until('its next tick', () => live.runs()?.find(({ kimg }) => kimg === 2))
  await rm(dir, { recursive: true })
  await until('its end', () => (live.runs()?.length === 0 ? true : undefined))
})

test('a run with files that are damaged is still shown', async (t) => {
  const outdir = await folder()
  await mkdir(join(outdir, 'a'))
  await writeFile(join(outdir, 'a', 'training_options.json'), '{"kimg": ')
  await writeFile(join(outdir, 'a', 'stats.jsonl'), 'nonsense\n[1]\n{"Progress/kimg":3,"Loss/G":"x"}\n')
  const client = await Client.open(await studioFor(t, { outdir }))
  const { status, json } = await client.get('/api/run?id=a')
  t.is(status, 200)
  t.is((json as unknown as Run).kimg, 3)
})

test('a training is started from the page, stopped, and goes on to its end', async (t) => {
  const outdir = await folder()
  const data = await tinyDataset()
  const studio = await studioFor(t, { outdir, dataRoot: data })
  const client = await Client.open(studio)
  const live = listen(studio.port, client.cookie)
  t.teardown(live.close)
  const { preset: _, ...options } = { preset: '', ...tinyConfig, kimg: 500 }
  const texts = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, String(value)]))
  const asked = { options: { preset: 'demo', data: '.', ...texts } }
  const { status, json } = await client.post('/api/train/start', asked)
  t.is(status, 200, JSON.stringify(json))
  t.is((await client.post('/api/train/start', asked)).status, 409, 'before it has made its folder')
  const run = json['run'] as string
  const find = (test: (run: RunSummary) => boolean) =>
    until(run, () => live.runs()?.find((one) => one.id === run && test(one)))
  await find(({ state, kimg }) => state === 'running' && kimg > 0)
  const again = await client.post('/api/train/start', asked)
  t.is(again.json['error'], `${run} is being trained already`)
  t.is(again.status, 409)
  t.is((await client.post('/api/train/go-on', { run })).json['error'], `${run} is being trained already`)
  t.is((await client.post('/api/train/stop', { run })).status, 200)
  const stopped = await find(({ state }) => state === 'stopped')
  t.true((await readdir(join(outdir, run))).some((name) => name.startsWith('network-snapshot-')))
  t.is((await client.post('/api/train/stop', { run })).json['error'], `${run}: nothing trains there`)
  const kimg = Math.ceil(stopped.kimg + 1)
  t.is((await client.post('/api/train/go-on', { run, kimg })).status, 200)
  await find(({ state, kimg: reached }) => state === 'finished' && reached >= kimg)
  await until('the jobs to end', () =>
    live.jobs()?.every(({ state }) => state === 'done') === true ? true : undefined,
  )
  t.true(live.jobs()!.every(({ lines }) => lines.every((line) => !line.includes(outdir))))
})

test('a process is told once to stop, however often somebody asks', async (t) => {
  // Each signal is counted; the second of them would end a command at once.
  const program = `let count = 0
    process.on('SIGINT', () => console.log('told', ++count)).on('SIGTERM', () => process.exit(count))
    setInterval(() => {}, 1000); console.log('ready')`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const jobs = new Jobs({ cli: [], places: [] })
  await once(child.stdout, 'data')
  jobs.interrupt('run', child.pid!)
  await once(child.stdout, 'data')
  jobs.interrupt('run', child.pid!)
  child.kill('SIGTERM')
  t.deepEqual(await once(child, 'exit'), [1, null])
})

test('what the log of a run says of overfitting is among its notes, once', async (t) => {
  const outdir = await folder()
  const note = copying(0.5, resolveConfig('demo', { data: 'x' }))!
  await mkdir(join(outdir, 'few-images'))
  await writeFile(join(outdir, 'few-images', 'stats.jsonl'), '{"Progress/kimg":1,"Progress/copies":0.5}\n')
  await writeFile(join(outdir, 'few-images', 'log.txt'), ['tick 1', note, 'tick 2', note, 'tick 3'].join('\n'))
  const client = await Client.open(await studioFor(t, { outdir }))
  const run = (await client.get('/api/run?id=few-images')).json as unknown as Run
  t.deepEqual(run.notes, [note])
  t.deepEqual(run.curves.find(({ name }) => name === 'Progress/copies')?.values, [0.5])
})

test('a new estimate takes the place of the one before', async (t) => {
  const studio = await studioFor(t)
  const client = await Client.open(studio)
  const live = listen(studio.port, client.cookie)
  t.teardown(live.close)
  const estimate = () => client.post('/api/train/estimate', { options: { preset: 'demo' } })
  await estimate()
  const { id } = (await estimate()).json
  const shown = await until('the second', () => (live.jobs()?.some((job) => job.id === id) ? live.jobs() : undefined))
  t.deepEqual(
    shown.map((job) => [job.id, job.state]),
    [[id, 'running']],
  )
})

test('a training that cannot start says why', async (t) => {
  const studio = await studioFor(t)
  const client = await Client.open(studio)
  const start = (options: object) => client.post('/api/train/start', { options })
  const { status, json } = await start({ preset: 'demo', kimg: '-1' })
  t.is(status, 400)
  t.regex(String(json['error']), /^kimg: .*-1/)
  t.regex(String((await start({ preset: 'demo', hours: '2' })).json['error']), /^hours: /)
  t.regex(String((await start({ preset: 'ffhq' })).json['error']), /^data: a folder of images is expected/)
  t.regex(String((await start({ preset: 'demo', data: 'x' })).json['error']), /--data-root/)
  const live = listen(studio.port, client.cookie)
  t.teardown(live.close)
  await start({ preset: 'demo', metrics: 'fid50k' })
  const failed = await until('the failure', () => live.jobs()?.find(({ state }) => state === 'failed'))
  t.regex(failed.lines.at(-1)!, /^stylegan: .*weights/)
})

test('a second start by hours is refused at once where the run that it would go on with is held', async (t) => {
  const [outdir, dataRoot] = [await folder(), await folder()]
  await mkdir(join(dataRoot, 'photos'))
  const data = join(dataRoot, 'photos')
  const chosenFor = JSON.stringify({ data: resolve(data), hours: 2 })
  const config = resolveConfig('demo', { data, outdir, hours: 2, chosenFor })
  const run = join(outdir, runName(config))
  await mkdir(run)
  await writeFile(join(run, 'training_options.json'), JSON.stringify(config))
  const lock = await lockRun(run)
  t.teardown(() => lock.release())
  const client = await Client.open(await studioFor(t, { outdir, dataRoot }))
  const { status, json } = await client.post('/api/train/start', { options: { data: 'photos', hours: '2' } })
  t.is(status, 409)
  t.is(json['error'], `${runName(config)} is being trained already`)
})

test('the flags of every preset, and of options that differ from it, give the configuration again', (t) => {
  const more = { data: 'photos', seed: 3, mirror: false, glr: 0.001, metricsNum: 7, desc: 'x', outdir: 'elsewhere' }
  for (const preset of presetNames) {
    const config = resolveConfig(preset, more)
    const flags = flagsOf(config)
    t.deepEqual(flags.slice(0, 4), ['--preset', preset, '--data', 'photos'])
    t.is(flags.includes('--no-mirror'), presets[preset].mirror)
    t.true(flags.join(' ').includes('--outdir elsewhere --desc x'))
    t.false(flags.includes('--gamma'), 'what is as the preset has no flag')
  }
  const chosenFor = JSON.stringify({ data: '/photos', hours: 2, cond: true })
  const chosen = flagsOf({ ...presets.demo, chosenFor, hours: 2, outdir: 'results', kimg: 9 })
  t.is(chosen.join(' '), '--data /photos --outdir results --device cpu --hours 2 --cond --kimg 9')
  t.throws(() => flagsOf({ ...presets.demo, minibatchRepeats: 3 }), { message: /^minibatchRepeats 3 has no flag/ })
})

test('the command says which runs it found, and of a folder that it made that it is new', async (t) => {
  const root = await folder()
  const told = async (outdir: string) => {
    const { out, err } = await stylegan(['studio', '--outdir', outdir, '--port', '0'], {
      onOutput: (text, kill) => {
        if (/^Runs .*\n/m.test(text)) kill('SIGINT')
      },
    })
    t.is(err, '')
    return /^Runs +(.*)$/m.exec(out)?.[1]
  }
  const path = join(root, 'typo')
  t.is(await told(path), `none, in a new folder: ${path}`)
  t.is(await told(path), `none in ${path}`)
  await tinyRun(path)
  t.is(await told(path), `1 in ${path}`)
})
