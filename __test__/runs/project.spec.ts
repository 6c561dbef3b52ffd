import { copyFile, link, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { avatar } from '../../ts/data/avatars.ts'
import { readNpz } from '../../ts/files/npz.ts'
import { encodeProjected, readProjected } from '../../ts/figures/projected.ts'
import { Styles } from '../../ts/figures/styles.ts'
import { encodePng } from '../../ts/native/index.ts'
import { loadGenerator } from '../../ts/runs/load-generator.ts'
import { project, type ProjectEvent, type ProjectOptions } from '../../ts/runs/project.ts'
import { train } from '../../ts/runs/loop.ts'
import { resolveConfig } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'
import { tinyConfig, tinyDataset } from '../support/tiny.ts'

let trained: Promise<string> | undefined

/** A run of tiny networks, with a discriminator. */
function network(): Promise<string> {
  return (trained ??= (async () => {
    const outdir = await folder()
    const full = { ...tinyConfig, lodInitialResolution: tinyConfig.resolution }
    const config = resolveConfig('demo', { ...full, kimg: 0.016, data: await tinyDataset(), outdir })
    for await (const event of train(config)) if (event.type === 'end') break
    return outdir
  })())
}

/** An image that is higher than wide. */
async function image(): Promise<string> {
  const path = join(await folder(), 'photo.png')
  const { pixels } = avatar(100_000, 32)
  await writeFile(path, await encodePng(pixels.subarray(0, 32 * 24 * 3), 32, 24, 3))
  return path
}

async function all(options: ProjectOptions, signal?: AbortSignal): Promise<ProjectEvent[]> {
  const events: ProjectEvent[] = []
  for await (const event of project(options, { signal })) events.push(event)
  return events
}

const filesIn = async (dir: string) =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(dir)).sort().map(async (name) => [name, (await readFile(join(dir, name))).toString('hex')]),
    ),
  ) as Record<string, string>

test('it tells how far it is, and writes the pictures, w and the video', async (t) => {
  const outdir = await folder()
  const events = await all({ network: await network(), target: await image(), outdir, numSteps: 5 })
  // Without ffmpeg a line says so.
  const types = events.map(({ type }) => type).filter((type) => type !== 'notice')
  const steps = Array.from({ length: 5 }, () => 'step')
  t.deepEqual(types, ['start', ...steps, 'saved', 'file', 'file', 'file', 'file', 'end'])
  const [start] = events
  t.like(start, { step: 0, total: 5, distance: "pixels of every size, and features of the network's discriminator" })
  t.deepEqual(events.at(-1), { type: 'end', step: 5, aborted: false })
  const files = Object.keys(await filesIn(outdir))
  t.deepEqual(
    files.filter((name) => !name.startsWith('proj.')),
    ['projected_w.npz', 'target.png'],
  )
  t.regex(files.join(), /^proj\.(apng|mp4),proj\.png,/)
})

test('w is [1, layers, dlatentSize], and generate draws proj.png of it, byte for byte', async (t) => {
  const path = await network()
  for (const space of ['w', 'w+'] as const) {
    const outdir = await folder()
    await all({ network: path, target: await image(), outdir, numSteps: 8, space })
    const { arrays } = readNpz(new Uint8Array(await readFile(join(outdir, 'projected_w.npz'))))
    const w = arrays.get('w')!
    t.deepEqual([w.dtype, ...w.shape], ['f32', 1, 4, 8])
    const rows = Array.from({ length: 4 }, (_, i) =>
      w
        .values()
        .slice(8 * i, 8 * i + 8)
        .join(),
    )
    t.is(new Set(rows).size, space === 'w' ? 1 : 4)
    const projected = await readProjected(join(outdir, 'projected_w.npz'))
    using G = await loadGenerator(path)
    const images = await G.synthesis(projected.w, projected)
    t.deepEqual(await images.png(0), new Uint8Array(await readFile(join(outdir, 'proj.png'))))
  }
})

