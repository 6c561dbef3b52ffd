import { spawnSync } from 'node:child_process'
import { copyFile, link, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openCheckpoint } from '../../ts/checkpoints/index.ts'
import { exportCommand } from '../../ts/cli/export.ts'
import { importCommand } from '../../ts/cli/import.ts'
import { mixCommand } from '../../ts/cli/mix.ts'
import { noiseCommand } from '../../ts/cli/noise.ts'
import { checkOutput } from '../../ts/runs/outputs.ts'
import { truncateCommand } from '../../ts/cli/truncate.ts'
import { videoCommand } from '../../ts/cli/video.ts'
import { encodeSafetensors } from '../../ts/files/safetensors.ts'
import { findSnapshot } from '../../ts/runs/snapshots.ts'
import { folder as checkpoints } from '../support/checkpoints.ts'
import { folder } from '../support/folder.ts'

const commands = [exportCommand, importCommand, mixCommand, noiseCommand, truncateCommand, videoCommand]

/** A command in this process, whose errors are thrown. */
async function run(name = '', ...args: string[]): Promise<void> {
  const command = commands.map((make) => make()).find((made) => made.name() === name)!
  await command.parseAsync(args, { from: 'user' })
}

async function trained(): Promise<string> {
  const path = join(await folder(), 'network-snapshot-000001.safetensors')
  await writeFile(path, encodeSafetensors({ tensors: new Map(), metadata: { format: 'stylegan-training-1' } }))
  return path
}

test('the file that a command reads is not its output, under whatever name', async (t) => {
  const dir = await folder()
  const input = join(dir, 'a.safetensors')
  await writeFile(input, 'networks')
  const [soft, hard] = [join(dir, 'soft.safetensors'), join(dir, 'hard.safetensors')]
  await symlink(input, soft)
  await link(input, hard)
  for (const output of [input, soft, hard]) {
    const message = `${output}: another file than the one that is read is expected, got the same; give another path`
    await t.throwsAsync(checkOutput(output, ['.safetensors'], [input]), { message })
  }
  await t.notThrowsAsync(checkOutput(join(dir, 'b.safetensors'), ['.safetensors'], [input]))
})

test('a snapshot of a training is never replaced', async (t) => {
  const path = await trained()
  const before = await readFile(path)
  const message = /a file that may be replaced is expected, got a snapshot of a training; give another path/
  await t.throwsAsync(checkOutput(path, ['.safetensors']), { message })
  const network = new URL('nvlabs/labels16/network.pkl', checkpoints).pathname
  for (const args of [
    ['export', '--network', network],
    ['import', network],
  ]) {
    await t.throwsAsync(run(...args, '--output', path), { message })
  }
  const same = /another file than the one that is read is expected/
  await t.throwsAsync(run('export', '--network', path, '--output', path), { message: same })
  t.deepEqual(await readFile(path), before)
})

test('a name says what its file is: each command takes its own endings', async (t) => {
  const network = new URL('nvlabs/labels16/network.pkl', checkpoints).pathname
  const dir = await folder()
  const misnamed: [string[], string][] = [
    [['export', '--network', network], 'x.png'],
    [['export', '--network', network, '--format', 'npz'], 'x.safetensors'],
    [['import', network], 'x.pkl'],
    [['mix', '--network', network, '--paper'], 'x'],
    [['noise', '--network', network, '--paper'], 'x.jpg'],
    [['truncate', '--network', network, '--paper'], 'x.jpg'],
    [['video', '--network', network, '--seeds', '0-1'], 'x.jpg'],
  ]
  for (const [args, name] of misnamed) {
    const message = /^\S+: a name that ends in \.[^;]+ is expected, got '[.\w]*'; give another path$/
    await t.throwsAsync(run(...args, '--output', join(dir, name)), { message }, args[0])
  }
  t.deepEqual(await readdir(dir), [])
  const nameless = run('truncate', '--network', network, '--paper', '--output', '')
  await t.throwsAsync(nameless, {
    message: "--output: a file is expected to write to, got ''; give a name with .png",
  })
})

test('a checkpoint that is no file is told by what it is', async (t) => {
  const dir = await folder()
  const expected = 'a file with networks is expected'
  await t.throwsAsync(openCheckpoint([dir]), {
    message: `${dir}: ${expected}, got a folder; give the path of a file`,
  })
  const gone = join(dir, 'nope.pkl')
  await t.throwsAsync(openCheckpoint([gone]), { message: `${gone}: ${expected}, got nothing; check the path` })
})

test('a snapshot of stylegan needs no import, and import says so', async (t) => {
  const path = await trained()
  const renamed = join(await folder(), 'network.pkl')
  await copyFile(path, renamed)
  for (const file of [path, renamed]) {
    await t.throwsAsync(openCheckpoint([file]), {
      message: `${file}: a checkpoint of another code base is expected, got a snapshot of stylegan, which needs no import; use it as it is`,
    })
  }
})

const ifUnix = process.platform === 'win32' ? test.skip : test
ifUnix('a network that is a pipe or a device is refused before it is opened', async (t) => {
  const pipe = join(await folder(), 'pipe')
  t.is(spawnSync('mkfifo', [pipe]).status, 0)
  for (const [path, what] of Object.entries({ [pipe]: 'pipe', '/dev/null': 'device' })) {
    const found = `got a ${what}; give the path of a file`
    await t.throwsAsync(findSnapshot(path), {
      message: `${path}: a snapshot or a folder with one is expected, ${found}`,
    })
    await t.throwsAsync(openCheckpoint([path]), { message: `${path}: a file with networks is expected, ${found}` })
  }
})
