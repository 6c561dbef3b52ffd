/** The network in the package: what weights/README.md says of it is true, and it draws. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { avatarAttributes } from '../../ts/data/avatar-attributes.ts'
import { directionsOf } from '../../ts/figures/directions.ts'
import { drawLook } from '../../ts/figures/look.ts'
import { builtInNetwork } from '../../ts/runs/built-in.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { findSnapshot } from '../../ts/runs/snapshots.ts'
import { folder } from '../support/folder.ts'

const file = builtInNetwork('avatars')!
const readme = await readFile(new URL('../../weights/README.md', import.meta.url), 'utf8')
const row = (name: string) => new RegExp(`^\\| ${name} \\| (.*) \\|$`, 'm').exec(readme)?.[1]

test('the built-in network has at most 3 MB, and the length and the hash that its page names', async (t) => {
  const bytes = await readFile(file)
  t.true((await stat(file)).size <= 3_000_000)
  t.is(row('bytes'), bytes.length.toLocaleString('en'))
  t.is(row('SHA-256'), `\`${createHash('sha256').update(bytes).digest('hex')}\``)
  t.regex(row('kimg')!, /^\d+$/)
  for (const metric of ['swd', 'ms_ssim']) t.regex(row(metric)!, /^\d+\.\d+/)
})

test('the built-in network draws 64x64 avatars, has no discriminator, and tells its licence and its length', async (t) => {
  const G = await loadGenerator('avatars')
  const { resolution, numChannels, fmapMax, latentSize, mappingLayers, labelSize } = G.options
  t.deepEqual([resolution, numChannels, fmapMax, latentSize, mappingLayers, labelSize], [64, 3, 64, 128, 4, 0])
  t.false((await readFile(file)).includes('FromRGB'))
  t.regex(G.origin!.licence, /Avataaars/)
  t.true(G.origin!.what.endsWith(`${row('kimg')} kimg`))
  const { pixels } = await G.images({ seeds: '0,1', psi: 1 })
  t.not(Buffer.compare(pixels.subarray(0, pixels.length / 2), pixels.subarray(pixels.length / 2)), 0)
  t.true(new Set(pixels).size > 100)
})

test('the built-in network has the directions of its attributes, found in these weights', async (t) => {
  const G = await loadGenerator('avatars')
  const directions = await directionsOf(G)
  const names = Object.keys(avatarAttributes).filter((name) => row(`\`${name}\``) !== undefined)
  t.deepEqual(directions.map(({ name }) => name).sort(), names.sort())
  t.true(names.includes('eyeglasses'))
  for (const { name, agreement } of directions) {
    t.is(row(`\`${name}\``), `${(100 * agreement).toFixed(1)} %`)
  }
  const look = { seed: 7, shifts: [{ direction: 'eyeglasses', by: 5, layers: [0, 1, 2, 3, 4, 5] }] }
  t.notDeepEqual((await drawLook(G, look)).pixels, (await drawLook(G, { seed: 7 })).pixels)
})

test.serial('avatars names the built-in network in every folder; ./avatars names what lies there', async (t) => {
  const before = process.cwd()
  process.chdir(await folder())
  t.teardown(() => process.chdir(before))
  await mkdir('avatars')
  t.is(await findSnapshot('avatars'), file)
  await t.throwsAsync(findSnapshot('./avatars'), {
    message: /^\.\/avatars: a folder with network-snapshot-NNNNNN\.safetensors is expected/,
  })
  t.is(await findSnapshot(join(file)), file)
})
