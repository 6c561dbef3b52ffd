/** A studio on a free port, a run to look at, and a client that is no browser. */
import { request, type IncomingHttpHeaders } from 'node:http'
import type { ExecutionContext } from 'ava'
import { train } from '../../ts/runs/loop.ts'
import { openStudio, type Studio, type StudioOptions } from '../../ts/studio/server/server.ts'
import { resolveConfig, runName, type ConfigOverrides } from '../../ts/training/config.ts'
import { main } from './command.ts'
import { folder } from './folder.ts'
import { tinyConfig, tinyDataset } from './tiny.ts'

/** Trains a tiny network; its run's name. */
export async function tinyRun(outdir: string, overrides: ConfigOverrides = {}): Promise<string> {
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, ...overrides })
  for await (const event of train(config)) if (event.type === 'end') break
  return runName(config)
}

/** Opens a studio that closes with the test. */
export async function studioFor(t: ExecutionContext, options: Partial<StudioOptions> = {}): Promise<Studio> {
  const outdir = options.outdir ?? (await folder())
  const cli = [process.execPath, main]
  const studio = await openStudio({ port: 0, host: '127.0.0.1', device: 'cpu', version: '1', cli, ...options, outdir })
  t.teardown(() => studio.close())
  return studio
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly json: Record<string, unknown>
}

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** A request with any header, which `fetch` would not send. */
export function send({ port }: Pick<Studio, 'port'>, path: string, sent: Sent = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, body } = sent
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const body = Buffer.concat(chunks)
        const isJson = response.headers['content-type']?.startsWith('application/json') === true
        const json = (isJson ? JSON.parse(body.toString()) : {}) as Record<string, unknown>
        resolve({ status: response.statusCode!, headers: response.headers, body, json })
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Somebody who has exchanged the token. */
export class Client {
  readonly #studio: Studio
  readonly #cookie: string

  private constructor(studio: Studio, cookie: string) {
    this.#studio = studio
    this.#cookie = cookie
  }

  static async open(studio: Studio): Promise<Client> {
    const { headers } = await send(studio, '/api/session', json({ token: studio.token }))
    return new Client(studio, headers['set-cookie']![0]!.split(';')[0]!)
  }

  get cookie(): string {
    return this.#cookie
  }

  get(path: string): Promise<Reply> {
    return send(this.#studio, path, { headers: { cookie: this.#cookie } })
  }

  post(path: string, body: unknown): Promise<Reply> {
    const sent = json(body)
    return send(this.#studio, path, { ...sent, headers: { ...sent.headers, cookie: this.#cookie } })
  }
}

export const json = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** A plain look of a network. */
export const lookOf = (network: string, more: object = {}) => ({
  ...{ network, seed: 1, psi: 0.7, cutoff: 8, mix: [], shifts: [], noise: 'const', noiseStrength: [] },
  ...more,
})

/** Waits for something that happens by itself. */
export async function until<T>(what: string, find: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const found = await find()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`it never came: ${what}`)
}
