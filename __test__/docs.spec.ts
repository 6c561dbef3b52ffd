/** What the documents name exists: files, headings, paths. Their commands: docs-commands.spec.ts and readme.spec.ts. */
import { readdir, readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

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

test('prose stands in lines of at most 100 characters', async (t) => {
  for (const page of [...text.keys(), 'CHANGELOG.md']) {
    const lines = (await readFile(join(root, page), 'utf8')).replace(/^```[\s\S]*?^```/gm, '').split('\n')
    // A table's row is one line, and a line of one link cannot be broken.
    const long = lines.filter((line) => line.length > 100 && !/^\||^\S+$/.test(line))
    t.deepEqual(long, [], page)
  }
})
