import test from 'ava'
import type { ScheduleOptions } from '../../ts/training/schedule.ts'
import {
  emaBeta,
  emaKimgAt,
  OFFICIAL_LRATE,
  OFFICIAL_MINIBATCH,
  OFFICIAL_TICK_KIMG,
  progressAt,
  resetsOptimizer,
  timeline,
} from '../../ts/training/schedule.ts'

// train.py for FFHQ on 8 GPUs.
const ffhq: ScheduleOptions = {
  resolution: 1024,
  lodInitialResolution: 8,
  lodTrainingKimg: 600,
  lodTransitionKimg: 600,
  minibatchBase: OFFICIAL_MINIBATCH[8].base,
  minibatchDict: OFFICIAL_MINIBATCH[8].dict,
  gLrateBase: OFFICIAL_LRATE.base,
  gLrateDict: OFFICIAL_LRATE.dict,
  dLrateBase: OFFICIAL_LRATE.base,
  dLrateDict: OFFICIAL_LRATE.dict,
  lrateRampupKimg: 0,
  tickKimgBase: OFFICIAL_TICK_KIMG.base,
  tickKimgDict: OFFICIAL_TICK_KIMG.dict,
}
const at = (kimg: number, changes: Partial<ScheduleOptions> = {}) => progressAt(kimg * 1000, { ...ffhq, ...changes })

test('FFHQ trains 8x8 alone until 600 kimg, fades to 16x16 until 1200, and reaches 1024x1024 at 8400', (t) => {
  const lods: [kimg: number, lod: number, resolution: number][] = [
    [0, 7, 8],
    [599.999, 7, 8],
    [600, 7, 8],
    [900, 6.5, 16],
    [1200, 6, 16],
    [1800, 6, 16],
    [2400, 5, 32],
    [3600, 4, 64],
    [4800, 3, 128],
    [6000, 2, 256],
    [7200, 1, 512],
    [7800, 1, 512],
    [8100, 0.5, 1024],
    [8400, 0, 1024],
    [25000, 0, 1024],
  ]
  for (const [kimg, lod, resolution] of lods) {
    const p = at(kimg)
    t.deepEqual({ kimg, lod: p.lod, resolution: p.resolution }, { kimg, lod, resolution })
  }
})

test('the first image of a fade already trains at the new resolution, minibatch and learning rate', (t) => {
  const before = at(4200)
  const after = progressAt(4_200_001, ffhq)
  t.deepEqual([before.resolution, before.minibatch, before.gLrate, before.kind], [64, 32, 0.001, 'stable'])
  t.deepEqual([after.resolution, after.minibatch, after.gLrate, after.kind], [128, 32, 0.0015, 'fade'])
  t.true(after.lod < 4 && after.lod > 3.99)
})

test('the timeline names each phase once, without gaps, and agrees with progressAt in the middle of each', (t) => {
  const phases = timeline(ffhq, 25000)
  t.is(phases.length, 15)
  t.deepEqual(phases[1], { fromKimg: 600, toKimg: 1200, resolution: 16, kind: 'fade' })
  t.deepEqual(phases.at(-1), { fromKimg: 8400, toKimg: 25000, resolution: 1024, kind: 'stable' })
  let kimg = 0
  for (const phase of phases) {
    t.is(phase.fromKimg, kimg)
    kimg = phase.toKimg
    const p = at((phase.fromKimg + phase.toKimg) / 2)
    t.deepEqual([p.resolution, p.kind], [phase.resolution, phase.kind])
  }
})

test('a timeline ends at the total even in the middle of a fade, and phases of no length are left out', (t) => {
  t.deepEqual(timeline(ffhq, 700), [
    { fromKimg: 0, toKimg: 600, resolution: 8, kind: 'stable' },
    { fromKimg: 600, toKimg: 700, resolution: 16, kind: 'fade' },
  ])
  t.deepEqual(timeline({ ...ffhq, lodInitialResolution: 1024 }, 5), [
    { fromKimg: 0, toKimg: 5, resolution: 1024, kind: 'stable' },
  ])
  const steps = timeline({ ...ffhq, resolution: 16, lodTransitionKimg: 0 }, 1000)
  t.deepEqual(
    steps.map((p) => [p.fromKimg, p.resolution, p.kind]),
    [
      [0, 8, 'stable'],
      [600, 16, 'stable'],
    ],
  )
  t.deepEqual(timeline(ffhq, 0), [])
})

test('without a transition the resolution doubles at once', (t) => {
  t.is(at(599, { lodTransitionKimg: 0 }).lod, 7)
  t.is(at(600, { lodTransitionKimg: 0 }).lod, 6)
})

test('an initial resolution between powers of two is rounded down', (t) => {
  t.is(at(0, { lodInitialResolution: 15 }).resolution, 8)
})

