// The packages in other package managers and runtimes: the same training must give the same bits in all. Prints TAP.
// Run by `npm run release:check`; the programs come from the npm registry.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { packPlatform, packRoot, platformName, platforms } from '../../scripts/pack.mjs'
import { serve } from './registry.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'stylegan-runtimes-'))
const [out, tools] = [join(scratch, 'packages'), join(scratch, 'tools')]
mkdirSync(out)
mkdirSync(tools)
/**
 * Not synchronous, since the registry of this process must answer.
 *
 * @param {string} cwd
 * @param {string[]} command
 * @param {NodeJS.ProcessEnv} env
 */
async function run(cwd, [program = '', ...args], env = {}) {
  const { stdout } = await promisify(execFile)(program, args, { cwd, env: { ...process.env, ...env } })
  return stdout
}

const upstream = (await run(root, ['npm', 'config', 'get', 'registry'])).trim()
writeFileSync(join(tools, 'package.json'), '{ "private": true }')
const programs = ['pnpm@10', '@yarnpkg/cli-dist@4', 'bun@1', 'deno@2']
await run(tools, ['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error', ...programs])
const bin = join(tools, 'node_modules/.bin')

const host = platformName()
const decoy = join(scratch, 'nothing')
writeFileSync(decoy, 'not for this machine')
const tarballs = platforms.map((name) =>
  packPlatform(out, name, name === host ? join(root, 'native', `stylegan.${host}.node`) : decoy),
)
const registry = await serve([packRoot(out), ...tarballs], upstream)
const { address } = registry

/** @type {{ name: string, install: string[], train: string[] }[]} */
const managers = [
  { name: 'npm', install: ['npm', 'install', 'stylegan'], train: ['node'] },
  { name: 'pnpm', install: [join(bin, 'pnpm'), 'add', 'stylegan'], train: ['node'] },
  { name: 'yarn', install: [join(bin, 'yarn'), 'add', 'stylegan'], train: [join(bin, 'yarn'), 'node'] },
  { name: 'bun', install: [join(bin, 'bun'), 'add', 'stylegan'], train: [join(bin, 'bun')] },
  { name: 'deno', install: [join(bin, 'deno'), 'add', 'npm:stylegan'], train: [join(bin, 'deno'), 'run', '-A'] },
]

/** @type {string[]} */
const hashes = []
for (const [index, { name, install, train }] of managers.entries()) {
  try {
    const cwd = join(scratch, name)
    mkdirSync(cwd)
    writeFileSync(join(cwd, 'package.json'), '{ "private": true, "type": "module" }')
    // Not Plug'n'Play: its file handles have no sync, which every file of a run needs.
    writeFileSync(
      join(cwd, '.yarnrc.yml'),
      `npmRegistryServer: "${address}"\nunsafeHttpWhitelist: ["127.0.0.1"]\nnpmMinimalAgeGate: 0\nenableGlobalCache: false\nnodeLinker: node-modules\n`,
    )
    copyFileSync(join(root, '__test__/packages/train.mjs'), join(cwd, 'train.mjs'))
    const caches = {
      npm_config_cache: join(scratch, 'cache'),
      YARN_GLOBAL_FOLDER: join(cwd, 'yarn'),
      DENO_DIR: join(cwd, 'deno'),
      BUN_INSTALL_CACHE_DIR: join(cwd, 'bun'),
    }
    const env = { npm_config_registry: address, NPM_CONFIG_REGISTRY: address, YARN_ENABLE_TELEMETRY: '0', ...caches }
    await run(cwd, install, env)
    const printed = await run(cwd, [...train, 'train.mjs'], env)
    const hash = printed.trim().split('\n').at(-1) ?? ''
    hashes.push(hash)
    assert.match(hash, /^[0-9a-f]{64}$/)
    assert.equal(hash, hashes[0], 'the training of npm and Node gives the bits that are expected')
    console.log(`ok ${index + 1} - ${name}: ${hash.slice(0, 16)}`)
  } catch (error) {
    console.error(error)
    console.log(`not ok ${index + 1} - ${name}`)
    process.exitCode = 1
  }
}
registry.close()
rmSync(scratch, { recursive: true })
