/** `stylegan train --data ./photos`: what is chosen is said, saved, and found again. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { stylegan } from '../support/command.ts'
import { folder } from '../support/folder.ts'
import { tinyDataset } from '../support/tiny.ts'

const brief = ['--hours', '0.0005', '--resolution', '8', '--fmap-base', '64', '--fmap-max', '8', '--batch', '8']

test('four lines say what hours come to; the same command goes on without measuring', async (t) => {
  const outdir = await folder()
  const command = ['train', '--data', await tinyDataset(), '--outdir', outdir, ...brief]
  const dry = await stylegan([...command, '--dry-run'])
  t.is(dry.code, 0, dry.err)
  t.regex(dry.out, /^Chosen .*8x8 images with 8 feature maps, for 2s: .*\nLength .* kimg.*\nSettings .*\nOutput /m)
  // One measurement: no second one contradicts it.
  const [, length] = /^Length .*: (.*) as measured/m.exec(dry.out)!
  t.is(/^Estimate +(.*?) and /m.exec(dry.out)![1], length)
  t.deepEqual(await readdir(outdir), [])
  const first = await stylegan([...command, '--kimg', '0.064'])
  t.is(first.code, 0, first.err)
  t.regex(first.out, /^Measuring .*\nChosen .*\nLength .*\nSettings .*\nOutput .*\n(?:.*\n)*?Training +8x8 images/)
  const runs = (await readdir(outdir)).filter((name) => name.startsWith('stylegan-'))
  t.is(runs.length, 1)
  t.regex(runs[0]!, /-8px-0\.0005h-gamma5-seed0$/)
  const again = await stylegan([...command, '--kimg', '0.128'])
  t.is(again.code, 0, again.err)
  t.notRegex(again.out, /Measuring/)
  t.regex(again.out, /^Chosen +when this run began, in .*; nothing is measured again\n/)
  t.regex(again.out, /Going on from/)
})

for (const [flags, message] of [
  [['--hours', '0'], /hours: a number above 0.* is expected, got 0/],
  [['--hours', '1e9'], /--hours: a number above 0 and at most 10000 is expected, got 1000000000/],
  [['--hours', '2', '--preset', 'demo'], /hours.* and .*preset/],
  [['--freezed', '1', '--kimg', '1'], /freezed.* and .*resume/],
] as const) {
  test(`train ${flags.join(' ')} is refused in one line`, async (t) => {
    const outdir = join(await folder(), 'new')
    const { code, out, err } = await stylegan(['train', '--data', await tinyDataset(), '--outdir', outdir, ...flags])
    t.not(code, 0)
    t.is(out, '')
    t.regex(err, message)
    t.is(err.trim().split('\n').length, 1)
    await t.throwsAsync(readdir(outdir), { code: 'ENOENT' })
  })
}
