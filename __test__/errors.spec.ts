/** The form of error messages: what is expected, what was got, and where it helps, what to do. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { flagOf } from '../ts/cli/arguments.ts'
import { messageOf, namingOptions } from '../ts/files/option-names.ts'
import { resolveConfig } from '../ts/training/config.ts'
import { configKeys, options } from '../ts/training/options.ts'

const root = fileURLToPath(new URL('../ts', import.meta.url))

/** Lines of code with text in them; comments and imports aside. */
async function textLines(): Promise<[place: string, line: string][]> {
  const found: [string, string][] = []
  for (const name of await readdir(root, { recursive: true })) {
    if (!name.endsWith('.ts')) continue
    const lines = (await readFile(join(root, name), 'utf8')).split('\n')
    lines.forEach((line, i) => {
      if (/[`'"]/.test(line) && !/^\s*(\*|\/\/|\/\*|import )/.test(line)) found.push([`${name}:${i + 1}`, line])
    })
  }
  return found
}

test('messages say "x is expected, got y": never "expected x, found y"', async (t) => {
  for (const [place, line] of await textLines()) {
    t.notRegex(line, /(is|are) expected[^;]*, found\b/, place)
    t.notRegex(line, /[`'"}] ?:? expected (a|an|one|some|the|at most|at least) /, place)
    t.notRegex(line, /: expected (a|an|one|some|the|at most|at least|none|layers|options|whole) /, place)
    t.notRegex(line, /must (be|have)[^;]*, found\b/, place)
  }
})

test('errors of options have code names in code, and flags on the command line', (t) => {
  const error = t.throws(() => resolveConfig('demo', { batch: 18 }))
  t.is(error.message, 'batch: a multiple of mbstdGroup, 4, is expected, got 18; use 20, or another mbstdGroup')
  t.is(
    messageOf(error, flagOf),
    '--batch: a multiple of --mbstd-group, 4, is expected, got 18; use 20, or another --mbstd-group',
  )
  t.is(messageOf(new Error('plain'), flagOf), 'plain')
  const own = namingOptions(
    (message) => new TypeError(message),
    (name) => `${name('skipBad')} it`,
  )
  t.true(own instanceof TypeError)
  t.deepEqual([own.message, messageOf(own, flagOf)], ['skipBad it', '--skip-bad it'])
})

test('the flag of every option of training is its name', (t) => {
  for (const key of configKeys) {
    const { flag } = options[key] as { flag?: string }
    if (flag !== undefined) t.is(flagOf(key), flag.split(' ')[0]!, key)
  }
})
