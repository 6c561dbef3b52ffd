/** Finds and loads the addon of this machine. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { familySync } from 'detect-libc'

/** The platforms that have a package of their own, `stylegan-linux-x64-gnu` and so on. */
export const platforms = [
  ...['linux-x64-gnu', 'linux-x64-musl', 'linux-arm64-gnu', 'linux-arm64-musl'],
  ...['darwin-x64', 'darwin-arm64', 'win32-x64-msvc', 'win32-arm64-msvc'],
]

/** What the addon exports beside its work: what it was built from. */
interface Addon {
  built?(): { readonly version: string; readonly sources: string }
}

interface Manifest {
  readonly version: string
  /** The hash of the addon's sources; only packed packages have it. */
  readonly sources?: string
}

/** What {@link loadAddon} asks of its surroundings. */
export interface Surroundings {
  /** The folder of this package. */
  readonly root: string
  /** The name of this machine's platform. */
  readonly platform: string
  readonly manifest: Manifest
  readonly require: NodeJS.Require
}

/** An addon that is missing, or that this machine or this version cannot use. */
export class AddonError extends Error {
  override readonly name = 'AddonError'
  readonly code = 'ERR_ADDON'
}

/** This machine as a platform of {@link platforms}, or another of the same form. */
export function platformName(): string {
  const { platform, arch } = process
  if (platform === 'linux') return `${platform}-${arch}-${familySync() === 'musl' ? 'musl' : 'gnu'}`
  return platform === 'win32' ? `${platform}-${arch}-msvc` : `${platform}-${arch}`
}

function here(): Surroundings {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Manifest
  return { root, platform: platformName(), manifest, require: createRequire(import.meta.url) }
}

/**
 * The addon that was built in this folder, or else that of the platform's package.
 *
 * @throws AddonError if there is none, if it cannot be loaded, or if it was built from other sources than this package
 */
export function loadAddon(surroundings: Surroundings = here()): unknown {
  const { root, platform, manifest, require } = surroundings
  const built = `${root}native/stylegan.${platform}.node`
  const name = `stylegan-${platform}`
  const addon = existsSync(built)
    ? load(require, built, platform, 'build it again with: npm run build:native')
    : installed(name, surroundings)
  // What was built here is brought up to date by `npm start`.
  if (manifest.sources === undefined) return addon
  const { version, sources } = addon.built?.() ?? { version: 'unknown', sources: 'unknown' }
  if (version !== manifest.version || sources !== manifest.sources) {
    const short = (hash: string) => hash.slice(0, 8)
    throw new AddonError(
      `stylegan ${manifest.version} needs an addon of the same version and sources (${short(manifest.sources)}), but ` +
        `${name} is ${version} (${short(sources)}); install both anew: npm install stylegan@${manifest.version}`,
    )
  }
  return addon
}

function installed(name: string, { root, platform, require, manifest }: Surroundings): Addon {
  let path: string
  try {
    path = require.resolve(name)
  } catch {
    throw new AddonError(missing(name, root, platform, require))
  }
  return load(require, path, platform, `install it anew: npm install stylegan@${manifest.version}`)
}

/** Why there is no package of this platform, and what to do. */
function missing(name: string, root: string, platform: string, require: NodeJS.Require): string {
  if (existsSync(`${root}crates`)) {
    return `the addon of this folder is not built for ${platform}; build it with: npm start`
  }
  if (!platforms.includes(platform)) {
    return (
      `stylegan has no addon for ${platform}, only for ${platforms.join(', ')}; ` +
      'use one of these, or build a clone of the repository, which needs Rust: npm start'
    )
  }
  const others = platforms.filter((other) => {
    try {
      return require.resolve(`stylegan-${other}`) !== ''
    } catch {
      return false
    }
  })
  const found = others.length === 0 ? '' : ` and only ${others.map((other) => `stylegan-${other}`).join(', ')} is`
  return (
    `stylegan needs the package ${name} on this machine, but it is not installed${found}; ` +
    'remove node_modules and the lock file, then run npm install without --omit=optional'
  )
}

function load(require: NodeJS.Require, path: string, platform: string, remedy: string): Addon {
  try {
    return require(path) as Addon
  } catch (error) {
    const reason = String(error instanceof Error ? error.message : error).split('\n')[0]
    throw new AddonError(`the addon ${path} cannot be loaded on this machine (${platform}): ${reason}; ${remedy}`)
  }
}
