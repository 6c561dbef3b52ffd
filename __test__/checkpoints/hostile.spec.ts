/** Files that must be refused: each by one sentence, in a process of little memory, and nothing of them runs. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { readTorch } from '../../ts/files/torch.ts'
import { folder } from '../support/checkpoints.ts'

const child = new URL('../support/hostile-child.ts', import.meta.url).pathname
const root = new URL('../..', import.meta.url).pathname
const hostile = new URL('hostile/', folder).pathname

/** What must stand in the sentence of a file, where more is asked for than a refusal. */
const says: Readonly<Record<string, RegExp>> = {
  'os-system-popped.pkl': /wants to use \w+\.system/,
  'posix-system-variable.pkl': /wants to use posix\.system/,
  'eval-kwargs.pkl': /wants to use builtins\.eval/,
  'torch-load-from-bytes.pkl': /wants to use torch\.storage\._load_from_bytes/,
  'numpy-fromfile.pkl': /wants to use numpy\.core\.multiarray\.fromfile/,
  'shape-bomb.pkl': /needs \d+ bytes/,
  'data-short.pkl': /needs \d+ bytes/,
  'dtype-object.pkl': /elements of type/,
  'missing-variables.pkl': /'[\w/]+' .*is missing/,
  'stylegan2.pkl': /StyleGAN 2/,
  'stylegan2-ada-pytorch.pkl': /StyleGAN2-ADA or StyleGAN 3/,
  'version-99.pkl': /version 99/,
  'proto-key.pkl': /__proto__/,
  'drive-quota.pkl': /web page/,
  'lfs-pointer.pkl': /Git LFS/,
  'empty.pkl': /empty/,
  'torch-module.pth': /whole module/,
  'torch-unknown-keys.pth': /genforce, rosinality/,
}

/** All cases; those that are a file of the set cut off are cut off here. */
async function hostileFiles(): Promise<string[]> {
  const cases = JSON.parse(await readFile(join(hostile, 'cases.json'), 'utf8')) as Record<
    string,
    { why: string; bytes: number }
  >
  const cut = await mkdtemp(join(tmpdir(), 'stylegan-cut-'))
  return Promise.all(
    Object.entries(cases).map(async ([name, { why, bytes }]) => {
      const whole = /^the first [\d.]+% of ([\w./-]+):/.exec(why)?.[1]
      if (whole === undefined) return join(hostile, name)
      const file = await readFile(new URL(whole, folder))
      await writeFile(join(cut, name), file.subarray(0, bytes))
      return join(cut, name)
    }),
  )
}

test('every hostile file is refused by one sentence within 256 MiB, and runs nothing', async (t) => {
  const files = await hostileFiles()
  t.is(files.length, 43)
  const before = await readdir(root)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', '@oxc-node/core/register', '--max-old-space-size=128', child, ...files],
    { cwd: root, maxBuffer: 1 << 24 },
  )
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { path: string; line: string; megabytes?: number })
  for (const { path, line } of lines.slice(0, -1)) {
    const name = basename(path)
    t.true(
      line.startsWith(`${path}: `) && !/[\n\r\u001b]/.test(line) && line.length < path.length + 400,
      `${name}: ${line}`,
    )
    t.notRegex(line, /call stack|undefined|another error|opened|polluted|is not a function|Cannot read/, name)
    if (name.startsWith('truncated')) t.regex(line, /cut off/, name)
    if (says[name]) t.regex(line, says[name], name)
  }
  t.is(lines.length, files.length + 1)
  t.true(lines.at(-1)!.megabytes! < 256, `${lines.at(-1)!.megabytes} MiB`)
  // A payload that ran would have left a file where the process worked.
  t.deepEqual(await readdir(root), before)
})

for (const [file, says] of Object.entries({
  'torch-offset.pth': /does not fit its storage/,
  'torch-stride.pth': /does not fit its storage/,
  'torch-expand-bomb.pth': /does not fit its storage/,
  'torch-numel-lie.pth': /needs \d+ bytes of storage, there are 16/,
})) {
  test(`the state dict of ${file}, whose tensor reaches outside of its storage, is refused`, async (t) => {
    const bytes = await readFile(join(hostile, file))
    const { value, weights } = readTorch(bytes)
    const inner =
      value instanceof Map && [...value.values()].every((one) => one instanceof Map) ? [...value.values()] : [value]
    t.throws(() => inner.map((dict) => weights(dict as never)), { message: says })
  })
}
