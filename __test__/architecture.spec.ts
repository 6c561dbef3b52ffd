/** The order of folders in ARCHITECTURE.md, read off the imports. */
import { readdir, readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import test from 'ava'

const root = new URL('..', import.meta.url).pathname
const folders = orderOf(await readFile(`${root}ARCHITECTURE.md`, 'utf8'))
const imports = new Map<string, string[]>()
for (const name of await readdir(`${root}ts`, { recursive: true })) {
  if (!/\.tsx?$/.test(name)) continue
  const file = name.replaceAll('\\', '/')
  const source = await readFile(`${root}ts/${file}`, 'utf8')
  imports.set(
    file,
    [...source.matchAll(/(?:\bfrom|\bimport\(?) ?'([^']+)'/g)].map((match) => match[1]!),
  )
}

/** The names in the fenced block below "Order of folders". */
function orderOf(architecture: string): string[] {
  const block = /^Order of folders[\s\S]*?```\w*\n([^`]+)```/m.exec(architecture)
  if (!block) throw new Error('ARCHITECTURE.md: a fenced block below the words "Order of folders" is expected')
  return block[1]!.trim().split(/\s+/)
}

/** The files of ts/ that a file imports. */
function neighbours(file: string): string[] {
  const relative = imports.get(file)!.filter((source) => source.startsWith('.'))
  return relative.map((source) => posix.join(posix.dirname(file), source))
}

test('a folder of ts/ imports only from itself and from folders before it', (t) => {
  // Files beside the folders are what the package exports: they may import from every folder, and nothing imports them.
  const rank = (file: string) => (file.includes('/') ? folders.indexOf(file.split('/')[0]!) : folders.length)
  for (const file of imports.keys()) {
    t.true(rank(file) >= 0, `${file}: its folder must be in the order of folders in ARCHITECTURE.md`)
    for (const target of neighbours(file)) {
      t.true(rank(target) <= rank(file), `${file} must not import ${target}`)
    }
  }
})

test('only one file imports the addon', (t) => {
  const importers = [...imports].filter(([, sources]) => sources.includes('#native')).map(([file]) => file)
  t.deepEqual(importers, ['native/addon.ts'])
})

test('no files of ts/ import each other in a circle', (t) => {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) return t.fail([...path.slice(path.indexOf(file)), file].join(' imports '))
    if (done.has(file)) return
    for (const target of neighbours(file)) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  t.is(done.size, imports.size)
})

test('the page of the studio knows nothing but what it says to the server, and the server no HTML', async (t) => {
  const own = ['protocol.ts', 'commands.ts'].map((name) => `studio/${name}`)
  for (const [file, sources] of imports) {
    if (file.startsWith('studio/page/') && file !== 'studio/page/vite.config.ts') {
      const outside = neighbours(file).filter((target) => /\.tsx?$/.test(target) && !target.startsWith('studio/page/'))
      for (const target of outside) t.true(own.includes(target), `${file} must not import ${target}`)
      for (const source of sources) t.notRegex(source, /^(node:|#)/, file)
    }
    if (!file.startsWith('studio/server/')) continue
    t.notRegex(await readFile(`${root}ts/${file}`, 'utf8'), /<\/?(div|p|html|body|script|h\d|span)\b/, file)
  }
})
