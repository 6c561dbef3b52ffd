/** The built command line in real processes: help that teaches, one line for what is wrong, the whole way to a picture. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { tinyConfig, tinyDataset } from './tiny.ts'

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

interface Result {
  code: number | null
  out: string
  err: string
}

function stylegan(args: string[], onOutput: (out: string, kill: (signal: NodeJS.Signals) => void) => void = () => {}) {
  return new Promise<Result>((resolve) => {
    const child = spawn(process.execPath, [main, ...args])
    let [out, err] = ['', '']
    child.stdout.on('data', (data) => {
      out += data
      onOutput(out, (signal) => child.kill(signal))
    })
    child.stderr.on('data', (data) => (err += data))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const folder = () => mkdtemp(join(tmpdir(), 'stylegan-cli-'))
const kebab = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
const tinyFlags = Object.entries(tinyConfig).flatMap(([key, value]) => [kebab(key), String(value)])

test('help names the commands and gives examples', async (t) => {
  const { code, out } = await stylegan(['--help'])
  t.is(code, 0)
  for (const words of ['train [options]', 'generate [options]', 'Examples:', 'stylegan train --preset demo']) {
    t.true(out.includes(words), words)
  }
})

test('train --help has a line for every flag, with its default', async (t) => {
  const { out } = await stylegan(['train', '--help'])
  for (const flag of [
    '--data',
    '--outdir',
    '--resolution',
    '--kimg',
    '--batch',
    '--gamma',
    '--mirror',
    '--tick',
    '--snap',
    '--seed',
    '--device',
    '--fmap-base',
    '--fmap-max',
    '--lod-initial-resolution',
    '--lod-training-kimg',
    '--lod-transition-kimg',
    '--resume',
    '--desc',
    '--dry-run',
    '--preset',
    '--skip-bad',
  ]) {
    t.true(out.includes(flag), flag)
  }
  t.regex(out, /Ctrl-C saves/)
})

test('a dry run prints options and timeline and touches nothing', async (t) => {
  const outdir = await folder()
  const { code, out } = await stylegan(['train', '--data', 'photos', '--outdir', outdir, '-n'])
  t.is(code, 0)
  t.regex(out, /"resolution": 1024/)
  t.regex(out, /G 26,219,627, D 23,087,249/)
  t.regex(out, /600-1200 kimg +16x16 fades in/)
  t.regex(out, /G_synthesis\/4x4\/Const +534,528 +4x4x512 +1x512x4x4/)
  t.regex(out, /1024x1024\/Conv1_down +[\d,]+ +512x512x32 +3x3x16x32/)
  t.deepEqual(await readdir(outdir), [])
})

const bad: [name: string, args: string[], message: RegExp][] = [
  ['an unknown option', ['train', '--kimgs', '4'], /unknown option '--kimgs'\n\(Did you mean --kimg\?\)/],
  ['an unknown command', ['trian'], /unknown command 'trian'/],
  ['an unknown preset', ['train', '--preset', 'fast'], /preset: expected one of stylegan, ffhq, .*found "fast"/],
  [
    'a resolution that is no power of two',
    ['train', '--data', 'x', '--resolution', '100'],
    /resolution: expected a power of two/,
  ],
  ['a number that is none', ['train', '--kimg', 'many'], /a number is expected, got 'many'/],
  ['no data', ['train'], /data: expected a folder of images/],
  [
    'missing data',
    ['train', '--data', 'no-such-folder', '--outdir', join(tmpdir(), 'stylegan-none')],
    /no-such-folder: a folder of images is expected, there is nothing/,
  ],
  ['an unknown device', ['train', '--preset', 'demo', '--device', 'gpu'], /device must be cpu, .*got 'gpu'/],
  [
    'a missing network',
    ['generate', '--network', 'nothing', '--seeds', '1'],
    /nothing: a snapshot or a folder with one is expected/,
  ],
  [
    'seeds that are none',
    ['generate', '--network', 'x', '--seeds', 'a-b'],
    /seeds such as 0,1,4-6 are expected, got 'a-b'/,
  ],
]
for (const [name, args, message] of bad) {
  test(`${name} gives one clear line and an exit code`, async (t) => {
    const { code, err, out } = await stylegan(args)
    t.is(code, 1)
    t.regex(err, message)
    t.false(/\n\s+at /.test(err + out), 'no stack')
  })
}

test('from a folder of images to a picture: train, Ctrl-C, the same command again, generate', async (t) => {
  const outdir = await folder()
  const train = ['train', '--preset', 'demo', '--data', await tinyDataset(), '--outdir', outdir, ...tinyFlags]
  let interrupted = false
  const first = await stylegan(train, (out, kill) => {
    if (interrupted || !out.includes('tick 1')) return
    interrupted = true
    kill('SIGINT')
  })
  t.is(first.code, 0, first.err)
  // A tiny run may be over before the signal arrives.
  t.regex(first.out, /Stopped after|Done:/)
  const second = await stylegan(train)
  t.is(second.code, 0, second.err)
  t.regex(second.out, /Going on from .*network-snapshot-000000\.safetensors/)
  t.regex(second.out, /Done: 0\.1 kimg/)
  const pictures = join(outdir, 'pictures')
  const drawn = await stylegan([
    'generate',
    '--network',
    outdir,
    '--seeds',
    '0,2-3',
    '--trunc',
    '0.7',
    '--outdir',
    pictures,
  ])
  t.is(drawn.code, 0, drawn.err)
  t.deepEqual((await readdir(pictures)).sort(), ['seed0000.png', 'seed0002.png', 'seed0003.png'])
  t.is((await readFile(join(pictures, 'seed0000.png'))).toString('latin1', 1, 4), 'PNG')
})

test('every figure command writes its picture, and says what it cannot do', async (t) => {
  const [outdir, out] = [await folder(), await folder()]
  await stylegan([
    'train',
    '--preset',
    'demo',
    '--data',
    await tinyDataset(),
    '--outdir',
    outdir,
    ...tinyFlags,
    '--kimg',
    '0.016',
  ])
  const draw = (command: string, ...more: string[]) => stylegan([command, '--network', outdir, ...more])
  const file = (name: string) => join(out, name)
  const good = await Promise.all([
    draw('mix', '--rows', '0-1', '--cols', '2,3', '--styles', '0-1+3', '--output', file('mix.png')),
    draw('truncate', '--seeds', '0', '--psis=1,0,-0.5', '--output', file('truncate.png')),
    draw('noise', '--seeds', '0', '--output', file('noise.png')),
    draw('noise', '--seeds', '0', '--detail', '--realisations', '4', '--output', file('detail.png')),
    draw('video', '--seeds', '0-1', '--w-frames', '2', '--output', file('video.png')),
    draw('generate', '--seeds', '0-3', '--grid', '2x2', '--outdir', out),
    draw('generate', '--seeds', '0', '--uncurated', '--lods', '0,1', '--outdir', out),
  ])
  for (const { code, err } of good) t.is(code, 0, err)
  const names = ['detail', 'grid', 'mix', 'noise', 'truncate', 'uncurated', 'video'].map((name) => `${name}.png`)
  t.deepEqual((await readdir(out)).sort(), names)
  const info = await stylegan(['info', outdir])
  t.regex(info.out, /G_synthesis\/8x8\/Conv0_up +[\d,]+ +8x8x8 +3x3x8x8/)
  t.regex(info.out, /Total +[\d,]+/)
  const bad = await Promise.all([
    draw('generate', '--seeds', '0', '--class', '1'),
    draw('generate', '--seeds', '0-2', '--grid', '2x2'),
    draw('mix', '--rows', '0', '--cols', '1', '--styles', '9'),
    draw('truncate', '--seeds', '0', '--psis', 'x'),
  ])
  const messages = [/class: expected none/, /expected as many seeds as 2x2 = 4, found 3/, /found 9/, /got 'x'/]
  bad.forEach(({ code, err }, i) => {
    t.is(code, 1)
    t.regex(err, messages[i]!)
  })
})

test('a snapshot of something else is refused by generate', async (t) => {
  const dir = await folder()
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'network-snapshot-000001.safetensors'), 'not one at all')
  const { code, err } = await stylegan(['generate', '--network', dir, '--seeds', '0'])
  t.is(code, 1)
  t.regex(err, /network-snapshot-000001\.safetensors: no safetensors file/)
})
