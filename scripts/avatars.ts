// `node --import @oxc-node/core/register scripts/avatars.ts SNAPSHOT`: weights/avatars.safetensors, the built-in network, from a
// snapshot of its training: the averaged generator alone, in f32. Its length, size and hash go into weights/README.md.
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { writeGenerator } from '../ts/checkpoints/index.ts'
import { Device } from '../ts/native/index.ts'
import { findSnapshot } from '../ts/runs/snapshots.ts'
import { readGenerator } from '../ts/training/state.ts'

const [snapshot] = process.argv.slice(2)
if (snapshot === undefined) throw new Error('a snapshot is expected: scripts/avatars.ts SNAPSHOT')
const weights = fileURLToPath(new URL('../weights/', import.meta.url))
const file = `${weights}avatars.safetensors`

const { Gs, options, nimg } = await readGenerator(await findSnapshot(snapshot), Device.open('cpu'))
const kimg = Math.round(nimg / 1000)
await writeGenerator(file, Gs.params, 'safetensors', {
  what: `stylegan's built-in network: ${options.resolution}x${options.resolution} avatars, ${kimg} kimg`,
  licence: 'MIT; the artwork that it learned from, Avataaars by Pablo Stanley, is free for personal and commercial use',
  options,
})
const bytes = await readFile(file)
const rows = {
  kimg: `${kimg}`,
  bytes: bytes.length.toLocaleString('en'),
  'SHA-256': `\`${createHash('sha256').update(bytes).digest('hex')}\``,
}
const readme = `${weights}README.md`
let text = await readFile(readme, 'utf8')
for (const [name, value] of Object.entries(rows)) {
  const row = new RegExp(`^\\| ${name} \\|.*$`, 'm')
  if (!row.test(text)) throw new Error(`${readme}: a row '| ${name} | … |' is expected, there is none`)
  text = text.replace(row, `| ${name} | ${value} |`)
}
await writeFile(readme, text)
console.log(file, rows)
