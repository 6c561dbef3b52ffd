/** The documents: what they name exists, and the commands of docs/ run, long ones at a small size. The README's: readme.spec.ts. */
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { main, tinyFlags } from './support/command.ts'
import { folder } from './support/folder.ts'
import { tinyDataset } from './support/tiny.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const pages = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
const others = ['README', 'ARCHITECTURE', 'CONTRIBUTING', 'SECURITY', 'THIRD-PARTY', 'benchmark/README']
const text = new Map<string, string>()
for (const page of [...pages, ...others.map((name) => `${name}.md`)])
  text.set(page, await readFile(join(root, page), 'utf8'))

const withoutBlocks = (page: string) => text.get(page)!.replace(/^```[\s\S]*?^```/gm, '')

/** The name that GitHub gives to a heading. */
const slug = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

test('every link of the documents leads to a file, and to a heading where it names one', (t) => {
  for (const page of text.keys()) {
    for (const [, target] of withoutBlocks(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target!)) continue
      const [path, anchor] = target!.split('#') as [string, string?]
      const file = path === '' ? page : join(dirname(page), path)
      t.true(existsSync(join(root, file)), `${page}: ${target}`)
      if (anchor === undefined) continue
      const headings = [...text.get(file)!.matchAll(/^#+ (.*)$/gm)].map((match) => slug(match[1]!))
      t.true(headings.includes(anchor), `${page}: ${target}`)
    }
  }
})

/** Folders that a path may begin with, as the documents write them: from the root, from ts/ or from crates/. */
const top = ['ts', 'crates', '__test__', 'scripts', 'benchmark', 'docs', '.ci', '.github', 'export', 'weights']

test('every path that the documents name is there', async (t) => {
  const files: string[] = []
  const starts = new Set([...top, ...(await readdir(join(root, 'ts'))), ...(await readdir(join(root, 'crates')))])
  for (const dir of top) {
    const found = await readdir(join(root, dir), { recursive: true })
    files.push(`/${dir}/`, ...found.map((name) => `/${dir}/${name.replaceAll('\\', '/')}/`))
  }
  let checked = 0
  for (const page of text.keys()) {
    for (const [, span] of withoutBlocks(page).matchAll(/`([\w*.-]+(?:\/[\w*.-]+)*\/?)`/g)) {
      const isFile = /^[\w*.-]+\.(ts|rs|mjs|wgsl)$/.test(span!)
      const isPath = span!.includes('/') && (starts.has(span!.split('/')[0]!) || /\.(ts|rs|mjs|wgsl|py)$/.test(span!))
      if (!isFile && !isPath) continue
      const pattern = span!.replace(/\/$/, '').replaceAll('.', '\\.').replaceAll('*', '[^/]*')
      const wanted = new RegExp(`/${pattern}/$`)
      t.true(
        files.some((file) => wanted.test(file)),
        `${page}: ${span}`,
      )
      checked++
    }
  }
  t.true(checked > 50, `${checked} paths were recognised`)
})

/** Files that commands of the documents name, and what stands for them here. */
const standIns = {
  'karras2019stylegan-ffhq-1024x1024.pkl': 'nvlabs/config-d16/network.pkl',
  'GAN_GEN_SHADOW_3_7.pth': 'huangzh13/linear32/GAN_GEN_SHADOW_3_7.pth',
  'GAN_DIS_3_7.pth': 'huangzh13/linear32/GAN_DIS_3_7.pth',
}

/** What makes a command short; a flag that is given twice counts as given last. */
function short(command: string, data: string, place: number): string[] {
  // Each training has a folder of its own, as different photos would have.
  const small = [...tinyFlags, '--resolution', '32', '--data', data, '--desc', `command-${place}`]
  if (/ train .*--resume/.test(command)) return [...small, '--kimg', '0.128']
  if (command.includes(' train --data')) return small
  if (command.includes(' classifier train')) {
    return ['--attributes', 'hat', '--resolution', '16', '--kimg', '0.008', '--fmap-max', '4']
  }
  if (command.includes('--metrics ls')) return ['--num', '64']
  if (command.includes(' metrics')) return ['--num', '20']
  return []
}

test('every command and example of docs/ runs', async (t) => {
  const cwd = await folder()
  const data = await tinyDataset()
  const fixtures = join(root, '__test__/fixtures/checkpoints')
  for (const [name, file] of Object.entries(standIns)) await copyFile(join(fixtures, file), join(cwd, name))
  const blocks = pages.flatMap((page) => [...text.get(page)!.matchAll(/^```sh\n([\s\S]*?)^```/gm)])
  const commands = new Set(blocks.flatMap((block) => block[1]!.trim().split('\n')))
  let place = 0
  const stylegan = (command: string) => {
    t.regex(command, /^npx stylegan /)
    return run(process.execPath, [main, ...command.split(' ').slice(2), ...short(command, data, place++)], { cwd })
  }
  // The others draw and measure what the README's first command trained.
  const readme = /^npx stylegan train .*$/m.exec(text.get('README.md')!)![0]
  await stylegan(readme)
  for (const command of commands) await t.notThrowsAsync(stylegan(command), command)
  t.true(commands.size >= 8)
  const library = pathToFileURL(join(root, 'dist/index.js')).href
  const examples = pages.flatMap((page) => [...text.get(page)!.matchAll(/^```ts\n([\s\S]*?)^```/gm)])
  for (const [, example] of examples) {
    await writeFile(join(cwd, 'example.mjs'), example!.replace("'stylegan'", `'${library}'`))
    await t.notThrowsAsync(run(process.execPath, ['example.mjs'], { cwd }), example)
  }
})
