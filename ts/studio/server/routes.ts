/** What the page may ask: one route a line, each a check of its arguments and a call. */
import { readFile } from 'node:fs/promises'
import { directionsOf } from '../../figures/directions.ts'
import { componentsOf } from '../../figures/look.ts'
import { ffmpegFault } from '../../figures/video.ts'
import { commandLine } from '../commands.ts'
import type {
  About,
  Components,
  Directions,
  Job,
  LiveEvents,
  NetworkFile,
  NetworkInfo,
  Projection,
  Run,
  TrainChoices,
} from '../protocol.ts'
import type { Answer, Ask, Route } from './ask.ts'
import type { Drawing } from './drawing.ts'
import type { Fields } from './fields.ts'
import type { Jobs } from './jobs.ts'
import type { Live } from './live.ts'
import { frameOf, pngOf, pngOfLook, readLook, readWalk, scales } from './looks.ts'
import type { Networks } from './networks.ts'
import { mostRequest, readProjection, type Projections } from './projections.ts'
import { Refused } from './refused.ts'
import { pictureName, type Runs } from './runs.ts'
import type { Trainings } from './trainings.ts'
import type { Videos } from './videos.ts'

/** The parts that routes call. */
export interface Parts {
  readonly about: Omit<About, 'hasFfmpeg'>
  readonly runs: Runs
  readonly networks: Networks
  readonly drawing: Drawing
  readonly trainings: Trainings
  readonly projections: Projections
  readonly jobs: Jobs
  /** Folder of attribute classifiers, where there are any. */
  readonly classifiers: string | undefined
  readonly videos: Videos
  readonly live: Live
}

const json = (value: object): Answer => ({ json: value })
const png = (bytes: Uint8Array): Answer => ({ bytes, type: 'image/png' })
const names = /^[\w-]{1,64}$/

/** A name that a page gave itself or one of its pictures. */
function nameIn(fields: Fields, name: string): string {
  const text = fields.text(name)
  if (!names.test(text)) throw new Refused(400, `${name}: letters, digits and dashes are expected`)
  return text
}

export function routesOf(parts: Parts): ReadonlyMap<string, Route> {
  const { about, runs, networks, trainings, projections, live } = parts
  const ffmpeg = ffmpegFault()
  const runNames = async () => (await runs.list()).map(({ id }) => id)
  return new Map<string, Route>([
    ['GET /api/about', async () => json({ ...about, hasFfmpeg: (await ffmpeg) === undefined } satisfies About)],
    ['GET /api/live', async (ask) => listen(ask, live)],
    ['GET /api/run', async (ask) => json(await runOf(ask, parts))],
    ['GET /api/picture', async (ask) => png(await pictureOf(ask, runs))],
    ['GET /api/networks', async () => json((await networks.list(await runNames())) satisfies NetworkFile[])],
    ['GET /api/network', async (ask) => json(await infoOf(ask, parts))],
    ['GET /api/components', async (ask) => json(await sharesOf(ask, parts))],
    ['GET /api/directions', async (ask) => json(await attributesOf(ask, parts))],
    ['POST /api/directions/find', async (ask) => said(live, findDirections(await ask.body(), parts))],
    ['GET /api/projections', async () => json((await projections.list()) satisfies Projection[])],
    ['GET /api/projection', async (ask) => png(await projections.picture(ask.query('id'), ask.query('name')))],
    [
      'POST /api/project/start',
      async (ask) => said(live, await projections.start(readProjection(await ask.body(mostRequest)))),
    ],
    ['POST /api/project/go-on', async (ask) => said(live, await goOnProjecting(await ask.body(), projections))],
    ['POST /api/project/stop', async (ask) => said(live, await stopProjecting(await ask.body(), projections))],
    ['POST /api/draw', async (ask) => draw(await ask.body(), ask, parts)],
    ['POST /api/frame', async (ask) => frame(await ask.body(), ask, parts)],
    ['POST /api/video', async (ask) => video(await ask.body(), ask, parts)],
    ['GET /api/train', async () => json((await trainings.choices()) satisfies TrainChoices)],
    [
      'POST /api/train/estimate',
      async (ask) => said(live, await trainings.estimate((await ask.body()).texts('options'))),
    ],
    ['POST /api/train/start', async (ask) => said(live, await trainings.start((await ask.body()).texts('options')))],
    ['POST /api/train/go-on', async (ask) => said(live, await goOn(await ask.body(), parts))],
    ['POST /api/train/stop', async (ask) => said(live, await stop(await ask.body(), parts))],
  ])
}

async function listen(ask: Ask, live: Live): Promise<Answer> {
  const page = ask.query('page')
  if (!names.test(page)) throw new Refused(400, 'page: letters, digits and dashes are expected')
  await live.listen(page, ask.response)
  return undefined
}

/** Every page sees at once what one of them has done. */
async function said(live: Live, value: object): Promise<Answer> {
  await live.look()
  return json(value)
}

async function runOf(ask: Ask, { runs, trainings }: Parts): Promise<Run> {
  const id = ask.query('id')
  const commandOf = (config: Parameters<Trainings['commandOf']>[0]) => {
    try {
      return trainings.commandOf(config)
    } catch {
      return '' // a run that only a program goes on with
    }
  }
  const run = await runs.detail(id, commandOf)
  if (!run) throw new Refused(404, `${id}: a run is expected, got none; it may have been removed`)
  return run
}

