/** The order in which images are shown. */
import test from 'ava'
import { Sampler } from '../../ts/data/sampler.ts'

test('an epoch shows every image once, the next in another order, and any position can be asked for', (t) => {
  const sampler = new Sampler(1, 10, false)
  const first = sampler.at(0, 10).indices
  const second = sampler.at(10, 10).indices
  t.deepEqual([...first].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.notDeepEqual(first, second)
  t.deepEqual(new Sampler(1, 10, false).at(8, 4).indices, [...first.slice(8), ...second.slice(0, 2)])
})

test('about half of the images are mirrored, none without mirroring', (t) => {
  const count = (mirror: boolean) => new Sampler(1, 100, mirror).at(0, 1000).mirror.filter(Boolean).length
  t.is(count(false), 0)
  // Standard deviation 16.
  t.true(Math.abs(count(true) - 500) < 64, `${count(true)}`)
})
