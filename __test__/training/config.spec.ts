import type { ExecutionContext } from 'ava'
import test from 'ava'
import {
  checkedConfig,
  checkOption,
  configFromJson,
  presets,
  resolveConfig,
  runName,
  sameRun,
  scheduleOptions,
  type TrainConfig,
} from '../../ts/training/config.ts'
import { BUILTIN_AVATARS } from '../../ts/data/info.ts'
import { featureMaps } from '../../ts/networks/params.ts'
import { progressAt, timeline } from '../../ts/training/schedule.ts'

function refuses(t: ExecutionContext, overrides: Readonly<Record<string, unknown>>, message: string): void {
  t.throws(() => checkedConfig('demo', overrides), { instanceOf: RangeError, message })
}

test('the stylegan preset holds the official numbers for FFHQ', (t) => {
  const config = resolveConfig('stylegan', { data: 'ffhq' })
  t.like(config, { resolution: 1024, kimg: 25_000, gamma: 10, fmapBase: 8192, fmapMax: 512, latentSize: 512 })
  t.like(config, {
    mappingLayers: 8,
    mappingLrmul: 0.01,
    mixingProb: 0.9,
    mbstdGroup: 4,
    emaKimg: 10,
    dlatentAvgBeta: 0.995,
  })
  const options = scheduleOptions(config)
  t.is(timeline(options, config.kimg).at(-1)?.fromKimg, 8400)
  t.like(progressAt(0, options), { resolution: 8, minibatch: 128, gLrate: 0.001, dLrate: 0.001, tickKimg: 140 })
  t.like(progressAt(9e6, options), { resolution: 1024, minibatch: 4, gLrate: 0.003, dLrate: 0.003, tickKimg: 20 })
})

// StyleGAN, Appendices C and E; official train.py.
for (const [preset, options, lrates] of [
  ['ffhq', { resolution: 1024, kimg: 25_000, loss: 'logistic', gamma: 10, mirror: true }, [0.001, 0.003]],
  ['ffhq512', { resolution: 512, kimg: 25_000, loss: 'logistic', gamma: 10, mirror: true }, [0.001, 0.003]],
  ['ffhq256', { resolution: 256, kimg: 25_000, loss: 'logistic', gamma: 10, mirror: true }, [0.001, 0.002]],
  ['celebahq', { resolution: 1024, kimg: 25_000, loss: 'wgan-gp', gamma: 0, mirror: true }, [0.001, 0.002]],
  ['bedroom', { resolution: 256, kimg: 70_000, loss: 'logistic', gamma: 10, mirror: false }, [0.001, 0.002]],
  ['car', { resolution: 512, kimg: 46_000, loss: 'logistic', gamma: 10, mirror: false }, [0.001, 0.003]],
  ['cat', { resolution: 256, kimg: 70_000, loss: 'logistic', gamma: 10, mirror: false }, [0.001, 0.002]],
] as const) {
  test(`preset ${preset} holds the paper's numbers`, (t) => {
    const config = resolveConfig(preset, { data: 'x' })
    t.like(config, { preset, ...options })
    const schedule = scheduleOptions(config)
    const [first, last] = [progressAt(0, schedule), progressAt(24e6, schedule)]
    t.deepEqual([first.gLrate, last.gLrate, first.dLrate, last.dLrate], [...lrates, ...lrates])
  })
}

test('automatic minibatches are the official ones of 1, 2, 4 and 8 GPUs', (t) => {
  const at = (gpus: TrainConfig['gpus']) => {
    const schedule = scheduleOptions(resolveConfig('ffhq', { data: 'x', gpus, lodInitialResolution: 4 }))
    return [0, 1300, 2500, 3700, 4900, 6100, 7300, 8500, 9700].map(
      (kimg) => progressAt(kimg * 1000, schedule).minibatch,
    )
  }
  t.deepEqual(at(1), [128, 128, 128, 64, 32, 16, 8, 4, 4])
  t.deepEqual(at(2), [256, 256, 128, 64, 32, 16, 8, 8, 8])
  t.deepEqual(at(4), [512, 256, 128, 64, 32, 16, 16, 16, 16])
  t.deepEqual(at(8), [512, 256, 128, 64, 32, 32, 32, 32, 32])
})

