/** The programs in examples/: type-checked with everything else, at most fifteen lines, and each prints what its last line says. */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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

const kimg = '0.064'

/** What a program is given in place of its own defaults. */
async function argumentsOf(name: string): Promise<string[]> {
  const data = await tinyDataset()
  const given: Record<string, string[]> = {
    'train.ts': ['results', kimg],
    'loss.ts': [data, 'results', kimg],
    'layer.ts': [data, 'results', kimg],
    'loop.ts': [data, 'own.safetensors', kimg],
    'serve.ts': [data, 'results', kimg, '0'],
  }
  return given[name] ?? [await network()]
}

async function start(name: string, cwd: string): Promise<{ stdout: string }> {
  return run(process.execPath, ['--import', compiler, join(examples, name), ...(await argumentsOf(name))], { cwd })
}

// examples/web/ is a page: examples-web.spec.ts.
for (const name of (await readdir(examples)).filter((file) => file.endsWith('.ts'))) {
  test.serial(`${name} is short, and prints what it says`, async (t) => {
    const lines = (await readFile(join(examples, name), 'utf8')).trimEnd().split('\n')
    const code = lines.filter((line) => line !== '' && !/^(\/\/|\/\*\*)/.test(line))
    t.true(code.length <= 15, `${code.length} lines`)
    const cwd = await mkdtemp(join(tmpdir(), 'stylegan-example-'))
    const { stdout } = await start(name, cwd)
    // The demo's images are 32x32, the test's 16x16; numbers of measurements and the length of training differ.
    const shape = (text: string) => text.replaceAll('16x16', '32x32').replace(/\d+\.\d+|\d+(?= kimg)/g, '#')
    t.is(shape(stdout.trimEnd().split('\n').at(-1)!), shape(lines.at(-1)!.replace('// ', '')))
  })
}

test('docs/api.md shows every program as it is', async (t) => {
  const page = await readFile(new URL('../docs/api.md', import.meta.url), 'utf8')
  for (const name of (await readdir(examples)).filter((file) => file.endsWith('.ts'))) {
    const code = await readFile(join(examples, name), 'utf8')
    t.true(page.includes(`\`\`\`typescript\n// examples/${name}\n${code}\`\`\`\n`), name)
  }
})

test.serial('train.ts and loop.ts go on where they stopped, and generate draws with what they saved', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'stylegan-example-'))
  await start('train.ts', cwd)
  t.is((await start('train.ts', cwd)).stdout.trim(), 'trained on 256 images', 'no tick is trained again')
  await start('loop.ts', cwd)
  const saved = join(cwd, 'own.safetensors')
  const before = await readFile(saved)
  await start('loop.ts', cwd)
  t.true(before.equals(await readFile(saved)))
  for (const path of [join(cwd, 'results'), saved]) {
    const { code, err } = await stylegan(['generate', '--network', path, '--seeds', '0', '--outdir', cwd])
    t.is(code, 0, err)
  }
  t.true((await readdir(cwd)).includes('seed0000.png'))
})

test.serial('serve.ts answers while it trains: pictures come, and training goes on after them', async (t) => {
  const [cwd, data, port] = [await mkdtemp(join(tmpdir(), 'stylegan-example-')), await tinyDataset(), await freePort()]
  const args = ['--import', compiler, join(examples, 'serve.ts'), data, 'results', '1000', String(port)]
  const server = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => server.kill('SIGKILL'))
  const lines = createInterface(server.stdout)[Symbol.asyncIterator]()
  const get = (path: string) => fetch(`http://127.0.0.1:${port}/${path}`)
  // Each snapshot that is told after the pictures were answered was trained meanwhile.
  for (let i = 0; i < 3; i++) {
    t.regex(String((await lines.next()).value), /^drawing with .*network-snapshot-\d{6}\.safetensors$/)
    const answers = await Promise.all(['0', '1-1', '7'].map(get))
    for (const answer of answers) {
      const png = Buffer.from(await answer.arrayBuffer())
      t.is(answer.status, 200, png.toString())
      t.deepEqual([...png.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47])
    }
    t.is((await get('face')).status, 400)
  }
})

function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  return new Promise((resolve) => {
    probe.once('listening', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
