/** The commands that draw, in real processes, on tiny trained networks; one after the other, since each takes a core or two. */
import { spawnSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { drawLook } from '../../ts/figures/look.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { stylegan, tinyFlags } from '../support/command.ts'
import { tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

async function train(...more: string[]): Promise<string> {
  const outdir = await folder()
  const start = ['train', '--preset', 'demo', '--data', await tinyDataset(), '--outdir', outdir]
  const { code, err } = await stylegan([...start, ...tinyFlags, '--kimg', '0.016', ...more])
  if (code !== 0) throw new Error(err)
  return outdir
}
let trained: Promise<string> | undefined
const network = () => (trained ??= train())
const draw = async (command: string, ...more: string[]) => stylegan([command, '--network', await network(), ...more])

test.serial('every figure command writes its picture', async (t) => {
  const out = await folder()
  const file = (name: string) => join(out, name)
  const commands: [string, ...string[]][] = [
    ['mix', '--rows', '0-1', '--cols', '2,3', '--styles', '0-1+3', '--output', file('mix.png')],
    ['mix', '--paper', '--output', file('mix-paper.png')],
    ['truncate', '--seeds', '0', '--trunc=1,0,-0.5', '--output', file('truncate.png')],
    ['truncate', '--paper', '--output', file('truncate-paper.png')],
    ['noise', '--seeds', '0', '--halves', '--mirrored', '0', '--output', file('noise.png')],
    ['noise', '--paper', '--output', file('noise-paper.png')],
    ['noise', '--seeds', '0', '--detail', '--realisations', '4', '--output', file('detail.png')],
    ['noise', '--paper', '--detail', '--output', file('detail-paper.png')],
    ['generate', '--seeds', '0-3', '--grid', '2x2', '--outdir', out],
    ['generate', '--seeds', '0', '--uncurated', '--lods', '0,1', '--outdir', out],
    ['generate', '--uncurated', '--paper', 'bedroom', '--outdir', file('bedroom')],
  ]
  for (const [command, ...options] of commands) {
    const { code, err } = await draw(command, ...options)
    t.is(code, 0, err)
  }
  const both = ['detail', 'mix', 'noise', 'truncate'].flatMap((name) => [`${name}-paper.png`, `${name}.png`])
  t.deepEqual((await readdir(out)).sort(), ['bedroom', ...both, 'grid.png', 'uncurated.png'].sort())
  const info = await stylegan(['info', await network()])
  t.regex(info.out, /G_synthesis\/8x8\/Conv0_up +[\d,]+ +8x8x8 +3x3x8x8/)
  t.regex(info.out, /Total +[\d,]+/)
})

test.serial('generate writes exactly what images of the library gives', async (t) => {
  const out = await folder()
  const flags = ['--trunc', '0.4', '--trunc-cutoff', '2', '--noise-mode', 'random', '--height', '6']
  t.is((await draw('generate', '--seeds', '0-2', '--outdir', out)).code, 0)
  t.is((await draw('generate', '--seeds', '8', ...flags, '--outdir', out)).code, 0)
  const G = await loadGenerator(await network())
  const bytes = async (name: string) => new Uint8Array(await readFile(join(out, name)))
  const images = await G.images({ seeds: '0-2' })
  for (const seed of [0, 1, 2]) t.deepEqual(await bytes(`seed000${seed}.png`), await images.png(seed))
  const other = await G.images({ seeds: 8, psi: 0.4, cutoff: 2, noise: 'random', height: 6 })
  t.deepEqual(await bytes('seed0008.png'), await other.png(0))
  const mixing = ['--mix', '5:0-1,6:3', '--noise-mode', 'random', '--noise-seed', '3', '--noise-strength', '1,0.5,1,2']
  t.is((await draw('generate', '--seeds', '4', ...mixing, '--outdir', out)).code, 0)
  const mix = [
    { seed: 5, layers: [0, 1] },
    { seed: 6, layers: [3] },
  ]
  const look = { seed: 4, mix, noise: 'random', noiseSeed: 3, noiseStrength: [1, 0.5, 1, 2] } as const
  t.deepEqual(await bytes('seed0004.png'), await (await drawLook(G, look)).png(0))
})

test.serial('without seeds a command says so before it opens the network', async (t) => {
  for (const command of ['generate', 'mix', 'truncate', 'noise']) {
    t.regex((await draw(command)).err, /^stylegan: --(seeds|rows and --cols): seeds are expected, /)
  }
})

const refused: [args: string[], message: RegExp][] = [
  [['generate', '--seeds', '0', '--class', '1'], /--class: none is expected/],
  [['generate', '--seeds', '0', '--class', 'cat'], /--class: none is expected, .* got cat/],
  [['generate', '--seeds', '0-2', '--grid', '2x2'], /--grid and --seeds: 2x2 = 4 seeds are expected, got 3/],
  [['generate', '--seeds', '0', '--grid', '1x1', '--uncurated'], /--grid and --uncurated: one of them/],
  [
    ['generate', '--seeds', '0', '--uncurated', '--paper', 'cat'],
    /--seeds and --paper: one of them is expected, got both/,
  ],
  [['generate', '--seeds', '0', '--paper', 'cat'], /--paper: it belongs to --uncurated; leave it out/],
  [['generate'], /--seeds: seeds are expected/],
  [['generate', '--seeds', '0', '--trunc', 'half'], /a number is expected, got 'half'/],
  [['generate', '--seeds', '0', '--height', '5'], /height: an even number of at most 8 rows is expected, got 5/],
  [['generate', '--seeds', '0', '--outdir', '/dev/null/out'], /\/dev\/null\/out.*: a folder is expected/],
  [['mix', '--rows', '0', '--cols', '1', '--styles', '9'], /styles: layers from 0 to 3 are expected, got 9/],
  [['mix', '--rows', '0', '--cols', '1', '--styles', '0-100'], /--styles.*layers up to 99 are expected, got 100/],
  [['mix', '--rows', '0'], /--rows and --cols: both are expected, got one/],
  [['mix', '--rows', '0', '--cols', '1', '--paper'], /--rows and --cols and --paper: one of them/],
  [['mix', '--paper', '--styles', '0'], /--styles and --paper: one of them is expected, got both/],
  [['truncate', '--seeds', '0', '--trunc', 'x'], /got 'x'/],
  [['truncate'], /--seeds: seeds are expected, or --paper/],
  [['noise', '--seeds', 'many'], /seeds such as 0,1,4-6 are expected, got 'many'/],
  [['noise', '--seeds', '0', '--split', '4'], /split: a layer from 1 to 3 is expected, got 4/],
  [['video', '--seeds', '0', '--output', 'x.png'], /--seeds: two or more/],
  [['generate', '--seeds', '0', '--mix', '3'], /seeds with layers such as 12:0-3,40:4\+6 are expected, got '3'/],
  [['video', '--seeds', '0-1e9'], /--seeds: a range of at most 100,000 seeds is expected, got '0-1e9'/],
  [['video', '--seeds', '3-1'], /--seeds: a range whose first seed is the smaller .*, got '3-1'; write 1-3/],
  [
    ['video', '--seeds', '0-1', '--w-frames', '1e9'],
    /--w-frames: a whole number from 1 to 65535 is expected, got '1e9'/,
  ],
  [['generate', '--seeds', '0', '--uncurated-rows', '2'], /--uncurated-rows: it belongs to --uncurated; leave it out/],
  [['generate', '--seeds', '0', '--lods', '0'], /--lods: it belongs to --uncurated/],
  [['generate', '--seeds', '0', '--uncurated', '--noise-mode', 'none'], /--noise-mode: --uncurated draws the noise/],
  [['generate', '--seeds', '0-2', '--uncurated'], /--seeds: --uncurated draws from one seed on, got 3 seeds/],
  [['generate', '--seeds', '0', '--trunc', '1', '--trunc-cutoff', '2'], /--trunc-cutoff: psi 1 truncates nothing/],
  [
    ['generate', '--seeds', '0', '--trunc-cutoff', '99'],
    /--trunc-cutoff: at most the 4 layers of the network are expected, got 99/,
  ],
  [['generate', '--seeds', '0', '--noise-strength', '1,2'], /: --noise-strength: one number or 4, one a layer, /],
  [
    ['generate', '--seeds', '0', '--noise-strength', '1e38'],
    /: --noise-strength: numbers from -100 to 100 are expected, got 1e\+38\n$/,
  ],
  [
    ['generate', '--seeds', '0', '--shift', '0:1000:0'],
    /: --shift: deviations from -100 to 100 are expected, got 1000\n$/,
  ],
  [['generate', '--seeds', '0', '--mix', '1:0-99'], /: --mix: layers from 0 to 3 are expected, got 4/],
  [['generate', '--seeds', '0', '--shift', '0:1:9'], /: --shift: layers from 0 to 3 are expected, got 9/],
  [['generate', '--seeds', '0', '--outdir='], /: --outdir: a path is expected, got nothing; name one\n$/],
  [['generate', '--seeds', '0', '--scale', '100000'], /--scale: a whole number from 1 to 65535 is expected/],
  [['generate', '--seeds', '0', '--scale', '9999'], /picture: at most 400,000,000 pixels/],
  [['noise', '--seeds', '0', '--part', '0,0,1'], /--part: it belongs to --detail; leave it out/],
  [['noise', '--seeds', '0', '--realisations', '9'], /--realisations: it belongs to --detail/],
  [
    ['noise', '--seeds', '0', '--detail', '--realisations', '1e9'],
    /--realisations: a whole number from 1 to 65535 is expected, got '1e9'/,
  ],
  [
    ['noise', '--seeds', '0', '--detail', '--realisations', '3'],
    /--realisations: a whole number from 4 to 65535 is expected, got 3/,
  ],
  [['noise', '--seeds', '0', '--detail', '--split', '2'], /--split: --detail has noise in all layers/],
  [['noise', '--paper', '--halves'], /--halves: the figure of --paper has its own/],
  [['noise', '--seeds', '0', '--mirrored', '1'], /--mirrored: some of --seeds are expected, got 1/],
  [['noise', '--seeds', '0', '--trunc-cutoff', '2'], /--trunc-cutoff: psi 1 truncates nothing/],
]
for (const [args, message] of refused) {
  test.serial(`one clear line refuses: ${args.join(' ')}`, async (t) => {
    const { code, err, out } = await draw(args[0]!, ...args.slice(1))
    t.is(code, 1)
    t.regex(err, message)
    // Before it, the network is named.
    t.is(
      err
        .replace(/^Network .*\n/, '')
        .trim()
        .split('\n').length,
      1,
      err,
    )
    t.false(/\n\s+at /.test(err + out), 'no stack')
  })
}

test.serial(
  '--scale enlarges pictures by whole factors, pixel by pixel, and every command says what it drew from',
  async (t) => {
    const out = await folder()
    const size = (png: Buffer) => [png.readUInt32BE(16), png.readUInt32BE(20)]
    const file = (name: string) => readFile(join(out, name))
    const drawn = await draw('generate', '--seeds', '0', '--scale', '3', '--outdir', out)
    t.regex(drawn.err, /^Network +.*network-snapshot-000000\.safetensors\n$/)
    t.regex(drawn.out, /^.*seed0000\.png\n$/)
    t.deepEqual(size(await file('seed0000.png')), [24, 24])
    await draw('generate', '--seeds', '0-1', '--grid', '2x1', '--scale', '3', '--outdir', out)
    t.deepEqual(size(await file('grid.png')), [24 * 2 + 1, 24])
    await draw('video', '--seeds', '0-1', '--w-frames', '2', '--scale', '2', '--output', join(out, 'walk.png'))
    t.deepEqual(size(await file('walk.png')), [16, 16])
    // 8 pixels are enlarged 16 times by default.
    const truncated = async (name: string, ...more: string[]) => {
      await draw('truncate', '--seeds', '0', '--trunc', '1', '--output', join(out, name), ...more)
      return file(name)
    }
    const byDefault = await truncated('default.png')
    t.deepEqual(await truncated('same.png', '--scale', '16'), byDefault)
    t.true(size(await truncated('large.png', '--scale', '20'))[0]! > size(byDefault)[0]!)
  },
)

test.serial('a seed that is named twice is drawn once, but for a grid', async (t) => {
  const out = await folder()
  const { out: told } = await draw('generate', '--seeds', '3,2-3', '--outdir', out)
  t.is(told, `${join(out, 'seed0003.png')}\n${join(out, 'seed0002.png')}\n`)
  t.is((await draw('generate', '--seeds', '3,3', '--grid', '2x1', '--outdir', out)).code, 0)
})

test.serial('a height keeps the middle rows of every picture', async (t) => {
  const out = await folder()
  await draw('generate', '--seeds', '1', '--height', '6', '--outdir', out)
  const png = await readFile(join(out, 'seed0001.png'))
  t.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [8, 6])
})

test.serial('pictures of preset car leave out the black rows', async (t) => {
  const outdir = await folder()
  const data = ['--data', await tinyDataset(), '--outdir', outdir]
  const made = await stylegan(['train', '--preset', 'car', ...data, ...tinyFlags, '--kimg', '0.016'])
  t.is(made.code, 0, made.err)
  await stylegan(['generate', '--network', outdir, '--seeds', '1', '--outdir', outdir])
  const png = await readFile(join(outdir, 'seed0001.png'))
  t.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [8, 6])
  const run = (await readdir(outdir)).find((name) => name.startsWith('car-'))!
  const fakes = await readFile(join(outdir, run, 'fakes000000.png'))
  t.deepEqual([fakes.readUInt32BE(16), fakes.readUInt32BE(20)], [16 * 8, 9 * 6])
})

