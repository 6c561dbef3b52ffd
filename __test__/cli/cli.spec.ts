/** The built command line in real processes: help that teaches, one line for what is wrong, the whole way to a picture. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { stylegan, tinyFlags } from '../support/command.ts'
import { tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

test('help names the commands and gives examples', async (t) => {
  const { code, out } = await stylegan(['--help'])
  t.is(code, 0)
  for (const words of ['train [options]', 'generate [options]', 'Examples:', 'stylegan train --preset demo']) {
    t.true(out.includes(words), words)
  }
})

test('help of a command that there is not says so', async (t) => {
  for (const line of [['help', 'trian'], ['trian', '--help'], ['trian']]) {
    const { code, err } = await stylegan(line)
    t.is(code, 1)
    t.is(err, 'stylegan: trian: unknown command; did you mean train?\n')
  }
  t.regex((await stylegan(['help', 'train'])).out, /Ctrl-C saves/)
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
    '--max-megapixels',
    '--verify',
  ]) {
    t.true(out.includes(flag), flag)
  }
  t.regex(out, /Ctrl-C saves/)
  t.notRegex(out, /\(preset: "/, 'what a switch without a value is goes without saying')
})

test("a graphics driver's complaints do not reach the user", async (t) => {
  const { code, err } = await stylegan(['devices'])
  t.is(code, 0)
  t.is(err, '')
})

test('a dry run says that a machine has too little memory', async (t) => {
  const flags = ['--lod-initial-resolution', '32', '--batch', '65536']
  const { out } = await stylegan(['train', '--preset', 'demo', ...flags, '-n'])
  t.regex(out, /\nWarning {8}this machine has [\d.]+ GiB; a smaller --batch or --fmap-max takes less\n/)
})

test('a dry run prints options, layers and what each phase of the timeline will take, and touches nothing', async (t) => {
  const outdir = await folder()
  const { code, out } = await stylegan(['train', '--preset', 'demo', '--kimg', '33', '--outdir', outdir, '-n'])
  t.is(code, 0)
  t.regex(out, /"resolution": 32/)
  t.regex(out, /G [\d,]+, D [\d,]+/)
  t.regex(out, /G_synthesis\/4x4\/Const +[\d,]+ +4x4x64 +1x64x4x4/)
  t.regex(out, /32x32\/Conv1_down +[\d,]+ +16x16x64 +3x3x32x64/)
  t.regex(out, /Estimate +.* and \d+ MiB of memory for tensors/)
  t.regex(out, /6-10 kimg +16x16 fades in +\d+\.\d\d sec\/kimg +.* MiB memory/)
  t.regex(out, /16-20 kimg +32x32 fades in/)
  t.regex(out, /Measured +8x8.* in \d+ s/)
  t.deepEqual(await readdir(outdir), [])
})

test('a dry run refuses a precision that the device has not, and prints nothing before', async (t) => {
  const { code, out, err } = await stylegan([
    'train',
    '--preset',
    'demo',
    '--precision',
    'f16',
    '--device',
    'cpu',
    '-n',
  ])
  t.is(code, 1)
  t.is(out, '')
  t.regex(err, /--precision: f16 needs a GPU, device cpu/)
})

test('a dry run finds in the labels what a training would, and writes nothing', async (t) => {
  const [data, outdir] = [await folder(), join(await folder(), 'results')]
  await cp(await tinyDataset(), data, { recursive: true })
  const train = (...more: string[]) => stylegan(['train', '--data', data, '--outdir', outdir, ...tinyFlags, ...more])
  const same = async (message: RegExp) => {
    const dry = await train('--preset', 'demo', '--cond', '-n')
    t.regex(dry.err, message)
    t.deepEqual([dry.code, dry.out], [1, ''])
    await t.throwsAsync(readdir(outdir), { code: 'ENOENT' })
    t.is((await train('--preset', 'demo', '--cond')).err, dry.err)
    await rm(outdir, { recursive: true, force: true })
  }
  await same(/^stylegan: labels are expected .*, got none: \S+ has none; /)
  await writeFile(join(data, 'dataset.json'), '{"labels": [["0.png", -1]]}')
  await same(/dataset\.json: .* is expected/)
  const plain = await train('--preset', 'demo', '-n')
  t.regex(plain.out, /^Note +Labels are not used: .*dataset\.json: /m)
})

test('a dry run finds missing data and an output that cannot be made, as a training would', async (t) => {
  const dir = await folder()
  await writeFile(join(dir, 'a-file'), '')
  const dry = async (...args: string[]) => (await stylegan(['train', '--preset', 'demo', '-n', ...args])).err
  t.regex(await dry('--data', join(dir, 'photos')), /photos: .*expected/)
  t.regex(await dry('--outdir', join(dir, 'a-file', 'results')), /a-file.*: a folder is expected, got a file/)
  t.deepEqual(await readdir(dir), ['a-file'])
})

const bad: [name: string, args: string[], message: RegExp][] = [
  ['an unknown option', ['train', '--kimgs', '4'], /^stylegan: --kimgs: unknown option; did you mean --kimg\?\n$/],
  ['an unknown command', ['trian'], /^stylegan: trian: unknown command; did you mean train\?\n$/],
  ['an unknown preset', ['train', '--preset', 'fast'], /--preset: one of stylegan, ffhq, .* is expected, got "fast"/],
  [
    'a resolution that is no power of two',
    ['train', '--data', 'x', '--resolution', '100'],
    /--resolution: a power of two from 4 to 1024 is expected, got 100/,
  ],
  ['a number that is none', ['train', '--kimg', 'many'], /^stylegan: --kimg: a number is expected, got 'many'\n$/],
  [
    'a word that is none',
    ['train', '--batch', 'foo'],
    /^stylegan: --batch: a number or auto is expected, got 'foo'\n$/,
  ],
  [
    'a port that is none',
    ['train', '--preset', 'demo', '--studio', '99999'],
    /^stylegan: --studio: a port from 0 to 65535 is expected, got '99999'\n$/,
  ],
  [
    'a word too much',
    ['dataset', 'prepare', 'a', 'b', '--output', 'c'],
    /^stylegan: prepare: at most 1 without a flag are expected, got 1 more; a value with spaces needs quotes\n$/,
  ],
  [
    'a seed that is too large',
    ['generate', '--network', 'avatars', '--seeds', '99999999999999999999'],
    /^stylegan: --seeds: seeds of at most 9,007,199,254,740,991 are expected, got '99999999999999999999'\n$/,
  ],
  ['no data', ['train'], /--data: a folder of images or another data set is expected/],
  [
    'missing data',
    ['train', '--data', 'no-such-folder', '--outdir', join(tmpdir(), 'stylegan-none')],
    /no-such-folder: a folder of images is expected, got nothing/,
  ],
  [
    'an outdir that is no folder',
    ['train', '--preset', 'demo', '--outdir', '/dev/null/results'],
    /\/dev\/null\/results: a folder is expected, got a file \(ENOTDIR\); choose another --outdir/,
  ],
  [
    'a seed that is no number',
    ['train', '--preset', 'demo', '--seed', 'one'],
    /--seed: a number is expected, got 'one'/,
  ],
  [
    'two options that contradict each other',
    ['train', '--preset', 'demo', '--loss', 'hinge', '--gamma', '4'],
    /--gamma and --loss: options that fit together are expected, got 4 and "hinge"/,
  ],
  [
    'an unknown device',
    ['train', '--preset', 'demo', '--device', 'gpu'],
    /device 'gpu': one of auto, cpu, .* is expected; 'stylegan devices' tells/,
  ],
  [
    'a missing network',
    ['generate', '--network', 'nothing', '--seeds', '1'],
    /nothing: a snapshot or a folder with one is expected/,
  ],
  ...['1e308', '-101'].map((psi): (typeof bad)[number] => [
    `a truncation of ${psi}`,
    ['generate', '--network', 'x', '--seeds', '1', '--trunc', psi],
    /a number from -100 to 100 is expected, got '.*'/,
  ]),
  [
    'an outdir inside of a file',
    ['classifier', 'train', '--outdir', '/dev/null/x', '--cache', '/dev/null/y'],
    /\/dev\/null\/y\S*: a folder is expected, got a file \(ENOTDIR\)/,
  ],
  [
    'a name of StyleGAN3',
    ['train', '--cbase=16384'],
    /^stylegan: --cbase: its name here is --fmap-base, and the number is half: 8192/,
  ],
  ['a name of StyleGAN2-ADA', ['train', '--cfg', 'auto'], /^stylegan: --cfg: .*--config chooses a row of Table 1/],
  ['an old name', ['classifier', 'train', '--rate', '0.1'], /^stylegan: --rate: its name here is --lr\n$/],
  [
    'another old name',
    ['metrics', '--network', 'x', '--num', '9'],
    /^stylegan: --num: its name here is --metrics-num\n$/,
  ],
  [
    'a script of StyleGAN3',
    ['gen_images', '--seeds', '0'],
    /^stylegan: gen_images: its name here is stylegan generate\n$/,
  ],
  [
    'a switch with a value that is none',
    ['train', '--mirror=maybe'],
    /--mirror: true, false or nothing is expected, got 'maybe'/,
  ],
  [
    'a word without a flag',
    ['train', './photos'],
    /^stylegan: train: flags alone are expected, got 1 more; did you mean --data \.\/photos\?\n$/,
  ],
  [
    'train without images',
    ['train'],
    /^stylegan: --data: .* is expected, got nothing; name one, or use builtin:avatars/,
  ],
  [
    'a length below 0',
    ['train', '--data', 'x', '--hours', '-1'],
    /--hours: a number above 0 and at most 10000 is expected, got -1/,
  ],
  ['nearly the built-in images', ['train', '--data', 'builtin:avatar'], /nothing; did you mean builtin:avatars\?/],
  ['nearly the built-in network', ['info', '--network', 'avatar'], /nothing; did you mean avatars\?/],
  ['a flag without its value', ['train', '--data'], /^stylegan: --data: a value must follow, got nothing/],
  [
    'an empty path',
    ['generate', '--network=', '--seeds', '0'],
    /^stylegan: --network: a path is expected, got nothing; name one\n$/,
  ],
  [
    'an empty picture',
    ['dataset', 'inspect', '.', '--contact-sheet='],
    /^stylegan: --contact-sheet: a path is expected, got/,
  ],
  ['an empty address', ['studio', '--host='], /^stylegan: --host: an address is expected, got nothing; name one\n$/],
  [
    'a measurement without end',
    ['bench', '--seconds', '1e9'],
    /--seconds: a number above 0 and at most 3600 is expected/,
  ],
  ['a missing flag', ['export'], /^stylegan: --network: it must be given, got nothing/],
  [
    'another choice',
    ['bench', '--precision', 'f8'],
    /^stylegan: --precision: one of f32, bf16, f16 is expected, got 'f8'\n$/,
  ],
  [
    'two names of a network',
    ['info', 'a', '--network', 'b'],
    /--network: one snapshot or folder is expected, got both/,
  ],
  ...(
    [
      [['--metrics', 'none', '--weights', 'w'], /--weights: --metrics none computes none; leave it out/],
      [['--classifiers', 'c'], /--classifiers: only the metric ls reads classifiers/],
      [['--lrate-max', '0.001'], /--lrate-max: --glr and --dlr are numbers/],
      [
        ['--lod-initial-resolution', '32', '--lod-training-kimg', '9'],
        /--lod-training-kimg: training begins at its full/,
      ],
      [['--skip-bad'], /--skip-bad: builtin:avatars has no files/],
      [['--json', '--verbose'], /--verbose: --json prints for programs/],
    ] as const
  ).map(([flags, message]): (typeof bad)[number] => [
    `train ${flags.join(' ')}`,
    ['train', '--preset', 'demo', ...flags],
    message,
  ]),
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
  const first = await stylegan(train, {
    onOutput: (out, kill) => {
      if (interrupted || !out.includes('tick 1')) return
      interrupted = true
      kill('SIGINT')
    },
  })
  // A tiny run may be over before the signal arrives.
  t.regex(first.out, /Stopped after|Done:/)
  t.regex(
    first.out,
    /^Training +8x8 images, .*\nImages +20 of .*\nDevice +cpu, \d+ cores?\nNetworks +G [\d,]+, D [\d,]+ parameters\nResults +.*fakesNNNNNN\.png.*\n/,
  )
  t.regex(first.out, /^Time +about \d+s left$/m)
  t.true(first.code === 130 || first.out.includes('Done:'), first.err)
  const second = await stylegan(train)
  t.is(second.code, 0, second.err)
  t.regex(second.out, /Going on from .*network-snapshot-000000\.safetensors/)
  t.regex(second.out, /Done: 0\.096 kimg/)
  t.regex(
    (await stylegan(train)).out,
    /Nothing to do, --kimg is already reached: 0\.096 kimg\. A larger --kimg trains on/,
  )
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

test('names with terminal escapes and line breaks are shown on the screen, not obeyed', async (t) => {
  const outdir = join(await folder(), 'a\u001b[2J\u0007\nb')
  const data = await tinyDataset()
  const train = ['train', '--preset', 'demo', '--data', data, ...tinyFlags, '--kimg', '0.008', '--outdir', outdir]
  const good = await stylegan([...train, '--verbose'])
  t.is(good.code, 0, good.err)
  t.true(good.out.includes('a\\u001b[2J\\u0007\\u000ab'))
  const bad = await stylegan(['generate', '--network', `${outdir}/none`, '--seeds', '0'])
  t.is(bad.code, 1)
  t.is(bad.err.split('\n').length, 2, bad.err)
  for (const { out, err } of [good, bad]) t.false(/[\u001b\u0007]/.test(out + err))
})

test('a snapshot of something else is refused by generate', async (t) => {
  const dir = await folder()
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'network-snapshot-000001.safetensors'), 'not one at all')
  const { code, err } = await stylegan(['generate', '--network', dir, '--seeds', '0'])
  t.is(code, 1)
  t.regex(err, /network-snapshot-000001\.safetensors: no safetensors file/)
})
