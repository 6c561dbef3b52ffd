/** What a run will take: costs by resolution, measured or extrapolated, over its timeline. */
import test from 'ava'
import { resolveConfig, scheduleOptions } from '../../ts/training/config.ts'
import { imageMemory, imageWork, onceWork, secondsLeft } from '../../ts/runs/cost.ts'
import { toMeasure } from '../../ts/runs/choose.ts'
import { estimateRun } from '../../ts/runs/estimate.ts'
import { Device, scope } from '../../ts/native/index.ts'
import { progressAt } from '../../ts/training/schedule.ts'
import { createState } from '../../ts/training/state.ts'
import { trainingStep } from '../../ts/training/step.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

test('the time left counts later resolutions by their work', (t) => {
  const config = resolveConfig('demo', {
    ...{ resolution: 8, lodInitialResolution: 4, lodTrainingKimg: 10, lodTransitionKimg: 0, kimg: 30 },
    ...{ fmapBase: 64, fmapMax: 16 },
  })
  // 16 maps at 4x4 and 8x8: an 8x8 image costs 1 + 4 times the multiplications and pixels of a 4x4 one, reads twice as many
  // weights, and as much for launching. 5 kimg at 4x4 and 20 kimg at 8x8 are left.
  const [launches, small, weights] = [150_000, (4 * 16) ** 2 + 45 * 4 ** 2 * 16, 60 * 16 ** 2]
  const expected = 5 * 2 + 20 * 2 * ((launches + 5 * small + 2 * weights) / (launches + small + weights))
  t.true(Math.abs(secondsLeft(config, 5_000, 2) - expected) < 1e-12 * expected) // rounding
  t.is(secondsLeft(config, 20_000, 3), 30)
  t.is(secondsLeft(config, 30_000, 3), 0)
})

// A budget that a busy machine keeps too.
const tiny = resolveConfig('demo', {
  ...tinyConfig,
  data: 'x',
  fmapMax: 16,
  fmapBase: 256,
  resolution: 16,
  kimg: 0.128,
})

test('every resolution of the timeline is measured where the budget allows, with its whole minibatch', async (t) => {
  const { costs, phases, totalSeconds, memory } = await estimateRun(tiny, Device.open('cpu'), 600)
  t.deepEqual(
    costs.map(({ resolution, minibatch, measuredImages }) => [resolution, minibatch, measuredImages]),
    [
      [4, 8, 8],
      [8, 8, 8],
      [16, 8, 8],
    ],
  )
  t.deepEqual(
    phases.map(({ fromKimg, toKimg, resolution }) => [fromKimg, toKimg, resolution]),
    [
      [0, 0.032, 4],
      [0.032, 0.064, 8],
      [0.064, 0.096, 8],
      [0.096, 0.128, 16],
    ],
  )
  for (const { seconds, fromKimg, toKimg, resolution } of phases) {
    const { secPerKimg } = costs.find((cost) => cost.resolution === resolution)!
    t.is(seconds, (toKimg - fromKimg) * secPerKimg)
    t.true(seconds > 0)
  }
  t.is(
    totalSeconds,
    phases.reduce((sum, { seconds }) => sum + seconds, 0),
  )
  t.is(memory, Math.max(...costs.map((cost) => cost.memory)))
})

test('the memory of a measured resolution is what training on it takes', async (t) => {
  const config = resolveConfig('demo', { data: 'x', lodInitialResolution: 32, batch: 4, fmapMax: 16 })
  const { memory } = await estimateRun(config, Device.open('cpu'), 600)
  const device = Device.open('cpu')
  const state = createState(device, config)
  for (let step = 0; step < 3; step++) {
    scope(() => {
      const images = device.tensor(new Uint8Array(4 * 32 * 32 * 3), [4, 32, 32, 3])
      trainingStep(state, images, progressAt(step * 4, scheduleOptions(config)), config)
    })
  }
  await device.synchronize()
  // Style mixing and what a free block is larger than the request that it serves make some steps need more than others.
  t.true(Math.abs(memory / device.memory().peak - 1) < 0.2, `${memory} and ${device.memory().peak}`)
})

test('what does not fit the budget is extrapolated from the size of the layers, and says so', async (t) => {
  const { costs } = await estimateRun(tiny, Device.open('cpu'), 0)
  const [first, ...others] = costs
  // One group of the minibatch deviation, and half of it: what a step costs once must not be taken for an image's own.
  t.is(first!.measuredImages, 4)
  for (const [i, { measuredImages, secPerKimg, memory, resolution }] of others.entries()) {
    const before = costs[i]!
    t.is(measuredImages, 0)
    // Which part of a step is an image's own is measured: the bound is the growth of whichever part grows more.
    const growth = Math.max(...[imageWork, onceWork].map((of) => of(tiny, resolution) / of(tiny, resolution / 2)))
    t.true(secPerKimg >= before.secPerKimg && secPerKimg <= before.secPerKimg * growth * (1 + 1e-9)) // rounding
    t.true(memory >= before.memory)
  }
  t.true(imageMemory(tiny, 8) > imageMemory(tiny, 4))
})

test('the last resolution can be measured whatever the budget', async (t) => {
  const { costs } = await estimateRun(tiny, Device.open('cpu'), 0, true)
  t.true(costs.at(-1)!.measuredImages >= 1)
})

test('a conditional run is measured with labels', async (t) => {
  const config = resolveConfig('demo', { ...tinyConfig, data: 'x', cond: true, labelSize: 3 })
  const { totalSeconds } = await estimateRun(config, Device.open('cpu'), 600)
  t.true(totalSeconds > 0)
})

test('what is left to the number of images is measured as training will have it', async (t) => {
  const few = await toMeasure(resolveConfig('stylegan', { data: await tinyDataset() }))
  t.deepEqual([few.aug, few.p], ['ada', 0.5])
  t.is((await toMeasure(resolveConfig('stylegan', { data: 'builtin:avatars' }))).aug, 'auto')
  const none = resolveConfig('stylegan', { data: 'x', aug: 'none' })
  t.is(await toMeasure(none), none)
})
