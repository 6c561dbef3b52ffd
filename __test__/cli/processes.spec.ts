/** Several processes that MPI starts: the same bits for any number of them, and how they end. */
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { main } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { asMpiexec, bitsIn, dividedFlags, pidOf, start, starters, training, type Starter } from '../support/mpi.ts'
import { tinyDataset } from '../support/tiny.ts'

/** A test that needs MPI; without one it is skipped. */
const withMpi = (title: string, run: (t: ExecutionContext, starter: Starter) => Promise<void>) => {
  if (starters.length === 0) test.skip(`${title}: no MPICH and no Open MPI`, (t) => t.pass())
  for (const starter of starters) test.serial(`${starter.name}: ${title}`, (t) => run(t, starter))
}

const flagsIn = async (outdir: string, ...more: string[]) => {
  return [...dividedFlags, '--data', await tinyDataset(), '--outdir', outdir, ...more]
}

async function bitsOf(t: ExecutionContext, starter: Starter | undefined, processes: number, more: string[] = []) {
  const outdir = await folder()
  const { code, err } = await training(starter, processes, await flagsIn(outdir, ...more))
  t.is(code, 0, err)
  return bitsIn(outdir)
}

let expected: Promise<string> | undefined
const byOne = (t: ExecutionContext) => (expected ??= bitsOf(t, undefined, 1))

withMpi('two, three and four processes train to the bits of one', async (t, starter) => {
  for (const processes of starter.name === 'MPICH' ? [2, 3] : [2, 4]) {
    t.is(await bitsOf(t, starter, processes), await byOne(t), `${processes}`)
  }
})

withMpi('on wgpu, in f16, two processes train to the bits of one', async (t, starter) => {
  const flags = ['--device', 'wgpu', '--precision', 'f16']
  t.is(await bitsOf(t, starter, 2, flags), await bitsOf(t, undefined, 1, flags))
})

withMpi('metrics divide their images, and give the same number', async (t, starter) => {
  const results = async (of: Starter | undefined, processes: number) => {
    const outdir = await folder()
    const metrics = ['--resolution', '16', '--metrics', 'ms_ssim', '--metrics-num', '200', '--kimg', '0.032']
    const { code, err } = await training(of, processes, await flagsIn(outdir, ...metrics))
    t.is(code, 0, err)
    const run = (await readdir(outdir)).find((name) => name.startsWith('demo'))!
    const lines = (await readFile(join(outdir, run, 'metric-ms_ssim.jsonl'), 'utf8')).trim().split('\n')
    return lines.map((line) => (JSON.parse(line) as { results: unknown }).results)
  }
  const several = await results(starter, 3)
  t.is(several.length, 1)
  t.deepEqual(several, await results(undefined, 1))
})

withMpi('--processes starts them, without --gpus as many parts as processes', async (t, starter) => {
  const [outdir, path] = [await folder(), await asMpiexec(starter)]
  const flags = (await flagsIn(outdir)).filter((flag, i, all) => flag !== '--gpus' && all[i - 1] !== '--gpus')
  const env = { PATH: `${path}:${process.env['PATH']}` }
  const command = [process.execPath, main, 'train', '--preset', 'demo', ...flags]
  const { code, out, err } = await start([...command, '--processes', '2'], env)
  t.is(code, 0, err)
  t.regex(out, /^Processes {6}2: rank 0 \([^)]*\), rank 1 \([^)]*\)$/m)
  t.is(out.match(/^Training /gm)?.length, 1, 'one of them speaks')
  const [run] = await readdir(outdir).then((names) => names.filter((name) => name.startsWith('demo')))
  const saved = JSON.parse(await readFile(join(outdir, run!, 'training_options.json'), 'utf8')) as { gpus: number }
  t.is(saved.gpus, 2)
  // The same command of one process goes on with the run's parts.
  const alone = await start([...command, '--kimg', '0.2'])
  t.is(alone.code, 0, alone.err)
  t.regex(alone.out, /Going on from/)
})

withMpi('killed at a random moment, the run goes on with fewer processes to the same bits', async (t, starter) => {
  const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1000)
  console.log(`# KILL_SEED=${seed}`)
  const long = ['--kimg', '0.8', '--tick', '0.08']
  const outdir = await folder()
  const run = training(starter, 3, await flagsIn(outdir, ...long))
  const pid = pidOf(await run.until(/^tick 1 /m), seed % 3)
  await new Promise((resolve) => setTimeout(resolve, seed))
  const began = performance.now()
  process.kill(pid, 'SIGKILL')
  const { code, out, err } = await run
  t.not(code, 0)
  t.true(performance.now() - began < 20_000)
  // MPICH's mpiexec ends the others before they can speak, and says that a process was killed.
  const named = new RegExp(`rank ${seed % 3} .*(has ended without a word|on node .* exited on signal 9)`)
  t.regex(out + err, starter.name === 'MPICH' ? /Killed \(signal 9\)/ : named)
  t.is((await training(starter, 2, await flagsIn(outdir, ...long))).code, 0)
  t.is(await bitsIn(outdir), await bitsOf(t, undefined, 1, long))
})

