/** The list of an op's files in CONTRIBUTING.md, held against the sources. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'

const root = new URL('..', import.meta.url).pathname

test('CONTRIBUTING.md lists every file that has the op minibatch_stddev', async (t) => {
  const page = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8')
  const listed = [...page.matchAll(/^\| `((?:crates|ts)\/[^`]+)` \|/gm)].map((match) => match[1]!)
  const crates = (await readdir(join(root, 'crates'))).map((crate) => `crates/${crate}/src`)
  const found: string[] = []
  for (const folder of [...crates, 'crates/autograd/tests', 'ts/native']) {
    for (const name of await readdir(join(root, folder), { recursive: true })) {
      if (!/\.(rs|wgsl|ts)$/.test(name)) continue
      const file = `${folder}/${name.replaceAll('\\', '/')}`
      if (/minibatch_?stddev/i.test(file + (await readFile(join(root, file), 'utf8')))) found.push(file)
    }
  }
  // Of tests only the one that fails without a case of every op.
  const others = found.filter((file) => file.includes('/tests/') && !file.endsWith('/gradients.rs'))
  t.deepEqual(found.filter((file) => !others.includes(file)).sort(), listed.sort())
})
