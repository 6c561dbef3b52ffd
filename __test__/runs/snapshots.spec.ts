/** Snapshots of a run: names and order, which one a metric speaks of, which ones are kept. */
import { readdir, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { Rng } from '../../ts/native/index.ts'
import { networkOptions, resolveConfig } from '../../ts/training/config.ts'
import { encodeMetadata } from '../../ts/training/snapshot-metadata.ts'
import { encodeSafetensors } from '../../ts/files/safetensors.ts'
import {
  findSnapshot,
  isMeasured,
  removeInterrupted,
  snapshotName,
  snapshotsIn,
  surplusSnapshots,
} from '../../ts/runs/snapshots.ts'
import { folder } from '../support/folder.ts'

const config = resolveConfig('demo', {})

/** A snapshot without tensors, at a tick. */
async function put(dir: string, kimg: number, tick: number): Promise<void> {
  const none = {
    nimg: 0,
    step: 0,
    scheduleNimg: 0,
    lod: 0,
    seconds: 0,
    tickNimg: 0,
    tickSeconds: 0,
    sums: [],
    sumSteps: 0,
  }
  const rng = new Rng(0).state
  const metadata = encodeMetadata({
    network: networkOptions(config),
    config,
    classes: [],
    position: { ...none, tick },
    rng,
  })
  const bytes = Buffer.concat([...encodeSafetensors({ tensors: new Map(), metadata })])
  await writeFile(join(dir, snapshotName(1000 * kimg)), bytes)
}

async function measured(dir: string, metric: string, lines: [kimg: number, results: object][]): Promise<void> {
  const text = lines.map(([kimg, results]) => JSON.stringify({ results, snapshot_pkl: snapshotName(1000 * kimg) }))
  await writeFile(join(dir, `metric-${metric}.jsonl`), [...text, '{"cut off'].join('\n'))
}

/** kimg of the snapshots that would be removed. */
async function surplus(dir: string, keep: number): Promise<number[]> {
  return (await surplusSnapshots(dir, keep))
    .map((path) => Number(/\d{6,}/.exec(basename(path))![0]))
    .sort((a, b) => a - b)
}

test('snapshots are listed newest first, and unfinished or foreign files are not', async (t) => {
  const dir = await folder()
  t.deepEqual(await snapshotsIn(dir), [])
  t.deepEqual(await snapshotsIn(join(dir, 'nothing')), [])
  for (const nimg of [9_999, 1_234_567_000, 120_016]) await writeFile(join(dir, snapshotName(nimg)), 'x')
  await writeFile(join(dir, snapshotName(120_500, true)), 'x')
  await writeFile(join(dir, '.network-snapshot-000130.safetensors.7.tmp'), '')
  await writeFile(join(dir, 'network-snapshot-latest.safetensors'), '')
  t.deepEqual(
    (await snapshotsIn(dir)).map(({ path, kimg }) => [basename(path), kimg]),
    [
      ['network-snapshot-1234567.safetensors', 1_234_567],
      ['network-snapshot-000120-interrupted.safetensors', 120],
      ['network-snapshot-000120.safetensors', 120],
      ['network-snapshot-000009.safetensors', 9],
    ],
  )
  await removeInterrupted(dir)
  t.false((await readdir(dir)).includes(snapshotName(120_500, true)))
})

test('a folder means its newest snapshot, also one that was interrupted and lies deeper', async (t) => {
  const dir = await folder()
  await writeFile(join(dir, snapshotName(1000)), '')
  await writeFile(join(dir, snapshotName(1500, true)), '')
  await utimes(join(dir, snapshotName(1000)), 1, 1)
  t.is(await findSnapshot(dir), join(dir, snapshotName(1500, true)))
  // Copies have times of their own: within a folder the number counts.
  await utimes(join(dir, snapshotName(1000)), 9e9, 9e9)
  t.is(await findSnapshot(dir), join(dir, snapshotName(1500, true)))
  await t.throwsAsync(findSnapshot(await folder()), {
    message: /a folder with network-snapshot-NNNNNN\.safetensors is expected, got one without/,
  })
  await t.throwsAsync(findSnapshot(join(dir, 'none')), { message: /got nothing/, code: 'ERR_NO_SNAPSHOT' })
})

test('kept are the newest, the last of every tenth tick, and the best by each metric', async (t) => {
  const dir = await folder()
  for (let tick = 1; tick <= 24; tick++) await put(dir, 4 * tick, tick)
  const all = Array.from({ length: 24 }, (_, i) => 4 * (i + 1))
  const without = (...kept: number[]) => all.filter((kimg) => !kept.includes(kimg / 4))
  t.deepEqual(await surplus(dir, 3), without(10, 20, 22, 23, 24))
  t.deepEqual(await surplus(dir, 1), without(10, 20, 24))
  t.deepEqual(await surplus(dir, 24), [])
  await measured(dir, 'fid50k', [
    [4, { fid50k: 9 }],
    [8, { fid50k: 5 }],
    [12, { fid50k: 7 }],
    [400, { fid50k: 1 }],
  ])
  await measured(dir, 'pr50k3', [
    [16, { pr50k3_precision: 0.9, pr50k3_recall: 0.1 }],
    [20, { pr50k3_precision: 0.5, pr50k3_recall: 0.4 }],
  ])
  await measured(dir, 'swd', [
    [24, { swd: 3, swd_16: 9 }],
    [28, { swd: 4, swd_16: 1 }],
  ])
  t.deepEqual(await surplus(dir, 3), without(2, 4, 5, 6, 10, 20, 22, 23, 24))
})

test('a snapshot that cannot be read is not removed', async (t) => {
  const dir = await folder()
  for (let tick = 1; tick <= 4; tick++) await put(dir, tick, tick)
  await writeFile(join(dir, snapshotName(1000)), 'damaged')
  t.deepEqual(await surplus(dir, 1), [2, 3])
})

test('a metric speaks of the snapshot that its line names', async (t) => {
  const dir = await folder()
  await measured(dir, 'swd', [[1, { swd: 3 }]])
  t.true(await isMeasured(dir, snapshotName(1000)))
  t.true(await isMeasured(dir, snapshotName(1000), 'swd'))
  t.false(await isMeasured(dir, snapshotName(1000), 'fid50k'))
  t.false(await isMeasured(dir, snapshotName(2000)))
})