test('configurations A to F set what Table 1 says, and options given by name win', (t) => {
  const of = (config: TrainConfig['config'], more = {}) => resolveConfig('ffhq', { data: 'x', config, ...more })
  t.like(of('A'), { loss: 'wgan-gp', gamma: 0, lodInitialResolution: 4, kimg: 12_000, mixingProb: 0, mappingLayers: 0 })
  t.like(of('B'), {
    loss: 'logistic',
    gamma: 10,
    lodInitialResolution: 8,
    kimg: 25_000,
    mixingProb: 0,
    mappingLayers: 0,
  })
  for (const config of ['C', 'D', 'E'])
    t.like(of(config as TrainConfig['config']), { gamma: 10, mixingProb: 0, mappingLayers: 8 })
  t.like(of('F'), { mixingProb: 0.9, mappingLayers: 8 })
  t.like(of('A', { loss: 'logistic', kimg: 5 }), { loss: 'logistic', gamma: 10, kimg: 5 })
  // Table 2 and Table 4.
  for (const mixingProb of [0, 0.5, 0.9, 1]) t.is(of('F', { mixingProb }).mixingProb, mixingProb)
  t.is(of('B', { mappingLayers: 8 }).mappingLayers, 8)
  t.is(of('F', { mappingLayers: 0 }).mappingLayers, 0)
  // A short run stays short.
  t.is(resolveConfig('demo', { config: 'A' }).kimg, presets.demo.kimg)
})

const contradictions: [Record<string, unknown>, RegExp][] = [
  [
    { loss: 'hinge', gamma: 4 },
    /^gamma and loss: options that fit together are expected, got 4 and "hinge"; R1 and R2/,
  ],
  [{ loss: 'wgan-gp', r2Gamma: 1 }, /^r2Gamma and loss: .*got 1 and "wgan-gp"/],
  [{ config: 'B', mixingProb: 0.9 }, /^mixingProb and config: .*got 0.9 and "B"; A and B have no styles to mix/],
  [{ config: 'A', mappingLayers: 8 }, /^mappingLayers and config: .*got 8 and "A"; A has no mapping network/],
  [{ config: 'A', cond: true }, /^cond and config: .*got true and "A"/],
  [{ cond: true, mappingLayers: 0 }, /^cond and mappingLayers: .*got true and 0/],
  [{ aug: 'fixed' }, /^p and aug: .*got 0 and "fixed"; fixed augmentation needs a probability/],
  [{ aug: 'none', p: 0.2 }, /^p and aug: .*got 0.2 and "none"; p belongs to augmentation/],
  [{ labelSize: 3 }, /^labelSize and cond: .*got 3 and false/],
  [{ batch: 16, gpus: 8 }, /^batch and gpus: .*got 16 and 8/],
]
for (const [overrides, message] of contradictions) {
  test(`options that contradict each other are both named: ${Object.keys(overrides).join(' and ')} ${message.source.slice(0, 24)}`, (t) => {
    t.throws(() => checkedConfig('demo', overrides), { instanceOf: RangeError, message })
  })
}

test('the demo preset trains the built-in avatars and reaches full resolution well before its end', (t) => {
  const config = resolveConfig('demo', {})
  t.is(config.data, BUILTIN_AVATARS)
  const phases = timeline(scheduleOptions(config), config.kimg)
  t.is(phases.at(-1)?.resolution, config.resolution)
  t.true(phases.at(-1)!.fromKimg < config.kimg / 2)
})

test('numbers for batch, learning rates and tick replace the tables at every resolution', (t) => {
  const options = scheduleOptions(resolveConfig('stylegan', { data: 'x', batch: 12, glr: 0.01, dlr: 0.02, tick: 3 }))
  for (const kimg of [0, 9000]) {
    t.like(progressAt(kimg * 1000, options), { minibatch: 12, gLrate: 0.01, dLrate: 0.02, tickKimg: 3 })
  }
})

test('a configuration is frozen, and JSON gives it back unchanged', (t) => {
  const config = resolveConfig('demo', { seed: 7, emaRampup: null })
  t.true(Object.isFrozen(config) && Object.isFrozen(presets.demo))
  t.deepEqual(configFromJson(JSON.parse(JSON.stringify(config))), config)
})

test('an override that is undefined was not given', (t) => {
  t.is(resolveConfig('demo', { gamma: undefined }).gamma, presets.demo.gamma)
})

