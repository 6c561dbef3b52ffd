/** Where the addon of a clone comes from. */
import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { findInstalled } from '../../scripts/addon.mjs'
import { hashSources } from '../../scripts/sources.mjs'
import { native } from '../../ts/native/addon.ts'
import { folder } from '../support/folder.ts'

const script = fileURLToPath(new URL('../../scripts/addon.mjs', import.meta.url))
const manifest = { sources: 'same', os: [process.platform], cpu: [process.arch], main: 'stylegan.here.node' }

async function clone(within: string, installed: object): Promise<string> {
  const root = await folder()
  await mkdir(join(root, within, 'stylegan-here'), { recursive: true })
  await writeFile(join(root, within, 'stylegan-here', 'package.json'), JSON.stringify(installed))
  return root
}

for (const within of ['node_modules', 'native/node_modules']) {
  test(`an installed addon of the same sources is taken from ${within}`, async (t) => {
    const root = await clone(within, manifest)
    const path = join(root, within, 'stylegan-here')
    t.deepEqual(findInstalled(root, 'same'), { path, name: 'stylegan-here', main: 'stylegan.here.node' })
  })
}

test('an addon of other sources or for another machine is not taken', async (t) => {
  t.is(findInstalled(await clone('node_modules', { ...manifest, sources: 'other' }), 'same'), undefined)
  t.is(findInstalled(await clone('node_modules', { ...manifest, cpu: ['z80'] }), 'same'), undefined)
  t.is(findInstalled(await folder(), 'same'), undefined)
})

test('the addon has the hash of the sources that scripts compute', (t) => {
  t.is(native.built().sources, hashSources(fileURLToPath(new URL('../..', import.meta.url))))
})

test('without Rust, one line says what to install', async (t) => {
  const bin = await folder()
  await symlink(process.execPath, join(bin, 'node'))
  const error = await t.throwsAsync(promisify(execFile)(process.execPath, [script], { env: { PATH: bin } }))
  t.regex(
    String((error as { stderr?: string }).stderr),
    /^the addon must be compiled, and cargo is not found; install Rust 1\.89 or newer from https:\/\/rustup\.rs, or, .*\n$/,
  )
})
