/** The programs in examples/: type-checked with everything else, at most fifteen lines, and each prints what its last line says. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { stylegan, tinyFlags } from './support/command.ts'
import { tinyDataset } from './support/tiny.ts'

const run = promisify(execFile)
const examples = fileURLToPath(new URL('../examples', import.meta.url))
const compiler = import.meta.resolve('@oxc-node/core/register')

let trained: Promise<string> | undefined
/** A folder with a tiny network. */
const network = () =>
  (trained ??= (async () => {
    const outdir = await mkdtemp(join(tmpdir(), 'stylegan-examples-'))
    const start = ['train', '--preset', 'demo', '--data', await tinyDataset(), '--outdir', outdir]
    const { code, err } = await stylegan([...start, ...tinyFlags, '--resolution', '16', '--kimg', '0.016'])
    if (code !== 0) throw new Error(err)
    return outdir
  })())

// examples/web/ is a page: examples-web.spec.ts.
for (const name of (await readdir(examples)).filter((file) => file.endsWith('.ts'))) {
  test.serial(`${name} is short, and prints what it says`, async (t) => {
    const lines = (await readFile(join(examples, name), 'utf8')).trimEnd().split('\n')
    const code = lines.filter((line) => line !== '' && !/^(\/\/|\/\*\*)/.test(line))
    t.true(code.length <= 15, `${code.length} lines`)
    const cwd = await mkdtemp(join(tmpdir(), 'stylegan-example-'))
    const { stdout } = await run(process.execPath, ['--import', compiler, join(examples, name), await network()], {
      cwd,
    })
    // The demo's images are 32x32, the test's 16x16; numbers of measurements differ.
    const shape = (text: string) => text.replaceAll('16x16', '32x32').replace(/\d+\.\d+/g, '#')
    t.is(shape(stdout.trimEnd().split('\n').at(-1)!), shape(lines.at(-1)!.replace('// ', '')))
  })
}