withMpi('a process that stalls is noticed and named, and all end', async (t, starter) => {
  const run = training(starter, 2, await flagsIn(await folder(), '--kimg', '100', '--timeout', '2'))
  const text = await run.until(/^tick 1 /m)
  const pid = pidOf(text, 1)
  process.kill(pid, 'SIGSTOP')
  const said = await run.until(/stylegan: .*/)
  t.regex(said, new RegExp(`stylegan: rank 1 \\(.*process ${pid}\\) has given no sign of life for 2 seconds; the same`))
  process.kill(pid, 'SIGCONT')
  t.not((await run).code, 0)
})

withMpi('SIGUSR1 saves first, and the same command goes on', async (t, starter) => {
  const outdir = await folder()
  const upTo = (kimg: number) => ['--kimg', String(kimg), '--tick', '0.8']
  // Much longer than the signal may take on a busy machine.
  const flags = await flagsIn(outdir, ...upTo(100))
  const codes = join(await folder(), 'codes')
  const recorded = ['sh', '-c', 'trap "" USR1; "$@"; echo $? >> "$0"', codes, process.execPath, main]
  const run = start([...starter.command, '-n', '2', ...recorded, 'train', '--preset', 'demo', ...flags])
  await run.until(/^Pictures .*fakes/m)
  run.child.kill('SIGUSR1')
  const { out } = await run
  // MPICH's mpiexec itself ends with 0 in one of twenty such ends, also for programs without MPI.
  t.deepEqual((await readFile(codes, 'utf8')).trim().split('\n'), ['138', '138'])
  t.regex(out, /Stopping after this step[\s\S]*Snapshot[\s\S]*Stopped after \d+\.\d+ kimg/)
  const further = upTo(Number(/Stopped after ([\d.]+)/.exec(out)?.[1]) + 0.4)
  const { code: end, out: words } = await training(starter, 2, await flagsIn(outdir, ...further))
  t.is(end, 0)
  t.regex(words, /Going on from/)
  t.is(await bitsIn(outdir), await bitsOf(t, undefined, 1, further))
})

withMpi('a process with other options is named', async (t, { command }) => {
  const flags = await flagsIn(await folder())
  const one = (...more: string[]) => ['-n', '1', process.execPath, main, 'train', '--preset', 'demo', ...flags, ...more]
  const { code, err } = await start([...command, ...one(), ':', ...one('--seed', '3')])
  t.not(code, 0)
  t.regex(
    err,
    /stylegan: rank 1 \(.*\): the same as of rank 0 is expected, got --seed not given there, 3 here; start all/,
  )
})

withMpi('what processes find wrong is said once, with a rank', async (t, starter) => {
  const { code, err } = await training(starter, 2, await flagsIn(await folder(), '--gpus', '1'))
  t.not(code, 0)
  t.regex(
    err,
    /stylegan: rank [01] \(.*\): --gpus: at least as many parts of a minibatch as processes are expected, got 1 for 2/,
  )
  t.is(err.match(/^stylegan: /gm)?.length, 1, err)
})

test('under mpirun without a usable library one sentence says what was looked for', async (t) => {
  const train = [process.execPath, main, 'train', '--preset', 'demo']
  const without = await start(train, { PMI_RANK: '0', PMI_SIZE: '4', STYLEGAN_MPI: '/nowhere/libmpi.so' })
  t.is(without.code, 1)
  t.regex(
    without.err,
    /^stylegan: an MPI library is expected, since mpirun has started 4 processes, but \/nowhere\/libmpi\.so: .*; install the one that mpirun belongs to, or name its file with --mpi-library or STYLEGAN_MPI\n$/,
  )
  t.is(without.out, '')
})

test('--processes 1 starts nothing, less or a part is refused, and a started process starts no other', async (t) => {
  const bin = await folder()
  await writeFile(join(bin, 'mpiexec'), '#!/bin/sh\necho started >&2\nexit 9\n', { mode: 0o755 })
  const path = { PATH: bin }
  const train = [process.execPath, main, 'train', '--preset', 'demo', '--processes']
  const one = await start([...train, '1', ...(await flagsIn(await folder()))], path)
  t.is(one.code, 0, one.err)
  for (const count of ['0', '1.5', '-2']) {
    const { code, err } = await start([...train, count], path)
    t.is(code, 1)
    t.regex(err, /^stylegan: --processes.*(expected|got)/)
    t.notRegex(err, /started/)
  }
  const child = { ...path, STYLEGAN_STARTED_BY: `mpiexec ${process.pid}` }
  const { code, err } = await start([...train, '2'], child)
  t.is(code, 1)
  t.regex(err, /^stylegan: --processes: mpiexec is expected to tell its processes that they are several, it did not/)
})

