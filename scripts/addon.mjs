// The addon of a clone: an installed one if it was built from the same sources, else cargo's, with one line of progress.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { hashSources } from './sources.mjs'

const log = 'target/addon.log'

/** @typedef {{ sources?: string, os?: string[], cpu?: string[], main?: string, version?: string }} Manifest */

/**
 * Folder and manifest of an installed platform package that was built from `sources` for this machine.
 *
 * @param {string} root
 * @param {string} sources
 */
export function findInstalled(root, sources) {
  // `npm ci` removes what package.json does not name, but not in native/.
  for (const folder of [join(root, 'native/node_modules'), join(root, 'node_modules')]) {
    if (!existsSync(folder)) continue
    for (const name of readdirSync(folder).filter((name) => name.startsWith('stylegan-'))) {
      const path = join(folder, name)
      const manifest = /** @type {Manifest} */ (JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')))
      const { os = [], cpu = [], main } = manifest
      if (manifest.sources === sources && os.includes(process.platform) && cpu.includes(process.arch) && main) {
        return { path, name, main }
      }
    }
  }
  return undefined
}

/** How many crates cargo will look at; nothing if it does not say. */
function countCrates() {
  const args = ['tree', '--manifest-path', 'crates/node/Cargo.toml', '--edges', 'normal,build', '--prefix', 'none']
  const { stdout } = spawnSync('cargo', args, { encoding: 'utf8' })
  return new Set(stdout.split('\n').map((line) => line.split(' ').slice(0, 2).join(' '))).size - 1
}

/** `2:05` */
const clock = (/** @type {number} */ ms) => {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Tells how far cargo is: on a terminal in one line that changes, elsewhere every ten seconds. */
function progress(/** @type {number} */ total) {
  const began = performance.now()
  let told = began
  return (/** @type {number} */ done) => {
    const now = performance.now()
    const line = `compiling the addon: ${done} of ${Math.max(total, done)} crates, ${clock(now - began)}`
    if (process.stdout.isTTY) return process.stdout.write(`\r\x1b[K${line}`)
    if (now - told < 10_000) return
    told = now
    console.log(line)
  }
}

/** Runs cargo by napi; all that it prints goes into the log. @returns {Promise<boolean>} whether it succeeded */
async function compile() {
  mkdirSync('target', { recursive: true })
  const file = createWriteStream(log)
  const args = ['run', '--silent', 'build:native', '--', '--', '--message-format=json-render-diagnostics']
  const child = spawn('npm', args, { stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
  const tell = progress(countCrates())
  const crates = new Set()
  child.stderr.pipe(file, { end: false })
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return file.write(`${line}\n`)
    const message = /** @type {{ reason: string, package_id: string }} */ (JSON.parse(line))
    if (message.reason !== 'compiler-artifact') return
    crates.add(message.package_id)
    tell(crates.size)
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K')
  await new Promise((resolve) => file.end(resolve))
  return code === 0
}

async function main() {
  const sources = hashSources()
  const installed = findInstalled('.', sources)
  if (installed) {
    mkdirSync('native', { recursive: true })
    for (const name of [installed.main, 'binding.d.cts']) {
      copyFileSync(join(installed.path, name), join('native', basename(name)))
    }
    console.log(`the addon is that of ${installed.name}, which was built from the same sources`)
    return
  }
  if (spawnSync('cargo', ['--version']).error) {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    throw new Error(
      'the addon must be compiled, and cargo is not found; install Rust 1.89 or newer from https://rustup.rs, or, in a clone ' +
        `of a published version, its addon: npm install --no-save --prefix native stylegan-PLATFORM@${version}`,
    )
  }
  console.log('The addon is compiled: about five minutes the first time on two cores.')
  if (await compile()) return
  console.error(readFileSync(log, 'utf8').trimEnd().split('\n').slice(-60).join('\n'))
  throw new Error(`the addon could not be compiled: the end of the log is above, all of it is ${log}`)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)))
  try {
    await main()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
