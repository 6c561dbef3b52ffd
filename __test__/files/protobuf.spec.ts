/** Messages of Protocol Buffers, byte for byte as its documentation has them. */
import test from 'ava'
import { bytes, float, integer, message, nested, streamed, text, type Fields } from '../../ts/files/protobuf.ts'

async function hex(fields: Fields): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of streamed(fields)) pieces.push(piece)
  const all = Buffer.concat(pieces)
  return all.length === fields.byteLength ? all.toString('hex') : 'another length than it says'
}

test('the examples of the documentation have its bytes', async (t) => {
  t.is(await hex(integer(1, 150)), '089601')
  t.is(await hex(text(2, 'testing')), '120774657374696e67')
  t.is(await hex(nested(3, integer(1, 150))), '1a03089601')
  t.is(await hex(integer(1, -2)), '08feffffffffffffffff01')
})

test('fields above 15, large lengths and real numbers have theirs', async (t) => {
  t.is(await hex(integer(20, 7)), 'a00107')
  t.is(await hex(integer(1, 2 ** 40)), '08808080808020')
  t.is(await hex(float(2, 0.5)), '150000003f')
  t.regex(await hex(bytes(9, new Uint8Array(300))), /^4aac02(00){300}$/)
  t.is(await hex(message()), '')
})

test('large parts are read when they are written, and not before', async (t) => {
  const read: number[] = []
  const part = (i: number) => bytes(1, { byteLength: 1, read: async () => (read.push(i), Uint8Array.of(i)) })
  const pieces = streamed(nested(1, part(7), part(8)))
  const all: number[] = []
  for await (const piece of pieces) {
    all.push(...piece)
    t.true(read.length <= all.filter((byte) => byte > 6).length)
  }
  t.deepEqual(all, [10, 6, 10, 1, 7, 10, 1, 8])
})
