/** `stylegan dataset`: looking into a source, preparing it, writing it for other programs. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { acquireLock } from '../../ts/files/lock.ts'
import { main, stylegan } from '../support/command.ts'
import { classFolders, folder, images } from '../support/images.ts'

test('inspect tells people in lines, and programs in one object with the documented fields', async (t) => {
  const data = await classFolders()
  const sheet = join(await folder(), 'sheet.png')
  const told = await stylegan(['dataset', 'inspect', data, '--resolution', '16', '--contact-sheet', sheet])
  t.is(told.code, 0, told.err)
  t.regex(told.out, /^Images {13}2$/m)
  t.regex(told.out, /^Classes {12}2: 1 × a, 1 × b$/m)
  t.regex(told.out, /^Below 16 {11}2 images \(100\.0 %\) have a shorter side$/m)
  t.true(told.out.endsWith(`${sheet}\n`))
  t.is((await readFile(sheet)).readUInt32BE(0), 0x89504e47)
  const json = await stylegan(['dataset', 'inspect', data, '--json', '--no-contact-sheet'])
  t.is(json.err, '')
  const page = await readFile(new URL('../../docs/json.md', import.meta.url), 'utf8')
  const row = /^\| `dataset` \| (.*?) \|/m.exec(page)![1]!
  const documented = [...row.matchAll(/`(\w+)`/g)].map((match) => match[1])
  t.deepEqual(Object.keys(JSON.parse(json.out) as object), documented)
})

test('what is prepared is exported to a folder and an archive, and stylegan opens both', async (t) => {
  const dir = await folder()
  const [set, zip, files] = [join(dir, 'set'), join(dir, 'out.zip'), join(dir, 'out')]
  const prepared = await stylegan(['dataset', 'prepare', await classFolders(), '--output', set, '--resolution', '8x8'])
  t.is(prepared.code, 0, prepared.err)
  t.regex(prepared.out, /^2 images of 8x8x3, 2 classes or attributes, 1 MiB, in /)
  const one = ['dataset', 'prepare', await images(1), '--output', join(await folder(), 'one'), '--resolution', '8x8']
  t.regex((await stylegan(one)).out, /^1 image of 8x8x3, /)
  const ignored = await stylegan(['dataset', 'export', set, '--output', zip, '--resize-filter', 'box'])
  t.is(ignored.err, `stylegan: --resize-filter: ${set} is prepared already; leave it out\n`)
  for (const output of [zip, files]) {
    const exported = await stylegan(['dataset', 'export', set, '--output', output])
    t.is(exported.code, 0, exported.err)
    t.is(exported.out, `${output}\n`)
    const again = await stylegan(['dataset', 'inspect', output, '--json', '--no-contact-sheet'])
    const found = JSON.parse(again.out) as { count: number; classes: object }
    t.deepEqual([found.count, Object.values(found.classes)], [2, [1, 1]])
  }
  t.deepEqual((await readdir(dir)).filter((name) => !name.startsWith('.')).sort(), ['out', 'out.zip', 'set'])
})

test('a source that is not prepared is exported with the options of preparing, and nothing else stays', async (t) => {
  const dir = await folder()
  const output = join(dir, 'out.zip')
  const how = ['--resolution', '4', '--resize-filter', 'box', '--channels', '1', '--max-images', '2']
  const exported = await stylegan(['dataset', 'export', await images(3), '--output', output, ...how])
  t.is(exported.code, 0, exported.err)
  t.deepEqual((await readdir(dir)).sort(), ['out.zip'])
})

test('preparing that was killed goes on, to the same bytes', async (t) => {
  const data = await images(600)
  const [output, whole] = [join(await folder(), 'set'), join(await folder(), 'set')]
  const args = (to: string) => ['dataset', 'prepare', data, '--output', to, '--resolution', '16', '--dedupe']
  const child = spawn(process.execPath, [main, ...args(output)], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  while (!existsSync(join(`${output}.preparing`, 'preparing.json')) && child.exitCode === null) await setTimeout(2)
  child.kill('SIGKILL')
  await ended
  t.false(existsSync(output))
  t.is((await stylegan(args(output))).code, 0)
  t.is((await stylegan(args(whole))).code, 0)
  t.deepEqual((await readdir(output)).sort(), (await readdir(whole)).sort())
  for (const file of await readdir(whole)) {
    t.deepEqual(await readFile(join(output, file)), await readFile(join(whole, file)), file)
  }
})

test('wrong values, names of other programs and full folders are answered in one line', async (t) => {
  const data = await images(1)
  const mine = await folder()
  await writeFile(join(mine, 'letter.txt'), '')
  const prepare = ['dataset', 'prepare', data, '--output', join(mine, 'set')]
  for (const [args, message] of [
    [
      ['dataset', 'prepare', '--source', data],
      '--source: the source stands without a flag, behind the name of the command',
    ],
    [['dataset', 'prepare', data], '--output: it must be given, got nothing; --help says what it takes'],
    [
      [...prepare, '--resolution', '100'],
      "--resolution: a power of two from 4 to 1024, such as 256 or 256x256, is expected, got '100'",
    ],
    [
      [...prepare, '--resolution', '64x32'],
      '--resolution: a square is expected, got 64x32; --transform center-crop-wide shows so many rows on a black square',
    ],
    [
      [...prepare, '--resolution', '64', '--transform', 'center-crop-wide'],
      '--resolution: a width above the height, such as 512x384, is expected with center-crop-wide, got 64x64',
    ],
    [
      [...prepare, '--background', 'blue'],
      "--background: a colour such as #ffcc00, black or white is expected, got 'blue'",
    ],
    [[...prepare, '--max-images', '0'], '--max-images: a whole number from 1 is expected, got 0'],
    [
      ['dataset', 'export', data, '--output', mine],
      `${mine}: nothing is expected there yet, got a folder; name another output, or remove it`,
    ],
  ] as const) {
    const { code, err } = await stylegan(args)
    t.is(err, `stylegan: ${message}\n`)
    t.is(code, 1)
  }
  await t.throwsAsync(stat(join(mine, 'set')))
})

test('a contact sheet takes the place of another one, and of nothing else', async (t) => {
  const data = await images(2)
  const own = join(data, '0000.png')
  const before = await readFile(own)
  const inspect = ['dataset', 'inspect', data, '--contact-sheet']
  const refused = await stylegan([...inspect, own])
  t.is(refused.out, '')
  t.is(
    refused.err,
    `stylegan: ${own}: nothing, or a picture that stylegan drew, is expected there, got another file; give another --contact-sheet, or --no-contact-sheet\n`,
  )
  t.deepEqual(await readFile(own), before)
  const sheet = join(await folder(), 'sheet.png')
  for (let i = 0; i < 2; i++) t.is((await stylegan([...inspect, sheet])).code, 0)
})

test('export refuses what a prepared set would ignore, and a place among the images', async (t) => {
  const data = await images(2)
  const set = join(await folder(), 'set')
  t.is((await stylegan(['dataset', 'prepare', data, '--output', set, '--resolution', '8'])).code, 0)
  const output = join(await folder(), 'out')
  for (const option of [['--channels', '1'], ['--background', 'black'], ['--dedupe'], ['--no-labels']]) {
    const { err } = await stylegan(['dataset', 'export', set, '--output', output, ...option])
    t.is(err, `stylegan: ${option[0]}: ${set} is prepared already; leave it out\n`)
  }
  for (const inside of [join(data, 'new', 'out'), join(data, 'out.zip')]) {
    const { err } = await stylegan(['dataset', 'export', data, '--output', inside, '--resolution', '8'])
    t.is(
      err,
      `stylegan: ${inside}: a place outside of the images is expected, got one in ${data}; name another output\n`,
    )
  }
  t.deepEqual((await readdir(data)).sort(), ['0000.png', 'nested'])
})

test('labels that cannot be used stop the commands, which go on without labels', async (t) => {
  const data = await images(2)
  await writeFile(join(data, 'dataset.json'), '{"labels": [["0000.png", "cat"]]}')
  const dir = await folder()
  for (const [command, output] of [
    ['prepare', 'set'],
    ['export', 'out.zip'],
  ] as const) {
    const args = ['dataset', command, data, '--output', join(dir, output), '--resolution', '8']
    const refused = await stylegan(args)
    t.is(refused.code, 1)
    t.regex(refused.err, /dataset\.json: .*; mend them, or leave labels out with --no-labels\n$/)
    const { code, err } = await stylegan([...args, '--no-labels'])
    t.is(code, 0, err)
  }
})

test('a second export to one output is refused before it prepares anything', async (t) => {
  const data = await images(2)
  const dir = await folder()
  const output = join(dir, 'out.zip')
  const lock = acquireLock(join(dir, '.out.zip.lock'), { what: 'exporting', advice: 'wait' })
  t.teardown(() => lock.release())
  const { code, err } = await stylegan(['dataset', 'export', data, '--output', output, '--resolution', '8'])
  t.is(code, 1)
  t.regex(
    err,
    /^stylegan: exporting .*out\.zip is under way: process \d+ holds it.*; wait for it, or name another output\n$/,
  )
  t.deepEqual(await readdir(dir), ['.out.zip.lock'])
})

test('the list of what an export left out stays beside it', async (t) => {
  const data = await images(2)
  await writeFile(join(data, 'bad.png'), 'no image')
  const output = join(await folder(), 'out.zip')
  const how = ['--output', output, '--resolution', '8', '--skip-bad']
  const { out } = await stylegan(['dataset', 'export', data, ...how])
  t.true(out.includes(`they are listed in ${output}.left-out.txt`), out)
  t.regex(await readFile(`${output}.left-out.txt`, 'utf8'), /bad\.png: /)
})

test('messages about options call them as these commands do', async (t) => {
  const data = await images(1)
  const set = join(await folder(), 'set')
  const args = ['dataset', 'prepare', data, '--output', set, '--resolution', '8']
  t.is((await stylegan(args)).code, 0)
  const { err } = await stylegan([...args, '--channels', '1'])
  t.regex(err, /with other options \(resolution 8, channels 3, .*\); give another --output or remove it\n$/)
})
