// `node scripts/release-addon.mjs PLATFORM FOLDER`: compiles the addon of a platform into a folder. Linux is
// linked by zig for glibc 2.17, or for musl: cargo-zigbuild must be on the PATH, and Rust's library for the target installed.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Rust's name of each platform. @type {Record<string, string>} */
export const targets = {
  'linux-x64-gnu': 'x86_64-unknown-linux-gnu',
  'linux-x64-musl': 'x86_64-unknown-linux-musl',
  'linux-arm64-gnu': 'aarch64-unknown-linux-gnu',
  'linux-arm64-musl': 'aarch64-unknown-linux-musl',
  'darwin-x64': 'x86_64-apple-darwin',
  'darwin-arm64': 'aarch64-apple-darwin',
  'win32-x64-msvc': 'x86_64-pc-windows-msvc',
  'win32-arm64-msvc': 'aarch64-pc-windows-msvc',
}

/** What rustc needs beside the target. */
function flags(/** @type {string} */ platform) {
  // A shared library of musl links to the system's; one of Windows must not need Visual C++ to be installed.
  if (platform.endsWith('musl')) return '-C target-feature=-crt-static'
  return platform.endsWith('msvc') ? '-C target-feature=+crt-static' : ''
}

/**
 * Compiles the addon.
 *
 * @param {string} platform
 * @param {string[]} more arguments of cargo
 * @param {NodeJS.ProcessEnv} env
 * @returns {string} path of the file
 */
export function buildAddon(platform, more = [], env = process.env) {
  const target = targets[platform]
  if (!target) throw new Error(`a platform is one of ${Object.keys(targets).join(', ')}, got ${platform}`)
  const [linux, glibc] = [platform.startsWith('linux'), platform.endsWith('gnu') ? '.2.17' : '']
  const args = [
    linux ? 'zigbuild' : 'build',
    '--release',
    '-p',
    'stylegan-node',
    '--target',
    `${target}${glibc}`,
    ...more,
  ]
  const options = { env: { ...env, RUSTFLAGS: flags(platform) }, stdio: /** @type {const} */ ('inherit') }
  const { status, error } = spawnSync('cargo', args, options)
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} ${error?.message ?? `ended with ${status}`}`)
  const [prefix, ending] = { darwin: ['lib', 'dylib'], win32: ['', 'dll'] }[platform.split('-')[0] ?? ''] ?? [
    'lib',
    'so',
  ]
  return join(env['CARGO_TARGET_DIR'] ?? 'target', target, 'release', `${prefix}stylegan_node.${ending}`)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)))
  const [platform = '', folder = 'release'] = process.argv.slice(2)
  const target = targets[platform]
  if (target && process.env['GITHUB_ACTIONS']) spawnSync('rustup', ['target', 'add', target], { stdio: 'inherit' })
  mkdirSync(folder, { recursive: true })
  copyFileSync(buildAddon(platform), join(folder, `stylegan.${platform}.node`))
}
