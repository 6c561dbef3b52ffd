/** What READMEs say of speed is what the files of results hold, and each row that is wanted holds, falls short or is open. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { kindOf } from '../../benchmark/kind.ts'
import { median } from '../../benchmark/median.ts'
import {
  markdown,
  merge,
  range,
  readResults,
  resultsFolder,
  timesOf,
  verdicts,
  withTable,
  type Row,
} from '../../benchmark/results.ts'
import { folder } from '../support/folder.ts'

const machine = { cpu: 'A', isa: 'AVX-512', cores: 2 }
const times = (median: number, peakMiB?: number) => ({ median, min: median, max: median, runs: 1, peakMiB })
const row: Row = {
  what: 'training',
  config: '32/2048/128',
  batch: 16,
  threads: 2,
  isa: 'AVX-512',
  precision: 'f32',
  commit: 'abc',
  date: '',
  versions: {},
  sides: { ours: times(0.5, 600), eager: times(1.5, 800), 'compiled-fused': times(1, 900) },
}
const drawn: Row = {
  ...row,
  what: 'drawing',
  batch: 1,
  sides: { ours: { ...times(0.01), first: 0.012 }, onnx: times(0.005), compiled: times(1) },
}
const machines = (await readdir(resultsFolder)).filter((name) => /^(amd|intel|apple)-.*\.json$/.test(name))
const page = (name: string) => readFile(join(resultsFolder, name), 'utf8')
/** Prettier gives columns a width. */
const plain = (text: string) => text.replace(/ +\|/g, ' |').replace(/\| +/g, '| ').replace(/-{3,}/g, '---')

test('the tables and ranges of the READMEs are those of the files', async (t) => {
  const [long, short] = await Promise.all([page('../README.md'), page('../../README.md')])
  t.deepEqual(machines, ['amd-epyc-zen4-avx512.json', 'amd-epyc-zen5-avx512.json'])
  for (const name of machines) {
    const results = await readResults(join(resultsFolder, name))
    const [, table] = new RegExp(`<!-- ${name.replace('.json', '')} -->\\n([^]*?)<!-- end -->`).exec(long) ?? []
    t.is(
      plain(table ?? '').trim(),
      plain(markdown(results)),
      `${name}: npm run bench:peers -- --report writes the table`,
    )
    for (const what of ['training', 'drawing'] as const) {
      const found = `${range(results, what)} times`
      t.true(short.replaceAll(/\s+/g, ' ').includes(found), `${name}, ${what}: ${found}`)
    }
  }
})

test('a row says how it compares with the fastest peer, and its memory with the smallest', (t) => {
  t.is(median([3, 1, 2, 10]), 2.5)
  t.deepEqual(timesOf([2, 1, 3]), { median: 2, min: 1, max: 3, runs: 3 })
  const table = markdown({ machine, rows: [row] })
  const expected =
    '| training | 32/2048/128 | 16 | 500 ms (500–500) | 1 s (1–1) compiled-fused | 2.00 | 600 | 800 eager | abc |'
  t.is(table.split('\n').at(-1), expected)
  t.is(
    range({ machine, rows: [row, { ...row, sides: { ours: times(1), eager: times(3) } }] }, 'training'),
    '2.00 to 3.00',
  )
  t.is(withTable('a\n<!-- k -->\n\n<!-- end -->\nb', 'k', { machine, rows: [] }).split('\n').length, 8)
})

test('each row that is wanted has one line: it holds, falls short, or is open', (t) => {
  const lines = verdicts('amd-epyc-zen4-avx512', { machine, rows: [row, drawn] })
  const of = (begin: string) => lines.filter((line) => line.startsWith(begin))
  t.deepEqual(of('9.2 training 32/2048/128'), [
    '9.2 training 32/2048/128, batch 16: 2.00 times as fast as compiled-fused, at least 2: holds',
  ])
  t.deepEqual(of('9.2 training 256/8192/512'), ['9.2 training 256/8192/512, batch 4: speed at least 2: open'])
  t.deepEqual(of('9.1 drawing 32/2048/128, batch 1'), [
    '9.1 drawing 32/2048/128, batch 1: 0.50 times as fast as onnx, at least 1.5: falls short; memory at most 1: open; 1.20 times a later picture, the first one, at most 1.3: holds',
  ])
  const { compiled: _, ...eager } = drawn.sides
  const partial = verdicts('amd-epyc-zen4-avx512', { machine, rows: [{ ...drawn, sides: eager }] })
  t.regex(partial[0]!, /^9.1 drawing 32\/2048\/128, batch 1: speed at least 1.5: open;/)
  // What the confined machine does is a row of its own; AMX has another bound.
  t.is(of('9.4 training 32/2048/128, batch 16, AVX2').length, 1)
  t.regex(of('9.3')[0]!, /gain at least 1.4: open/)
  t.regex(verdicts('intel-xeon-sapphirerapids-amx', { machine, rows: [] }).join('\n'), /gain at least 2.5: open/)
})

test('a partial run replaces its own rows, and all others stay with their commits', async (t) => {
  const path = join(await folder(), 'results.json')
  await merge(path, machine, [row, drawn])
  await merge(path, machine, [
    { ...row, commit: 'def' },
    { ...row, isa: 'AVX2', commit: 'ghi' },
  ])
  const { rows } = await readResults(path)
  t.deepEqual(
    rows.map(({ what, isa, commit }) => [what, isa, commit]),
    [
      ['training', 'AVX-512', 'def'],
      ['training', 'AVX2', 'ghi'],
      ['drawing', 'AVX-512', 'abc'],
    ],
  )
})

test('a kind of machine is named after its maker, line, core and widest instructions', (t) => {
  const info = (vendor: string, family: number, model: number, flags: string) =>
    `vendor_id\t: ${vendor}\ncpu family\t: ${family}\nmodel\t\t: ${model}\nmodel name\t: x\nflags\t\t: ${flags}\n`
  t.is(kindOf(info('AuthenticAMD', 25, 17, 'fpu avx2 avx512f'), 'AMD EPYC 9R14'), 'amd-epyc-zen4-avx512')
  t.is(
    kindOf(info('GenuineIntel', 6, 143, 'avx2 avx512f amx_tile'), 'Intel(R) Xeon(R)'),
    'intel-xeon-sapphirerapids-amx',
  )
  t.is(kindOf(info('GenuineIntel', 6, 1, 'avx2'), 'host-of-somebody'), 'intel-family6-model1-avx2')
})
