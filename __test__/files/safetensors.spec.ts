/** Safetensors files: what is written is read, and what is damaged is refused by name. */
import { mkdtemp, readFile, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  encodeSafetensors,
  readMetadata,
  readSafetensors,
  SnapshotError,
  type HostTensor,
} from '../../ts/files/safetensors.ts'

const tensors = new Map<string, HostTensor>([
  ['a/weight', { shape: [2, 2], values: new Float32Array([1, -2, 3.5, 1e-30]) }],
  ['b', { shape: [], values: new Float64Array([Math.PI]) }],
  ['c', { shape: [3], values: new Uint8Array([0, 7, 255]) }],
  ['d', { shape: [0], values: new Int32Array([]) }],
])

async function file(): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'stylegan-')), 'x.safetensors')
  await writeFile(path, Buffer.concat([...encodeSafetensors({ tensors, metadata: { format: 'test', n: '1' } })]))
  return path
}

test('tensors of every type come back bit for bit, with the metadata', async (t) => {
  const path = await file()
  const read = await readSafetensors(path)
  t.deepEqual(read.tensors, tensors)
  t.deepEqual(read.metadata, { format: 'test', n: '1' })
  t.deepEqual(await readMetadata(path), read.metadata)
})

test('the layout is the published one: length, JSON header, data at the offsets', async (t) => {
  const bytes = await readFile(await file())
  const length = Number(bytes.readBigUInt64LE())
  t.is(length % 8, 0)
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, unknown>
  t.deepEqual(header['a/weight'], { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] })
  t.is(bytes.readFloatLE(8 + length + 8), 3.5)
})

for (const [name, damage, message] of [
  ['cut in the data', (path: string) => truncate(path, 300), /truncated: \d+ bytes are expected, the file has 300/],
  ['cut in the header', (path: string) => truncate(path, 50), /truncated: the header needs \d+ bytes, the file has 50/],
  ['empty', (path: string) => truncate(path, 0), /no safetensors file: 0 bytes are too few/],
  ['a picture', (path: string) => writeFile(path, '\x89PNG\r\n\x1a\n and so on'), /it starts with other bytes/],
  [
    'no JSON',
    (path: string) => writeFile(path, Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])),
    /header is no JSON/,
  ],
] as const) {
  test(`a file that is ${name} is refused`, async (t) => {
    const path = await file()
    await damage(path)
    const error = await t.throwsAsync(readSafetensors(path), { instanceOf: SnapshotError })
    t.true(error.message.startsWith(path))
    t.regex(error.message, message)
  })
}
