/**
 * What several processes cost: the time of a training step of the same total work by one process and by as many as mpiexec starts,
 * and milliseconds a megabyte of their sum.
 *
 *     mpiexec -n 2 node --import @oxc-node/core/register benchmark/processes.ts
 *
 * One process has all cores; several divide them, so on one machine the difference is what the processes cost. Numbers go to
 * `results/processes.json`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { Device, Rng, scope, type Processes } from '../ts/native/index.ts'
import { machine } from '../ts/performance/benchmark.ts'
import { joinProcesses, Neighbours } from '../ts/runs/processes.ts'
import { resolveConfig, scheduleOptions } from '../ts/training/config.ts'
import { progressAt } from '../ts/training/schedule.ts'
import { sharesOf, fewestShards } from '../ts/training/shards.ts'
import { createState } from '../ts/training/state.ts'
import { trainingStep, trainingStepTogether } from '../ts/training/step.ts'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { median } from './median.ts'

const sizes = { resolution: 64, fmapBase: 1024, fmapMax: 64, batch: 16 }
const rounds = 7

/** Seconds of a step: of all parts here, or of this process's among others. */
async function stepSeconds(gpus: 1 | 2 | 4 | 8, processes?: Processes): Promise<number> {
  const device = Device.open('cpu')
  const config = resolveConfig('demo', { ...sizes, gpus, data: 'x', lodInitialResolution: sizes.resolution })
  const state = createState(device, config)
  const progress = progressAt(0, scheduleOptions(config))
  const shares = sharesOf(processes?.size ?? 1, gpus)
  const share = shares[processes?.rank ?? 0]!
  const counts = shares.map(({ count }) => count)
  const n = (progress.minibatch / gpus) * share.count
  const bytes = Uint8Array.from({ length: n * sizes.resolution ** 2 * 3 }, (_, i) => (i * 97) % 256)
  const images = device.tensor(bytes, [n, sizes.resolution, sizes.resolution, 3])
  const times: number[] = []
  for (let i = 0; i < rounds; i++) {
    const began = performance.now()
    const stats = processes
      ? await trainingStepTogether(
          { share, sum: (elements) => processes.sum(elements, counts) },
          state,
          images,
          progress,
          config,
        )
      : scope(() => trainingStep(state, images, progress, config))
    await stats.data()
    times.push((performance.now() - began) / 1000)
  }
  return median(times)
}

/** Milliseconds of the sum of so many megabytes. */
async function sumMs(processes: Processes, megabytes: number): Promise<number> {
  const elements = new Rng(processes.rank).normal(Device.open('cpu'), [megabytes * 2 ** 18])
  const times: number[] = []
  for (let i = 0; i < rounds + 2; i++) {
    await processes.gather(new Uint8Array(1))
    const began = performance.now()
    await processes.sum(elements, Array<number>(processes.size).fill(1))
    times.push(performance.now() - began)
  }
  return median(times)
}

if (process.argv[2] === 'alone') {
  console.log(await stepSeconds(Number(process.argv[3]) as 1 | 2 | 4 | 8))
} else {
  const processes = await joinProcesses()
  if (processes === undefined) throw new Error('start it by mpiexec -n 2 or more')
  const place = await Neighbours.find(processes)
  place.divideCores()
  const gpus = fewestShards(processes.size)!
  const together = await stepSeconds(gpus, processes)
  const sums: Record<string, number> = {}
  for (const megabytes of [1, 8, 64]) sums[megabytes] = await sumMs(processes, megabytes)
  if (processes.rank === 0) {
    // In a process of its own, with all cores, while the others wait.
    const env = { PATH: process.env['PATH'] }
    const args = [...process.execArgv, fileURLToPath(import.meta.url), 'alone', String(gpus)]
    const alone = Number(spawnSync(process.execPath, args, { env, encoding: 'utf8' }).stdout)
    const path = new URL('results/processes.json', import.meta.url)
    let before: Record<string, unknown> = {}
    try {
      before = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    } catch {
      // The first one.
    }
    const row = { alone, together, ratio: together / alone, sumMs: sums, load: loadavg()[0] }
    const name = `${processes.size} processes, ${/^(Open MPI|MPICH)[^\d]*[\d.]+/.exec(processes.version)?.[0] ?? processes.version}, ${availableParallelism()} cores`
    console.log(name, row)
    writeFileSync(path, `${JSON.stringify({ ...before, machine: machine(), [name]: row }, null, 2)}\n`)
  }
  await processes.leave()
}
