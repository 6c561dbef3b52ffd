/** What anybody may have put where a file is expected is not opened: a pipe would wait for a writer for ever. */
import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { isCheckpoint } from '../../ts/checkpoints/index.ts'
import { isGeneratorNpz } from '../../ts/checkpoints/own.ts'
import { readJson } from '../../ts/data/info.ts'
import { readWhole } from '../../ts/files/kind.ts'
import { readMetadata } from '../../ts/files/safetensors.ts'
import { RunDir } from '../../ts/runs/run-dir.ts'
import { resolveConfig } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'

const ifUnix = process.platform === 'win32' ? test.skip : test

ifUnix('a pipe in the place of a file is refused by all who read one', async (t) => {
  const dir = await folder()
  const pipe = join(dir, 'pipe.safetensors')
  t.is(spawnSync('mkfifo', [pipe]).status, 0)
  const message = `${pipe}: a file is expected, got a pipe; remove it, or put the file in its place`
  await t.throwsAsync(readWhole(pipe), { message })
  await t.throwsAsync(isCheckpoint(pipe), { message })
  await t.throwsAsync(isGeneratorNpz(pipe), { message })
  await t.throwsAsync(readMetadata(pipe), { message: `${pipe}: a file is expected, got a pipe; check the path` })
  t.is(await readJson(pipe), undefined)
  await mkdir(join(dir, 'run'))
  t.is(spawnSync('mkfifo', [join(dir, 'run', 'training_options.json')]).status, 0)
  const run = RunDir.open(dir, 'run', resolveConfig('demo'))
  await t.throwsAsync(run, { message: /training_options.json: .* got a pipe/ })
})

test('a file is read, and one that is missing is told as the system tells it', async (t) => {
  const path = join(await folder(), 'a.json')
  await writeFile(path, '{}')
  t.is((await readWhole(path)).toString(), '{}')
  await t.throwsAsync(readWhole(`${path}.gone`), { code: 'ENOENT' })
})
