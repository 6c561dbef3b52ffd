/** The order of crates in ARCHITECTURE.md, read off their manifests; circles of modules, read off their `use` lines. */
import { readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import test from 'ava'

const root = new URL('..', import.meta.url).pathname

/** The table of crates in ARCHITECTURE.md: in its order, each crate with those that it uses. */
const table = new Map<string, string[]>()
for (const row of (await readFile(join(root, 'ARCHITECTURE.md'), 'utf8')).matchAll(
  /^\| `([\w-]+)` \| ([^|]*) \|.*\|.*\|$/gm,
)) {
  table.set(row[1]!, row[2] === 'nothing' ? [] : row[2]!.replaceAll('`', '').split(', '))
}

test('Rust crates use what the table in ARCHITECTURE.md says, and only crates above them', async (t) => {
  const order = [...table.keys()]
  t.deepEqual([...order].sort(), (await readdir(join(root, 'crates'))).sort())
  for (const [crate, uses] of table) {
    const manifest = await readFile(join(root, 'crates', crate, 'Cargo.toml'), 'utf8')
    const dependencies = manifest.split('[dev-dependencies]')[0]!
    const found = [...dependencies.matchAll(/^stylegan-([\w-]+)/gm)].map((match) => match[1]!)
    t.deepEqual(found.sort(), [...uses].sort(), crate)
    for (const name of found) t.true(order.indexOf(name) < order.indexOf(crate), `${crate} must not depend on ${name}`)
  }
})

test('only crate node knows Node, only crate cpu knows candle', async (t) => {
  for (const crate of await readdir(join(root, 'crates'))) {
    const manifest = await readFile(join(root, 'crates', crate, 'Cargo.toml'), 'utf8')
    t.is(/^napi/m.test(manifest), crate === 'node', crate)
    t.is(/^candle-core/m.test(manifest), crate === 'cpu', crate)
    t.is(/^wgpu/m.test(manifest), crate === 'wgpu', crate)
  }
})

/** A module of a crate: its file, the modules it declares, and the paths that it uses. */
interface Module {
  file: string
  children: string[]
  uses: string[]
}

/** The paths of a `use`: `a::{b, c::d}` is `a::b` and `a::c::d`. */
function pathsOf(tree: string): string[] {
  const open = tree.indexOf('{')
  if (open < 0) return [tree.replace(/ as \w+$/, '')]
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const letter of tree.slice(open + 1, tree.lastIndexOf('}'))) {
    if (letter === ',' && depth === 0) {
      parts.push(part)
      part = ''
      continue
    }
    if (letter === '{') depth++
    if (letter === '}') depth--
    part += letter
  }
  return [...parts, part].filter((text) => text !== '').flatMap((text) => pathsOf(tree.slice(0, open) + text))
}

/**
 * What the text of a module declares and uses. Its own tests may use anything; `pub use` and `pub(in …)` use nothing: a `mod.rs`
 * that only hands names on is the face of its folder.
 */
function moduleOf(file: string, text: string): Module {
  const code = text.replace(/\/\/.*$/gm, '').replace(/#\[cfg\(test\)\]\s*mod \w+ \{[\s\S]*?\n\}/g, '')
  const module: Module = { file, children: [], uses: [] }
  for (const match of code.matchAll(/^\s*(?:pub(?:\([^)]*\))? )?mod (\w+);/gm)) module.children.push(match[1]!)
  const rest = code.replace(
    /\b(pub(?:\([^)]*\))? )?use ([^;]+);/g,
    (_, visibility: string | undefined, tree: string) => {
      const paths = pathsOf(tree.replace(/\s*\n\s*/g, '').replace(/(?<=[{,]) +/g, ''))
      if (!visibility) module.uses.push(...paths)
      return ''
    },
  )
  // Paths within the code.
  for (const match of rest.replace(/\bpub\([^)]*\)/g, '').matchAll(/\b(?:crate|super)(?:::\w+)+/g))
    module.uses.push(match[0])
  return module
}

/** The modules of a crate by their paths, the crate's own being ''. */
async function modulesOf(crate: string): Promise<Map<string, Module>> {
  const src = join(root, 'crates', crate, 'src')
  const modules = new Map<string, Module>()
  for (const name of await readdir(src, { recursive: true })) {
    if (!name.endsWith('.rs')) continue
    const file = name.replaceAll('\\', '/')
    const path = file.replace(/(^|\/)(lib|mod)\.rs$/, '').replace(/\.rs$/, '')
    modules.set(path, moduleOf(file, await readFile(join(src, name), 'utf8')))
  }
  return modules
}

/** The module that has what a path names, as seen from module `from`; undefined for what is of another crate. */
function target(modules: Map<string, Module>, from: string, path: string): string | undefined {
  const names = path.split('::')
  let at = from
  if (names[0] === 'crate') at = ''
  else if (names[0] !== 'super' && names[0] !== 'self' && !modules.get(from)!.children.includes(names[0]!))
    return undefined
  while (['crate', 'self', 'super'].includes(names[0]!)) {
    if (names.shift() === 'super') at = posix.dirname(at) === '.' ? '' : posix.dirname(at)
  }
  while (names.length > 0 && modules.get(at)!.children.includes(names[0]!)) at = posix.join(at, names.shift()!)
  return at
}

/** Every circle of modules that `use` each other. */
async function circlesOf(crate: string): Promise<string[]> {
  const modules = await modulesOf(crate)
  const circles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: string[]): void => {
    if (way.includes(path)) {
      const circle = way.slice(way.indexOf(path)).map((each) => modules.get(each)!.file)
      circles.push(`${crate}: ${circle.sort().join(', ')}`)
      return
    }
    if (done.has(path)) return
    const targets = new Set(modules.get(path)!.uses.map((use) => target(modules, path, use)))
    for (const other of targets) if (other !== undefined && other !== path) visit(other, [...way, path])
    done.add(path)
  }
  for (const path of modules.keys()) visit(path, [])
  return circles
}

test('no modules of a crate use each other in a circle, except a node of the tape and its tensor', async (t) => {
  const circles: string[] = []
  for (const crate of table.keys()) circles.push(...(await circlesOf(crate)))
  t.deepEqual(circles, ['autograd: node.rs, tensor.rs'])
})
