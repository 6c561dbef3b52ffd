/** Small files that would take much memory or time are refused at once. */
import { crc32, deflateRawSync } from 'node:zlib'
import test from 'ava'
import { readPickle } from '../../ts/files/pickle.ts'
import { rowMajor, stridedWeight } from '../../ts/files/weights.ts'
import { readZip } from '../../ts/files/zip.ts'

const options = {
  globals: { 'collections.OrderedDict': ([items]: unknown[]) => new Map(items as []) },
  persistent: () => null,
}
const memory = { instanceOf: RangeError, message: 'the pickle would take much more memory than the file has bytes' }

test('a pickle of millions of empty dicts is refused', (t) => {
  t.throws(() => readPickle(Buffer.alloc(2e6, '}'), 0, options), memory)
})

test('a pickle that copies one list again and again is refused', (t) => {
  const list = `](${'}'.repeat(100_000)}eq\x00` // a list of 100,000 dicts, kept as 0
  const copy = 'ccollections\nOrderedDict\nh\x00\x85R'
  t.throws(() => readPickle(Buffer.from(list + copy.repeat(1000), 'latin1'), 0, options), memory)
})

test('a pickle that names a function by one text again and again is refused', (t) => {
  const text = Buffer.concat([
    Buffer.from('X'),
    Buffer.from([0x40, 0x42, 0x0f, 0x00]),
    Buffer.alloc(1e6, 'a'),
    Buffer.from('q\x00'),
  ])
  const copy = Buffer.from('ccollections\nOrderedDict\nh\x00\x85R'.repeat(1000), 'latin1')
  const globals = { 'collections.OrderedDict': ([text]: unknown[]) => Buffer.from(text as string) }
  t.throws(() => readPickle(Buffer.concat([text, copy]), 0, { ...options, globals }), memory)
})

test('an array of 200,000 axes is refused, however often it is named', (t) => {
  const shape = Array<number>(200_000).fill(1)
  const elements = { dtype: 'f32', bytes: new Uint8Array(4) } as const
  for (let i = 0; i < 10_000; i++) t.throws(() => stridedWeight(elements, 0, shape, shape), { instanceOf: RangeError })
  t.is(rowMajor(shape).length, 200_000)
  t.deepEqual(rowMajor([2, 3, 4]), [12, 4, 1])
})

/** An archive of deflated files. */
function zip(files: Record<string, Uint8Array>, copies = 1): Uint8Array {
  const locals: Buffer[] = []
  const centrals: Buffer[] = []
  let at = 0
  for (const [name, file] of Object.entries(files)) {
    const packed = deflateRawSync(file)
    const fields = (header: Buffer, from: number) => {
      header.writeUInt16LE(8, from)
      header.writeUInt32LE(crc32(file), from + 6)
      header.writeUInt32LE(packed.length, from + 10)
      header.writeUInt32LE(file.length, from + 14)
      header.writeUInt16LE(name.length, from + 18)
    }
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50)
    fields(local, 8)
    for (let i = 0; i < copies; i++) {
      const central = Buffer.alloc(46)
      central.writeUInt32LE(0x02014b50)
      fields(central, 10)
      central.writeUInt32LE(at, 42)
      centrals.push(central, Buffer.from(i === 0 ? name : name.slice(0, -1) + String.fromCharCode(97 + i)))
    }
    locals.push(local, Buffer.from(name), packed)
    at += 30 + name.length + packed.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(centrals.length / 2, 10)
  end.writeUInt32LE(Buffer.concat(centrals).length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...locals, ...centrals, end])
}

test('an archive that unpacks to a thousand times its size is refused before it is unpacked', (t) => {
  const file = new Uint8Array(150e6)
  const small = readZip(zip({ a: file }))
  t.is(small.get('a')!().length, file.length, 'what is below 256 MiB is read')
  const files = [...readZip(zip({ a: file }, 3)).values()]
  t.throws(() => files.map((read) => read().length), {
    instanceOf: RangeError,
    message: /unpacks to more than 26\d{7} bytes, from 14\d{4}$/,
  })
})