test('lod never rises, and one image lowers it by one image of a fade at most, also with uneven lengths', (t) => {
  const options = { ...ffhq, lodTrainingKimg: 0.1, lodTransitionKimg: 0.2 }
  let previous = 7
  for (let nimg = 0; nimg <= 3000; nimg++) {
    const { lod } = progressAt(nimg, options)
    t.true(lod <= previous && previous - lod <= 0.0051, `lod went from ${previous} to ${lod} at image ${nimg}`)
    previous = lod
  }
  t.is(previous, 0)
})

test('total minibatches are those of train.py for 1, 2, 4 and 8 GPUs', (t) => {
  const sides = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
  const row = (gpus: 1 | 2 | 4 | 8) =>
    sides.map((side) => {
      const { base, dict } = OFFICIAL_MINIBATCH[gpus]
      return progressAt(0, {
        ...ffhq,
        resolution: side,
        lodInitialResolution: side,
        minibatchBase: base,
        minibatchDict: dict,
      }).minibatch
    })
  t.deepEqual(row(1), [128, 128, 128, 64, 32, 16, 8, 4, 4])
  t.deepEqual(row(2), [256, 256, 128, 64, 32, 16, 8, 8, 8])
  t.deepEqual(row(4), [512, 256, 128, 64, 32, 16, 16, 16, 16])
  t.deepEqual(row(8), [512, 256, 128, 64, 32, 32, 32, 32, 32])
})

test('learning rates and tick lengths follow the training resolution', (t) => {
  const kimgs = [0, 1500, 2700, 3900, 5100, 6300, 7500, 9000]
  t.deepEqual(
    kimgs.map((kimg) => at(kimg).dLrate),
    [0.001, 0.001, 0.001, 0.001, 0.0015, 0.002, 0.003, 0.003],
  )
  t.deepEqual(
    kimgs.map((kimg) => at(kimg).tickKimg),
    [140, 120, 100, 80, 60, 40, 30, 20],
  )
})

test('G and D have their own learning rates, and the ramp-up scales both from 0', (t) => {
  const options = {
    gLrateBase: 0.002,
    gLrateDict: {},
    dLrateBase: 0.004,
    dLrateDict: { 8: 0.006 },
    lrateRampupKimg: 10,
  }
  t.deepEqual([at(0, options).gLrate, at(0, options).dLrate], [0, 0])
  t.deepEqual([at(5, options).gLrate, at(5, options).dLrate], [0.001, 0.003])
  t.deepEqual([at(20, options).gLrate, at(20, options).dLrate], [0.002, 0.006])
})

test('the decay of the running average is 0.5^(minibatch / 10 kimg)', (t) => {
  // Worked out from the official formula, to six decimals.
  const betas = [
    [4, 0.999723],
    [8, 0.999446],
    [16, 0.998892],
    [32, 0.997784],
    [64, 0.995574],
    [128, 0.991167],
    [256, 0.982412],
    [512, 0.965133],
  ] as const
  for (const [minibatch, beta] of betas) t.is(Number(emaBeta(minibatch, 10).toFixed(6)), beta)
  t.is(emaBeta(16, 0), 0)
  t.is(emaBeta(16, -1), 0)
})

test('the half-life of the running average grows with the images seen when a ramp-up is set', (t) => {
  t.is(emaKimgAt(0, 10, null), 10)
  t.is(emaKimgAt(0, 10, 0.05), 0)
  t.is(emaKimgAt(40_000, 10, 0.05), 2)
  t.is(emaKimgAt(1_000_000, 10, 0.05), 10)
})

test('Adam is reset at the start, when a fade begins and when it ends, and not within', (t) => {
  t.true(resetsOptimizer(-1, 7))
  t.false(resetsOptimizer(7, 7))
  t.true(resetsOptimizer(7, 6.99))
  t.false(resetsOptimizer(6.99, 6.01))
  t.true(resetsOptimizer(6.01, 6))
  t.false(resetsOptimizer(0, 0))
  t.true(resetsOptimizer(-1, 0))
})

test('impossible arguments are refused with what was expected and found', (t) => {
  const refuses = (run: () => unknown, message: string) => t.throws(run, { instanceOf: RangeError, message })
  refuses(() => progressAt(NaN, ffhq), 'progressAt: nimg must be finite and at least 0, got NaN')
  refuses(() => progressAt(-1, ffhq), 'progressAt: nimg must be finite and at least 0, got -1')
  refuses(() => at(0, { resolution: 48 }), 'schedule: resolution must be a power of two of at least 4, got 48')
  refuses(() => at(0, { resolution: NaN }), 'schedule: resolution must be a power of two of at least 4, got NaN')
  refuses(
    () => at(0, { lodInitialResolution: 2048 }),
    'schedule: lodInitialResolution must be from 4 to 1024, got 2048',
  )
  refuses(() => at(0, { lodTrainingKimg: NaN }), 'schedule: lodTrainingKimg must be finite and at least 0, got NaN')
  refuses(() => timeline(ffhq, Infinity), 'timeline: totalKimg must be finite and at least 0, got Infinity')
  refuses(() => emaBeta(0, 10), 'emaBeta: minibatch must be above 0, got 0')
})
