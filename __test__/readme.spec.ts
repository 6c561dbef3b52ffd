/** Every command and snippet of the README runs, long ones at a small size. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { openedStudio } from './support/command.ts'
import { tinyConfig, tinyDataset } from './support/tiny.ts'
import { folder } from './support/folder.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const main = join(root, 'dist/cli/main.js')
const readme = await readFile(join(root, 'README.md'), 'utf8')

const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map((match) => match[1]!)
const commands = blocks('sh')
  .flatMap((block) => block.trim().split('\n'))
  .map((line) => line.replace(/ +#.*$/, ''))

/** Options that make a command of the README small. */
const small = Object.entries({ ...tinyConfig, resolution: 32 }).flatMap(([key, value]) => [
  `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  String(value),
])

const figures = ['mix', 'truncate', 'generate', 'noise', 'noise', 'video']

test('the README has the commands that this test runs, and npm knows its scripts', async (t) => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  t.deepEqual(
    commands.map((command) => command.split(' ').slice(0, 3).join(' ')),
    [
      ...['npm start', 'npm test'],
      ...['train', 'generate', ...figures, 'studio', 'metrics', 'classifier', 'metrics'].map(
        (name) => `npx stylegan ${name}`,
      ),
    ],
  )
  t.regex(scripts['start']!, /^node scripts\/build\.mjs && node dist\/cli\/main\.js train --preset demo$/)
  t.regex(scripts['test']!, /__test__\/support\/run\.mjs/)
})

test('train, generate and the figures run as the README writes them', async (t) => {
  const cwd = await folder()
  const [, , train, generate, ...others] = commands.map((command) => command.split(' ').slice(2))
  const data = await tinyDataset()
  // A flag given twice counts as given last.
  await run(process.execPath, [main, ...train!, ...small, '--data', data], { cwd })
  await run(process.execPath, [main, ...generate!], { cwd })
  t.deepEqual(
    (await readdir(join(cwd, 'out'))).sort(),
    [0, 1, 4, 5, 6].map((seed) => `seed000${seed}.png`),
  )
  for (const command of others.slice(0, figures.length)) await run(process.execPath, [main, ...command], { cwd })
  const names = ['detail', 'mix', 'noise', 'truncate', 'uncurated', 'walk'].map((name) => `${name}.png`)
  const drawn = (await readdir(join(cwd, 'out'))).filter((name) => !name.startsWith('seed'))
  t.deepEqual(drawn.sort(), names)
  // Each of them is shown.
  for (const name of names) t.true(readme.includes(`(docs/${name})`) && existsSync(join(root, 'docs', name)), name)
})

test('the studio opens as the README writes it', async (t) => {
  const args = commands
    .find((command) => command.includes(' studio'))!
    .split(' ')
    .slice(2)
  t.regex(
    await openedStudio([...args, '--port', '0'], await folder()),
    /^http:\/\/127\.0\.0\.1:\d+\/#token=[0-9a-f]{64}$/,
  )
})

test('metrics and classifiers run as the README writes them', async (t) => {
  const cwd = await folder()
  const given = commands.map((command) => command.split(' ').slice(2))
  const [train, [metrics, classifier, separability]] = [given[2], given.slice(-3)]
  await run(process.execPath, [main, ...train!, ...small, '--data', await tinyDataset()], { cwd })
  const measured = await run(process.execPath, [main, ...metrics!, '--metrics-num', '20'], { cwd })
  t.regex(measured.stdout, /^swd +\d+\.\d{4} +network-snapshot-000000\.safetensors/m)
  t.regex(measured.stdout, /^ms_ssim +\d\.\d{4} /m)
  const few = ['--attributes', 'hat,hoodie', '--resolution', '16', '--kimg', '0.08', '--fmap-max', '8']
  const trained = await run(process.execPath, [main, ...classifier!, ...few], { cwd })
  t.regex(trained.stdout, /hat +\d+\.\d % of 400 held-out images right, \d+\.\d % by chance/)
  const separable = await run(process.execPath, [main, ...separability!, '--metrics-num', '64'], { cwd })
  t.regex(separable.stdout, /^ls_z +\d\.\d{4} .*\nls_w +\d\.\d{4} /m)
})

test('npm start trains the demo, here for a moment', async (t) => {
  const cwd = await folder()
  const { stdout } = await run(process.execPath, [main, 'train', '--preset', 'demo', '--kimg', '0.064'], { cwd })
  t.regex(stdout, /Images +4000/)
  t.regex(stdout, /Done: 0\.064 kimg/)
})

test('the library in ten lines prints ticks and images', async (t) => {
  const cwd = await folder()
  const [snippet] = blocks('ts')
  const library = pathToFileURL(join(root, 'dist/index.js')).href
  const options = JSON.stringify({ ...tinyConfig, data: await tinyDataset(), resolution: 8 })
  const source = snippet!.replace("'stylegan'", `'${library}'`).replace('{ kimg: 50 }', options)
  await writeFile(join(cwd, 'example.mjs'), source)
  const { stdout } = await run(process.execPath, ['example.mjs'], { cwd })
  t.regex(stdout, /tick 1 /)
  t.regex(stdout, /16 8 Uint8Array\(3072\)/)
  t.true(existsSync(join(cwd, 'seed0000.png')))
})
