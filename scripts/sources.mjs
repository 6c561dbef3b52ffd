// The hash of what the addon is built from. `crates/node/build.rs` computes the same and keeps it in the addon.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const apart = ['benches', 'examples', 'tests']

/** @param {string} root @param {string} path @returns {string[]} paths of files, relative to `root` */
function files(root, path) {
  if (!statSync(join(root, path)).isDirectory()) return [path]
  const names = readdirSync(join(root, path)).filter((name) => !apart.includes(name))
  return names.flatMap((name) => files(root, `${path}/${name}`))
}

export function hashSources(root = '.') {
  const hash = createHash('sha1')
  const paths = ['Cargo.lock', 'Cargo.toml', ...files(root, 'crates')]
  for (const path of paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const bytes = readFileSync(join(root, path))
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}
