/** What `--profile` shows. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { resolveConfig } from '../../ts/training/config.ts'
import { Device, scope } from '../../ts/native/index.ts'
import { measurePeak, profileTable } from '../../ts/performance/profile.ts'
import { train } from '../../ts/runs/loop.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

for (const name of ['cpu', 'reference'] as const) {
  test(`${name} counts launches, operations and bytes by kernel and shapes, while it is told to`, async (t) => {
    const device = Device.open(name)
    const size = name === 'cpu' ? 4 : 8
    const work = () =>
      scope(() => {
        const x = device.full([2, 8, 8, 3], 1)
        const w = device.full([3, 3, 3, 5], 1)
        for (let i = 0; i < 3; i++) x.conv2d(w, { padding: [1, 1, 1, 1] })
        device.full([4, 6], 1).matmul(device.full([6, 5], 1))
      })
    work()
    t.deepEqual(await device.costs(), [])
    device.profile(true)
    work()
    const costs = await device.costs()
    const conv = costs.find((cost) => cost.kernel === 'conv2d')!
    t.is(conv.shapes, '2x8x8x3 3x3x3x5 → 2x8x8x5')
    t.is(conv.launches, 3)
    t.is(conv.flop, 3 * 2 * (2 * 8 * 8 * 5) * (3 * 3 * 3))
    t.is(conv.bytes, 3 * size * (2 * 8 * 8 * 3 + 3 * 3 * 3 * 5 + 2 * 8 * 8 * 5))
    t.true(conv.nanoseconds > 0)
    t.is(costs.find((cost) => cost.kernel === 'matmul')!.flop, 2 * 4 * 5 * 6)
    device.profile(false)
    work()
    t.deepEqual(await device.costs(), [])
  })
}

test('the operations of all three convolutions are those of the forward one', async (t) => {
  const device = Device.open('cpu')
  device.profile(true)
  scope(() => {
    const [x, w, y] = [device.full([2, 8, 8, 3], 1), device.full([4, 4, 3, 5], 1), device.full([2, 4, 4, 5], 1)]
    const form = { stride: 2, padding: [1, 1, 1, 1] } as const
    x.conv2d(w, form)
    y.conv2dTranspose(w, [8, 8], form)
    x.conv2dWeightGrad(y, [4, 4], form)
  })
  const flops = (await device.costs()).filter(({ kernel }) => kernel.startsWith('conv')).map(({ flop }) => flop)
  t.deepEqual(flops, Array(3).fill(2 * (2 * 4 * 4 * 5) * (4 * 4 * 3)))
})

test('the table shows kernels, then shapes, the largest first, with their share of the peak', (t) => {
  const cost = (kernel: string, shapes: string, milliseconds: number, flop: number) => {
    return { kernel, shapes, launches: 2, nanoseconds: 1e6 * milliseconds, hostNanoseconds: 0, flop, bytes: 1e6 }
  }
  const costs = [cost('adam', '9 → 9', 1, 0), cost('conv2d', 'a', 2, 2e8), cost('conv2d', 'b', 6, 2e8)]
  const lines = profileTable(costs, { flop: 200e9, bytes: 10e9 }, 2, 2).split('\n')
  t.is(lines[0], '4.5 ms and 3 launches a step on the device; peak: 200 GFLOP/s, 10.0 GB/s')
  t.is(lines[2], '     4.00  88.9 %        2      50    0.3  25.0 %  conv2d')
  t.is(lines[3], '     0.50  11.1 %        1       0    1.0  10.0 %  adam')
  t.deepEqual(
    lines.slice(5).map((line) => line.slice(-8)),
    ['conv2d b', 'conv2d a'],
  )
})

test('a share of the peak is at most all of it', (t) => {
  const fast = { kernel: 'copy', shapes: '', launches: 1, nanoseconds: 1e6, hostNanoseconds: 0, flop: 0, bytes: 3e7 }
  const [, , line] = profileTable([fast], { flop: 1e9, bytes: 10e9 }, 1).split('\n')
  t.is(line, '     1.00 100.0 %        1       0   30.0 100.0 %  copy')
})

test('training with profile writes the table of each tick', async (t) => {
  const outdir = await folder()
  const config = resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, device: 'cpu' })
  const tables: string[] = []
  let dir = ''
  for await (const event of train(config, { profile: true })) {
    if (event.type === 'start') dir = event.dir
    if (event.type === 'profile') tables.push(event.table)
  }
  t.true(tables.length > 1)
  t.regex(tables[0]!, /ms and \d+ launches a step/)
  t.regex(tables[0]!, /conv2d_weight_grad \d+x/)
  t.is(await readFile(join(dir, 'profile.txt'), 'utf8'), `${tables.at(-1)}\n`)
  t.is(dirname(dir), outdir)
})

test('the measured peak is not absurd', async (t) => {
  const { flop, bytes } = await measurePeak(Device.open('cpu'))
  t.true(flop > 1e8 && flop < 1e15 && bytes > 1e7 && bytes < 1e14)
})
