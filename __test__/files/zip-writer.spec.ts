/** Writing archives of stored files. */
import test from 'ava'
import { readZip } from '../../ts/files/zip.ts'
import { centralDirectory, entryLength, localHeader, zipEntry } from '../../ts/files/zip-writer.ts'

test('an archive that was written is read', (t) => {
  const files = new Map([
    ['a.txt', Buffer.from('first')],
    ['folder/ü.bin', Buffer.alloc(300, 7)],
  ])
  const entries = [...files].map(([name, bytes]) => zipEntry(name, bytes))
  const pieces = entries.flatMap((entry) => [localHeader(entry), files.get(entry.name)!])
  const read = readZip(Buffer.concat([...pieces, ...centralDirectory(entries)]))
  t.deepEqual(
    [...read].map(([name, bytes]) => [name, Buffer.from(bytes())]),
    [...files],
  )
  t.is(
    pieces.reduce((sum, { length }) => sum + length, 0),
    entryLength(entries[0]!) + entryLength(entries[1]!),
  )
})

test('what does not fit into 16 or 32 bits stands in the records of zip64', (t) => {
  const large = { name: 'a', size: 0xfffffffe, crc32: 1 }
  const pieces = [...centralDirectory([large, large])].map((piece) => Buffer.from(piece))
  const [first, second, end64, end] = pieces as [Buffer, Buffer, Buffer, Buffer]
  t.is(first.readUInt32LE(42), 0)
  const at = entryLength(large)
  t.is(second.readUInt32LE(42), 0xffffffff)
  t.is(second.readBigUInt64LE(46 + 1 + 4), BigInt(at))
  t.is(end64.readUInt32LE(0), 0x06064b50)
  t.is(end64.readBigUInt64LE(48), BigInt(2 * at))
  t.is(end64.readBigUInt64LE(64), BigInt(2 * at + first.length + second.length))
  t.is(end.readUInt32LE(16), 0xffffffff)
  const many = [...centralDirectory(Array.from({ length: 70_000 }, () => ({ name: 'a', size: 0, crc32: 0 })))]
  t.is(Buffer.from(many.at(-1)!).readUInt16LE(10), 0xffff)
  t.is(Buffer.from(many.at(-2)!).readBigUInt64LE(24), 70_000n)
})
