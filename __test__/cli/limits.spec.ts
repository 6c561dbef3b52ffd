/** Commands where the system gives little: few file handles. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { main, tinyFlags } from '../support/command.ts'
import { tinyDataset } from '../support/tiny.ts'

const onLinux = process.platform === 'linux' ? test : test.skip

/** Runs Node with few file handles. */
function withHandles(count: number, args: readonly string[]): { status: number | null; err: string } {
  const words = ['-c', `ulimit -n ${count}; exec "$@"`, 'sh', process.execPath, ...args]
  const { status, stderr } = spawnSync('sh', words, { encoding: 'utf8' })
  return { status, err: stderr }
}

onLinux('128 file handles are enough for a command, for training, and for drawing the built-in faces', async (t) => {
  const outdir = mkdtempSync(join(tmpdir(), 'stylegan-limits-'))
  const train = ['train', '--preset', 'demo', ...tinyFlags, '--data', await tinyDataset(), '--outdir', outdir]
  t.like(withHandles(128, [main, '--version']), { status: 0 })
  t.like(withHandles(128, [main, ...train]), { status: 0 })
  const avatars = fileURLToPath(new URL('../../dist/data/avatars.js', import.meta.url))
  const draw = `import { avatar } from ${JSON.stringify(avatars)}; avatar(1, 8)`
  t.like(withHandles(128, ['--input-type=module', '--eval', draw]), { status: 0 })
})
