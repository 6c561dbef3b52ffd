/** Archives of which only a part of the directory is held. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { DataFile } from '../../../ts/data/sources/file.ts'
import { openSource } from '../../../ts/data/sources/index.ts'
import { ZipFile } from '../../../ts/data/sources/zip-file.ts'
import { centralDirectory, localHeader, zipEntry } from '../../../ts/files/zip-writer.ts'
import { folder } from '../../support/folder.ts'

/** An archive of files whose content follows from their numbers. */
async function archive(names: readonly string[]): Promise<string> {
  const path = join(await folder(), 'some.zip')
  const files = names.map((name, i) => ({
    bytes: Buffer.from(`file ${i}`),
    entry: zipEntry(name, Buffer.from(`file ${i}`)),
  }))
  const pieces = files.flatMap(({ bytes, entry }) => [localHeader(entry), bytes])
  await writeFile(path, Buffer.concat([...pieces, ...centralDirectory(files.map(({ entry }) => entry))]))
  return path
}

/** More than is held of a directory; one name alone is longer than that. */
const names = Array.from(
  { length: 600 },
  (_, i) => `${(i * 257) % 600}/a${'x'.repeat(i === 300 ? 40_000 : (i * 97) % 200)}.png`,
)

test('each file of a large directory is found, in any order', async (t) => {
  const zip = await ZipFile.open(await DataFile.open(await archive(names)))
  const order = [...names.keys(), ...[...names.keys()].reverse(), ...names.map((_, i) => (i * 301) % names.length)]
  for (const i of order) {
    t.is(zip.name(i), names[i]!)
    t.is(Buffer.from(await zip.content(i)).toString(), `file ${i}`)
  }
  await zip.file.close()
})

test('images are in the order of the bytes of their names, and of two of one name the later one counts', async (t) => {
  const given = [...names, '\u{ff5e}.png', '\u{1f600}.png', names[7]!]
  const source = await openSource(await archive(given))
  const sorted = [...new Set(given)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  t.deepEqual(
    Array.from({ length: source.count }, (_, i) => source.name(i)),
    sorted,
  )
  const [image] = await source.read(sorted.indexOf(names[7]!), 1)
  t.true(
    typeof image === 'object' && 'bytes' in image && Buffer.from(image.bytes).toString() === `file ${given.length - 1}`,
  )
  await source.close()
})

test('names that are in order by UTF-16 alone are sorted', async (t) => {
  const source = await openSource(await archive(['a.png', '\u{1f600}.png', '\u{ff5e}.png']))
  t.deepEqual(
    [0, 1, 2].map((i) => source.name(i)),
    ['a.png', '\u{ff5e}.png', '\u{1f600}.png'],
  )
  await source.close()
})
