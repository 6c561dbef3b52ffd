// `npm run release:check`: what must not be published.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/** @typedef {{ version?: string, repository?: unknown, homepage?: unknown, bugs?: unknown }} Manifest */

/**
 * @param {Manifest} manifest package.json
 * @param {string} changelog CHANGELOG.md
 * @returns {string[]} one sentence a fault
 */
export function faults(manifest, changelog) {
  const found = []
  for (const key of /** @type {const} */ (['repository', 'homepage', 'bugs'])) {
    const value = manifest[key] === undefined ? 'nothing' : JSON.stringify(manifest[key])
    if (value === 'nothing' || value.includes('OWNER')) {
      found.push(`package.json: ${key} must name the public repository, found ${value}`)
    }
  }
  if (!changelog.includes(`## [${manifest.version}]`)) {
    found.push(`CHANGELOG.md must have an entry '## [${manifest.version}]', the version of package.json`)
  }
  return found
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const read = (/** @type {string} */ name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
  const manifest = /** @type {Manifest} */ (JSON.parse(read('package.json')))
  const found = faults(manifest, read('CHANGELOG.md'))
  for (const fault of found) console.error(fault)
  process.exitCode = found.length > 0 ? 1 : 0
}