const video = (path: string | undefined, output: string) =>
  network().then((dir) =>
    stylegan(['video', '--network', dir, '--seeds', '0-3', '--grid', '2x1', '--w-frames', '3', '--output', output], {
      ...(path === undefined ? {} : { path }),
    }),
  )

/** A folder with a program that stands in for ffmpeg. */
async function withFfmpeg(script: string): Promise<string> {
  const bin = await folder()
  await writeFile(join(bin, 'ffmpeg'), script, { mode: 0o755 })
  return bin
}

test.serial('a video is handed to ffmpeg as raw frames, with the size and rate of the walk', async (t) => {
  const out = join(await folder(), 'new/walk.mp4')
  // A stand-in that writes down what it was given: arguments and length.
  const script = `#!${process.execPath}
const { readFileSync, writeFileSync } = require('node:fs')
const args = process.argv.slice(2)
if (args[0] !== '-version') writeFileSync(args.at(-1), JSON.stringify({ args, bytes: readFileSync(0).length }))
`
  const bin = await withFfmpeg(script)
  const { code, out: printed, err } = await video(bin, out)
  t.is(code, 0, err)
  t.regex(printed, /walk\.mp4 \(encoded by ffmpeg\)/)
  const { args, bytes } = JSON.parse(await readFile(out, 'utf8')) as { args: string[]; bytes: number }
  // 8×8 images are shown at 128×128, two side by side.
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', '256x128', '-r', '30', '-i', '-']
  t.deepEqual(args.slice(0, -1), ['-loglevel', 'error', '-y', ...input, '-pix_fmt', 'yuv420p'])
  // The file gets its name once it is whole; ffmpeg picks the format by the suffix.
  t.regex(args.at(-1)!, /new\/\.walk\.\d+\.tmp\.mp4$/)
  t.is(bytes, 6 * 256 * 128 * 3)
})