test('stopped at any step it saves, and the same options end with the same bits', async (t) => {
  const given = { network: await network(), target: await image(), numSteps: 9 }
  const whole = await folder()
  await all({ ...given, outdir: whole })
  for (const leave of ['signal', 'break'] as const) {
    const outdir = await folder()
    const stop = new AbortController()
    let last: ProjectEvent | undefined
    for await (const event of project({ ...given, outdir }, { signal: stop.signal })) {
      last = event
      if (event.type !== 'step' || event.step !== 4) continue
      if (leave === 'break') break
      stop.abort()
    }
    if (leave === 'signal') t.deepEqual(last, { type: 'end', step: 4, aborted: true })
    t.deepEqual(await readdir(outdir), ['projection.safetensors'])
    const events = await all({ ...given, outdir })
    t.like(events[0], { type: 'start', step: 4, total: 9 })
    t.deepEqual(await filesIn(outdir), await filesIn(whole))
  }
})

test('killed, it goes on from what it saved last, with the same bits', async (t) => {
  const given = { network: await network(), target: await image(), numSteps: 104 }
  const [whole, outdir] = [await folder(), await folder()]
  const saved = join(await folder(), 'saved')
  for await (const event of project({ ...given, outdir: whole })) {
    // A process that is killed now leaves this file alone.
    if (event.type === 'saved' && event.step === 100) await copyFile(event.path, saved)
  }
  await copyFile(saved, join(outdir, 'projection.safetensors'))
  const events = await all({ ...given, outdir })
  t.like(events[0], { type: 'start', step: 100 })
  t.deepEqual(await filesIn(outdir), await filesIn(whole))
})

test('other options do not go on: it says so and begins again', async (t) => {
  const given = { network: await network(), target: await image(), outdir: await folder(), numSteps: 6 }
  for await (const event of project(given)) if (event.type === 'step' && event.step === 2) break
  const events = await all({ ...given, seed: 1 })
  t.like(events[0], { type: 'notice' })
  t.regex(
    (events[0] as { line: string }).line,
    /projection\.safetensors is of another network, target or options: it is replaced/,
  )
  t.like(events[1], { type: 'start', step: 0 })
})

test('a damaged file of saved steps is an error that names it', async (t) => {
  const given = { network: await network(), target: await image(), outdir: await folder(), numSteps: 6 }
  for await (const event of project(given)) if (event.type === 'step' && event.step === 2) break
  const path = join(given.outdir, 'projection.safetensors')
  const bytes = await readFile(path)
  await writeFile(path, bytes.subarray(0, bytes.length - 5))
  await t.throwsAsync(all(given), {
    name: 'SnapshotError',
    message: /projection\.safetensors: truncated.*; remove it to begin again$/,
  })
  t.is((await stat(path)).size, bytes.length - 5)
})

test('what it reads is never written: a target in the place of target.png is refused', async (t) => {
  const [outdir, target] = [await folder(), await image()]
  await link(target, join(outdir, 'target.png'))
  const before = await readFile(target)
  await t.throwsAsync(all({ network: 'avatars', target, outdir, numSteps: 1 }), {
    message: /target\.png: another file than the one that is read is expected/,
  })
  t.deepEqual(await readFile(target), before)
})

test('two projections into one folder: the second is refused', async (t) => {
  const given = { network: await network(), target: await image(), outdir: await folder(), numSteps: 6 }
  for await (const event of project(given)) {
    if (event.type !== 'step' || event.step > 1) continue
    await t.throwsAsync(all(given), { name: 'LockedError', message: /another projection in this folder is under way/ })
  }
})

test('a file without w, or of w that is not finite, is refused in one sentence', async (t) => {
  const dir = await folder()
  const path = join(dir, 'w.npz')
  const write = (values: number[]) =>
    writeFile(path, Buffer.concat([...encodeProjected({ w: new Styles(Float32Array.from(values), [1, 2, 2]) })]))
  await write([1, 2, 3, 4])
  t.deepEqual([...(await readProjected(path)).w.values], [1, 2, 3, 4])
  await write([1, 2, NaN, 4])
  await t.throwsAsync(readProjected(path), {
    message: /w\.npz: a \.npz file with w is expected, its numbers are not finite; make one/,
  })
  await writeFile(path, 'text')
  await t.throwsAsync(readProjected(path), {
    name: 'WeightsError',
    message: /^[^\n]*w\.npz: a \.npz file with w is expected, [^\n]*$/,
  })
  await t.throwsAsync(readProjected(join(dir, 'none.npz')), { message: /none\.npz: .*got nothing; check the path$/ })
})
