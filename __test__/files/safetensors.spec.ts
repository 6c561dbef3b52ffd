/** Safetensors files: what is written is read, and what is damaged is refused by name. */
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  encodeSafetensors,
  readMetadata,
  readSafetensors,
  SnapshotError,
  streamSafetensors,
  type HostTensor,
} from '../../ts/files/safetensors.ts'
import { writeAtomic } from '../../ts/files/write-atomic.ts'
import { folder } from '../support/folder.ts'

const tensors = new Map<string, HostTensor>([
  ['a/weight', { shape: [2, 2], values: new Float32Array([1, -2, 3.5, 1e-30]) }],
  ['b', { shape: [], values: new Float64Array([Math.PI]) }],
  ['c', { shape: [3], values: new Uint8Array([0, 7, 255]) }],
  ['d', { shape: [0], values: new Int32Array([]) }],
])

async function file(): Promise<string> {
  const path = join(await folder(), 'x.safetensors')
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
  ['cut in the data', (path: string) => truncate(path, 360), /truncated: \d+ bytes are expected, the file has 360/],
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

/** A file with this header and so many bytes of data, as anybody may write it. */
async function written(header: object | string, dataBytes: number): Promise<string> {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const path = await file()
  await writeFile(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]))
  return path
}

const bytes = (from: number, to: number) => ({ dtype: 'U8', shape: [to - from], data_offsets: [from, to] })

test('a file without checksums is read: older ones, and those of others, have none', async (t) => {
  const { tensors } = await readSafetensors(await written({ b: bytes(2, 3), a: bytes(0, 2) }, 3))
  t.deepEqual([...tensors.keys()], ['a', 'b'])
})

for (const [name, header, dataBytes, message] of [
  ['overlaps', { a: bytes(0, 4), b: bytes(0, 4) }, 4, /'b' must begin at byte 4 of the data, got 0$/],
  ['leaves a gap', { a: bytes(0, 4), b: bytes(5, 8) }, 8, /'b' must begin at byte 4 of the data, got 5$/],
  [
    'leaves a rest',
    { a: bytes(0, 4) },
    5,
    /: \d+ bytes are expected, the file has \d+; copy it again, or take another one$/,
  ],
  ['has no entry', { a: null }, 0, /'a' must have dtype, shape and data_offsets$/],
  ['has no type', { a: { shape: [4], data_offsets: [0, 4] } }, 4, /'a' must have dtype, shape and data_offsets$/],
  [
    'has no shape',
    { a: { dtype: 'U8', data_offsets: [0, 4] } },
    4,
    /'a' must have a shape of at most 16 whole numbers/,
  ],
  [
    'has 200,000 axes',
    { a: { ...bytes(0, 1), shape: Array<number>(200_000).fill(1) } },
    1,
    /'a' must have a shape of at most 16/,
  ],
  ['has negative sizes', { a: { ...bytes(0, 4), shape: [-2, -2] } }, 4, /'a' must have a shape of at most 16 whole/],
  ['has no offsets', { a: { dtype: 'U8', shape: [4] } }, 4, /'a' must have two data_offsets/],
  ['has fractions', { a: { ...bytes(0, 1), data_offsets: [0.5, 1.5] } }, 2, /'a' must have two data_offsets/],
  [
    'has an unknown type',
    { a: { ...bytes(0, 4), dtype: 'toString' } },
    4,
    /'a' must be F32, F64, U8 or I32, got toString$/,
  ],
  ['is a list', [], 0, /its header is no JSON object$/],
  ['has numbers in its metadata', { __metadata__: { n: 1 } }, 0, /its metadata must be texts by name$/],
  ['is deep', '['.repeat(2 ** 20), 0, /its header is no JSON$/],
  ['is 10 MB long', ' '.repeat(1e7), 0, /its header has 10000000 bytes; at most 8388608 are expected$/],
  ['has escapes in a name', { 'a\u001b[2J': null }, 0, /: 'a\\u001b\[2J' must have dtype/],
  ['has a list of too few checksums', { __metadata__: { crc32c: '' }, a: bytes(0, 1) }, 1, /must hold 1 checksums/],
] as const) {
  test(`a header that ${name} is refused`, async (t) => {
    const path = await written(header, dataBytes)
    const error = await t.throwsAsync(readSafetensors(path), { instanceOf: SnapshotError })
    t.regex(error.message, message)
    t.notRegex(error.message, /\p{Cc}/u)
  })
}

test('a header of 200,000 tensors is refused', async (t) => {
  const entries = Array.from({ length: 200_000 }, (_, i) => [i.toString(36), {}] as const)
  const path = await written(Object.fromEntries(entries), 0)
  const error = await t.throwsAsync(readSafetensors(path), { instanceOf: SnapshotError })
  t.regex(error.message, /it holds 200000 tensors; at most 20000 are expected$/)
})

test('every flipped bit is noticed, or changes nothing that is read', async (t) => {
  const path = await file()
  const whole = await readFile(path)
  const expected = await readSafetensors(path)
  const harmless: number[] = []
  for (let bit = 0; bit < whole.length * 8; bit++) {
    // Every position of a bit in a byte comes with every part of the file.
    if (bit % 8 !== (bit >> 3) % 8 && bit % 5 !== 0) continue
    const damaged = Buffer.from(whole)
    damaged[bit >> 3]! ^= 1 << (bit % 8)
    await writeFile(path, damaged)
    try {
      const { tensors, metadata } = await readSafetensors(path)
      t.deepEqual(tensors, expected.tensors, `bit ${bit}`)
      t.like(metadata, expected.metadata, `bit ${bit}`)
      harmless.push(bit)
    } catch (error) {
      t.true(error instanceof SnapshotError, `bit ${bit}: ${String(error)}`)
    }
  }
  // A flip in the name of the header's checksum makes a file without one.
  const name = whole.indexOf('header_crc32c') * 8
  t.true(
    harmless.every((bit) => bit >= name && bit < name + 13 * 8),
    `bits ${harmless.join()}`,
  )
})

test('a file that is streamed has the bytes of one that is written at once', async (t) => {
  const floats = new Map([...tensors].filter(([, { values }]) => values instanceof Float32Array))
  floats.set('more', { shape: [3, 1], values: new Float32Array([4, 5, 6]) })
  const metadata = { format: 'test' }
  const lazy = [...floats].map(([name, { shape, values }]) => {
    return [name, { shape, dtype: 'f32' as const, read: () => Promise.resolve(values) }] as const
  })
  const path = await file()
  await writeAtomic(path, streamSafetensors(new Map(lazy), metadata))
  t.deepEqual(await readFile(path), Buffer.concat([...encodeSafetensors({ tensors: floats, metadata })]))
})
