/** The studio's server: it knows files, pictures and trainings; the page that it hands out is made elsewhere. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { makeFolders } from '../../files/make-folders.ts'
import { SnapshotError } from '../../files/safetensors.ts'
import { WeightsError } from '../../files/weights.ts'
import { diskError } from '../../files/write-atomic.ts'
import { listClassifiers } from '../../metrics/classifier.ts'
import { Ask, type Answer, type Route } from './ask.ts'
import { Drawing } from './drawing.ts'
import { Guard, tokenOf } from './guard.ts'
import { Jobs } from './jobs.ts'
import { Live } from './live.ts'
import { Networks } from './networks.ts'
import { readPage, type PageFile } from './page-files.ts'
import { Place, told } from './place.ts'
import { Projections } from './projections.ts'
import { Refused } from './refused.ts'
import { routesOf } from './routes.ts'
import { Runs } from './runs.ts'
import { Trainings } from './trainings.ts'
import { Videos } from './videos.ts'

export interface StudioOptions {
  /** Folder of the runs; made where it is missing. */
  readonly outdir: string
  /** Folder of images and networks that the page may use. */
  readonly dataRoot?: string | undefined
  /** Folder of attribute classifiers; one that is not there has none. */
  readonly classifiers?: string | undefined
  /** 0 takes a free one. */
  readonly port: number
  /** Address to listen on. */
  readonly host: string
  readonly device: string
  readonly version: string
  /** What starts `stylegan`: a program and its first arguments. */
  readonly cli: readonly string[]
  /** Stops the training of this very process. */
  readonly stopOwn?: (() => void) | undefined
  /** Folder of the built page: for tests. */
  readonly page?: string | undefined
}

export interface Studio {
  /** With the token, which the page exchanges for a cookie and takes out of the address. */
  readonly url: string
  readonly port: number
  readonly token: string
  /** Whether the folder of the runs was not there, and how many runs are in it. */
  readonly found: { readonly isNew: boolean; readonly runs: number }
  close(): Promise<void>
}

/**
 * Opens the studio.
 *
 * @throws Error if a folder or the port cannot be used
 */
export async function openStudio(options: StudioOptions): Promise<Studio> {
  const { host, device, version, cli, stopOwn } = options
  const page = await readPage(options.page)
  const isNew = await makeFolders(options.outdir, 'outdir')
  const outdir = await Place.open(options.outdir)
  const dataRoot = options.dataRoot === undefined ? undefined : await openDataRoot(options.dataRoot)
  const token = await tokenOf(options.outdir)
  const runs = new Runs(outdir)
  const places = dataRoot ? [outdir, dataRoot] : [outdir]
  const jobs = new Jobs({ cli, places })
  const trainings = new Trainings({ outdir, dataRoot, jobs, device, stopOwn })
  const live = new Live({ runs: () => runs.list(), jobs: async () => jobs.list() })
  const [drawing, videos, networks] = [new Drawing(device), new Videos(), new Networks(outdir, dataRoot)]
  const projections = new Projections({ outdir, networks, jobs, device })
  const found = options.classifiers === undefined ? [] : await listClassifiers(options.classifiers).catch(() => [])
  const classifiers = found.length > 0 ? options.classifiers : undefined
  const hasDataRoot = dataRoot !== undefined
  const about = { version, outdir: options.outdir, hasDataRoot, classifiers: found.length, device }
  const routes = routesOf({ about, runs, networks, drawing, trainings, projections, videos, live, jobs, classifiers })

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16 << 10 })
  server.maxConnections = 256
  const { port } = await listening(server, options)
  const guard = new Guard({ token, host, port })
  server.on('request', (request, response) => {
    answerTo(request, response, guard, page, routes).catch((error: unknown) => refuse(response, error, places))
  })
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/#token=${token}`,
    port,
    token,
    found: { isNew, runs: (await runs.list()).length },
    async close() {
      for (const part of [live, drawing, videos, jobs]) part.close()
      server.close()
      server.closeAllConnections()
    },
  }
}

async function openDataRoot(given: string): Promise<Place> {
  return Place.open(given).catch((error: unknown) => {
    throw diskError(given, error)
  })
}

function listening(server: Server, { port, host }: StudioOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE'
      const found = taken ? 'another program uses it' : `it cannot be used (${error.code})`
      reject(
        new Error(`port ${port} of ${host}: a free port is expected, ${found}; give another --port`, { cause: error }),
      )
    })
    server.listen(port, host, () => resolve(server.address() as AddressInfo))
  })
}

async function answerTo(
  request: IncomingMessage,
  response: ServerResponse,
  guard: Guard,
  page: ReadonlyMap<string, PageFile>,
  routes: ReadonlyMap<string, Route>,
): Promise<void> {
  for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value)
  guard.checkRate(request)
  guard.checkOrigin(request)
  const url = urlOf(request)
  const file = page.get(url.pathname)
  if (file && (request.method === 'GET' || request.method === 'HEAD')) {
    sendFile(response, file)
    return
  }
  const ask = new Ask(request, response, url)
  const name = `${request.method} ${url.pathname}`
  if (name === 'POST /api/session') {
    response.setHeader('set-cookie', guard.exchange((await ask.body()).text('token'), request))
    send(response, { json: {} })
    return
  }
  guard.checkSession(request)
  const route = routes.get(name)
  if (!route) throw new Refused(404, 'nothing is at this address')
  const answer = await route(ask)
  if (answer) send(response, answer)
}

/** Nothing is loaded from elsewhere, nobody puts the page into a frame, and no other page learns where it was. */
const safeHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

function urlOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? '/', 'http://studio')
  } catch {
    throw new Refused(400, 'an address is expected')
  }
}

function sendFile(response: ServerResponse, { bytes, type, isFixed }: PageFile): void {
  response.setHeader('cache-control', isFixed ? 'public, max-age=31536000, immutable' : 'no-cache')
  send(response, { bytes, type })
}

function send(response: ServerResponse, answer: NonNullable<Answer>): void {
  const [type, bytes] =
    'json' in answer
      ? ['application/json; charset=utf-8', Buffer.from(JSON.stringify(answer.json))]
      : [answer.type, answer.bytes]
  response.writeHead(200, { 'content-type': type, 'content-length': bytes.length })
  response.end(bytes)
}

/** An error as one sentence; what no sentence was written for is told on the terminal alone. */
function refuse(response: ServerResponse, error: unknown, places: readonly Place[]): void {
  const [status, message] = shownError(error, places)
  if (response.headersSent || response.destroyed) return void response.destroy()
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', connection: 'close' })
  response.end(JSON.stringify({ error: message }))
}

function shownError(error: unknown, places: readonly Place[]): [status: number, message: string] {
  if (error instanceof Refused) return [error.status, told(error.message, places)]
  if (error instanceof Error && error.name === 'AbortError') return [409, 'it was stopped']
  const failed = diskError('the file', error)
  const isOurs = failed instanceof Error && !(failed instanceof TypeError || failed instanceof ReferenceError)
  const isFile = failed instanceof SnapshotError || failed instanceof WeightsError
  if (isOurs) return [failed instanceof RangeError ? 400 : isFile ? 422 : 500, told(failed.message, places)]
  console.error(error)
  return [500, 'the studio failed at this; its terminal says more']
}
