/** Ends worker threads while they train, two at a time; then trains itself and says whether its weights are right. Arguments: seed, how many workers, a folder, the sources. */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { train } from '../../ts/runs/loop.ts'
import { newestIn, Sources, weightsOf } from './sources.ts'
import { randomOf } from './trial.ts'

const [seed, count, dir, sourcesDir] = process.argv.slice(2)
const sources = new Sources(sourcesDir!)
const { config, weights } = await sources.expected()
const random = randomOf(Number(seed), 'workers', 0)
const worker = new URL('worker-train.ts', import.meta.url)

async function end(index: number): Promise<void> {
  const workerData = { ...config, data: sources.prepared(), kimg: 1000, outdir: join(dir!, `${index}`) }
  const started = new Worker(worker, { workerData })
  let fault: Error | undefined
  started.on('error', (error) => (fault = error))
  const trains = new Promise<void>((resolve) => started.on('message', (type) => type === 'step' && resolve()))
  const ended = new Promise<void>((resolve) => started.on('exit', () => resolve()))
  // Some are ended while they load or prepare.
  if (random.chance(0.8)) await Promise.race([trains, ended])
  await setTimeout(random.between(0, 150))
  await started.terminate()
  if (fault) throw fault
}

for (let i = 0; i < Number(count); i += 2) await Promise.all([end(i), end(i + 1)])
const outdir = join(dir!, 'after')
for await (const _ of train({ ...config, outdir }));
const found = await weightsOf((await newestIn(outdir))!)
if (found !== weights) throw new Error('training after the workers ended with other weights')
console.log(JSON.stringify({ resident: process.memoryUsage().rss }))
