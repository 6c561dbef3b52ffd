/** What is wrong with sources is said in one sentence, and nothing is taken from them that they do not have. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateRawSync, gunzipSync, gzipSync } from 'node:zlib'
import test from 'ava'
import { openDataset } from '../../../ts/data/dataset.ts'
import { openSource } from '../../../ts/data/sources/index.ts'
import { DataError } from '../../../ts/native/index.ts'
import { folder, options } from '../../support/images.ts'
import { count, fixture } from '../../support/sources.ts'

/** A file of the fixtures, changed. */
async function changed(name: string, change: (bytes: Buffer) => Buffer): Promise<string> {
  const path = join(await folder(), name.replaceAll('/', '-'))
  await writeFile(path, change(await readFile(fixture(name))))
  return path
}

/** All that reading a source to its end says. */
async function faultsOf(path: string): Promise<string[]> {
  const found: string[] = []
  const source = await openSource(path)
  try {
    found.push(...source.leftOut.flatMap(({ path, bad }) => (bad === undefined ? [] : [`${path}: ${bad}`])))
    for (let i = 0; i < source.count;) {
      const images = await source.read(i, source.count - i)
      for (const image of images)
        if (typeof image !== 'string' && 'bad' in image) found.push(`${image.name}: ${image.bad}`)
      i += images.length
    }
  } finally {
    await source.close()
  }
  return found
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at < 0 ? bytes.length + at : at]! ^= 0xff
  return bytes
}
const cut = (share: number) => (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length * share))

test('a record whose checksum is wrong is one bad image', async (t) => {
  const path = await changed('tfrecord/pets-r04.tfrecords', flip(2000))
  const [fault, ...more] = await faultsOf(path)
  t.is(fault, `${path}: record 2: the record is damaged: it does not have its checksum (CRC-32C)`)
  t.deepEqual(more, [])
  const prepare = await options(path, { resolution: 16 })
  await t.throwsAsync(openDataset(prepare), { instanceOf: DataError, message: /record 2: the record is damaged/ })
  t.is((await openDataset({ ...prepare, skipBad: true })).info.count, count - 1)
})

test('records that are cut off are counted up to there', async (t) => {
  const path = await changed('tfrecord/pets-r04.tfrecords', cut(0.6))
  t.deepEqual(await faultsOf(path), [`${path}: record 7: the record is cut off, and nothing after it can be read`])
  const damaged = await changed('mixed-sizes.tfrecords', flip(2 * 247))
  t.deepEqual(await faultsOf(damaged), [
    `${damaged}: record 2: the length of a record is damaged, and nothing after it can be read`,
  ])
})

test('records of several sizes are told from the first', async (t) => {
  const path = fixture('mixed-sizes.tfrecords')
  t.deepEqual(await faultsOf(path), [`${path}: record 2: [3, 8, 8] is expected as in the first record, got [3, 4, 4]`])
})

