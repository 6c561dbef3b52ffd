import { readdirSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeFolders } from '../../ts/files/make-folders.ts'
import { folder } from '../support/folder.ts'

test('folders are made with those above them, and one that is there stays', async (t) => {
  const dir = await folder()
  await Promise.all([makeFolders(join(dir, 'a/b/c')), makeFolders(join(dir, 'a/b/d'))])
  writeFileSync(join(dir, 'a/b/c/file'), '')
  t.false(await makeFolders(join(dir, 'a/b/c')))
  t.true(await makeFolders(join(dir, 'a/e')))
  t.deepEqual([readdirSync(join(dir, 'a/b')), readdirSync(join(dir, 'a/b/c'))], [['c', 'd'], ['file']])
})

test('a file among the folders is told', async (t) => {
  const dir = await folder()
  writeFileSync(join(dir, 'file'), '')
  const expected = 'a folder is expected, got a file'
  await t.throwsAsync(makeFolders(join(dir, 'file/a')), {
    code: 'ENOTDIR',
    message: `${join(dir, 'file/a')}: ${expected} (ENOTDIR); choose another path`,
  })
  await t.throwsAsync(makeFolders(join(dir, 'file'), 'outdir'), {
    code: 'EEXIST',
    message: `${join(dir, 'file')}: ${expected} (EEXIST); choose another outdir`,
  })
})

const ifLinux = process.platform === 'linux' ? test : test.skip
ifLinux('a file system that takes no folders is told, where Node tries for ever', async (t) => {
  await t.throwsAsync(makeFolders('/proc/stylegan/results', 'outdir'), {
    code: 'ENOENT',
    message: '/proc/stylegan/results: no folder can be made there (ENOENT); choose another outdir',
  })
})

test('every folder of ts/ is made here', async (t) => {
  const root = new URL('../../ts', import.meta.url).pathname
  for (const file of await readdir(root, { recursive: true })) {
    if (!/\.tsx?$/.test(file)) continue
    t.notRegex(await readFile(join(root, file), 'utf8'), /mkdir(Sync)?\(.*recursive/, file)
  }
})
