/** What the trainings for a better demo have in common, and how long they are. */
import test from 'ava'
import { configOf, equalLength } from '../../scripts/demo-factors.ts'
import { sameRun } from '../../ts/training/config.ts'

test('each factor changes its own settings of the demo, beside gamma', (t) => {
  const differing = (name: string) => sameRun(configOf(name), configOf('gamma5'))
  t.deepEqual(differing('demo'), ['gamma'])
  t.deepEqual(differing('rates'), ['glr', 'dlr'])
  t.deepEqual(differing('minibatch'), ['batch'])
  t.deepEqual(differing('maps'), ['fmapBase'])
  t.deepEqual(differing('growing'), ['lodTrainingKimg', 'lodTransitionKimg'])
  t.deepEqual(differing('both'), ['batch', 'lodTrainingKimg', 'lodTransitionKimg'])
  t.deepEqual(differing('avatars'), ['data'])
  t.throws(() => configOf('gama'), { message: /some of gamma5, demo, gamma1, .* are expected, got gama/ })
})

test('a training whose images cost twice as much at the last size takes as long as the demo', (t) => {
  const cost = (side: number) => (side < 32 ? 1 : 4)
  const demo = configOf('demo')
  t.is(equalLength(demo, cost, demo, cost), 135)
  // 32 kimg of 8×8 and 16×16, then 103 kimg of 32×32: half of them are 51.
  t.is(
    equalLength(demo, (side) => (side < 32 ? 1 : 8), demo, cost),
    83,
  )
  // The largest size is reached 16 kimg earlier, so the same time has 12 kimg less.
  t.is(equalLength(configOf('growing'), cost, demo, cost), 123)
})
