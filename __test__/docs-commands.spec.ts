/** Every command and example of docs/ runs, long ones at a small size. The README's: readme.spec.ts. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { main, openedStudio, tinyFlags } from './support/command.ts'
import { folder } from './support/folder.ts'
import { tinyDataset } from './support/tiny.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))

/** The pages of docs/, by name. */
async function pagesOf(): Promise<[name: string, text: string][]> {
  const pages = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).sort()
  return Promise.all(pages.map(async (page) => [page, await readFile(join(root, 'docs', page), 'utf8')]))
}

/** The fenced blocks of a language in all pages. */
async function blocksOf(language: string): Promise<string[]> {
  const texts = (await pagesOf()).map(([, text]) => text)
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm')
  return texts.flatMap((text) => [...text.matchAll(block)].map((match) => match[1]!))
}

/** Files that commands of the documents name, and what stands for them here. */
const standIns = {
  'karras2019stylegan-ffhq-1024x1024.pkl': 'nvlabs/config-d16/network.pkl',
  'face.png': '../images/palette.png',
  'GAN_GEN_SHADOW_3_7.pth': 'huangzh13/linear32/GAN_GEN_SHADOW_3_7.pth',
  'GAN_DIS_3_7.pth': 'huangzh13/linear32/GAN_DIS_3_7.pth',
  'pets.zip': '../sources/stylegan3.zip',
  'cifar-10-python.tar.gz': '../sources/cifar-10-python.tar.gz',
}

/** What makes a command short; a flag that is given twice counts as given last. */
function short(command: string, data: string, place: number): string[] {
  // Each training has a folder of its own, as different photos would have.
  const own = Object.keys(standIns).some((name) => command.includes(`--data ${name}`))
  const small = [...tinyFlags, '--resolution', '32', ...(own ? [] : ['--data', data]), '--desc', `command-${place}`]
  // The networks are those of the file.
  if (/ train .*--resume avatars/.test(command)) {
    return [
      '--data',
      data,
      '--kimg',
      '0.016',
      '--batch',
      '8',
      '--tick',
      '1',
      '--metrics',
      'none',
      '--desc',
      `command-${place}`,
    ]
  }
  if (/ train .*--resume/.test(command)) return [...small, '--kimg', '0.128']
  if (command.includes(' dataset ')) return []
  if (command.includes(' train --data')) return small
  if (command.includes(' project')) return ['--num-steps', '3']
  if (command.includes(' directions ')) return ['--num', '64']
  if (command.includes(' classifier train')) {
    return ['--attributes', 'hat', '--resolution', '16', '--kimg', '0.008', '--fmap-max', '4']
  }
  if (command.includes('--metrics ls')) return ['--metrics-num', '64']
  if (command.includes(' metrics')) return ['--metrics-num', '20']
  return []
}

test('every command and example of docs/ runs', async (t) => {
  const cwd = await folder()
  const data = await tinyDataset()
  const fixtures = join(root, '__test__/fixtures/checkpoints')
  for (const [name, file] of Object.entries(standIns)) await copyFile(join(fixtures, file), join(cwd, name))
  const commands = new Set((await blocksOf('sh')).flatMap((block) => block.trim().split('\n')))
  let place = 0
  const stylegan = (command: string) => {
    t.regex(command, /^npx stylegan /)
    const args = command.split(' ').slice(2)
    // These name their source without a flag.
    if (args[0] === 'dataset' && args[2] === './photos') args[2] = data
    return run(process.execPath, [main, ...args, ...short(command, data, place++)], { cwd })
  }
  // The others draw and measure what the README's first command trained.
  const readme = /^npx stylegan train .*$/m.exec(await readFile(join(root, 'README.md'), 'utf8'))![0]
  await stylegan(readme)
  const isStudio = (command: string) => / studio\b| --studio\b/.test(command)
  for (const command of commands) if (!isStudio(command)) await t.notThrowsAsync(stylegan(command), command)
  await mkdir(join(cwd, 'photos'), { recursive: true })
  for (const command of [...commands].filter(isStudio)) {
    const free = command.includes('--studio') ? ['--studio', '0'] : ['--port', '0']
    const args = [...command.split(' ').slice(2), ...free]
    await t.notThrowsAsync(openedStudio(args, cwd), command)
  }
  t.true(commands.size >= 8)
  const library = pathToFileURL(join(root, 'dist/index.js')).href
  for (const example of await blocksOf('ts')) {
    await writeFile(
      join(cwd, 'example.mjs'),
      example.replace('numSteps: 100', 'numSteps: 10').replace("'stylegan'", `'${library}'`),
    )
    await t.notThrowsAsync(run(process.execPath, ['example.mjs'], { cwd }), example)
  }
})

test('every option that README and docs/ name is one of a command', async (t) => {
  const commands = [
    'train',
    'generate',
    'mix',
    'truncate',
    'noise',
    'video',
    'project',
    'directions',
    'metrics',
    'classifier train',
    'dataset inspect',
    'dataset prepare',
    'dataset export',
    'info',
  ]
  const named = [...commands, 'import', 'export', 'devices', 'bench', 'studio'].map((name) => name.split(' '))
  const helps = [[], ...named].map((words) => run(process.execPath, [main, ...words, '--help']))
  const known = new Set((await Promise.all(helps)).flatMap(({ stdout }) => stdout.match(/--[a-z][\w-]*/g) ?? []))
  for (const [page, text] of [['README.md', await readFile(join(root, 'README.md'), 'utf8')], ...(await pagesOf())]) {
    // The first column of tables on StyleGAN3 has its own options.
    const ours = page === 'stylegan3-users.md' ? text!.replace(/^\|[^|]*\|/gm, '|') : text!
    const spans = [...ours.matchAll(/`((?:npx )?(?:stylegan )?(?:[a-z]+ )*--[^`]*)`/g)].map((match) => match[1]!)
    for (const span of spans) {
      if (/^(?!npx |stylegan |train |generate |noise |metrics |classifier |dataset )[a-z]/.test(span)) continue // another program
      for (const option of span.match(/--[a-z][\w-]*/g) ?? []) t.true(known.has(option), `${page}: ${option}`)
    }
  }
})
