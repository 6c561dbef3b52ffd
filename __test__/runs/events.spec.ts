/** TensorBoard's event files: the same bytes as TensorBoard's own writer, and files that survive a kill. */
import { appendFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { crc32c, encodeEvent, wholeLength } from '../../ts/runs/events.ts'
import { presets } from '../../ts/training/presets.ts'
import { RunDir } from '../../ts/runs/run-dir.ts'
import { folder } from '../support/folder.ts'

/*
 * Written by tensorboard 2.21.0 of PyPI:
 *
 *   from tensorboard.compat.proto.event_pb2 import Event, SessionLog
 *   from tensorboard.compat.proto.summary_pb2 import Summary
 *   from tensorboard.summary.writer.record_writer import RecordWriter
 *   V = Summary.Value
 *   w = RecordWriter(open('events.bin', 'wb'))
 *   for e in [
 *       Event(wall_time=1543622400.25, file_version='brain.Event:2'),
 *       Event(wall_time=1543622460.5, step=4, summary=Summary(value=[V(tag='Loss/D', simple_value=1.25),
 *           V(tag='Progress/kimg', simple_value=4.0), V(tag='Timing/é', simple_value=-0.0)])),
 *       Event(wall_time=1543622520.75, step=25000, summary=Summary(value=[V(tag='Loss/D', simple_value=0.1)])),
 *       Event(wall_time=1543622580.0, step=25001, session_log=SessionLog(status=SessionLog.START)),
 *       Event(wall_time=1543622581.0, session_log=SessionLog(status=SessionLog.START)),
 *   ]:
 *       w.write(e.SerializeToString())
 */
const official = await readFile(new URL('../fixtures/tensorboard/events.bin', import.meta.url))
const scalars = [
  ['Loss/D', 1.25],
  ['Progress/kimg', 4],
  ['Timing/é', -0],
] as const
const ours = [
  encodeEvent(1543622400.25, { fileVersion: 'brain.Event:2' }),
  encodeEvent(1543622460.5, { step: 4, scalars }),
  encodeEvent(1543622520.75, { step: 25_000, scalars: [['Loss/D', 0.1]] }),
  encodeEvent(1543622580, { restartAt: 25_001 }),
  encodeEvent(1543622581, { restartAt: 0 }),
]

test("events are the bytes of TensorBoard's own writer", (t) => {
  t.deepEqual(Buffer.concat(ours), official)
})

test('the check of bytes is CRC-32C with its published check value', (t) => {
  // RFC 3720, B.4, and the check value of the CRC catalogue.
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.is(crc32c(new Uint8Array(32)), 0x8a9136aa)
  t.is(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
})

test('the whole events of a file end before one that was cut off or damaged', (t) => {
  t.is(wholeLength(official), official.length)
  const [first, second] = [ours[0]!.length, ours[0]!.length + ours[1]!.length]
  for (let cut = first; cut < second; cut++) t.is(wholeLength(official.subarray(0, cut)), first)
  for (const at of [first, first + 9, first + 12, second - 1]) {
    const damaged = Buffer.from(official)
    damaged[at]! ^= 1
    t.is(wholeLength(damaged), first, `byte ${at}`)
  }
  // What a loss of power may leave.
  t.is(wholeLength(Buffer.concat([ours[0]!, Buffer.alloc(100)])), first)
  t.is(wholeLength(Buffer.alloc(0)), 0)
})

type Field = number | Buffer
/** An independent reading of a message: field number -> values, by the wire format alone. */
function decode(message: Buffer): Map<number, Field[]> {
  const fields = new Map<number, Field[]>()
  let at = 0
  const varint = () => {
    for (let [value, shift] = [0, 0]; ; shift += 7) {
      const byte = message[at++]!
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const [field, type] = [key >> 3, key % 8]
    const length = type === 0 ? 0 : type === 1 ? 8 : type === 2 ? varint() : 4
    const value = type === 0 ? varint() : message.subarray(at, (at += length))
    fields.set(field, [...(fields.get(field) ?? []), value])
  }
  return fields
}

/** The events of a run: step, whether it is a restart, and the values by tag. */
function eventsOf(run: RunDir) {
  const names = readdirSync(run.path).filter((name) => /^events\.out\.tfevents\.\d{10}\../.test(name))
  const file = readFileSync(join(run.path, names[0]!))
  const events = []
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at))
    const fields = decode(file.subarray(at + 12, at + 12 + length))
    at += 16 + length
    const values = decode((fields.get(5)?.[0] as Buffer | undefined) ?? Buffer.alloc(0)).get(1) ?? []
    const byTag = values.map((value) => {
      const [tag, number] = [1, 2].map((field) => decode(value as Buffer).get(field)![0] as Buffer)
      return [tag!.toString(), number!.readFloatLE()] as const
    })
    const wallTime = (fields.get(1)![0] as Buffer).readDoubleLE()
    const [step, restart] = [fields.get(2)?.[0] ?? 0, fields.has(7)]
    const numbers: Record<string, number> = Object.fromEntries(byTag)
    events.push({ step, restart, wallTime, version: fields.get(3)?.toString(), values: numbers })
  }
  return { count: names.length, events, file: join(run.path, names[0]!), bytes: file.length }
}