test('an option that a file leaves out is said to be nothing', (t) => {
  t.throws(() => checkOption('fmapMax', undefined), { message: /^fmapMax: .* is expected, got nothing/ })
})

test('a saved configuration without some option is refused instead of filled with a default', (t) => {
  const { gamma: _, ...rest } = resolveConfig('demo', {})
  t.throws(() => configFromJson(rest), {
    instanceOf: RangeError,
    message: 'gamma: a number of at least 0 is expected, got nothing; add it to the file',
  })
  t.throws(() => configFromJson([1]), {
    instanceOf: RangeError,
    message: /an object of options is expected, got \[1\]/,
  })
})

test('a preset stands alone, and types know the options', (t) => {
  t.deepEqual(resolveConfig('demo'), resolveConfig('demo', {}))
  const wrong = [
    // @ts-expect-error there is no such preset
    () => resolveConfig('dmo', {}),
    // @ts-expect-error there is no such option
    () => resolveConfig('demo', { kimgs: 5 }),
    // @ts-expect-error the option has no such value
    () => resolveConfig('demo', { aug: 'zz' }),
    // @ts-expect-error options are an object
    () => resolveConfig('demo', null),
  ]
  for (const call of wrong) t.throws(call, { instanceOf: RangeError })
})

test('an unknown option is refused with the nearest known one', (t) => {
  refuses(t, { gama: 1 }, 'unknown option "gama"; did you mean gamma?')
  refuses(t, { 'fmap-max': 1 }, 'unknown option "fmap-max"; did you mean fmapMax?')
  refuses(t, { batchSize: 1 }, 'unknown option "batchSize"; did you mean batch?')
  t.throws(() => checkedConfig('demo', { constructor: 1 }), { message: /^unknown option "constructor"/ })
  t.throws(() => checkedConfig('demo', { qqqqqqqq: 1 }), {
    message: /^unknown option "qqqqqqqq"; known ones: preset, data, /,
  })
  t.throws(() => checkedConfig('toString', {}), {
    message:
      'preset: one of stylegan, ffhq, ffhq512, ffhq256, celebahq, bedroom, car, cat, demo is expected, got "toString"',
  })
})

// One impossible value an option: expected, got, what to do.
const impossible: [Record<string, unknown>, string][] = [
  [
    { resolution: 48 },
    'resolution: a power of two from 4 to 1024 is expected, got 48; images of other sizes are cropped and resized to it',
  ],
  [
    { resolution: 2048 },
    'resolution: a power of two from 4 to 1024 is expected, got 2048; images of other sizes are cropped and resized to it',
  ],
  [
    { resolution: '64' },
    'resolution: a power of two from 4 to 1024 is expected, got "64"; images of other sizes are cropped and resized to it',
  ],
  [{ numChannels: 2 }, 'numChannels: 1 (gray), 3 (RGB) or 4 (RGBA) is expected, got 2'],
  [{ kimg: 0 }, 'kimg: a number above 0 is expected, got 0'],
  [{ kimg: NaN }, 'kimg: a number above 0 is expected, got NaN'],
  [{ p: 1.5 }, 'p: a number from 0 to 1 is expected, got 1.5'],
  [{ p: -0.1 }, 'p: a number from 0 to 1 is expected, got -0.1'],
  [{ target: 2 }, 'target: a number from 0 to 1 is expected, got 2'],
  [{ aug: 'noaug' }, 'aug: one of auto, ada, fixed, none is expected, got "noaug"'],
  [
    { augpipe: 'bgx' },
    'augpipe: one of blit, geom, color, filter, noise, cutout, bg, bgc, bgcf, bgcfn, bgcfnc is expected, got "bgx"',
  ],
  [{ gamma: -1 }, 'gamma: a number of at least 0 is expected, got -1; 0 turns R1 off'],
  [{ gamma: Infinity }, 'gamma: a number of at least 0 is expected, got Infinity; 0 turns R1 off'],
  [{ batch: 0 }, 'batch: a whole number from 1 to 65536, or auto is expected, got 0'],
  [{ batch: 'all' }, 'batch: a whole number from 1 to 65536, or auto is expected, got "all"'],
  [{ batch: 18 }, 'batch: a multiple of mbstdGroup, 4, is expected, got 18; use 20, or another mbstdGroup'],
  [
    { batch: 'auto', mbstdGroup: 5 },
    'batch: a multiple of mbstdGroup, 5, is expected, got 128 at 8x8; use 130, or another mbstdGroup',
  ],
  [{ config: 'G' }, 'config: one of A, B, C, D, E, F is expected, got "G"'],
  [{ gpus: 3 }, 'gpus: 1, 2, 4 or 8 is expected, got 3'],
  [
    { loss: 'mse' },
    'loss: one of logistic, logistic-saturating, wgan, wgan-gp, hinge, hinge-gp is expected, got "mse"',
  ],
  [{ seed: 1.5 }, 'seed: a whole number from 0 to 4294967295 is expected, got 1.5'],
  [{ mirror: 'yes' }, 'mirror: true or false is expected, got "yes"'],
  [{ glr: 0 }, 'glr: a number above 0, or auto is expected, got 0'],
  [{ mixingProb: 1.1 }, 'mixingProb: a number from 0 to 1 is expected, got 1.1'],
  [{ dlatentAvgBeta: 1 }, 'dlatentAvgBeta: a number from 0 up to, but not including, 1 is expected, got 1'],
  [{ desc: '../x' }, 'desc: a name of letters, digits, ".", "_" and "-" is expected, got "../x"'],
  [{ data: '' }, 'data: a folder of images or another data set is expected, got ""; name one, or use builtin:avatars'],
  [
    { lodInitialResolution: 64 },
    'lodInitialResolution: at most resolution, 32, is expected, got 64; lower it to 32 or less',
  ],
  [
    { lodTrainingKimg: 0, lodTransitionKimg: 0 },
    'lodTrainingKimg: a number above 0 is expected here or in lodTransitionKimg, got 0 in both; to train at 32 from the start, set lodInitialResolution to 32',
  ],
  [
    { fmapBase: 15 },
    'fmapBase: at least 16 is expected for one feature map at 32x32, got 15; raise it, or lower resolution',
  ],
]
for (const [overrides, message] of impossible) test(`refused: ${message}`, (t) => refuses(t, overrides, message))