/** What is refused when it is opened, or while it is read. */
const refused: readonly (readonly [
  what: string,
  name: string,
  change: ((bytes: Buffer) => Buffer) | undefined,
  message: RegExp,
])[] = [
  [
    'records of another program',
    'foreign.tfrecords',
    undefined,
    /record 0: "shape" .* are expected, .* got image\/encoded, image\/class\/label$/,
  ],
  ['a name that leads out of a zip', 'outside.zip', undefined, /got \.\.\/\.\.\/evil\.png; pack it again/],
  ['a zip that is cut off', 'stylegan3.zip', cut(0.9), /the zip archive is cut off or damaged; get it again$/],
  ['an encrypted zip', 'stylegan3.zip', encrypted, /an archive without a password is expected, got an encrypted one/],
  ['a zip without images', 'packed.npz', (bytes) => renamed(bytes), /no image found: looked for PNG/],
  ['an LMDB that is cut off', 'large_lmdb/data.mdb', cut(0.5), /cut off or damaged|is damaged or cut off/],
  ['an LMDB whose pages form a circle', 'large_lmdb/data.mdb', circle, /is damaged or cut off/],
  ['a stored array that changed', 'images.npz', flip(2000), /images\.npy is damaged: .* checksum \(CRC-32\); get it/],
  ['a packed array whose checksum is another', 'packed.npz', otherChecksum, /x_train\.npy is damaged: .* \(CRC-32\)/],
  ['an empty file', 'images.npy', () => Buffer.alloc(0), /got a file that is empty; get it again$/],
  ['floats', 'floats.npy', undefined, /uint8 \[N, H, W, C\] is expected, got <f4; convert it/],
  [
    'an array without images',
    'images.npy',
    (bytes) => Buffer.from(bytes.toString('latin1').replace('(12, 32, 32, 3)', '(0, 32, 32, 3) '), 'latin1'),
    /got \[0, 32, 32, 3\]; it holds no image, N is 0$/,
  ],
  ['channels first', 'channels-first.npy', undefined, /got \[2, 3, 8, 8\] with channels first; save .*transpose/],
  [
    'an array that is cut off',
    'images.npy',
    cut(0.9),
    /the file is cut off or damaged: 36992 bytes are expected, it has 33292/,
  ],
  ['idx that is cut off', 'train-images-idx3-ubyte.gz', cut(0.5), /cut off or damaged \(unexpected end of file\)/],
  [
    'idx with fewer images',
    'train-images-idx3-ubyte.gz',
    (bytes) => gzipSync(cut(0.5)(gunzipSync(bytes))),
    /more bytes are expected/,
  ],
  ['CIFAR that is cut off', 'cifar-10-python.tar.gz', cut(0.5), /cut off or damaged \(unexpected end of file\)/],
  ['CIFAR that would run a program', 'cifar-evil.tar.gz', undefined, /it wants to use posix\.system, which is refused/],
  [
    'Parquet that is cut off',
    'gzip.parquet',
    cut(0.9),
    /a Parquet file is expected, but the file is cut off; get it again/,
  ],
  ['Parquet without images', 'text.parquet', undefined, /a column of images \{ bytes, path \} is expected, got text/],
]

for (const [what, name, change, message] of refused) {
  test(`${what} is refused in one sentence`, async (t) => {
    const path = change ? await changed(name, change) : fixture(name)
    const error = await t.throwsAsync(faultsOf(path), { instanceOf: DataError })
    t.regex(error.message, message)
    t.true(error.message.startsWith(path))
    t.false(error.message.includes('\n'))
  })
}

test('an empty path is said to be one', async (t) => {
  const message = /^a path is expected, got an empty one; give a folder of images, /
  await t.throwsAsync(openSource(''), { instanceOf: DataError, message })
})

test('no program was run, and no file was written', async (t) => {
  for (const name of ['executed', 'evil.png', '../evil.png', '../../evil.png']) {
    await t.throwsAsync(stat(fixture(name)), { code: 'ENOENT' })
  }
})

/** Sets the flag of encryption in every entry of the directory. */
function encrypted(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf('PK\x01\x02'); at >= 0; at = bytes.indexOf('PK\x01\x02', at + 4)) bytes[at + 8]! |= 1
  return bytes
}

/** Changes the checksum of the first file in the directory. */
function otherChecksum(bytes: Buffer): Buffer {
  bytes[bytes.indexOf('PK\x01\x02') + 16]! ^= 1
  return bytes
}

/** Names of arrays become names of texts. */
function renamed(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll('.npy', '.txt'), 'latin1')
}

/** Makes the first branch page point to itself. */
function circle(bytes: Buffer): Buffer {
  for (let page = 2; page * 4096 < bytes.length; page++) {
    const at = page * 4096
    if (bytes.readUInt16LE(at + 10) !== 1) continue
    for (let node = 0; node < (bytes.readUInt16LE(at + 12) - 16) / 2; node++) {
      bytes.writeUIntLE(page, at + bytes.readUInt16LE(at + 16 + 2 * node), 6)
    }
  }
  return bytes
}