test.serial('a video that is killed leaves no cut file under its name', async (t) => {
  const out = join(await folder(), 'walk.mp4')
  // A stand-in that writes half a file, tells so, and ends when its input does.
  const script =
    '#!/bin/sh\n[ "$1" = -version ] && exit 0\nfor last; do :; done\necho half > "$last"\nkill -KILL $PPID\ncat > /dev/null\n'
  const bin = await withFfmpeg(script)
  t.is((await video(`${bin}:/usr/bin:/bin`, out)).code, null)
  t.false((await readdir(dirname(out))).includes('walk.mp4'))
})

test.serial('an ffmpeg that fails is quoted in one line', async (t) => {
  const out = join(await folder(), 'walk.mp4')
  const bin = await withFfmpeg('#!/bin/sh\n[ "$1" = -version ] && exit 0\necho "no such codec" >&2\nexit 3\n')
  const { code, err } = await video(bin, out)
  t.is(code, 1)
  t.regex(err, /walk\.mp4: ffmpeg ended with code 3: no such codec\n$/)
})

test.serial(
  'an ffmpeg that finds no room or may not write is told with the code, by the name of the video',
  async (t) => {
    const out = join(await folder(), 'walk.mp4')
    const failing = (words: string, code: number) =>
      withFfmpeg(
        `#!/bin/sh\n[ "$1" = -version ] && exit 0\nfor last; do :; done\necho half > "$last"\ncat > /dev/null\necho "$last: ${words}" >&2\nexit ${code}\n`,
      )
    // A cut file is no success, whatever ffmpeg ends with.
    const full = await video(`${await failing('No space left on device', 0)}:/usr/bin:/bin`, out)
    t.is(full.code, 1)
    t.regex(full.err, /stylegan: the disk is full \(ENOSPC\): no room is left for \S+\/walk\.mp4, .* again\n$/)
    t.deepEqual(await readdir(dirname(out)), [])
    const readOnly = await video(`${await failing('Read-only file system', 1)}:/usr/bin:/bin`, out)
    t.regex(readOnly.err, /: \S+\/walk\.mp4: the disk can only be read \(EROFS\); choose another path\n$/)
    const other = await video(`${await failing('it is not known', 1)}:/usr/bin:/bin`, out)
    t.regex(other.err, /: (\S+\/walk\.mp4): ffmpeg ended with code 1: \1: it is not known\n$/)
  },
)