async function pictureOf(ask: Ask, runs: Runs): Promise<Uint8Array> {
  const name = ask.query('name')
  if (!pictureName.test(name)) throw new Refused(404, `${name}: reals.png or fakesNNNNNN.png is expected`)
  const file = await runs.fileOf(await runs.dirOf(ask.query('run')), name)
  const bytes = file === undefined ? undefined : await readFile(file).catch(() => undefined)
  if (!bytes) throw new Refused(404, `${name}: a picture is expected, got none; it may have been removed`)
  ask.response.setHeader('cache-control', 'private, max-age=60')
  return bytes
}

async function infoOf(ask: Ask, { networks, drawing }: Parts): Promise<NetworkInfo> {
  const network = ask.query('network')
  const file = await networks.fileOf(network)
  return drawing.draw(`info ${network}`, file, async (G) => networks.infoOf(network, G))
}

async function sharesOf(ask: Ask, { networks, drawing }: Parts): Promise<Components> {
  const network = ask.query('network')
  const file = await networks.fileOf(network)
  return drawing.draw(`components ${network}`, file, async (G) => ({ shares: (await componentsOf(G)).shares }))
}

async function attributesOf(ask: Ask, parts: Parts): Promise<Directions> {
  const network = ask.query('network')
  const file = await parts.networks.fileOf(network)
  const found = await parts.drawing.draw(`directions ${network}`, file, directionsOf)
  const words = wordsToFind(network, parts)
  return {
    attributes: found.map(({ name, agreement }) => ({ name, agreement })),
    command: words && commandLine(words),
  }
}

/** The command that finds the directions of a network, where that is possible. */
function wordsToFind(network: string, { networks, classifiers, about }: Parts): string[] | undefined {
  if (classifiers === undefined || !networks.isOwn(network)) return undefined
  const device = about.device === 'cpu' ? [] : ['--device', about.device]
  return ['directions', '--network', networks.pathOf(network), '--classifiers', classifiers, ...device]
}

function findDirections(fields: Fields, parts: Parts): Job {
  const words = wordsToFind(fields.text('network'), parts)
  if (!words) throw new Refused(409, 'directions: classifiers and a network of this studio are expected')
  return parts.jobs.start([...words, '--json'], 'directions')
}

async function goOnProjecting(fields: Fields, projections: Projections): Promise<object> {
  await projections.goOn(fields.text('id'))
  return {}
}

async function stopProjecting(fields: Fields, projections: Projections): Promise<object> {
  await projections.stop(fields.text('id'))
  return {}
}

async function draw(fields: Fields, ask: Ask, { networks, drawing, projections }: Parts): Promise<Answer> {
  const look = readLook(fields.get('look'))
  const scale = fields.number('scale', scales)
  const slot = `${nameIn(fields, 'page')} ${nameIn(fields, 'slot')}`
  const file = await networks.fileOf(look.network)
  const projected = look.projected === undefined ? undefined : await projections.projected(look.projected)
  return png(await drawing.draw(slot, file, (G) => pngOfLook(G, look, scale, projected), ask.gone))
}

async function frame(fields: Fields, ask: Ask, { networks, drawing }: Parts): Promise<Answer> {
  const walk = readWalk(fields.get('walk'))
  const position = fields.number('position', { least: 0, most: walk.seeds.length })
  const slot = `${nameIn(fields, 'page')} ${nameIn(fields, 'slot')}`
  const file = await networks.fileOf(walk.network)
  return png(await drawing.draw(slot, file, async (G) => pngOf(await frameOf(G, walk, 1)(position)), ask.gone))
}

async function video(fields: Fields, ask: Ask, { networks, drawing, videos, live }: Parts): Promise<Answer> {
  const walk = readWalk(fields.get('walk'))
  const kind = fields.oneOf('kind', ['mp4', 'png'])
  const scale = fields.number('scale', scales)
  const page = nameIn(fields, 'page')
  const file = await networks.fileOf(walk.network)
  const side = await drawing.draw(`side ${page}`, file, async (G) => G.options.resolution, ask.gone)
  const frameAt = (position: number, signal: AbortSignal) =>
    drawing.draw(`video ${page}`, file, (G) => frameOf(G, walk, scale)(position), signal)
  const onProgress = (done: number, total: number) =>
    live.send(page, 'video', { done, total } satisfies LiveEvents['video'])
  const bytes = await videos.make({ page, walk, kind, scale }, side, frameAt, onProgress, ask.gone)
  return { bytes, type: kind === 'mp4' ? 'video/mp4' : 'image/png' }
}

async function goOn(fields: Fields, { runs, trainings }: Parts): Promise<Job> {
  const run = fields.text('run')
  const config = await runs.configOf(run)
  if (!config) throw new Refused(409, `${run}: options of a run are expected, got none that can be read`)
  const kimg = fields.has('kimg') ? fields.number('kimg', { least: 0.001, most: 1e7 }) : undefined
  return trainings.goOn(await runs.dirOf(run), run, config, kimg)
}

async function stop(fields: Fields, { runs, trainings }: Parts): Promise<object> {
  const run = fields.text('run')
  trainings.stop(await runs.dirOf(run), run)
  return {}
}
