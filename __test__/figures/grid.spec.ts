import test from 'ava'
import { gridSize, cropImages, tileImages } from '../../ts/figures/grid.ts'

test('grids are those of the official code: 7x4 at 1024 and 15x8 at 256 on a 4k screen', (t) => {
  t.deepEqual(gridSize(1024, '4k'), { columns: 7, rows: 4 })
  t.deepEqual(gridSize(256, '4k'), { columns: 15, rows: 8 })
  t.deepEqual(gridSize(32, '4k'), { columns: 32, rows: 32 })
  t.deepEqual(gridSize(1024, '1080p'), { columns: 3, rows: 2 })
  t.deepEqual(gridSize(128, '1080p'), { columns: 15, rows: 8 })
  t.deepEqual(gridSize(64, '1080p'), { columns: 30, rows: 16 })
  t.deepEqual(gridSize(4, '1080p'), { columns: 32, rows: 32 })
  t.throws(() => gridSize(0, '4k'), { message: 'gridSize: resolution must be a whole number above 0, got 0' })
})

test('images are placed row after row, and the last places stay white', (t) => {
  // Three images of 1 x 2 pixels with one channel.
  const picture = tileImages(new Uint8Array([1, 2, 3, 4, 5, 6]), { n: 3, h: 1, w: 2, c: 1 }, 2)
  t.deepEqual([picture.width, picture.height], [4, 2])
  t.deepEqual([...picture.pixels], [1, 2, 3, 4, 5, 6, 255, 255])
})

test('a gap is white, lies between images only, and keeps the channels of a pixel together', (t) => {
  const picture = tileImages(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]), { n: 4, h: 1, w: 1, c: 2 }, 2, 1)
  t.deepEqual([picture.width, picture.height], [3, 3])
  t.deepEqual(
    [...picture.pixels],
    [...[1, 2, 255, 255, 3, 4], ...Array<number>(6).fill(255), ...[5, 6, 255, 255, 7, 8]],
  )
})

test('each row of an image lands under the one before', (t) => {
  const picture = tileImages(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]), { n: 2, h: 2, w: 2, c: 1 }, 2)
  t.deepEqual([...picture.pixels], [1, 2, 5, 6, 3, 4, 7, 8])
})

test('a batch of another length and a grid of no columns are refused', (t) => {
  const shape = { n: 1, h: 2, w: 2, c: 3 }
  t.throws(() => tileImages(new Uint8Array(11), shape, 1), {
    instanceOf: RangeError,
    message: 'tileImages: batch must have 1·2·2·3 = 12 bytes, got 11',
  })
  t.throws(() => tileImages(new Uint8Array(12), shape, 0), {
    instanceOf: RangeError,
    message: 'tileImages: columns must be a whole number of at least 1, got 0',
  })
})

test('the same part of each image is kept', (t) => {
  const batch = Uint8Array.from({ length: 2 * 4 * 2 }, (_, i) => i)
  const shape = { n: 2, h: 4, w: 2, c: 1 }
  t.deepEqual([...cropImages(batch, shape, { top: 1, height: 2 })], [2, 3, 4, 5, 10, 11, 12, 13])
  t.deepEqual([...cropImages(batch, shape, { left: 1, top: 3 })], [7, 15])
  t.deepEqual(cropImages(batch, shape, {}), batch)
})
