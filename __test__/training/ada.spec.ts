/** The controller of augmentation. */
import test from 'ava'
import {
  adapt,
  augmentationOf,
  chooseAugmentation,
  isAugmentState,
  observe,
  overfitting,
} from '../../ts/training/ada.ts'
import { resolveConfig } from '../../ts/training/config.ts'

const config = resolveConfig('demo', { aug: 'ada', target: 0.6 })

/** p before each step of a run whose scores have this mean sign, with losses read so many steps late. */
function run(signs: (step: number) => number, steps: number, late: number, start = augmentationOf(config)!): number[] {
  const ps: number[] = []
  for (let step = 0; step < steps; step++) {
    adapt(start, step, config)
    ps.push(start.p)
    if (step >= late) observe(start, step - late, signs(step - late), 32)
  }
  return ps
}

test('p rises while D knows the real images better than the target, by 1 in 500 kimg, and falls to 0 otherwise', (t) => {
  const rising = run(() => 0.7, 4000, 2)
  // 4 steps of 32 images a time.
  t.is(rising[8], 128 / 500_000)
  t.true(Math.abs(rising.at(-1)! - ((3999 - 7) * 32) / 500_000) < 2 * (128 / 500_000))
  t.is(run(() => 0.5, 100, 2).at(-1), 0)
  const falling = run(() => -0.2, 40, 2, { p: 0.001, windows: [] })
  t.is(falling.at(-1), 0)
})

test('p never leaves 0 to 1', (t) => {
  t.is(run(() => 1, 400, 2, { p: 0.9999, windows: [] }).at(-1), 1)
})

test('training from another network moves p five times as fast', (t) => {
  const state = { p: 0, windows: [{ number: 0, signs: 100, images: 128 }] }
  adapt(state, 8, { ...config, resume: 'another.safetensors' })
  t.is(state.p, 128 / 100_000)
})

test('p is the same whether losses are read at once or as late as the loop may', (t) => {
  const signs = (step: number) => Math.sin(step) * 0.5 + 0.6
  t.deepEqual(run(signs, 200, 3), run(signs, 200, 1))
})

test('p of a state that was saved and read at any step goes on the same', (t) => {
  const signs = (step: number) => Math.sin(step * 0.9) * 0.5 + 0.6
  const whole = augmentationOf(config)!
  let parts = augmentationOf(config)!
  for (let step = 0; step < 100; step++) {
    for (const state of [whole, parts]) {
      adapt(state, step, config)
      observe(state, step, signs(step), 8 + (step % 3))
    }
    t.is(parts.p, whole.p)
    parts = JSON.parse(JSON.stringify(parts)) as typeof parts
    t.true(isAugmentState(parts))
    t.true(parts.windows.length <= 3, 'it does not grow')
  }
})

test('fixed augmentation has the p of its options, and no augmentation no state', (t) => {
  const fixed = resolveConfig('demo', { aug: 'fixed', p: 0.3 })
  t.deepEqual(augmentationOf(fixed, { p: 0.9, windows: [] }), { p: 0.3, windows: [] })
  const state = { p: 0.3, windows: [{ number: 0, signs: 8, images: 8 }] }
  adapt(state, 8, fixed)
  t.is(state.p, 0.3)
  t.is(augmentationOf(resolveConfig('demo', {})), undefined)
})

test('what is no state of augmentation is refused', (t) => {
  const windows = [{ number: 0, signs: 1, images: 8 }]
  t.true(isAugmentState({ p: 0.5, windows }))
  for (const bad of [null, 3, {}, { p: 2, windows }, { p: 0.1, windows: [{}] }, { p: '0.1', windows }, { p: 0.1 }]) {
    t.false(isAugmentState(bad), JSON.stringify(bad))
  }
})

test("fewer than 5,000 images of one's own are augmented, with the reason", (t) => {
  t.deepEqual(chooseAugmentation(4999, 'photos').aug, 'ada')
  t.is(chooseAugmentation(5000, 'photos').aug, 'none')
  t.deepEqual(chooseAugmentation(300, 'builtin:avatars'), { aug: 'none' })
  t.regex(chooseAugmentation(300, 'photos').reason!, /ada.*300 images are fewer than 5,000.*--aug none/)
})

test('overfitting is told where p is at its limit and r_t above 0.9, with what to do', (t) => {
  t.is(overfitting({ p: 0.4, windows: [] }, 0.95, config), undefined)
  t.is(overfitting({ p: 1, windows: [] }, 0.9, config), undefined)
  t.regex(overfitting({ p: 1, windows: [] }, 0.95, config)!, /r_t 0\.95 .* p is at its limit, 1\.00; .*--resume/)
  t.truthy(overfitting({ p: 0.4, windows: [] }, 0.95, { ...config, aug: 'fixed' }))
})
