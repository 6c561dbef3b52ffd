import test from 'ava'
import { mixingLayers } from '../../ts/networks/mixing.ts'

test('style mixing crosses over among the layers in use', (t) => {
  t.is(mixingLayers(18, 0), 18)
  t.is(mixingLayers(18, 0.5), 18)
  t.is(mixingLayers(18, 6.5), 6)
  t.is(mixingLayers(18, 7), 4)
  t.throws(() => mixingLayers(18, NaN), {
    instanceOf: RangeError,
    message: 'mixingLayers: lod must be finite and at least 0, got NaN',
  })
})
