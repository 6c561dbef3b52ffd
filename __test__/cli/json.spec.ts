/** `--json`: standard output is JSON and nothing else, in the form that docs/json.md describes. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { stylegan, tinyFlags } from '../support/command.ts'
import { tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

type Line = Readonly<Record<string, unknown>> & { readonly type: string }

const linesOf = (out: string): Line[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

/** Names of fields by command and by what has them, as the tables of docs/json.md list them. */
async function documented(): Promise<Map<string, string[]>> {
  const page = await readFile(new URL('../../docs/json.md', import.meta.url), 'utf8')
  const fields = new Map<string, string[]>()
  for (const section of page.split('\n## ')) {
    const command = /^`stylegan (\w+)/.exec(section)?.[1]
    for (const [, name, list] of section.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)) {
      fields.set(
        `${command} ${name}`,
        [...list!.matchAll(/`(\w+)`/g)].map((match) => match[1]!),
      )
    }
  }
  return fields
}

const fieldsOf = (value: object) => Object.keys(value).filter((key) => key !== 'type' && key !== 'kind')

test('train, info, metrics, devices and bench print JSON, with the fields that are documented', async (t) => {
  const fields = await documented()
  const outdir = join(await folder(), 'a\u009bb')
  const start = ['train', '--preset', 'demo', '--data', await tinyDataset(), '--outdir', outdir, ...tinyFlags]
  const measured = ['--metrics', 'ms_ssim', '--metrics-num', '2', '--resolution', '16', '--kimg', '0.032']
  const trained = await stylegan([...start, ...measured, '--json'])
  t.is(trained.code, 0, trained.err)
  t.is(trained.err, '')
  // What a terminal would obey is escaped, and reads back as it was.
  t.false(trained.out.includes('\u009b'))
  const events = linesOf(trained.out)
  const types = new Set(events.map(({ type }) => type))
  for (const type of ['prepare', 'start', 'step', 'tick', 'images', 'snapshot', 'measuring', 'metric', 'end']) {
    t.true(types.has(type), type)
  }
  for (const event of events) {
    for (const key of fieldsOf(event)) t.true(fields.get(`train ${event.type}`)?.includes(key), `${event.type}: ${key}`)
  }
  t.true(String(events.find(({ type }) => type === 'start')!['dir']).startsWith(outdir))

  const info = await stylegan(['info', outdir, '--json'])
  const [snapshot] = linesOf(info.out)
  t.deepEqual(fieldsOf(snapshot!), fields.get('info snapshot'))
  t.is(snapshot!['nimg'], 32)
  const named = await stylegan(['info', '--network', outdir, '--json'])
  t.is(named.out, info.out)

  const metrics = ['metrics', '--network', outdir, '--metrics', 'ms_ssim', '--metrics-num', '2']
  const again = await stylegan([...metrics, '--cache', outdir, '--json'])
  t.is(again.code, 0, again.err)
  const [line] = linesOf(again.out)
  t.is(line!['metric'], 'ms_ssim')
  for (const key of fields.get('metrics metrics')!) t.true(key in line!, key)

  const devices = await stylegan(['devices', '--json'])
  const [list] = linesOf(devices.out) as unknown as [Line[]]
  t.deepEqual(fieldsOf(list[0]!), fields.get('devices cpu'))

  const [speed, ...more] = linesOf((await stylegan(['bench', '--seconds', '0.001', '--json'])).out)
  t.deepEqual([fieldsOf(speed!), more], [fields.get('bench bench')?.slice(0, 5), []])
})

test('a checkpoint of another program is JSON too, and so is a dry run', async (t) => {
  const fields = await documented()
  const file = new URL('../fixtures/checkpoints/nvlabs/config-d16/network.pkl', import.meta.url).pathname
  const [checkpoint] = linesOf((await stylegan(['info', file, '--json'])).out)
  t.deepEqual(fieldsOf(checkpoint!), fields.get('info checkpoint'))
  const data = ['--data', await tinyDataset(), '--outdir', await folder()]
  const dry = await stylegan(['train', '--preset', 'demo', ...data, ...tinyFlags, '--json', '--dry-run'])
  const [estimate, ...others] = linesOf(dry.out)
  t.deepEqual([fieldsOf(estimate!), others], [fields.get('train estimate'), []])
})
