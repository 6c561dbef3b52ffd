/** Where a device's time goes: what launches cost, beside what the device can do at best. */
import { type Cost, type Device, scope } from '../native/index.ts'

/** The fastest that a device was seen to be. */
export interface Peak {
  /** Operations a second, of a product of two matrices of 1024 × 1024. */
  readonly flop: number
  /** Bytes a second, of numbers read and written in order. */
  readonly bytes: number
}

/** Measures a device's best in a fraction of a second. Costs counted before are lost; counting is off afterwards. */
export async function measurePeak(device: Device): Promise<Peak> {
  device.profile(true)
  await device.costs()
  scope(() => {
    const [a, x] = [device.full([1024, 1024], 0.5), device.full([1 << 23], 1)]
    for (let i = 0; i < 5; i++) scope(() => (a.matmul(a), x.mul(2)))
  })
  const costs = await device.costs()
  device.profile(false)
  const best = (kernel: string, work: 'flop' | 'bytes') =>
    Math.max(...costs.filter((cost) => cost.kernel === kernel).map((cost) => (1e9 * cost[work]) / cost.nanoseconds))
  return { flop: best('matmul', 'flop'), bytes: best('unary', 'bytes') }
}

/**
 * How near to the device's best a cost came, by operations or by bytes, whichever is nearer. What was measured as the peak is
 * what one kernel reached, and data that lie in the cache can be faster: 1 at most.
 */
export function utilisation({ flop, bytes, nanoseconds }: Work, peak: Peak): number {
  const share = Math.max(flop / peak.flop, bytes / peak.bytes) * 1e9
  return Math.min(1, share / (nanoseconds || Infinity))
}

type Work = Pick<Cost, 'flop' | 'bytes' | 'nanoseconds'>

/** The kernels of all that a device counted, each with its shapes, the one that took longest first. */
export function slowest(all: readonly Cost[]): Cost[] {
  return longest(all.filter(({ kernel }) => !notKernels.includes(kernel)))
}

/** A GPU also counts what launches were made of, and how often they were sent. */
const notKernels = ['dispatch', 'submit']

/**
 * A table of costs, the largest first: the kernels, then each with its shapes.
 *
 * @param all what the device counted
 * @param peak what a share of the peak is a share of: the larger of both shares is shown
 * @param steps training steps that the costs are of
 * @param rows most rows of the second part
 */
export function profileTable(all: readonly Cost[], peak: Peak, steps: number, rows = 40): string {
  const sent = (kernel: string) => all.find((cost) => cost.kernel === kernel)?.launches
  const [dispatches, submissions] = [sent('dispatch'), sent('submit')]
  const costs = slowest(all)
  const total = sum(costs, 'nanoseconds')
  const byKernel = [...new Set(costs.map((cost) => cost.kernel))].map((kernel) => {
    const own = costs.filter((cost) => cost.kernel === kernel)
    const [launches, nanoseconds] = [sum(own, 'launches'), sum(own, 'nanoseconds')]
    return { kernel, shapes: '', launches, nanoseconds, flop: sum(own, 'flop'), bytes: sum(own, 'bytes') }
  })
  const line = (cost: (typeof byKernel)[number]) => {
    const { kernel, shapes, launches, nanoseconds, flop, bytes } = cost
    return [
      (nanoseconds / 1e6 / steps).toFixed(2).padStart(9),
      percent(nanoseconds / (total || Infinity)),
      (launches / steps).toFixed(0).padStart(9),
      (flop / (nanoseconds || Infinity)).toFixed(0).padStart(8),
      (bytes / (nanoseconds || Infinity)).toFixed(1).padStart(7),
      percent(utilisation(cost, peak)),
      `  ${kernel} ${shapes}`.trimEnd(),
    ].join('')
  }
  const head = '  ms/step    time launches GFLOP/s   GB/s    peak  kernel'
  const host = sum(costs, 'hostNanoseconds')
  const launches = sum(costs, 'launches')
  return [
    `${(total / 1e6 / steps).toFixed(1)} ms and ${(launches / steps).toFixed(0)} launches a step on the device; ` +
      `peak: ${(peak.flop / 1e9).toFixed(0)} GFLOP/s, ${(peak.bytes / 1e9).toFixed(1)} GB/s` +
      (host > 0 ? `; ${(host / launches / 1000).toFixed(1)} µs of the host a launch` : '') +
      (dispatches && submissions
        ? `; ${(dispatches / steps).toFixed(0)} dispatches in ${(submissions / steps).toFixed(1)} submissions a step`
        : ''),
    head,
    ...longest(byKernel).map(line),
    head,
    ...costs.slice(0, rows).map(line),
  ].join('\n')
}

function longest<T extends Work>(costs: readonly T[]): T[] {
  return [...costs].sort((a, b) => b.nanoseconds - a.nanoseconds)
}

function sum(costs: readonly Cost[], key: 'launches' | 'nanoseconds' | 'hostNanoseconds' | 'flop' | 'bytes'): number {
  return costs.reduce((total, cost) => total + cost[key], 0)
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`.padStart(8)
}
