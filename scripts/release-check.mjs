// `npm run release:check`: what must not be published, and what a run of `npm test` leaves out: other package managers and
// runtimes, the addon of other processors and C libraries, and the code of other systems. `--only manifest,check` takes some of them.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildAddon } from './release-addon.mjs'

/** @typedef {{ version?: string, repository?: unknown, homepage?: unknown, bugs?: unknown }} Manifest */

/**
 * @param {Manifest} manifest package.json
 * @param {string} changelog CHANGELOG.md
 * @param {string} workspace Cargo.toml
 * @returns {string[]} one sentence a fault
 */
export function faults(manifest, changelog, workspace) {
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
  const version = /^version = "(.*)"$/m.exec(workspace)?.[1]
  if (version !== manifest.version) {
    found.push(`Cargo.toml must have the version of package.json, ${manifest.version}, found ${version}`)
  }
  return found
}

/** Runs a command and throws where it fails. @param {string[]} command @param {NodeJS.ProcessEnv} [env] */
function run([program = '', ...args], env = process.env) {
  const { status, error } = spawnSync(program, args, { stdio: 'inherit', env })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ${error?.message ?? `ended with ${status}`}`)
}

function manifest() {
  const text = (/** @type {string} */ name) => readFileSync(name, 'utf8')
  const packed = /** @type {Manifest} */ (JSON.parse(text('package.json')))
  const found = faults(packed, text('CHANGELOG.md'), text('Cargo.toml'))
  if (found.length > 0) throw new Error(found.join('\n'))
}

/** A compiler of Rust that has the library of other targets, and what else `.ci/cross` brings. */
function crossTools() {
  const { stdout, status } = spawnSync('.ci/cross', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  if (status !== 0) throw new Error('.ci/cross could not bring the tools for other systems, see above')
  const bin = join(stdout.trim(), 'bin')
  const path = [bin, process.env['PATH']].join(delimiter)
  // A folder of its own: another compiler's files would be built again and again.
  const env = { ...process.env, PATH: path, RUSTC: join(bin, 'rustc'), CARGO_TARGET_DIR: 'target/cross' }
  return { bin, env }
}

/** The whole addon for another Linux, and on it operators, a training step and a picture in an emulator. */
function emulated(/** @type {string} */ platform) {
  const { bin, env } = crossTools()
  const addon = buildAddon(platform, [], env)
  run([join(bin, `node-${platform}`), '__test__/packages/emulated.mjs', addon])
}

/** The code of Windows and macOS, as far as a compiler without their libraries can look at it. */
function check() {
  const { env } = crossTools()
  for (const target of ['x86_64-pc-windows-msvc', 'aarch64-apple-darwin']) {
    run(['cargo', 'check', '--release', '-p', 'stylegan-node', '--target', target], env)
  }
}

/** @type {Record<string, () => void>} */
const checks = {
  manifest,
  runtimes: () => run([process.execPath, '__test__/packages/runtimes.mjs']),
  'linux-arm64-gnu': () => emulated('linux-arm64-gnu'),
  'linux-x64-musl': () => emulated('linux-x64-musl'),
  'linux-arm64-musl': () => emulated('linux-arm64-musl'),
  check,
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)))
  const [flag, names] = process.argv.slice(2)
  const wanted = flag === '--only' ? (names ?? '').split(',') : Object.keys(checks)
  for (const name of wanted) {
    const check = checks[name]
    console.log(`== ${name}`)
    try {
      if (!check) throw new Error(`--only takes ${Object.keys(checks).join(', ')}, got ${name}`)
      check()
      console.log(`== ${name}: passed`)
    } catch (error) {
      console.error(error instanceof Error ? error.message : error)
      console.log(`== ${name}: failed`)
      process.exitCode = 1
    }
  }
}
