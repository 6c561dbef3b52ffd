/** How commands end: by signals, by a screen that goes away, and what nohup protects from. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { openSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { main, tinyFlags } from '../support/command.ts'
import { tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

const onLinux = process.platform === 'linux' ? test : test.skip
// A shell sets this to what it runs, and the tests may run below nohup.
const env = { ...process.env, _: '' }

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Starts a program; `onOutput` sees all that it has printed. */
function start(
  command: readonly string[],
  {
    stdio = 'pipe',
    onOutput,
    ...more
  }: { stdio?: StdioOptions; onOutput?: (out: string, child: ChildProcess) => void; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { stdio, env, ...more })
    let [out, err] = ['', '']
    child.stdout?.on('data', (data: Buffer) => onOutput?.((out += data.toString()), child))
    child.stderr?.on('data', (data: Buffer) => (err += data.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

/** A training that lasts a few seconds, and its folder. */
async function training(kimg = '1'): Promise<{ command: string[]; outdir: string }> {
  const outdir = await folder()
  const flags = [...tinyFlags, '--kimg', kimg, '--data', await tinyDataset(), '--outdir', outdir]
  return { command: [process.execPath, main, 'train', '--preset', 'demo', ...flags], outdir }
}

async function filesOf(outdir: string): Promise<string[]> {
  const run = (await readdir(outdir)).find((name) => name.startsWith('demo'))!
  return readdir(join(outdir, run))
}

/** Sends a signal once, after the first tick. */
function atFirstTick(signal: NodeJS.Signals) {
  let sent = false
  return (out: string, child: ChildProcess) => {
    if (sent || !out.includes('tick 1')) return
    sent = true
    child.kill(signal)
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  const expected = 128 + constants.signals[signal]
  test(`${signal} ends training with a snapshot and exit code ${expected}`, async (t) => {
    const { command, outdir } = await training('100')
    const { code, out, err } = await start(command, { onOutput: atFirstTick(signal) })
    t.is(code, expected, err)
    t.regex(out, /Stopped after 0\.\d+ kimg; the same command goes on from here/)
    t.true((await filesOf(outdir)).includes('network-snapshot-000000.safetensors'))
  })
}

onLinux('a training under nohup goes on when its terminal is closed', async (t) => {
  const ways: [name: string, way: (command: string[]) => Parameters<typeof start>][] = [
    ['nohup as the shell starts it', (command) => [['nohup', ...command], { env: { ...env, _: '/usr/bin/nohup' } }]],
    // The word after the command keeps the shell from making way for it.
    [
      'a shell that ignores the signal',
      ([node, ...args]) => [['sh', '-c', `trap '' HUP; "$@"; exit $?`, 'sh', node!, ...args]],
    ],
    ["nohup's standard input", (command) => [command, { stdio: [openSync('/dev/null', 'w'), 'pipe', 'pipe'] }]],
  ]
  for (const [name, way] of ways) {
    const { command } = await training('0.6')
    const [args, options] = way(command)
    const { code, out, err } = await start(args, { ...options, onOutput: atFirstTick('SIGHUP') })
    t.is(code, 0, `${name}: ${err}`)
    t.regex(out, /Done: 0\.6 kimg/, name)
  }
})

test('training goes on without a screen: its pipe is closed, or the disk behind it is full', async (t) => {
  const closed = await training('0.3')
  const { code, err } = await start(closed.command, { onOutput: (_, child) => child.stdout?.destroy() })
  t.is(code, 0, err)
  t.is(err, '')
  t.true((await filesOf(closed.outdir)).includes('network-snapshot-000000.safetensors'))
  if (process.platform !== 'linux') return
  const full = await training('0.3')
  const ended = await start(full.command, { stdio: ['ignore', openSync('/dev/full', 'w'), openSync('/dev/full', 'w')] })
  t.is(ended.code, 0)
  t.true((await filesOf(full.outdir)).includes('network-snapshot-000000.safetensors'))
})

test('Ctrl-C of a pipeline, which also ends what reads the output, saves a snapshot', async (t) => {
  const { command, outdir } = await training('100')
  const interrupt = atFirstTick('SIGINT')
  const { code, err } = await start(command, {
    onOutput(out, child) {
      if (out.includes('tick 1')) child.stdout?.destroy()
      interrupt(out, child)
    },
  })
  t.is(code, 130, err)
  t.is(err, '')
  t.true((await filesOf(outdir)).includes('network-snapshot-000000.safetensors'))
})

const snapshot =
  '../fixtures/compatibility/0.1.0/results/demo-data-16px-gamma20-seed0/network-snapshot-000001.safetensors'
const info = [process.execPath, main, 'info', fileURLToPath(new URL(snapshot, import.meta.url))]

onLinux('other commands end quietly when nobody reads on, and say so when the disk is full', async (t) => {
  const quiet = await start(['sh', '-c', '"$@" | true; sleep 0.1', 'sh', ...info])
  t.deepEqual(quiet, { code: 0, out: '', err: '' })
  const pipe = await start(['bash', '-c', 'set -o pipefail; "$@" | true', 'bash', ...info])
  t.deepEqual(pipe, { code: 141, out: '', err: '' })
  // A training goes on without its screen; a dry run has nothing else to do.
  const dry = [process.execPath, main, 'train', '--preset', 'demo', '--dry-run', '--metrics', 'none']
  for (const command of [info, dry]) {
    const full = await start(command, {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    })
    t.is(full.code, 1)
    t.regex(full.err, /^stylegan: standard output: ENOSPC: no space left on device, write; write to another place\n$/)
  }
})
