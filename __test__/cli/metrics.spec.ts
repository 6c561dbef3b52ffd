/** `stylegan metrics` and `stylegan classifier train` in real processes. */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { resolveConfig } from '../../ts/training/config.ts'
import { metricNames } from '../../ts/training/metric-names.ts'
import { Device } from '../../ts/native/index.ts'
import { acquireLock } from '../../ts/files/lock.ts'
import { writeAtomic } from '../../ts/files/write-atomic.ts'
import { createState, encodeState } from '../../ts/training/state.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

function stylegan(args: readonly string[], killAfterMs?: number) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, [main, ...args])
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (err += data.toString()))
    const timer = killAfterMs === undefined ? undefined : setInterval(() => void interruptWhenBusy(), killAfterMs)
    const cache = args[args.indexOf('--cache') + 1]!
    const interruptWhenBusy = async () => {
      const files = await readdir(join(cache, 'metrics')).catch(() => [])
      // Once: a second signal ends the process at once, with or without an exit code.
      if (child.killed || !files.some((name) => name.endsWith('.u8'))) return
      child.kill('SIGINT')
    }
    child.on('close', (code) => {
      clearInterval(timer)
      resolve({ code, out, err })
    })
  })
}

async function network(): Promise<string> {
  const config = resolveConfig('demo', { ...tinyConfig, resolution: 16, data: await tinyDataset() })
  const path = join(await folder(), 'network-snapshot-000000.safetensors')
  await writeAtomic(path, encodeState(createState(Device.open('cpu'), config), config))
  return path
}

if (process.platform === 'linux') {
  test('a full disk under a metric is one sentence, beside the number that was computed', async (t) => {
    const outdir = await mkdtemp(join(tmpdir(), 'stylegan-full-'))
    await symlink('/dev/full', join(outdir, 'metric-ms_ssim.jsonl'))
    const args = [
      '--network',
      await network(),
      '--metrics',
      'ms_ssim',
      '--metrics-num',
      '2',
      '--outdir',
      outdir,
      '--cache',
      outdir,
    ]
    const { code, out, err } = await stylegan(['metrics', ...args])
    t.is(code, 1)
    t.regex(out, /^ms_ssim\S* +\d\.\d{4} /m)
    t.regex(
      err,
      /^stylegan: the disk is full \(ENOSPC\): no room is left for .*metric-ms_ssim\.jsonl, .* are free; free some space/,
    )
  })
}

test('metrics --help lists every metric', async (t) => {
  const { code, out } = await stylegan(['metrics', '--help'])
  t.is(code, 0)
  for (const name of metricNames) t.true(out.includes(`  ${name} `), name)
})

const bad: [name: string, args: string[], message: RegExp][] = [
  [
    'an unknown metric',
    ['metrics', '--network', 'NETWORK', '--metrics', 'fid50'],
    /--metrics: some of fid50k, .* are expected, got "fid50"; did you mean fid50k\?/,
  ],
  [
    'the beginning of a name',
    ['metrics', '--network', 'NETWORK', '--metrics', 'fid'],
    /got "fid"; did you mean fid50k\?/,
  ],
  ['no network', ['metrics'], /--network and --images: one of them is expected, got none/],
  [
    'no images to generate',
    ['metrics', '--network', 'NETWORK', '--metrics-num', '0'],
    /--metrics-num: a whole number from 1 to/,
  ],
  [
    'an unknown mode',
    ['metrics', '--network', 'NETWORK', '--mode', 'best'],
    /legacy_tensorflow, legacy_pytorch, clean/,
  ],
  [
    'weights that are not there',
    ['metrics', '--network', 'NETWORK', '--metrics', 'is50k'],
    /got none; give the file as --inception, or its folder as --weights/,
  ],
  ['unlabelled images', ['classifier', 'train', '--data', 'DATA', '--resolution', '8'], /labels are expected/],
]
for (const [name, args, message] of bad) {
  test(`${name} gives one clear line and an exit code`, async (t) => {
    const given = await Promise.all(
      args.map(async (arg) => (arg === 'NETWORK' ? network() : arg === 'DATA' ? tinyDataset() : arg)),
    )
    const { code, out, err } = await stylegan([...given, '--cache', await folder()])
    t.is(code, 1)
    t.regex(err, message)
    t.false(/\n\s+at /.test(err + out), 'no stack')
  })
}

test('classifiers are trained once at a time in a folder', async (t) => {
  const [data, outdir, cache] = [await folder(), await folder(), await folder()]
  await cp(await tinyDataset(), data, { recursive: true })
  const labels = Array.from({ length: 20 }, (_, i) => [`${i}.png`, i % 2])
  await writeFile(join(data, 'dataset.json'), JSON.stringify({ labels }))
  const sizes = ['--resolution', '8', '--fmap-base', '16', '--fmap-max', '4', '--kimg', '0.016']
  const command = ['classifier', 'train', '--data', data, ...sizes, '--outdir', outdir, '--cache', cache]
  const lock = acquireLock(join(outdir, '.lock'), { what: 'a test', advice: 'wait' })
  const { code, err } = await stylegan(command)
  t.is(code, 1)
  t.regex(err, /another training of classifiers in this folder is under way: process \d+ .*; wait for it or stop it/)
  lock.release()
  t.is((await stylegan(command)).code, 0)
  t.deepEqual((await readdir(outdir)).sort(), ['classifier-0.safetensors', 'classifier-1.safetensors'])
})

test('Ctrl-C, then the same command: the number of a run that was not interrupted', async (t) => {
  const path = await network()
  const [cache, other] = [await folder(), await folder()]
  const of = (dir: string) => [
    ...['metrics', '--network', path, '--metrics', 'ms_ssim', '--metrics-num', '20000'],
    ...['--cache', dir, '--outdir', dir],
  ]
  const stopped = await stylegan(of(cache), 5)
  t.is(stopped.code, 130, stopped.err)
  t.regex(stopped.out, /Stopping; the same command goes on/)
  const resumed = await stylegan(of(cache))
  t.is(resumed.code, 0, resumed.err)
  const whole = await stylegan(of(other))
  const result = async (dir: string) =>
    (JSON.parse(await readFile(join(dir, 'metric-ms_ssim.jsonl'), 'utf8')) as { results: unknown }).results
  t.deepEqual(await result(cache), await result(other))
  t.regex(whole.out, /^ms_ssim +\d\.\d{4} +network-snapshot-000000\.safetensors/m)
})
