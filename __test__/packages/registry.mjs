// A registry of npm packages on this machine: some tarballs, and everything else from another registry.
import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename } from 'node:path'

/** @param {'sha1' | 'sha512'} algorithm @param {Buffer} bytes @param {'hex' | 'base64'} form */
const digest = (algorithm, bytes, form) => createHash(algorithm).update(bytes).digest(form)

/**
 * @param {string[]} tarballs paths of packages, one version each
 * @param {string} upstream address of the registry that has all others
 * @returns the address, the names of tarballs that were fetched, and a way to close it
 */
export async function serve(tarballs, upstream) {
  /** @type {Map<string, { manifest: Record<string, unknown>, bytes: Buffer, file: string }>} */
  const packages = new Map()
  for (const path of tarballs) {
    const text = execFileSync('tar', ['-xzOf', path, 'package/package.json'], { encoding: 'utf8' })
    const manifest = /** @type {Record<string, unknown>} */ (JSON.parse(text))
    packages.set(String(manifest['name']), { manifest, bytes: readFileSync(path), file: basename(path) })
  }
  /** @type {string[]} */
  const fetched = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname).slice(1)
    const own = packages.get(path)
    const tarball = [...packages.values()].find(({ file }) => path === `-/${file}`)
    if (tarball) {
      fetched.push(String(tarball.manifest['name']))
      response.end(tarball.bytes)
    } else if (own) {
      const { manifest, bytes, file } = own
      const version = String(manifest['version'])
      const hashes = { shasum: digest('sha1', bytes, 'hex'), integrity: `sha512-${digest('sha512', bytes, 'base64')}` }
      const dist = { tarball: `${address}/-/${file}`, ...hashes }
      response.setHeader('content-type', 'application/json')
      const versions = { [version]: { ...manifest, dist } }
      response.end(JSON.stringify({ name: path, 'dist-tags': { latest: version }, versions }))
    } else if (path.startsWith('stylegan')) {
      response.writeHead(404).end('{"error":"not found"}')
    } else {
      response.writeHead(302, { location: `${upstream.replace(/\/$/, '')}${request.url}` }).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const address = `http://127.0.0.1:${bound && typeof bound === 'object' ? bound.port : ''}`
  return { address, fetched, close: () => server.close() }
}