test('a damaged file of a zip is one bad image', async (t) => {
  const path = await changed('stylegan3.zip', flip(300))
  t.deepEqual(await faultsOf(path), [`${path}: 00000/img00000000.png: the zip archive is cut off or damaged`])
})

test('a file of a zip that unpacks to a thousand times as much is one bad image', async (t) => {
  const bytes = deflateRawSync(Buffer.alloc(300 * 2 ** 20), { level: 1 })
  const [local, central, end] = [Buffer.alloc(30 + 5), Buffer.alloc(46 + 5), Buffer.alloc(22)]
  for (const [header, at, sign] of [
    [local, 8, 'PK\x03\x04'],
    [central, 10, 'PK\x01\x02'],
  ] as const) {
    header.write(sign, 'latin1')
    header.writeUInt16LE(8, at)
    header.writeUInt32LE(bytes.length, at + 10)
    header.writeUInt32LE(300 * 2 ** 20, at + 14)
    header.writeUInt16LE(5, at + 18)
    header.write('a.png', header.length - 5)
  }
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length + bytes.length, 16)
  const path = join(await folder(), 'bomb.zip')
  await writeFile(path, Buffer.concat([local, bytes, central, end]))
  const [fault] = await faultsOf(path)
  t.regex(fault!, /a\.png: a file of 314572800 bytes is too large, the limit is \d+$/)
})

test('a length that no file has takes no memory', async (t) => {
  const huge = await changed('tfrecord/pets-r02.tfrecords', (bytes) => bytes)
  t.deepEqual(await faultsOf(huge), [])
  const shape = await changed('images.npy', (bytes) =>
    Buffer.from(bytes.toString('latin1').replace('(12, 32, 32, 3)', '(99999999999,32,32,3)'), 'latin1'),
  )
  await t.throwsAsync(faultsOf(shape), { instanceOf: DataError })
})

/** Forms whose readers follow lengths and places that the file gives. */
const damaged = [
  'zip64.zip',
  'folders.zip',
  'mixed-sizes.tfrecords',
  'large_lmdb/data.mdb',
  'packed.npz',
  'gzip.parquet',
  'parquet/data/train-00000-of-00002.parquet',
]

for (const [seed, name] of damaged.entries()) {
  test(`${name} with changed bytes gives images or one sentence`, async (t) => {
    const bytes = await readFile(fixture(name))
    const path = join(await folder(), 'damaged')
    let state = seed + 1
    const random = (below: number) => Math.floor(((state = (state * 48271) % 2147483647) / 2147483647) * below)
    for (let time = 0; time < 30; time++) {
      const changed = Buffer.from(bytes)
      // Most of what readers follow stands at either end.
      const start = Math.max(changed.length - 1200, 0)
      for (let i = 0; i < 3; i++)
        changed[random(2) ? start + random(changed.length - start) : random(changed.length)] = random(256)
      await writeFile(path, random(8) ? changed : changed.subarray(0, random(changed.length)))
      const fault = await faultsOf(path).catch((error: unknown) => error)
      t.true(Array.isArray(fault) || (fault instanceof DataError && !fault.message.includes('\n')), String(fault))
    }
  })
}

test('labels that are called so and are too few are told, not passed over', async (t) => {
  const path = await changed('images.npz', (bytes) => {
    const at = bytes.indexOf('(12,)')
    return Buffer.concat([bytes.subarray(0, at), Buffer.from('(11,)'), bytes.subarray(at + 5)])
  })
  const source = await openSource(path)
  const labelling = await source.labels()
  await source.close()
  t.true('isBroken' in labelling && labelling.isBroken)
  t.regex('noLabels' in labelling ? labelling.noLabels : '', /12 labels are expected, one for each image, got \[11\]$/)
})
