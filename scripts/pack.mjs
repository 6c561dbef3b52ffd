// `node scripts/pack.mjs FOLDER [stylegan.PLATFORM.node …]`: the npm packages of this version as tarballs in a folder. They are the root, which
// has no binary, and one package for each platform that is named with its addon; without any, this machine's with the one in native/.
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { hashSources } from './sources.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
// By a computed name: types are checked where nothing is built yet.
/** @type {typeof import('../ts/native/load.ts')} */
export const { platformName, platforms } = await import(new URL('../dist/native/load.js', import.meta.url).href)
const licences = ['LICENSE', 'THIRD-PARTY.md']

/** @typedef {{ [key: string]: unknown, name: string, version: string, files: string[] }} Manifest */

function manifest() {
  const parsed = /** @type {Manifest} */ (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  return parsed
}

/**
 * What is published of package.json: without what only a clone needs, with the packages of all platforms.
 *
 * @param {Manifest} from
 * @param {string} sources {@link hashSources}
 * @returns {Manifest}
 */
export function rootManifest(from, sources) {
  const apart = ['scripts', 'devDependencies', 'ava', 'prettier', 'napi']
  const kept = /** @type {Manifest} */ (
    Object.fromEntries(Object.entries(from).filter(([key]) => !apart.includes(key)))
  )
  const optionalDependencies = Object.fromEntries(platforms.map((platform) => [`stylegan-${platform}`, kept.version]))
  return { ...kept, optionalDependencies, sources }
}

/**
 * @param {Manifest} from package.json
 * @param {string} platform
 * @param {string} sources
 * @returns {Manifest}
 */
export function platformManifest(from, platform, sources) {
  const [os = '', cpu = '', libc] = platform.split('-')
  const main = `stylegan.${platform}.node`
  const { version, license, homepage, repository, bugs, engines } = from
  return {
    name: `stylegan-${platform}`,
    ...{
      version,
      description: `The compiled part of stylegan for ${platform}`,
      license,
      homepage,
      repository,
      bugs,
      engines,
    },
    ...{ os: [os], cpu: [cpu], ...(os === 'linux' ? { libc: [libc === 'gnu' ? 'glibc' : libc] } : {}) },
    ...{ main, files: [main, 'binding.d.cts', 'THIRD-PARTY.md'], sources },
  }
}

/**
 * @param {Manifest} packed
 * @param {(folder: string) => void} fill puts files into the package
 * @param {string} out
 * @returns {string} path of the tarball
 */
function tarball(packed, fill, out) {
  const folder = mkdtempSync(join(tmpdir(), 'stylegan-pack-'))
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(packed, undefined, 2)}\n`)
  fill(folder)
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', out]
  const name = execFileSync('npm', args, { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' })
  rmSync(folder, { recursive: true })
  return join(out, name.trim())
}

/**
 * @param {string} out
 * @returns {string} path of the tarball
 */
export function packRoot(out) {
  const packed = rootManifest(manifest(), hashSources(root))
  // Maps of the compiled files are for a clone: their sources are not in the package. The commands are bundled in main.js.
  const commands = join(root, 'dist', 'cli')
  const filter = (/** @type {string} */ path) =>
    basename(path) !== '.stamp' &&
    !path.endsWith('.map') &&
    (dirname(path) !== commands || ['bin.js', 'main.js'].includes(basename(path)))
  const fill = (/** @type {string} */ folder) => {
    for (const name of [...packed.files, 'README.md', 'CHANGELOG.md', 'LICENSE']) {
      cpSync(join(root, name), join(folder, name), { recursive: true, filter })
    }
  }
  return tarball(packed, fill, out)
}

/**
 * @param {string} out
 * @param {string} platform
 * @param {string} addon path of the compiled file
 * @returns {string} path of the tarball
 */
export function packPlatform(out, platform, addon) {
  if (!platforms.includes(platform)) {
    throw new Error(`a platform is one of ${platforms.join(', ')}, got ${platform}; add it to ts/native/load.ts first`)
  }
  const packed = platformManifest(manifest(), platform, hashSources(root))
  const fill = (/** @type {string} */ folder) => {
    copyFileSync(addon, join(folder, String(packed['main'])))
    copyFileSync(join(root, 'native/binding.d.cts'), join(folder, 'binding.d.cts'))
    for (const name of licences) copyFileSync(join(root, name), join(folder, name))
    const about = 'npm install stylegan installs this package where it is needed.\n'
    writeFileSync(join(folder, 'README.md'), `# ${packed.name}\n\n${String(packed['description'])}. ${about}`)
  }
  return tarball(packed, fill, out)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, ...named] = process.argv.slice(2)
  if (!folder)
    throw new Error(
      'the folder for the packages must be named: node scripts/pack.mjs FOLDER [stylegan.PLATFORM.node …]',
    )
  const out = resolve(folder)
  mkdirSync(out, { recursive: true })
  const host = platformName()
  const addons = named.length > 0 ? named : [join(root, `native/stylegan.${host}.node`)]
  const packages = addons.map((addon) => packPlatform(out, basename(addon).split('.')[1] ?? '', addon))
  for (const path of [...packages, packRoot(out)]) console.log(`${path} ${(statSync(path).size / 1e6).toFixed(2)} MB`)
}
