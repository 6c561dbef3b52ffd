/** Real processes, killed with SIGKILL: a resumed run ends with the bits of one that was never interrupted. */
import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { resolveConfig, type TrainConfig } from '../../ts/training/config.ts'
import { readSafetensors } from '../../ts/files/safetensors.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'
import { folder } from '../support/folder.ts'

const child = fileURLToPath(new URL('../support/train-child.ts', import.meta.url))
/** Exit code of a child that trained to the end. */
const finished = 7

async function configIn(outdir: string): Promise<TrainConfig> {
  return resolveConfig('demo', { ...tinyConfig, data: await tinyDataset(), outdir, kimg: 0.4, tick: 0.05 })
}

/** Runs the child; resolves with its exit code, or null if a signal ended it. */
async function start(outdir: string, args: string[] = [], killAfterMs?: number): Promise<number | null> {
  const config = JSON.stringify(await configIn(outdir))
  const node = spawn(process.execPath, ['--import', '@oxc-node/core/register', child, config, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => node.kill('SIGKILL'), killAfterMs)
  const code = await new Promise<number | null>((resolve) => node.on('close', resolve))
  clearTimeout(timer)
  return code
}

async function weights(outdir: string): Promise<Map<string, string>> {
  const run = (await readdir(outdir)).find((name) => name.startsWith('demo'))!
  const names = (await readdir(join(outdir, run))).filter((name) => name.endsWith('.safetensors'))
  const { tensors } = await readSafetensors(join(outdir, run, names.sort().at(-1)!))
  return new Map([...tensors].map(([name, { values }]) => [name, Buffer.from(values.buffer).toString('base64')]))
}

let uninterrupted: Promise<Map<string, string>> | undefined
const expected = () =>
  (uninterrupted ??= (async () => {
    const outdir = await folder()
    if ((await start(outdir)) !== finished) throw new Error('the uninterrupted run did not finish')
    return weights(outdir)
  })())

// Writes in order: options, reals, fakes, fakes of tick 1, snapshot of tick 1, fakes and snapshot of tick 2, …
for (const step of ['open', 'write', 'sync', 'rename', 'sync-dir']) {
  for (const time of [5, 7]) {
    test.serial(
      `killed at '${step}' of snapshot ${time === 5 ? 1 : 2}, training resumes to the same bits`,
      async (t) => {
        const outdir = await folder()
        t.is(await start(outdir, [step, String(time)]), null)
        t.is(await start(outdir), finished)
        t.deepEqual(await weights(outdir), await expected())
      },
    )
  }
}

test.serial('killed again and again at random times, training resumes to the same bits', async (t) => {
  const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`# KILL_SEED=${seed}`)
  let random = seed
  // Numerical Recipes' generator is enough to choose moments.
  const next = () => (random = (random * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32
  const outdir = await folder()
  let code: number | null = null
  let kills = 0
  for (; code === null && kills < 8; kills++) code = await start(outdir, [], 500 + next() * 2000)
  if (code === null) code = await start(outdir)
  t.is(code, finished)
  t.log(`${kills} starts`)
  t.deepEqual(await weights(outdir), await expected())
})