test('a batch smaller than the group of the minibatch deviation is one group', (t) => {
  t.is(resolveConfig('demo', { batch: 3 }).batch, 3)
})

test('no growing needs no phases', (t) => {
  const config = resolveConfig('demo', { lodInitialResolution: 32, lodTrainingKimg: 0, lodTransitionKimg: 0 })
  t.is(progressAt(0, scheduleOptions(config)).lod, 0)
})

test('a run goes on with another length, device or place, and not with other training', (t) => {
  const a = resolveConfig('demo', {})
  t.deepEqual(
    sameRun(a, resolveConfig('demo', { kimg: 1, snap: 1, tick: 1, device: 'gpu', outdir: 'o', desc: 'd' })),
    [],
  )
  t.deepEqual(sameRun(a, resolveConfig('demo', { gamma: 20, seed: 1, resume: 'x', kimg: 1 })), [
    'seed',
    'resume',
    'gamma',
  ])
})

test('presets of the paper and the demo have no augmentation, and neither have runs from before there was any', (t) => {
  for (const [name, preset] of Object.entries(presets)) t.is(preset.aug, name === 'stylegan' ? 'auto' : 'none', name)
  const later = ['aug', 'p', 'target', 'augpipe']
  const all = Object.entries(resolveConfig('stylegan', { data: 'photos' }))
  const old = Object.fromEntries(all.filter(([key]) => !later.includes(key)))
  t.is(configFromJson(old).aug, 'none')
  t.deepEqual(sameRun(configFromJson(old), resolveConfig('stylegan', { data: 'photos' })), [])
})

test('feature maps halve with each stage after the largest: official networks_stylegan.py', (t) => {
  const config = presets.stylegan
  t.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((stage) => featureMaps(config, stage)),
    [512, 512, 512, 512, 512, 256, 128, 64, 32, 16],
  )
})

test("a run's name tells its options and depends on nothing else", (t) => {
  t.is(runName(resolveConfig('demo', {})), 'demo-avatars-32px-gamma5-seed0')
  t.is(
    runName(resolveConfig('stylegan', { data: '/a b/my faces/', resolution: 64, desc: 'try2' })),
    'stylegan-my-faces-64px-gamma10-seed0-try2',
  )
})
