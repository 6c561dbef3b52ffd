/** Options for a number of hours, from seconds that a machine was measured with. */
import test from 'ava'
import { resolveConfig } from '../../ts/training/config.ts'
import { kimgIn, optionsOf, planFor, secondsOf, sizes, sizesFor, type Size } from '../../ts/training/plan.ts'
import type { ByResolution } from '../../ts/training/schedule.ts'

/** A machine on which an image at 64×64 with 64 maps takes 8 ms, as on two CPU cores, times `slow`; four times at twice the side. */
function machine(slow: number, given: readonly Size[] = sizes): (readonly [Size, ByResolution])[] {
  return given.map((size) => {
    const seconds: Record<number, number> = {}
    for (let side = 4; side <= size.resolution; side *= 2)
      seconds[side] = slow * 8 * (side / 64) ** 2 * (size.fmapMax / 64) ** 1.5
    return [size, seconds] as const
  })
}

const hours = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 16, 24, 48, 100, 1000]
const place = (size: Size) =>
  sizes.findIndex((one) => one.resolution === size.resolution && one.fmapMax === size.fmapMax)

test('an evening on two cores is 64x64 with 128 maps, two hours are 64 maps, three minutes 32x32', (t) => {
  const evening = planFor(8, machine(1))
  t.deepEqual([evening.size.resolution, evening.size.fmapMax, evening.options.batch], [64, 128, 16])
  t.deepEqual([evening.options.gamma, evening.options.glr, evening.options.latentSize], [5, 0.002, 256])
  t.is(planFor(0.05, machine(1)).size.resolution, 32)
  t.is(planFor(2, machine(1)).size.fmapMax, 64)
})

test('more hours and faster machines never give a smaller size, nor fewer kimg of the same size', (t) => {
  for (const slow of [3, 1, 0.1, 0.001]) {
    let before = planFor(hours[0]!, machine(slow))
    for (const more of hours.slice(1)) {
      const plan = planFor(more, machine(slow))
      t.true(place(plan.size) >= place(before.size), `${more} h at ${slow}`)
      if (plan.size === before.size || place(plan.size) === place(before.size))
        t.true(plan.options.kimg! >= before.options.kimg!, `${more} h at ${slow}`)
      t.true(place(planFor(more, machine(slow / 2)).size) >= place(plan.size))
      before = plan
    }
  }
  t.is(planFor(1000, machine(0.001)).size.resolution, 1024)
})

test('training takes the hours, but for what pictures and metrics need, and the options are those of a run', (t) => {
  for (const slow of [3, 1, 0.1, 0.001]) {
    for (const length of hours) {
      const { options, seconds } = planFor(length, machine(slow))
      const share = seconds / (length * 3600)
      t.true(share > 0.92 && share < 0.95, `${length} h at ${slow}: ${share}`) // three digits of kimg
      const config = resolveConfig('stylegan', { data: 'x', ...options })
      t.true(Number(config.tick) * config.snap <= config.kimg)
      const grown = Math.log2(config.resolution / 8) * (config.lodTrainingKimg + config.lodTransitionKimg)
      t.true(grown <= 0.41 * config.kimg)
      t.true(config.emaKimg <= 10 && config.emaKimg > 0)
    }
  }
})

test('a larger size is chosen only if it comes to the kimg that it needs, which is told of the next one', (t) => {
  const { size, options, next } = planFor(8, machine(1))
  t.true(options.kimg! >= size.needsKimg)
  t.true(next!.kimg < next!.size.needsKimg)
})

test('what is given wins, and lengths follow from it', (t) => {
  const given = { gamma: 2, emaKimg: 3, mixingProb: 0.5, lodTrainingKimg: 7, mappingLayers: 2, tick: 1 } as const
  const { options } = planFor(8, machine(1), given)
  t.like(options, given)
  const named = { fmapBase: 512, fmapMax: 32, batch: 8, resolution: 64 } as const
  const own = sizesFor(4000, named)
  t.deepEqual(
    own.map((one) => one.resolution),
    [32, 64, 64],
  )
  for (const one of own) t.like(one, { fmapBase: 512, fmapMax: 32, batch: 8 })
  t.is(planFor(8, machine(1), { kimg: 77 }).options.kimg, 77)
  const grown = planFor(8, machine(1), { lodInitialResolution: 64, resolution: 64 })
  t.is(grown.options.lodInitialResolution, grown.size.resolution)
  t.is(sizesFor(4000, { lodInitialResolution: 64 })[0]!.resolution, 64)
})

test('--resolution is the largest size, and few images have no wide networks', (t) => {
  t.deepEqual(
    sizesFor(4000, { resolution: 16 }).map((one) => one.resolution),
    [16],
  )
  t.is(Math.max(...sizesFor(4000, { resolution: 128 }).map((one) => one.resolution)), 128)
  t.is(Math.max(...sizesFor(300, {}).map((one) => one.fmapMax)), 128)
  t.is(sizesFor(4000, {}).length, sizes.length)
})

test('the length is the one whose seconds fill the time', (t) => {
  const [size, seconds] = machine(1)[1]!
  const kimg = kimgIn(8, size, seconds, {})
  const taken = secondsOf(optionsOf(size, kimg, 8, {}), seconds)
  t.true(Math.abs(taken / (8 * 3600 * 0.94) - 1) < 0.01) // three digits
})
