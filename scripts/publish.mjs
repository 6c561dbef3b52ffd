// `node scripts/publish.mjs FOLDER`: publishes the packages in a folder, the root last, since it needs the others. What the registry
// has already is left out, so that a release that broke off goes on with the same files. Run by .github/workflows/release.yml.
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Names of tarballs in the order of their publication.
 *
 * @param {string[]} names
 * @param {number} platforms how many packages of platforms there must be
 */
export function publicationOrder(names, platforms) {
  const tarballs = names.filter((name) => name.endsWith('.tgz')).sort()
  const roots = tarballs.filter((name) => /^stylegan-\d/.test(name))
  if (roots.length !== 1 || tarballs.length !== platforms + 1) {
    throw new Error(`the root package and those of ${platforms} platforms are expected, got ${tarballs.join(', ')}`)
  }
  return [...tarballs.filter((name) => !roots.includes(name)), ...roots]
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = process.argv[2] ?? 'packages'
  const { platforms } = await import('./pack.mjs')
  for (const name of publicationOrder(readdirSync(folder), platforms.length)) {
    const path = join(folder, name)
    const text = execFileSync('tar', ['-xzOf', path, 'package/package.json'], { encoding: 'utf8' })
    const { name: about, version } = JSON.parse(text)
    const seen = spawnSync('npm', ['view', `${about}@${version}`, 'version'], { encoding: 'utf8' })
    if (seen.stdout.trim() === version) {
      console.log(`${about}@${version} is published already`)
      continue
    }
    execFileSync('npm', ['publish', '--access', 'public', path], { stdio: 'inherit' })
  }
}
