import test from 'ava'
import { spawnSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diskError, writeAtomic, type WriteStep } from '../../ts/files/write-atomic.ts'
import { folder } from '../support/folder.ts'

const text = (path: string): string => readFileSync(path, 'utf8')
const steps: WriteStep[] = ['open', 'write', 'sync', 'rename', 'sync-dir']
const diskFull = (): Error => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })

test('a file is written, synced and renamed in this order, from one piece or several', async (t) => {
  const path = join(await folder(), 'a.bin')
  const seen: string[] = []
  await writeAtomic(path, 'one', (step) => void seen.push(step))
  t.deepEqual(seen, steps)
  await writeAtomic(path, [new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3])])
  t.deepEqual([...readFileSync(path)], [1, 2, 3])
  async function* pieces() {
    yield new Uint8Array([4])
    yield new Uint8Array([5])
  }
  await writeAtomic(path, pieces())
  t.deepEqual([...readFileSync(path)], [4, 5])
})

test('a process killed at any step leaves the old file or the new one, whole', async (t) => {
  const source = new URL('../../ts/files/write-atomic.ts', import.meta.url).href
  for (const step of steps) {
    const path = join(await folder(), 'a.txt')
    writeFileSync(path, 'old')
    const program = `
      import { writeAtomic } from ${JSON.stringify(source)}
      const pieces = [Buffer.from('ne'), Buffer.from('w')]
      const kill = (step) => step === ${JSON.stringify(step)} && process.kill(process.pid, 'SIGKILL')
      await writeAtomic(${JSON.stringify(path)}, pieces, kill)`
    const loader = ['--import', '@oxc-node/core/register', '--input-type=module']
    const child = spawnSync(process.execPath, [...loader, '--eval', program])
    t.is(child.signal, 'SIGKILL', child.stderr.toString())
    t.is(text(path), step === 'sync-dir' ? 'new' : 'old', `killed before ${step}`)
  }
})

test('a full disk at any step is one clear error, and leaves a whole file and nothing temporary', async (t) => {
  for (const step of steps) {
    const dir = await folder()
    const path = join(dir, 'a.txt')
    writeFileSync(path, 'old')
    const fail = (now: WriteStep): void => {
      if (now === step) throw diskFull()
    }
    await t.throwsAsync(writeAtomic(path, 'new', fail), {
      message: new RegExp(
        `^the disk is full \\(ENOSPC\\): 1 MiB are needed for ${path}, [\\d.]+ [MG]iB are free; free some space and run the same command again$`,
      ),
    })
    t.deepEqual(readdirSync(dir), ['a.txt'])
    t.is(text(path), step === 'sync-dir' ? 'new' : 'old')
  }
})

test('pieces that fail half-way leave the previous file', async (t) => {
  const dir = await folder()
  const path = join(dir, 'a.txt')
  writeFileSync(path, 'old')
  function* pieces() {
    yield Buffer.from('new')
    throw new Error('the tensor is gone')
  }
  await t.throwsAsync(writeAtomic(path, pieces()), { message: 'the tensor is gone' })
  t.deepEqual([readdirSync(dir), text(path)], [['a.txt'], 'old'])
})

test('a link stays, and what it leads to is written', async (t) => {
  const [dir, other] = [await folder(), await folder()]
  const [link, target] = [join(dir, 'link'), join(other, 'a.txt')]
  writeFileSync(target, 'old')
  symlinkSync(target, link)
  await writeAtomic(link, 'new')
  t.deepEqual([lstatSync(link).isSymbolicLink(), text(target), readdirSync(other)], [true, 'new', ['a.txt']])
})

const ifUnix = process.platform === 'win32' ? test.skip : test
ifUnix('what is there and is no regular file is refused and stays', async (t) => {
  const dir = await folder()
  const [pipe, lost] = [join(dir, 'pipe'), join(dir, 'lost')]
  t.is(spawnSync('mkfifo', [pipe]).status, 0)
  symlinkSync(join(dir, 'gone'), lost)
  // Through a link, so that a program that replaces what it finds destroys the link and no device.
  const device = join(dir, 'device')
  symlinkSync('/dev/null', device)
  const found = { [pipe]: 'a pipe', [lost]: 'a link to nothing', [device]: 'a device', [dir]: 'a folder' }
  for (const [path, what] of Object.entries(found)) {
    const message = `${path}: a file is expected to write to, got ${what}; give another path`
    await t.throwsAsync(writeAtomic(path, 'new'), { message })
  }
  t.true(lstatSync(pipe).isFIFO())
  t.deepEqual(readdirSync(dir), ['device', 'lost', 'pipe'])
})

const ifLinux = process.platform === 'linux' ? test : test.skip
ifLinux('a folder that takes no files is told from one that is not there', async (t) => {
  await t.throwsAsync(writeAtomic('/proc/a.png', 'new'), {
    code: 'ENOENT',
    message: '/proc/a.png: no file can be made there (ENOENT); choose another path',
  })
  const path = join(await folder(), 'none/a.png')
  await t.throwsAsync(writeAtomic(path, 'new'), { message: /got nothing \(ENOENT\); check the path$/ })
})

test('an error of the disk that is told keeps its code, and is told once', (t) => {
  const told = diskError('a', Object.assign(new Error(), { code: 'ENOTDIR' })) as NodeJS.ErrnoException
  t.is(told.code, 'ENOTDIR')
  t.is(diskError('b', told), told)
})
