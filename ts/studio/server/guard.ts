/** Who may ask: names of this machine, pages of the studio itself, holders of its token, and not too often. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, rename, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { codeOf, diskError, TEMPORARY } from '../../files/write-atomic.ts'
import { Refused } from './refused.ts'

const TOKEN = '.studio-token'
const shape = /^[0-9a-f]{64}$/

/**
 * The token of a folder, the same for every start: an open page stays valid when the studio is started again.
 *
 * @returns 64 hexadecimal digits of a file that only its owner can read
 */
export async function tokenOf(outdir: string): Promise<string> {
  const path = join(outdir, TOKEN)
  try {
    const known = await readToken(path)
    if (known !== undefined) return known
    const token = randomBytes(32).toString('hex')
    const unfinished = join(outdir, `${TOKEN}.${token.slice(0, 8)}${TEMPORARY}`)
    await writeFile(unfinished, token + '\n', { flag: 'wx', mode: 0o600 })
    try {
      // A link is made only where nothing is: of studios that begin at once, one makes the token of all.
      if (await linked(unfinished, path)) return token
      const made = await readToken(path)
      if (made !== undefined) return made
      // What others could read, or have put there, is no secret.
      await rename(unfinished, path)
      return token
    } finally {
      await rm(unfinished, { force: true })
    }
  } catch (error) {
    throw diskError(path, error, 'outdir')
  }
}

/** @returns whether the link was made: not where something is already */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function readToken(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW } = constants
  try {
    const file = await open(path, O_RDONLY | O_NOFOLLOW)
    try {
      const { mode } = await file.stat()
      const text = (await file.readFile('utf8')).trim()
      return shape.test(text) && (process.platform === 'win32' || (mode & 0o077) === 0) ? text : undefined
    } finally {
      await file.close()
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP') return undefined
    throw error
  }
}

export interface GuardOptions {
  readonly token: string
  /** The address that the studio listens on. */
  readonly host: string
  /** Tells studios of one machine apart: cookies do not know ports. */
  readonly port: number
}

/** Requests a second, and how many may come at once: a grid of pictures, and a slider that is dragged. */
const [perSecond, atOnce] = [400, 800]
/** Wrong tokens a minute. */
const wrongPerMinute = 10

export class Guard {
  readonly #token: string
  readonly #host: string
  readonly #cookie: string
  readonly #rates = new Map<string, { left: number; at: number }>()

  constructor({ token, host, port }: GuardOptions) {
    this.#token = token
    this.#host = host
    this.#cookie = `stylegan-studio-${port}`
  }

  /** @throws Refused for a name that is not this machine's (DNS rebinding), and for pages of others */
  checkOrigin({ headers }: IncomingMessage): void {
    const { host = '', origin } = headers
    if (!this.#isOwn(host)) throw new Refused(403, 'this studio is asked for by another name than its own')
    const site = headers['sec-fetch-site']
    const foreign = site !== undefined && site !== 'same-origin' && site !== 'none'
    if (foreign || (origin !== undefined && origin !== `http://${host}`)) {
      throw new Refused(403, 'a page of another origin may not ask this studio')
    }
  }

  #isOwn(host: string): boolean {
    const name = host.replace(/:\d+$/, '').toLowerCase()
    if (['localhost', '127.0.0.1', '[::1]', bracketed(this.#host)].includes(name)) return true
    if (!['0.0.0.0', '::'].includes(this.#host)) return false
    const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address))
    return name === hostname().toLowerCase() || addresses.some((address) => bracketed(address) === name)
  }

  /** @throws Refused if this address asks too often */
  checkRate({ socket }: { readonly socket: { readonly remoteAddress?: string | undefined } }): void {
    this.#take(socket.remoteAddress ?? '', perSecond, atOnce)
  }

  /**
   * The cookie for a token.
   *
   * @throws Refused for a wrong one
   */
  exchange(token: string, { socket }: IncomingMessage): string {
    if (!same(token, this.#token)) {
      this.#take(`wrong ${socket.remoteAddress ?? ''}`, wrongPerMinute / 60, wrongPerMinute)
      throw new Refused(401, 'the token of this studio is expected; open the address that it printed')
    }
    return `${this.#cookie}=${this.#session()}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000`
  }

  /** @throws Refused without the cookie */
  checkSession({ headers }: IncomingMessage): void {
    const cookies = (headers.cookie ?? '').split(';').map((part) => part.trim())
    const own = cookies.find((part) => part.startsWith(`${this.#cookie}=`))
    if (own !== undefined && same(own.slice(this.#cookie.length + 1), this.#session())) return
    throw new Refused(401, 'the token of this studio is expected; open the address that it printed')
  }

  /** What a browser keeps is not the token itself. */
  #session(): string {
    return createHmac('sha256', this.#token).update('studio session').digest('hex')
  }

  /** A bucket that fills steadily. */
  #take(who: string, rate: number, most: number): void {
    const now = performance.now() / 1000
    if (this.#rates.size > 1000) this.#rates.clear()
    const { left, at } = this.#rates.get(who) ?? { left: most, at: now }
    const filled = Math.min(most, left + (now - at) * rate)
    if (filled < 1) throw new Refused(429, 'too many requests at once; wait a moment')
    this.#rates.set(who, { left: filled - 1, at: now })
  }
}

const bracketed = (address: string) => (address.includes(':') && !address.startsWith('[') ? `[${address}]` : address)

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
