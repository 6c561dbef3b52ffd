// `node --import @oxc-node/core/register scripts/readme-pictures.ts results [FOLDER]`: the README's pictures of the demo (docs/*.png), from
// its finished run. The figures are drawn by the README's own commands.
import { spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDataset } from '../ts/data/dataset.ts'
import { BUILTIN_AVATARS } from '../ts/data/info.ts'
import { tileImages, type Picture } from '../ts/figures/grid.ts'
import { blank, enlarge, place } from '../ts/figures/panel.ts'
import { encodePng } from '../ts/native/index.ts'
import { loadGenerator } from '../ts/runs/load-generator.ts'
import { findSnapshot } from '../ts/runs/snapshots.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const [run, folder = join(root, 'docs')] = process.argv.slice(2)
if (run === undefined) throw new Error('a run is expected: scripts/readme-pictures.ts RUN')
const snapshot = await findSnapshot(run)
const cwd = await mkdtemp(join(tmpdir(), 'stylegan-pictures-'))

/** What `generate --uncurated` and the other figures of the README write into `out`. */
async function drawFigures(): Promise<void> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const commands = /```sh\n(npx stylegan mix[^`]*)```/.exec(readme)![1]!.trim().split('\n')
  for (const command of commands) {
    const args = command.replace('--network results', `--network ${snapshot}`).split(' ').slice(2)
    const { status } = spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), ...args], { cwd, stdio: 'inherit' })
    if (status !== 0) throw new Error(`${command}: exit code 0 is expected, got ${status}`)
  }
  for (const name of await readdir(join(cwd, 'out'))) await copyFile(join(cwd, 'out', name), join(folder, name))
}

/** Left 128 faces of the network, right 64 that it learned from. */
async function drawDemo(): Promise<void> {
  const { pixels, width, height } = await (await loadGenerator(snapshot)).images({ seeds: '0-127', psi: 1 })
  const drawn = tileImages(pixels, { n: 128, h: height, w: width, c: 3 }, 16)
  const dataset = await openDataset({
    data: BUILTIN_AVATARS,
    cache: cwd,
    resolution: width,
    channels: 3,
    skipBad: false,
  })
  const first = Array.from({ length: 64 }, (_, i) => i)
  const bytes = await dataset.levels.batch(width, first)
  const real = tileImages(bytes, { n: 64, h: height, w: width, c: 3 }, 8)
  const picture: Picture = blank(drawn.width + 16 + real.width, drawn.height)
  place(picture, drawn, 0, 0)
  place(picture, real, drawn.width + 16, 0)
  const large = enlarge(picture, 2)
  await writeFile(join(folder, 'demo.png'), await encodePng(large.pixels, large.width, large.height, 3))
}

try {
  console.log(`${basename(snapshot)} → ${folder}`)
  await drawDemo()
  await drawFigures()
} finally {
  await rm(cwd, { recursive: true, force: true })
}
