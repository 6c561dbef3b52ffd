/** What is told of a source before it is prepared. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { inspectSource } from '../../ts/data/inspect.ts'
import { encodePng } from '../../ts/native/index.ts'
import { folder } from '../support/folder.ts'

/** A pattern that has an edge in each direction, so that no two seeds look the same. */
function pattern(width: number, height: number, seed: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const wave = Math.sin(((x / width) * (3 + seed) + (y / height) * (7 - seed)) * 3)
      pixels.fill(128 + 100 * wave, (y * width + x) * 3, (y * width + x) * 3 + 3)
    }
  }
  return pixels
}

async function write(dir: string, name: string, width: number, height: number, seed: number): Promise<string> {
  const path = join(dir, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, await encodePng(pattern(width, height, seed), width, height, 3))
  return path
}

test('numbers, sizes, repeated and unreadable images and classes are counted', async (t) => {
  const dir = await folder()
  const first = await write(dir, 'cats/a.png', 64, 64, 0)
  await write(dir, 'cats/b.png', 64, 48, 1)
  await write(dir, 'dogs/c.png', 32, 64, 2)
  await copyFile(first, join(dir, 'dogs', 'same.png'))
  await write(dir, 'dogs/smaller.png', 32, 32, 0)
  await writeFile(join(dir, 'dogs', 'empty.png'), '')
  await writeFile(join(dir, 'notes.txt'), 'text')
  const { inspection, sample } = await inspectSource(dir)
  t.is(inspection.count, 5)
  t.is(inspection.kind, 'folder')
  t.deepEqual(inspection.formats, { PNG: 5 })
  t.deepEqual(inspection.sizes, { '64x64': 2, '64x48': 1, '32x64': 1, '32x32': 1 })
  t.deepEqual(inspection.aspects, { square: 3, landscape: 1, portrait: 1 })
  t.deepEqual(inspection.colours, { RGB: 5 })
  t.deepEqual(inspection.duplicates, { count: 1, images: [{ image: 'dogs/same.png', of: 'cats/a.png' }] })
  t.deepEqual(inspection.nearDuplicates, { count: 1, images: [{ image: 'dogs/smaller.png', of: 'cats/a.png' }] })
  t.is(inspection.unreadable.count, 1)
  t.regex(inspection.unreadable.images[0]!, /empty\.png: the file is empty \(0 bytes\)$/)
  t.deepEqual(inspection.leftOut, { '.txt': 1 })
  t.deepEqual(inspection.classes, { cats: 2, dogs: 3 })
  // Three of five have both sides of at least 48, none of 64 but one: half need 32.
  t.is(inspection.resolution, 32)
  t.is(inspection.below, 0)
  t.is(inspection.bytes, 5 * (3 * (32 * 32 + 16 * 16 + 8 * 8 + 4 * 4) + 4 * 4))
  t.deepEqual([sample?.count, sample?.side], [5, 32])
})

test('images whose shorter side is below the resolution that is asked for are counted', async (t) => {
  const dir = await folder()
  await write(dir, 'a.png', 64, 64, 0)
  await write(dir, 'b.png', 64, 63, 1)
  const { inspection } = await inspectSource(dir, { resolution: 64 })
  t.deepEqual([inspection.resolution, inspection.below], [64, 1])
  t.is(inspection.classes, null)
  t.regex(
    inspection.noLabels!,
    /^\S+ has none; each class may have a folder of its own, or dataset\.json may list labels$/,
  )
})
