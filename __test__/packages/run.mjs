// The packages as users install them: packed, installed into empty folders with node and npm alone on the PATH, and used. Prints TAP.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packPlatform, packRoot, platformName, platforms } from '../../scripts/pack.mjs'
import { newestGlibc } from './glibc.mjs'
import { serve } from './registry.mjs'
import { test } from './tap.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const host = platformName()
const hostPackage = `stylegan-${host}`
const scratch = mkdtempSync(join(tmpdir(), 'stylegan-packages-'))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** A new folder in which nothing but node and npm is on the PATH. */
const tools = join(scratch, 'bin')
mkdirSync(tools)
const found = (/** @type {string} */ name) =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
symlinkSync(process.execPath, join(tools, 'node'))
symlinkSync(realpathSync(found('npm') ?? 'npm'), join(tools, 'npm'))
const setting = (/** @type {string} */ name) =>
  execFileSync('npm', ['config', 'get', name], { encoding: 'utf8' }).trim()
const upstream = setting('registry')
const env = {
  ...{ HOME: scratch, PATH: tools, npm_config_registry: upstream, npm_config_cache: setting('cache') },
  ...{ npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' },
}

/** Not synchronous, since the registry of this process must answer. @param {string} cwd @param {string[]} command @param {Record<string, string>} [more] environment */
async function attempt(cwd, [program = '', ...args], more = {}) {
  const path = existsSync(join(tools, program)) ? join(tools, program) : program
  const child = spawn(path, args, { cwd, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => (out += String(data)))
  child.stderr.on('data', (data) => (err += String(data)))
  const [status] = await once(child, 'close')
  return { status: Number(status), out, err }
}

/** @param {string} cwd @param {string[]} command @param {Record<string, string>} [more] */
async function run(cwd, command, more) {
  const { status, out, err } = await attempt(cwd, command, more)
  assert.equal(status, 0, `${command.join(' ')}\n${out}\n${err}`)
  return out
}

function project(/** @type {string} */ name) {
  const folder = join(scratch, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  return folder
}

const cli = './node_modules/.bin/stylegan'
const contents = (/** @type {string} */ tarball) =>
  execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((path) => path.replace('package/', ''))
const installed = (/** @type {string} */ folder) =>
  readdirSync(join(folder, 'node_modules')).filter((name) => name.startsWith('stylegan'))

const out = join(scratch, 'packages')
mkdirSync(out)
const addon = join(root, 'native', `stylegan.${host}.node`)
const [rootTarball, hostTarball] = [packRoot(out), packPlatform(out, host, addon)]
// Other platforms exist in name only: installing one is found out by its file, which is no program.
const nothing = join(scratch, 'nothing')
writeFileSync(nothing, 'not for this machine')
const decoys = platforms.filter((name) => name !== host).map((name) => packPlatform(out, name, nothing))
const registry = await serve([rootTarball, hostTarball, ...decoys], upstream)

await test('the root package has the program, its types and licences, and no binary', () => {
  const files = contents(rootTarball)
  const wanted = ['dist/index.js', 'dist/index.d.ts', 'dist/cli/bin.js', 'dist/native/load.js', 'native/binding.d.cts']
  for (const name of [...wanted, 'LICENSE', 'THIRD-PARTY.md', 'README.md']) assert.ok(files.includes(name), name)
  assert.deepEqual(
    files.filter((name) => /\.(node|rs)$|^(crates|ts|target)\//.test(name)),
    [],
  )
})
await test('a platform package has the addon with its licences, in under 18 MB, for the C library that is promised', () => {
  assert.deepEqual(
    contents(hostTarball).sort(),
    ['LICENSE', 'README.md', 'THIRD-PARTY.md', 'binding.d.cts', 'package.json', `stylegan.${host}.node`].sort(),
  )
  const bytes = readFileSync(addon)
  console.log(
    `# the addon has ${(bytes.length / 1e6).toFixed(2)} MB, its package ${(readFileSync(hostTarball).length / 1e6).toFixed(2)} MB`,
  )
  assert.ok(bytes.length < 18e6)
  if (!host.endsWith('gnu')) return
  const [major, minor] = newestGlibc(bytes)
  console.log(`# it needs glibc ${major}.${minor}`)
  // `.ci/sysroot` is linked for 2.17; what a machine's own linker takes is not published.
  if (process.env['STYLEGAN_SYSROOT']) assert.ok(major === 2 && minor <= 17, 'glibc 2.17 is promised')
})

const first = project('first')
await test('two tarballs are installed in under 15 s and 25 MB, with no compiler at hand', async () => {
  const began = performance.now()
  await run(first, ['npm', 'install', rootTarball, hostTarball])
  const seconds = (performance.now() - began) / 1000
  const size =
    Number(execFileSync('du', ['-sk', 'node_modules'], { cwd: first, encoding: 'utf8' }).split('\t')[0]) * 1024
  console.log(`# installed in ${seconds.toFixed(1)} s, ${(size / 1e6).toFixed(1)} MB`)
  assert.ok(size < 25e6)
})
await test('the command line tells its version, trains, draws and shows', async () => {
  assert.equal((await run(first, [cli, '--version'])).trim(), version)
  const small = ['--fmap-base', '64', '--latent-size', '16', '--mapping-layers', '2', '--metrics', 'none']
  await run(first, [
    cli,
    'train',
    '--preset',
    'demo',
    '--resolution',
    '8',
    '--kimg',
    '0.05',
    '--device',
    'cpu',
    ...small,
  ])
  await run(first, [cli, 'generate', '--network', 'results', '--seeds', '0-1', '--outdir', 'out', '--device', 'cpu'])
  assert.equal(readFileSync(join(first, 'out', 'seed0000.png')).toString('latin1', 1, 4), 'PNG')
})
await test('import and require give the same package', async () => {
  const code =
    "import * as a from 'stylegan'; import { createRequire } from 'node:module'\n" +
    "const b = createRequire(import.meta.url)('stylegan'); console.log(a.train === b.train, a.listDevices().length > 0)\n"
  writeFileSync(join(first, 'both.mjs'), code)
  assert.equal((await run(first, ['node', 'both.mjs'])).trim(), 'true true')
})
await test('a strict TypeScript project compiles against its types', async () => {
  for (const name of ['@types/node', 'undici-types']) {
    mkdirSync(join(first, 'node_modules/@types'), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(first, 'node_modules', name))
  }
  const code =
    "import { loadGenerator, resolveConfig, train } from 'stylegan'\nimport { Device, grad, type Tensor } from 'stylegan/tensor'\n" +
    'for await (const event of train(resolveConfig("demo", { kimg: 1 }))) if (event.type === "tick") console.log(event.line)\n' +
    'const G = await loadGenerator("results")\nconst { pixels, width } = await G.images({ seeds: "0-15", psi: 0.7 })\n' +
    'const x: Tensor = Device.open("cpu").tensor(new Float32Array(1), [1])\nconsole.log(pixels[width], grad)\nx.dispose()\n'
  writeFileSync(join(first, 'strict.ts'), code)
  const options = {
    strict: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    noEmit: true,
    types: ['node'],
  }
  writeFileSync(join(first, 'package.json'), '{ "private": true, "type": "module" }\n')
  writeFileSync(join(first, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['strict.ts'] }))
  await run(first, ['node', join(root, 'node_modules/typescript/bin/tsc')])
})
await test('a bundle of esbuild, as docs/bundlers.md writes it, runs', async () => {
  const command = /^npx (esbuild .*)$/m.exec(readFileSync(join(root, 'docs/bundlers.md'), 'utf8'))?.[1] ?? ''
  writeFileSync(
    join(first, 'app.ts'),
    "import { Device } from 'stylegan/tensor'\nconsole.log(Device.open('cpu').name satisfies string)\n",
  )
  const [, ...args] = command.split(' ')
  // Run by itself: its install script may have put a native program in the place of the one for Node.js.
  await run(first, [join(root, 'node_modules/esbuild/bin/esbuild'), ...args, '--log-level=warning'])
  assert.equal((await run(first, ['node', 'app.mjs'])).trim(), 'cpu')
})

const second = project('second')
const fromHere = {
  npm_config_registry: registry.address,
  npm_config_prefer_offline: 'false',
  npm_config_cache: join(scratch, 'cache'),
}
await test('from a registry, only the package of this machine is fetched, and the lock file names them all', async () => {
  await run(second, ['npm', 'install', 'stylegan'], fromHere)
  assert.deepEqual(installed(second).sort(), ['stylegan', hostPackage].sort())
  assert.deepEqual([...new Set(registry.fetched)].sort(), ['stylegan', hostPackage].sort())
  const lock = /** @type {{ packages: Record<string, unknown> }} */ (
    JSON.parse(readFileSync(join(second, 'package-lock.json'), 'utf8'))
  )
  for (const name of platforms) assert.ok(lock.packages[`node_modules/stylegan-${name}`], name)
  await run(second, [cli, 'devices'])
})
await test('npm ci installs the same from the lock file', async () => {
  await run(second, ['npm', 'ci'], fromHere)
  assert.deepEqual(installed(second).sort(), ['stylegan', hostPackage].sort())
  assert.equal((await run(second, [cli, '--version'])).trim(), version)
})
await test('without optional packages, one line says what is missing and what to do', async () => {
  await run(second, ['npm', 'ci', '--omit=optional'], fromHere)
  const { status, out, err } = await attempt(second, [cli, 'devices'])
  assert.deepEqual([status, out], [1, ''])
  assert.equal(
    err,
    `stylegan: stylegan needs the package ${hostPackage} on this machine, but it is not installed; ` +
      'remove node_modules and the lock file, then run npm install without --omit=optional\n',
  )
})
await test("an installation for another machine is told, with both platforms' names", async () => {
  const other = host.startsWith('darwin') ? 'linux-x64-gnu' : 'darwin-arm64'
  const [os = '', cpu = ''] = other.split('-')
  rmSync(join(second, 'node_modules'), { recursive: true })
  await run(second, ['npm', 'install', '--os', os, '--cpu', cpu], fromHere)
  const { status, err } = await attempt(second, [cli, 'devices'])
  assert.equal(status, 1)
  assert.match(err, new RegExp(`^stylegan: .*${hostPackage}.* and only stylegan-${other} is; .*\n$`))
})

registry.close()
rmSync(scratch, { recursive: true })
