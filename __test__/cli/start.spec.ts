/** What commands load before they work. How long that takes: benchmark/start.ts. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url))

/** Tells each module that the program asks for, Node's own aside. */
const hooks = `export async function load(url, context, next) {
  if (!url.startsWith('node:')) process._rawDebug('loads ' + url)
  return next(url, context)
}`
const watching = `import { register } from 'node:module'; register(${JSON.stringify(dataOf(hooks))})`

function dataOf(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`
}

async function start(...args: string[]): Promise<{ out: string; loaded: string[] }> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', dataOf(watching), bin, ...args])
  const urls = [...stderr.matchAll(/^loads (file:.*)$/gm)].map((match) => match[1]!)
  return { out: stdout, loaded: urls.map((url) => basename(url)) }
}

test('the version is told by two small modules', async (t) => {
  const manifest = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string }
  for (const flag of ['--version', '-V']) {
    const { out, loaded } = await start(flag)
    t.is(out, `${version}\n`)
    t.deepEqual(loaded.sort(), ['bin.js', 'package-files.js'])
  }
})

test('help is told by the program alone, which is one file, and what parses the command line', async (t) => {
  const { out, loaded } = await start('--help')
  t.regex(out, /^Usage: stylegan/)
  const others = loaded.filter((name) => !['bin.js', 'package-files.js', 'main.js'].includes(name))
  t.true(loaded.includes('main.js'))
  // Packages from node_modules; no bar is drawn, and no avatar.
  t.deepEqual(
    others.filter((name) => !['esm.mjs', 'index.js', 'detect-libc.js'].includes(name)),
    [],
    others.join(),
  )
})
