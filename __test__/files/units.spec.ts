import test from 'ava'
import { formatBytes, formatKimg, formatTime, plural } from '../../ts/files/units.ts'

test('times are written as the official code writes them', (t) => {
  t.deepEqual([0, 59.4, 59.6, 3599, 3600, 86_399, 86_400 + 2 * 3600 + 3 * 60 + 4, Infinity].map(formatTime), [
    '0s',
    '59s',
    '1m 00s',
    '59m 59s',
    '1h 00m 00s',
    '23h 59m 59s',
    '1d 02h 03m',
    '-',
  ])
})

test('sizes are whole MiB, or GiB with at most one decimal', (t) => {
  t.deepEqual([1, 2 ** 20, 1.5 * 2 ** 30, 2 ** 31].map(formatBytes), ['1 MiB', '1 MiB', '1.5 GiB', '2 GiB'])
})

test('thousands of images have the decimals that they need', (t) => {
  const texts = [0, 8, 20, 500, 999, 1000, 1536, 25_000_000].map(formatKimg)
  t.deepEqual(texts, ['0.0', '0.008', '0.02', '0.5', '0.999', '1.0', '1.5', '25000.0'])
})

test('one of something is told in the singular', (t) => {
  const words = [0, 1, 2].map((count) => plural(count, 'image'))
  t.deepEqual(words, ['images', 'image', 'images'])
  t.deepEqual([plural(1, 'class', 'classes'), plural(2, 'class', 'classes')], ['class', 'classes'])
})