test.serial('of an ffmpeg that cannot be used the last line is told, and an animated PNG is written', async (t) => {
  const out = join(await folder(), 'walk.mp4')
  const bin = await withFfmpeg('#!/bin/sh\necho first >&2\necho "libx.so: not found" >&2\nexit 127\n')
  const { code, out: printed, err } = await video(bin, out)
  t.is(code, 0, err)
  t.regex(
    printed,
    /^ffmpeg is there but fails: 'ffmpeg -version' ended with code 127: libx\.so: not found: writing an anim/,
  )
})

test.serial('an ffmpeg that never answers is not waited for', async (t) => {
  const out = join(await folder(), 'walk.mp4')
  const bin = await withFfmpeg('#!/bin/sh\nexec /bin/sleep 1000\n')
  const { code, out: printed, err } = await video(bin, out)
  t.is(code, 0, err)
  t.regex(printed, /^ffmpeg is there but 'ffmpeg -version' gives no answer in 10 s: writing an animated PNG/)
})

test.serial('without ffmpeg a video becomes an animated PNG, and the command says so', async (t) => {
  const out = join(await folder(), 'walk.mp4')
  const { code, out: printed, err } = await video(await folder(), out)
  t.is(code, 0, err)
  t.regex(printed, /ffmpeg was not found on this machine: writing an animated PNG, .*walk\.png, instead of .*walk\.mp4/)
  const png = await readFile(out.replace('.mp4', '.png'))
  t.true(png.includes('acTL'))
})

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0
const ifFfmpeg = hasFfmpeg ? test.serial : test.serial.skip
ifFfmpeg("this machine's ffmpeg makes a film of it", async (t) => {
  const out = join(await folder(), 'walk.mp4')
  const { code, err } = await video(undefined, out)
  t.is(code, 0, err)
  const decode = ['-loglevel', 'error', '-i', out, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-']
  const { stdout } = spawnSync('ffmpeg', decode, { maxBuffer: 2 ** 26 })
  t.is(stdout.length, 6 * 256 * 128 * 3)
  t.is((await readFile(out)).toString('latin1', 4, 8), 'ftyp')
})

test.serial('classes come from folders or from dataset.json, and generate draws them by name or number', async (t) => {
  const [folders, listed, plain] = [await folder(), await folder(), await tinyDataset()]
  for (const name of ['ape', 'bee', 'cat']) await cp(plain, join(folders, name), { recursive: true })
  await mkdir(join(listed, 'all'))
  await cp(plain, join(listed, 'all'), { recursive: true })
  const files = (await readdir(plain)).filter((name) => name.endsWith('.png'))
  const list = (labels: unknown) => writeFile(join(listed, 'dataset.json'), JSON.stringify(labels))
  await list({ labels: files.map((name, i) => [`all/${name}`, i % 2]) })
  const [named, numbered] = await Promise.all([folders, listed].map((data) => train('--data', data, '--cond')))
  const drawn = async (dir: string, one: string) => {
    const out = await folder()
    const { code, err } = await stylegan(
      ['generate', '--network', dir, '--seeds', '0', '--trunc', '1', '--class', one, '--outdir', out], // untruncated
    )
    const complaint = err.replace(/^Network .*\n/, '').trim()
    return code === 0 ? (await readFile(join(out, 'seed0000.png'))).toString('base64') : complaint
  }
  const [bee, one, ape] = [await drawn(named!, 'bee'), await drawn(named!, '1'), await drawn(named!, 'ape')]
  t.is(bee, one)
  t.not(bee, ape)
  t.not(await drawn(numbered!, '0'), await drawn(numbered!, '1'))
  const known = '--class: a whole number from 0 to 2 or one of "ape", "bee", "cat" is expected'
  t.is(await drawn(named!, 'bea'), `stylegan: ${known}, got "bea"; did you mean "bee"?`)
  t.is(await drawn(named!, '3'), `stylegan: ${known}, got 3`)
  t.is(await drawn(numbered!, '2'), 'stylegan: --class: a whole number from 0 to 1 is expected, got 2')
  // Each image had one: several draw nothing that was learned.
  const refusal = 'stylegan: --class: one class is expected, as each image of the training had, got ape, 2; give one'
  t.is(await drawn(named!, 'ape,2'), refusal)
  const exported = join(await folder(), 'a.safetensors')
  await stylegan(['export', '--network', named!, '--output', exported])
  t.is(await drawn(exported, 'ape,2'), refusal)
  t.is(await drawn(named!, 'ape,0'), ape)
  await list({ attributes: ['hat', 'hair'], labels: files.map((name, i) => [`all/${name}`, [i % 2, i % 3 && 1]]) })
  const several = await train('--data', listed, '--cond')
  t.not(await drawn(several, 'hat,hair'), await drawn(several, 'hat'))
  t.regex((await stylegan(['info', named!])).out, /Classes +0 ape, 1 bee, 2 cat/)
})
