import test from 'ava'
import { readdirSync, readFileSync, writeFileSync, appendFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { presets, resolveConfig } from '../../ts/training/config.ts'
import { RunDir, statusLine } from '../../ts/runs/run-dir.ts'
import { snapshotName } from '../../ts/runs/snapshots.ts'
import { progressAt } from '../../ts/training/schedule.ts'
import { scheduleOptions } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'

const text = (path: string): string => readFileSync(path, 'utf8')

test('a run directory keeps its options, and opens again for the same run with another length', async (t) => {
  const out = await folder()
  const run = await RunDir.create(out, 'r', presets.demo)
  t.deepEqual(await run.savedConfig(), presets.demo)
  run.log('hello')
  writeFileSync(run.file('.x.safetensors.1.tmp'), 'left by a kill')
  const again = await RunDir.create(out, 'r', resolveConfig('demo', { kimg: 7 }))
  t.is((await again.savedConfig())?.kimg, 7)
  t.deepEqual(readdirSync(run.path).sort(), ['log.txt', 'training_options.json'])
})

test('a run directory of other options is refused with both values and left as it was', async (t) => {
  const out = await folder()
  const run = await RunDir.create(out, 'r', presets.demo)
  writeFileSync(run.file(snapshotName(0)), '')
  await t.throwsAsync(RunDir.create(out, 'r', resolveConfig('demo', { gamma: 20, seed: 2 })), {
    message: `${run.path}: the options of this run are expected, got seed 0 there, 2 here; gamma ${presets.demo.gamma} there, 20 here; use the same options, another desc or another outdir`,
  })
  t.deepEqual(await run.savedConfig(), presets.demo)
})

test('a line of the log is one line, whatever a name in it holds', async (t) => {
  const run = await RunDir.create(await folder(), 'r', presets.demo)
  t.is(run.log('images of a\nb\u001b[2J\u0007'), 'images of a\\u000ab\\u001b[2J\\u0007')
  t.is(text(run.file('log.txt')), 'images of a\\u000ab\\u001b[2J\\u0007\n')
})

test('a run that has no snapshot yet does not bind the next command to its options', async (t) => {
  const out = await folder()
  await RunDir.create(out, 'r', presets.demo)
  const corrected = resolveConfig('demo', { gamma: 20 })
  const run = await RunDir.create(out, 'r', corrected)
  t.deepEqual(await run.savedConfig(), corrected)
})

test('a run that diverged goes on with other options for the same networks, and says so', async (t) => {
  const out = await folder()
  const run = await RunDir.create(out, 'r', presets.demo)
  writeFileSync(run.file(snapshotName(0)), '')
  await run.diverged('training diverged after 1 kimg')
  await t.throwsAsync(RunDir.open(out, 'r', resolveConfig('demo', { fmapMax: 32 })), {
    message: /fmapMax 64 there, 32/,
  })
  const calmer = resolveConfig('demo', { glr: 0.001 })
  const again = await RunDir.create(out, 'r', calmer)
  t.deepEqual(again.notices, [
    'training diverged here; going on from before with other options: glr 0.003 there, 0.001 here',
  ])
  t.deepEqual(await again.savedConfig(), calmer)
  await t.throwsAsync(RunDir.open(out, 'r', presets.demo), { message: /glr 0.001 there/ }, 'once')
})

test('the same data by another spelling are the same run', async (t) => {
  const out = await folder()
  const options = (data: string) => resolveConfig('demo', { data, kimg: 1 })
  const run = await RunDir.create(out, 'r', options('p'))
  writeFileSync(run.file(snapshotName(0)), '')
  for (const data of ['p/', './p', resolve('p')]) await t.notThrowsAsync(RunDir.open(out, 'r', options(data)), data)
  await t.throwsAsync(RunDir.open(out, 'r', options('q')), { message: /data "p" there, "q" here/ })
})

test('an emptied training_options.json is told and stays', async (t) => {
  const out = await folder()
  const run = await RunDir.create(out, 'r', presets.demo)
  writeFileSync(run.file('training_options.json'), '\n')
  await t.throwsAsync(RunDir.create(out, 'r', presets.demo), {
    message:
      /training_options\.json: the options of a run are expected, got an empty file; repair it, or remove it: the newest snapshot has the options; or use another outdir/,
  })
  t.is(text(run.file('training_options.json')), '\n')
})

test('damaged options and a file in place of the folder are named', async (t) => {
  const out = await folder()
  const run = await RunDir.create(out, 'r', presets.demo)
  writeFileSync(run.file('training_options.json'), '{"preset": "de')
  await t.throwsAsync(RunDir.create(out, 'r', presets.demo), {
    message:
      /r\/training_options\.json: the options of a run are expected, got no JSON: the file ends within .*; repair it, or remove it: the newest snapshot has the options; or use another outdir$/,
  })
  writeFileSync(run.file('training_options.json'), 'null')
  await t.throwsAsync(RunDir.create(out, 'r', presets.demo), {
    message: /the options of a run are expected, got JSON that is no object; repair it/,
  })
  writeFileSync(join(out, 'file'), '')
  await t.throwsAsync(RunDir.create(join(out, 'file'), 'r', presets.demo), {
    message: /file\/r: a folder is expected, got a file \(ENOTDIR\)/,
  })
})

async function threeTicks(): Promise<RunDir> {
  const run = await RunDir.create(await folder(), 'r', presets.demo)
  run.log('begin')
  for (const nimg of [1000, 2000, 3000]) {
    run.log(`tick at ${nimg} — é`)
    run.appendStats({ nimg, 'Loss/r1_penalty': nimg === 2000 ? NaN : 0.5 })
    run.log(`saved ${nimg}`)
  }
  return run
}

test('cutting back to a snapshot drops later records and the log lines after its own', async (t) => {
  const run = await threeTicks()
  t.is(await run.cutBack(2000), 2)
  t.is(text(run.file('log.txt')), 'begin\ntick at 1000 — é\nsaved 1000\ntick at 2000 — é\n')
  const records = text(run.file('stats.jsonl'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  t.like(records, [
    { nimg: 1000, 'Loss/r1_penalty': 0.5 },
    { nimg: 2000, 'Loss/r1_penalty': null },
  ])
  t.is(await run.cutBack(2000), 2, 'a second cut changes nothing')
})

test('a run that is cut back and repeated has the same files as one that was never interrupted', async (t) => {
  const whole = await threeTicks()
  const run = await threeTicks()
  await run.cutBack(1000)
  run.log('saved 1000')
  for (const nimg of [2000, 3000]) {
    run.log(`tick at ${nimg} — é`)
    run.appendStats({ nimg, 'Loss/r1_penalty': nimg === 2000 ? NaN : 0.5 })
    run.log(`saved ${nimg}`)
  }
  for (const name of ['log.txt', 'stats.jsonl']) t.is(text(run.file(name)), text(whole.file(name)))
})

test('a record that was cut off half-way is dropped, and starting over empties both files', async (t) => {
  const run = await threeTicks()
  appendFileSync(run.file('stats.jsonl'), '{"nimg": 4000, "Loss')
  t.is(await run.cutBack(9999), 3)
  t.true(text(run.file('stats.jsonl')).endsWith('}\n'))
  t.is(await run.cutBack(-1), 0)
  t.deepEqual([text(run.file('stats.jsonl')), text(run.file('log.txt'))], ['', ''])
  await t.throwsAsync(run.cutBack(NaN), { instanceOf: RangeError })
})

test('status lines align from tick to tick, and fit into 80 columns', (t) => {
  const config = resolveConfig('demo', { batch: 16, lodTrainingKimg: 6, lodTransitionKimg: 6 })
  const line = (tick: number, nimg: number, leftSec: number): string =>
    statusLine({
      tick,
      progress: progressAt(nimg, scheduleOptions(config)),
      totalSec: tick * 100,
      secPerKimg: 1.234,
      leftSec,
    })
  t.is(line(3, 9_000, 3700), 'tick 3    kimg 9.0     res 16   time 5m 00s      sec/kimg 1.23  left 1h 01m 40s')
  t.is(line(3, 9_000, 60).indexOf('left'), line(1200, 149_000, 9e5).indexOf('left'))
  const long = statusLine({
    ...{ tick: 9999, totalSec: 8e6, secPerKimg: 1234.5, leftSec: 8e6 },
    progress: { ...progressAt(149_000, scheduleOptions(config)), kimg: 24_999.9, resolution: 1024 },
  })
  t.true(long.length <= 80, long)
})