test('a library that is missing is told from a file that is none', async (t) => {
  const train = [process.execPath, main, 'train', '--preset', 'demo', '--processes', '2', '--mpi-library']
  const env = { PMI_RANK: '0', PMI_SIZE: '2', STYLEGAN_STARTED_BY: `mpiexec ${process.pid}` }
  const missing = await start([...train, '/nowhere/libmpi.so'], env)
  t.regex(missing.err, /since mpiexec has started 2 processes for --processes, but \/nowhere\/libmpi\.so: there is no/)
  t.regex((await start([...train, main], env)).err, /main\.js: it is no library for this processor, or one that it/)
})

test('under npx, which closes the connection of MPICH, one sentence says what to start', async (t) => {
  const env = { PMI_RANK: '0', PMI_SIZE: '2', PMI_FD: '77' }
  const { code, err } = await start([process.execPath, main, 'train', '--preset', 'demo'], env)
  t.is(code, 1)
  t.regex(
    err,
    /^stylegan: PMI_FD: .* file descriptor 77 is none, .*; start node_modules\/\.bin\/stylegan in place of npx/,
  )
})

withMpi('who waits in vain for another to join ends', async (t, { command }) => {
  const flags = [...(await flagsIn(await folder())), '--timeout', '2']
  const one = (...more: string[]) => ['-n', '1', process.execPath, main, 'train', '--preset', 'demo', ...flags, ...more]
  const run = start([...command, ...one(), ':', '-n', '1', 'sleep', '30'])
  const text = await run.until(/expected to join within 2 seconds.*\n/)
  t.regex(text, /expected to join within 2 seconds/)
  const began = performance.now()
  t.not((await run).code, 0)
  t.true(performance.now() - began < 20_000)
})

withMpi('when the process of --processes is killed, the others save and end', async (t, starter) => {
  const [outdir, path] = [await folder(), await asMpiexec(starter)]
  const command = [process.execPath, main, 'train', '--preset', 'demo', ...(await flagsIn(outdir, '--kimg', '100'))]
  const run = start([...command, '--processes', '2'], { PATH: `${path}:${process.env['PATH']}` })
  await run.until(/^tick 1 /m)
  run.child.kill('SIGKILL')
  // The pipe closes when the last one has ended.
  const { out, err } = await run
  t.regex(out, /Stopping after this step[\s\S]*Stopped after/, err)
})

test('a library that is no MPI is told by its first missing function', async (t) => {
  const train = [process.execPath, main, 'train', '--preset', 'demo']
  const { err } = await start([...train, '--mpi-library', 'libm.so.6'], { PMI_RANK: '0', PMI_SIZE: '4' })
  t.regex(err, /libm\.so\.6: an MPI library is expected, it has no MPI_Get_library_version/)
})

withMpi('processes that Slurm has started without MPI are told so', async (t, starter) => {
  const library = starter.name === 'MPICH' ? 'libmpich.so.12' : 'libmpi.so.40'
  const env = { SLURM_STEP_NUM_TASKS: '4', SLURM_PROCID: '0', STYLEGAN_MPI: library }
  const { code, err } = await start([process.execPath, main, 'train', '--preset', 'demo'], env)
  t.is(code, 1)
  t.regex(err, /4 processes are expected, as srun has started them, MPI sees 1; use srun's --mpi=pmix or --mpi=pmi2/)
})

test('flags of several processes are refused where there is one', async (t) => {
  const { err } = await start([process.execPath, main, 'train', '--preset', 'demo', '--timeout', '5'])
  t.is(err, 'stylegan: --timeout: this process is alone: mpirun, srun or --processes start several; leave it out\n')
})

test('the Slurm script of docs/cluster.md queues its job again after SIGUSR1, and not after the end', async (t) => {
  const text = await readFile(new URL('../../docs/cluster.md', import.meta.url), 'utf8')
  const script = /```bash\n(#!\/bin\/bash[\s\S]*?)```/.exec(text)![1]!
  const bin = await folder()
  await writeFile(join(bin, 'srun'), '#!/bin/sh\necho "srun $*"\nexit $SRUN_CODE\n', { mode: 0o755 })
  await writeFile(join(bin, 'scontrol'), '#!/bin/sh\necho "scontrol $*"\n', { mode: 0o755 })
  const run = (code: string) => {
    const env = { PATH: `${bin}:${process.env['PATH']}`, SRUN_CODE: code, SLURM_JOB_ID: '7' }
    return start(['bash', '-c', script], env)
  }
  const stopped = await run('138')
  t.regex(stopped.out, /^srun --mpi=pmix .* node_modules\/.bin\/stylegan train --data .*\nscontrol requeue 7\n$/)
  t.notRegex((await run('0')).out, /scontrol/)
})
