/** Which addon is loaded, and the one line that is told where none can be. */
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import test from 'ava'
import { AddonError, loadAddon, platformName, platforms } from '../../ts/native/load.ts'
import { folder } from '../support/folder.ts'

const sources = '0123456789abcdef'

/** A package in a folder, with platform packages beside it whose addons are JavaScript. */
async function installation(packages: Record<string, string>, platform = 'linux-x64-gnu') {
  const modules = join(await folder(), 'node_modules')
  const root = `${join(modules, 'stylegan')}/`
  await mkdir(root, { recursive: true })
  for (const [name, code] of Object.entries(packages)) {
    await mkdir(join(modules, name))
    await writeFile(join(modules, name, 'index.js'), code)
  }
  return { root, platform, manifest: { version: '1.2.3', sources }, require: createRequire(join(root, 'index.js')) }
}

const addon = (version: string, hash: string) =>
  `exports.built = () => ({ version: '${version}', sources: '${hash}' }); exports.name = 'addon'`

test('this machine has one of the platforms', (t) => t.true(platforms.includes(platformName())))

test("the platform's package is loaded", async (t) => {
  const here = await installation({ 'stylegan-linux-x64-gnu': addon('1.2.3', sources) })
  t.like(loadAddon(here), { name: 'addon' })
})

test('an addon that was built in the folder comes first', async (t) => {
  const here = await installation({ 'stylegan-linux-x64-gnu': addon('1.2.3', sources) })
  await mkdir(join(here.root, 'native'))
  // A file that is no addon tells that it was tried.
  await writeFile(join(here.root, 'native', 'stylegan.linux-x64-gnu.node'), 'damaged')
  const error = t.throws(() => loadAddon(here), { instanceOf: AddonError, code: 'ERR_ADDON' })
  t.regex(
    error.message,
    /^the addon .*stylegan\.linux-x64-gnu\.node cannot be loaded on this machine \(linux-x64-gnu\): /,
  )
  t.regex(error.message, /; build it again with: npm run build:native$/)
  t.false(error.message.includes('\n'))
})

const stale: Record<string, [version: string, hash: string]> = {
  'another version': ['1.2.2', sources],
  'other sources': ['1.2.3', 'fedcba9876543210'],
}
for (const [what, [version, hash]] of Object.entries(stale)) {
  test(`an addon of ${what} is refused`, async (t) => {
    const here = await installation({ 'stylegan-linux-x64-gnu': addon(version, hash) })
    t.throws(() => loadAddon(here), {
      message:
        'stylegan 1.2.3 needs an addon of the same version and sources (01234567), but stylegan-linux-x64-gnu is ' +
        `${version} (${hash.slice(0, 8)}); install both anew: npm install stylegan@1.2.3`,
    })
  })
}

test('a clone does not compare what it has built', async (t) => {
  const here = await installation({ 'stylegan-linux-x64-gnu': 'exports.name = "old"' })
  t.like(loadAddon({ ...here, manifest: { version: '1.2.3' } }), { name: 'old' })
})

test('a missing package is named, and what to do', async (t) => {
  const remedy = 'remove node_modules and the lock file, then run npm install without --omit=optional'
  const here = await installation({})
  t.throws(() => loadAddon(here), {
    message: `stylegan needs the package stylegan-linux-x64-gnu on this machine, but it is not installed; ${remedy}`,
  })
  const other = await installation({ 'stylegan-linux-x64-musl': addon('1.2.3', sources) })
  t.throws(() => loadAddon(other), {
    message:
      'stylegan needs the package stylegan-linux-x64-gnu on this machine, but it is not installed ' +
      `and only stylegan-linux-x64-musl is; ${remedy}`,
  })
})

test('a system without a package is told which systems have one', async (t) => {
  const here = await installation({}, 'freebsd-x64')
  t.throws(() => loadAddon(here), {
    message:
      /^stylegan has no addon for freebsd-x64, only for linux-x64-gnu, .*; use one of these, or build a clone of the repository/,
  })
})

test('a clone that is not built says how to build it', async (t) => {
  const here = await installation({})
  await mkdir(join(here.root, 'crates'))
  t.throws(() => loadAddon(here), {
    message: 'the addon of this folder is not built for linux-x64-gnu; build it with: npm start',
  })
})
