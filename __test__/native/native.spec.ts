/** Tensors, scopes, gradients, devices and random numbers as TypeScript sees them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import {
  concat,
  Device,
  DeviceError,
  DisposedError,
  freeze,
  grad,
  Rng,
  scope,
  ShapeError,
  Tensor,
} from '../../ts/native/index.ts'

const cpu = Device.open('cpu')
const list = async (x: Tensor): Promise<number[]> => [...(await x.data())]

test.serial('a device that nobody waits for takes no processor time', async (t) => {
  const x = new Rng(1).normal(cpu, [512, 512])
  for (let i = 0; i < 100; i++) x.matmul(x).dispose()
  await cpu.synchronize()
  const before = process.cpuUsage()
  await sleep(400)
  const { user, system } = process.cpuUsage(before)
  // A thread that looks for work without a rest takes 400 ms.
  t.true(user + system < 200_000, `${(user + system) / 1000} ms`)
})

test('a tensor goes to the device and back in its own element type', async (t) => {
  t.deepEqual(await cpu.tensor([1, 2.5], [2]).data(), new Float32Array([1, 2.5]))
  t.deepEqual(await Device.open('reference').tensor([1, 2.5], [2]).data(), new Float64Array([1, 2.5]))
  t.deepEqual(await cpu.tensor(new Uint8Array([1, 255]), [2]).data(), new Uint8Array([1, 255]))
  t.deepEqual(await cpu.tensor(new Int32Array([-7, 2 ** 30]), [2]).data(), new Int32Array([-7, 2 ** 30]))
})

test('elementwise ops broadcast as NumPy does', async (t) => {
  const a = cpu.tensor([1, 2, 3, 4, 5, 6], [2, 3])
  t.deepEqual(await list(a.add(cpu.tensor([10, 20], [2, 1]))), [11, 12, 13, 24, 25, 26])
  t.deepEqual(
    await list(
      a
        .mul(2)
        .sub(1)
        .div(cpu.tensor([1, 3, 5], [3])),
    ),
    [1, 1, 1, 7, 3, 11 / 5].map(Math.fround),
  )
  t.deepEqual(await list(a.greater(3).select(a, a.neg())), [-1, -2, -3, 4, 5, 6])
  t.deepEqual(await list(a.maximum(cpu.tensor([4, 1, NaN], [3]))), [4, 2, NaN, 4, 5, NaN])
})

test('movement ops agree with what they say', async (t) => {
  const a = cpu.tensor([1, 2, 3, 4, 5, 6], [2, 3])
  t.deepEqual(await list(a.permute([1, 0])), [1, 4, 2, 5, 3, 6])
  t.deepEqual(await list(a.slice([0, 1], [2, 2])), [2, 3, 5, 6])
  t.deepEqual(
    await list(
      a.pad([
        [0, 1],
        [1, 0],
      ]),
    ),
    [0, 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0],
  )
  t.deepEqual(await list(a.flip([1])), [3, 2, 1, 6, 5, 4])
  t.deepEqual(await list(concat([a, a.mul(10)], 1)), [1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60])
  t.deepEqual(await Promise.all(a.unstack(0).map(list)), [
    [1, 2, 3],
    [4, 5, 6],
  ])
  t.deepEqual(await list(a.gatherRows(cpu.tensor(new Int32Array([1, 1]), [2]))), [4, 5, 6, 4, 5, 6])
})

test('the gradient of a gradient', async (t) => {
  const x = cpu.tensor([2, 3], [2]).tracked()
  const [first] = grad(x.square().mul(x), [x], { createGraph: true })
  const [second] = grad(first!, [x])
  t.deepEqual(
    [await list(first!), await list(second!)],
    [
      [12, 27],
      [12, 18],
    ],
  )
})

test('a wrong shape throws where it is asked for, naming op, expectation and what was given', (t) => {
  const error = t.throws(() => cpu.zeros([1, 4, 4, 8]).conv2d(cpu.zeros([3, 3, 7, 32])), { instanceOf: ShapeError })
  t.is(error.message, 'conv2d: w must be [3, 3, 8, O], got [3, 3, 7, 32]')
  t.is(error.code, 'ERR_SHAPE')
})

const wrong: [name: string, op: (x: Tensor) => unknown, message: RegExp][] = [
  ['reshape', (x) => x.reshape([5]), /reshape: \[2, 3\] has 6 elements/],
  ['reshape with a fraction', (x) => x.reshape([1.5, 4]), /reshape: whole numbers/],
  ['permute', (x) => x.permute([0, 0]), /permute: axes must be a permutation/],
  ['slice', (x) => x.slice([1, 0], [2, 3]), /slice: .* must lie inside of \[2, 3\]/],
  ['sum', (x) => x.sum([2]), /sum: axes must name different axes/],
  ['matmul', (x) => x.matmul(x), /matmul: a must be/],
  ['concat', (x) => concat([x, x.reshape([3, 2])], 0), /concat: shapes must agree/],
  ['concat of nothing', () => concat([], 0), /concat: at least one tensor/],
  ['broadcastTo', (x) => x.broadcastTo([3, 3]), /broadcast_to/],
  ['upfirdn2d', (x) => x.upfirdn2d({ taps: [1] }), /upfirdn2d: x must be \[N, H, W, C\]/],
  ['affineResample', (x) => x.affineResample(x, [2, 2]), /affine_resample: x must be \[N, H, W, C\]/],
  [
    'affineResample with other matrices',
    (x) => x.reshape([1, 2, 3, 1]).affineResample(x, [2, 2]),
    /affine_resample: m must be \[1, 2, 3\], got \[2, 3\]/,
  ],
  ['biasAct', (x) => x.biasAct(x.sum([0]), -0.1), /alpha must be in \[0, 1\]/],
  ['adain', (x) => x.adain(x), /adain: x must be/],
  ['noiseBiasAct', (x) => x.noiseBiasAct(x, x, x, 0.2), /noise_bias_act: x must be/],
  ['minibatchStddev', (x) => x.reshape([6, 1, 1, 1]).minibatchStddev(4), /group must divide 6/],
  ['conv2d padding', (x) => x.reshape([1, 2, 3, 1]).conv2d(cpu.zeros([4, 4, 1, 1])), /kernel must fit/],
  ['gatherRows', (x) => x.gatherRows(x), /rows must be i32/],
  ['clamp', (x) => x.clamp(1, 0), /low must be at most high/],
  ['grad', (x) => grad(x, [x]), /input 0 must be tracked/],
  ['dtype', (x) => x.cast('u8').exp(), /exp: operands must be f32, got u8; cast first/],
  ['device', (x) => x.add(Device.open('reference').zeros([2, 3])), /operands must be on one device/],
  ['tensor', () => cpu.tensor([1, 2, 3], [2]), /tensor: shape \[2\] has 2 elements, got 3/],
]
for (const [name, op, message] of wrong) {
  test(`${name} refuses what it cannot do`, (t) => {
    t.throws(() => op(cpu.tensor([1, 2, 3, 4, 5, 6], [2, 3])), { instanceOf: ShapeError, message })
  })
}

test('arguments of another kind are refused in a sentence that names the op and the option', (t) => {
  const x = cpu.zeros([1, 4, 4, 2])
  const [w, b, m] = [cpu.zeros([3, 3, 2, 2]), cpu.zeros([2]), cpu.zeros([1, 2, 3])]
  const given = x as unknown as Record<string, (...given: unknown[]) => unknown>
  const layer = (options: object) => given['layer']!(w, b, { alpha: 1, ...options })
  const open = Device.open as (...given: unknown[]) => unknown
  const cases: readonly (readonly [call: () => unknown, message: string | RegExp])[] = [
    [() => given['layer']!(), 'a tensor is expected, got undefined'],
    [() => given['layer']!(w), 'a tensor is expected, got undefined'],
    [() => given['layer']!(w, b), 'layer: an object of options is expected, got undefined'],
    [() => given['layer']!(w, b, null), 'layer: an object of options is expected, got null'],
    [() => given['layer']!(w, b, {}), 'layer: alpha: a finite number is expected, got undefined'],
    [() => layer({ noise: b }), /^layer: noise: a tensor and its strength are expected, got Tensor /],
    [() => layer({ noise: [b] }), /^layer: noise: a tensor and its strength are expected, got \[/],
    [() => layer({ noise: [b, 1] }), 'a tensor is expected, got 1'],
    [() => layer({ upscale: 8 }), 'layer: upscale: true or false is expected, got 8'],
    [() => layer({ blur: 'abc' }), "layer: blur: finite numbers are expected, got 'abc'"],
    [() => layer({ blur: [1, NaN, 1] }), 'layer: blur: finite numbers are expected, got [ 1, NaN, 1 ]'],
    [() => layer({ gain: NaN }), 'layer: gain: a finite number is expected, got NaN'],
    [() => layer({ stride: 0.5 }), /^layer: stride must be a whole number from 0 to \d+, got 0\.5$/],
    [() => layer({ padding: 1 }), 'layer: padding: whole numbers from 0 are expected, got 1'],
    [() => given['conv2d']!(w, null), 'conv2d: an object of options is expected, got null'],
    [() => given['conv2d']!(w, { algorithm: 5 }), /^algorithm must be one of auto, im2col, .*, got 5$/],
    [() => given['conv2d']!(w, { dtype: 5 }), 'dtype: a name is expected, got 5'],
    [() => given['cast']!(5), 'dtype: a name is expected, got 5'],
    [() => cpu.arena(5 as never), 'arena: a list of shapes is expected, got 5'],
    [() => concat(5 as never, 0), 'concat: a list of tensors is expected, got 5'],
    [() => concat([null as never], 0), 'a tensor is expected, got null'],
    [() => concat(new Array(2), 0), 'a tensor is expected, got undefined'],
    [() => grad(x, new Array(2)), 'a tensor is expected, got undefined'],
    [() => grad(x, [x], { createGraph: 1 as never }), 'grad: createGraph: true or false is expected, got 1'],
    [() => x.sum([0], 1 as never), 'sum: keep: true or false is expected, got 1'],
    [() => w.matmul(w, { transposeA: 1 as never }), 'matmul: transposeA: true or false is expected, got 1'],
    [() => x.reshape(new Array(2)), /^reshape: whole numbers from 0 are expected, got \[ <2 empty items> \]$/],
    [() => x.pad(5 as never), 'pad: a list of pairs is expected, got 5'],
    [() => x.dependsOn(5 as never), 'dependsOn: a list of tensors is expected, got 5'],
    [() => scope(5 as never), 'scope: a function is expected, got 5'],
    [() => new Rng(1).normal(5 as never, [1]), 'normal: a device is expected, got 5'],
    [() => freeze(null as never), 'a tensor is expected, got null'],
    [() => grad(5 as never, [x]), 'outputs: a list of tensors is expected, got 5'],
    [() => grad(x, 5 as never), 'inputs: a list of tensors is expected, got 5'],
    [() => cpu.tensor(new BigInt64Array(1) as never, [1]), 'tensor: numbers are expected, got 0n at 0'],
    [() => given['conv2dTranspose']!(w, 8), 'conv2d_transpose: whole numbers from 0 are expected, got 8'],
    [
      () => given['conv2dWeightGrad']!(x, [3, 3], null),
      'conv2d_weight_grad: an object of options is expected, got null',
    ],
    [() => given['upfirdn2d']!(), 'upfirdn2d: an object of options is expected, got undefined'],
    [() => given['upfirdn2d']!({}), 'upfirdn2d: taps: finite numbers are expected, got undefined'],
    [() => given['upfirdn2d']!({ taps: [1], padding: 1 }), 'upfirdn2d: padding: finite numbers are expected, got 1'],
    [
      () => given['affineResample']!(m, [4, 4], { taps: '1' }),
      "affine_resample: taps: finite numbers are expected, got '1'",
    ],
    [() => given['affineResample']!(m, 4), 'affine_resample: whole numbers from 0 are expected, got 4'],
    [() => given['matmul']!(w, null), 'matmul: an object of options is expected, got null'],
    [() => open('cpu', null), 'device: an object of options is expected, got null'],
    [() => grad(x, [x], null as never), 'grad: an object of options is expected, got null'],
  ]
  for (const [call, message] of cases) t.throws(call, { message }, String(message))
  t.deepEqual(x.layer(w, b, { alpha: 1, noise: undefined, blur: [], padding: [1, 1, 1, 1] }).x.shape, x.shape)
})

test('values that are no numbers make no tensor', (t) => {
  const tensor = (values: unknown) => cpu.tensor(values as number[], [3])
  const cases: [unknown, string][] = [
    [['x', null, undefined], "'x' at 0"],
    [[0, null, 1], 'null at 1'],
    [[0, 1, undefined], 'undefined at 2'],
    ['123', "'1' at 0"],
    [{ length: 3 }, 'undefined at 0'],
  ]
  for (const [values, got] of cases) {
    t.throws(() => tensor(values), { instanceOf: TypeError, message: `tensor: numbers are expected, got ${got}` })
  }
  t.deepEqual(tensor([NaN, Infinity, 0]).shape, [3])
})

test('a disposed tensor is a named error', (t) => {
  const x = cpu.zeros([2])
  x.dispose()
  t.true(x.disposed)
  const error = t.throws(() => x.add(1), { instanceOf: DisposedError })
  t.regex(error.message, /affine: the tensor was disposed/)
})

test('a handle is not taken for the tensor that has its place now', (t) => {
  const x = cpu.zeros([2])
  x.dispose()
  const y = cpu.zeros([3])
  t.throws(() => x.neg(), { instanceOf: DisposedError })
  t.deepEqual(y.shape, [3])
})

test('a scope disposes of what it does not return, in whatever it is returned', (t) => {
  const inside: Tensor[] = []
  const kept = scope(() => {
    const x = cpu.zeros([2])
    const [a, b, c] = [x.add(1), x.add(2), x.add(3)]
    inside.push(x)
    return { list: [a], map: new Map([['b', b]]), deep: { c } }
  })
  t.true(inside[0]!.disposed)
  t.deepEqual([kept.list[0]!.disposed, kept.map.get('b')!.disposed, kept.deep.c.disposed], [false, false, false])
})

test('a scope inside a scope hands its result to the outer one', (t) => {
  let inner: Tensor | undefined
  scope(() => {
    inner = scope(() => cpu.zeros([1]))
    t.false(inner.disposed)
  })
  t.true(inner!.disposed)
})

test('a scope that throws disposes of everything', (t) => {
  let inside: Tensor | undefined
  t.throws(() =>
    scope(() => {
      inside = cpu.zeros([1])
      throw new Error('no')
    }),
  )
  t.true(inside!.disposed)
})

test('a scope refuses a function that returns a promise', (t) => {
  t.throws(() => scope(async () => 1), { message: /must not be async/ })
})

test('a history lives on when the handles it came from are disposed', async (t) => {
  const x = cpu.tensor([3], [1]).tracked()
  const y = scope(() => x.square().exp().log())
  t.deepEqual(await list(grad(y, [x])[0]!), [6])
})

test('`using` disposes at the end of a block', (t) => {
  let seen: Tensor
  {
    using x = cpu.zeros([1])
    seen = x
    t.false(x.disposed)
  }
  t.true(seen.disposed)
})

test('memory that does not fit is refused on that line, with the op and a way out', (t) => {
  const small = Device.open('cpu', { memoryLimit: 1 << 20 })
  const error = t.throws(() => small.zeros([1 << 20]), { instanceOf: DeviceError })
  t.is(error.code, 'ERR_MEMORY')
  t.regex(error.message, /full: out of memory: \d+ bytes asked for, \d+ live of at most 1048576; a smaller minibatch/)
})

test('while an op is held, timers fire and nothing is done', async (t) => {
  const device = Device.open('test')
  device.hold(true)
  let done = false
  const data = device
    .zeros([2])
    .add(1)
    .data()
    .then(() => (done = true))
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  t.false(done)
  device.hold(false)
  await data
  t.true(done)
})

test('after a fault every wait rejects with the first error and its op', async (t) => {
  const device = Device.open('test')
  const good = device.zeros([2])
  device.injectFault(1)
  const bad = good.add(1).exp().neg()
  const first = await t.throwsAsync(bad.data(), { instanceOf: DeviceError })
  t.is(first.message, 'unary: the device failed: injected fault')
  t.is((await t.throwsAsync(good.data())).message, first.message)
  t.is((await t.throwsAsync(device.synchronize())).message, first.message)
})

test('an unknown device is refused with those that exist', (t) => {
  t.throws(() => Device.open(undefined as unknown as string), {
    instanceOf: TypeError,
    message: /^device: a name .* got undefined$/,
  })
  t.throws(() => Device.open('gpu'), { instanceOf: TypeError, message: /device: auto, cpu, .*got 'gpu'/ })
})

test('random numbers depend on seed, stream and offset alone, on every device alike', async (t) => {
  const reference = Device.open('reference')
  const draw = (device: Device, rng: Rng) => rng.uniform(device, [5]).data()
  t.deepEqual([...(await draw(cpu, new Rng(3, 1)))], [...(await draw(reference, new Rng(3, 1)))])
  t.notDeepEqual([...(await draw(cpu, new Rng(3, 1)))], [...(await draw(cpu, new Rng(3, 2)))])
  const rng = new Rng(3)
  rng.normal(cpu, [10])
  const again = Rng.from(rng.state)
  t.is(rng.nextUniform(), again.nextUniform())
  t.deepEqual(rng.state, { seed: 3, stream: 0, offset: 16 })
})

test('normal numbers have mean 0 and deviation 1', async (t) => {
  const values = await list(new Rng(1).normal(cpu, [100_000]))
  const mean = values.reduce((a, b) => a + b) / values.length
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)
  // Standard errors: 0.003 and 0.002.
  t.true(Math.abs(mean) < 0.01 && Math.abs(deviation - 1) < 0.01, `${mean} ${deviation}`)
})

test('a permutation holds every number once, and another seed another order', (t) => {
  const order = new Rng(1).permutation(1000)
  t.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  )
  t.notDeepEqual(order, new Rng(2).permutation(1000))
})

test('whole numbers of ranges up to 4096 are drawn from 24 bits, as runs have always drawn them', (t) => {
  for (const count of [1, 2, 7, 18, 1000, 4096]) {
    const [rng, bits] = [new Rng(7, count), new Rng(7, count)]
    for (let i = 0; i < 200; i++) t.is(rng.nextInteger(-3, count - 3), Math.floor((1 - bits.nextUniform()) * count) - 3)
    t.deepEqual(rng.state, bits.state)
  }
})

test('whole numbers of large ranges are drawn from all bits', (t) => {
  // 24 bits are multiples of 2¹⁷ of a range of 2⁴¹: all of them even.
  const drawn = (low: number, high: number) => {
    const rng = new Rng(7)
    return Array.from({ length: 4000 }, () => rng.nextInteger(low, high))
  }
  for (const high of [4097, 1_000_003, 20_000_000, 2 ** 41, Number.MAX_SAFE_INTEGER]) {
    const numbers = drawn(0, high)
    t.true(numbers.every((number) => Number.isSafeInteger(number) && number >= 0 && number < high))
    // 4000 throws of a coin have a deviation of 32.
    t.true(Math.abs(numbers.filter((number) => number % 2 === 0).length - 2000) < 150, `${high}`)
    t.true(Math.abs(numbers.filter((number) => number < high / 2).length - 2000) < 150, `${high}`)
  }
  // What 24 bits draw, but for their last digits.
  const bits = new Rng(7)
  t.true(drawn(0, 1e9).every((number) => Math.abs(number - Math.floor((1 - bits.nextUniform()) * 1e9)) < 130))
  const rng = new Rng(7)
  for (const [low, high] of [
    [3, 3],
    [3, 2],
    [0, 0.5],
    [NaN, 3],
    [0, Infinity],
    [-(2 ** 53) + 1, 2],
  ] as const) {
    t.throws(() => rng.nextInteger(low, high), { instanceOf: RangeError, message: /low must be below high/ })
  }
  t.deepEqual(rng.state, new Rng(7).state)
})

test('a draw that is refused does not move the position', (t) => {
  const rng = new Rng(3, 1, 8)
  t.throws(() => rng.normal(cpu, [NaN]), { instanceOf: ShapeError })
  t.throws(() => rng.uniform(cpu, [2 ** 31, 2 ** 31, 4]), {
    instanceOf: RangeError,
    message: /a stream ends after 2\^53/,
  })
  t.throws(() => rng.uniform(cpu, [2 ** 25, 2 ** 25]), { instanceOf: DeviceError })
  t.throws(() => rng.permutation(-1), { instanceOf: RangeError })
  t.deepEqual(rng.state, { seed: 3, stream: 1, offset: 8 })
})

test('shapes whose elements cannot be counted are refused', (t) => {
  for (const shape of [
    [2 ** 31, 2 ** 31, 4],
    [2 ** 32 - 1, 2 ** 32 - 1],
    [2 ** 31, 2 ** 31, 4, 0],
  ]) {
    t.throws(() => cpu.zeros(shape), { instanceOf: ShapeError, message: /at most 2\^56 elements/ })
    t.throws(() => cpu.zeros([0]).reshape(shape), { instanceOf: ShapeError })
    t.throws(() => cpu.tensor([], shape), { instanceOf: ShapeError })
  }
})

test('tensors forgotten outside of scopes are freed once the collector runs', async (t) => {
  const device = Device.open('cpu')
  const before = device.memory().live
  for (let i = 0; i < 2000; i++) device.zeros([1000])
  const peak = device.memory().live
  for (let i = 0; i < 200 && device.memory().live > (before + peak) / 2; i++) {
    // Garbage of another kind makes V8 collect; finalizers run between turns.
    const garbage = Array.from({ length: 100_000 }, (_, j) => ({ j }))
    await new Promise((resolve) => setTimeout(resolve, garbage.length > 0 ? 5 : 0))
  }
  t.true(device.memory().live < peak, `${device.memory().live} of ${peak}`)
})

test('each worker thread has tensors of its own', async (t) => {
  const script = `
    import('${new URL('../../dist/native/index.js', import.meta.url).href}').then(async ({ Device }) => {
      const { parentPort } = await import('node:worker_threads')
      const x = Device.open('cpu').tensor([1, 2], [2]).mul(3)
      parentPort.postMessage([...(await x.data())])
    })`
  const results = await Promise.all(
    [1, 2].map(
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker(script, { eval: true, execArgv: [] })
          worker.on('message', resolve).on('error', reject)
        }),
    ),
  )
  t.deepEqual(results, [
    [3, 6],
    [3, 6],
  ])
})

test('a frozen tensor outlives scopes and refuses other values', async (t) => {
  const device = Device.open('reference')
  const frozen = scope(() => (freeze(device.full([2], 3)), freeze(device.full([2], 4))))
  t.deepEqual([...(await frozen.data())], [4, 4])
  const kept = scope(() => {
    const inner = scope(() => ({ x: freeze(device.full([2], 5)) }))
    return inner
  })
  t.deepEqual([...(await kept.x.data())], [5, 5])
  t.throws(() => frozen.assign(device.zeros([2])), {
    message: 'assign: the tensor is frozen; its values do not change',
  })
  frozen.dispose()
  t.true(frozen.disposed)
})