const open = async (outdir: string) => RunDir.create(outdir, 'r', presets.demo)

test('each record of a run is an event at its kimg, now, with its finite numbers by name', async (t) => {
  const run = await open(await folder())
  await run.cutBack(-1)
  const before = Date.now() / 1000
  run.appendStats({ nimg: 4008, 'Loss/D': 0.5, 'Loss/G': NaN, 'Progress/kimg': 4.008, note: 'x' })
  run.appendStats({ nimg: 8000, 'Loss/D': 0.25 })
  const { count, events } = eventsOf(run)
  t.is(count, 1)
  t.deepEqual(
    events.map(({ step, restart, version, values }) => [step, restart, version, values]),
    [
      [0, false, 'brain.Event:2', {}],
      [4, false, undefined, { 'Loss/D': 0.5, 'Progress/kimg': Math.fround(4.008) }],
      [8, false, undefined, { 'Loss/D': 0.25 }],
    ],
  )
  for (const { wallTime } of events) t.true(wallTime >= before && wallTime <= Date.now() / 1000)
})

test('a resumed run appends, after an event that takes back the ticks after its snapshot', async (t) => {
  const outdir = await folder()
  const first = await open(outdir)
  for (const nimg of [1000, 2000, 3000]) first.appendStats({ nimg, 'Loss/D': nimg })
  const second = await open(outdir)
  await second.cutBack(2000)
  second.appendStats({ nimg: 3000, 'Loss/D': 7 })
  const { count, events } = eventsOf(second)
  t.is(count, 1)
  t.deepEqual(
    events.map(({ step, restart }) => [step, restart]),
    [
      [0, false],
      [1, false],
      [2, false],
      [3, false],
      [3, true],
      [3, false],
    ],
  )
  t.is(events.at(-1)!.values['Loss/D'], 7)
  await (await open(outdir)).cutBack(-1)
  t.like(eventsOf(second).events.at(-1), { step: 0, restart: true })
})

test('an event that a kill cut off is dropped, and the file goes on as if it had never begun', async (t) => {
  const outdir = await folder()
  const first = await open(outdir)
  first.appendStats({ nimg: 1000, 'Loss/D': 1 })
  const { file, bytes } = eventsOf(first)
  for (const damage of [
    () => appendFileSync(file, Buffer.alloc(7, 9)),
    () => truncateSync(file, bytes - 3),
    () => truncateSync(file, 2),
  ]) {
    damage()
    const again = await open(outdir)
    await again.cutBack(1000)
    again.appendStats({ nimg: 2000, 'Loss/D': 2 })
    const { events } = eventsOf(again)
    t.is(events[0]!.version, 'brain.Event:2')
    t.is(events.filter(({ version }) => version).length, 1)
    t.like(events.at(-1), { step: 2, restart: false, values: { 'Loss/D': 2 } })
    t.is(wholeLength(readFileSync(file)), readFileSync(file).length)
  }
})
