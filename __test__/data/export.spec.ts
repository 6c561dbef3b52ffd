/** Data sets for StyleGAN3: PNG files with labels, in a folder or an archive. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { exportDataset, exportedName } from '../../ts/data/export.ts'
import { readZip } from '../../ts/files/zip.ts'
import { DataError } from '../../ts/native/index.ts'
import { classFolders, folder, images, options } from '../support/images.ts'

test('a folder has the names, files and labels of the official tool, and prepares to the same pixels', async (t) => {
  const dataset = await openDataset(await options(await classFolders()))
  const output = join(await folder(), 'out')
  await exportDataset(dataset, output)
  t.deepEqual((await readdir(output)).sort(), ['00000', 'dataset.json'])
  t.deepEqual(await readdir(join(output, '00000')), ['img00000000.png', 'img00000001.png'])
  const { labels } = JSON.parse(await readFile(join(output, 'dataset.json'), 'utf8')) as { labels: unknown }
  t.deepEqual(labels, [
    ['00000/img00000000.png', 0],
    ['00000/img00000001.png', 1],
  ])
  const again = await openDataset(await options(output, { labels: true }))
  t.deepEqual(await readFile(join(again.dir, 'r03.npy')), await readFile(join(dataset.dir, 'r03.npy')))
  t.deepEqual(await readFile(join(again.dir, 'labels.npy')), await readFile(join(dataset.dir, 'labels.npy')))
})

test('an archive holds the files of the folder, stored', async (t) => {
  const dataset = await openDataset(await options(await images(5)))
  const dir = await folder()
  await exportDataset(dataset, join(dir, 'out.zip'))
  await exportDataset(dataset, join(dir, 'out'))
  const files = readZip(await readFile(join(dir, 'out.zip')))
  t.deepEqual([...files.keys()], [...Array.from({ length: 5 }, (_, i) => exportedName(i)), 'dataset.json'])
  for (const [name, read] of files) t.deepEqual(Buffer.from(read()), await readFile(join(dir, 'out', name)), name)
  t.is(Buffer.from(files.get('dataset.json')!()).toString(), '{"labels": null}\n')
  t.deepEqual((await readdir(dir)).filter((name) => !name.startsWith('.')).sort(), ['out', 'out.zip'])
})

for (const name of ['out.zip', 'out']) {
  test(`an interrupted export to ${name} goes on where it stopped, to the same bytes`, async (t) => {
    const dataset = await openDataset(await options(await images(150)))
    const dir = await folder()
    const whole = join(dir, `whole-${name}`)
    await exportDataset(dataset, whole)
    const stop = new AbortController()
    const cut = exportDataset(dataset, join(dir, name), { signal: stop.signal, onProgress: () => stop.abort() })
    await t.throwsAsync(cut, { any: true })
    await t.throwsAsync(stat(join(dir, name)), { code: 'ENOENT' })
    const seen: number[] = []
    await exportDataset(dataset, join(dir, name), { onProgress: (done) => seen.push(done) })
    t.deepEqual(seen, [128, 150])
    const files = name === 'out' ? [exportedName(0), exportedName(149), 'dataset.json'] : ['']
    for (const file of files)
      t.deepEqual(await readFile(join(dir, name, file)), await readFile(join(whole, file)), file)
  })
}

test('the first images alone are exported', async (t) => {
  const dataset = await openDataset(await options(await classFolders()))
  const output = join(await folder(), 'out')
  await exportDataset(dataset, output, { maxImages: 1, resolution: 4 })
  t.deepEqual(await readdir(join(output, '00000')), ['img00000000.png'])
  const { labels } = JSON.parse(await readFile(join(output, 'dataset.json'), 'utf8')) as { labels: unknown }
  t.deepEqual(labels, [['00000/img00000000.png', 0]])
})

test('an export without labels says why there are none', async (t) => {
  const notes = async (set: Awaited<ReturnType<typeof openDataset>>) => {
    const said: string[] = []
    await exportDataset(set, join(await folder(), 'out.zip'), { onNote: (line) => said.push(line) })
    return said
  }
  const data = await images(2)
  await writeFile(join(data, 'labels.csv'), 'file,class\nnone.png,1\n')
  const broken = await openDataset(await options(data))
  t.truthy(broken.info.noLabels)
  t.deepEqual(await notes(broken), [`No labels are written: ${broken.info.noLabels}`])
  t.deepEqual(await notes(await openDataset(await options(await classFolders()))), [])
})

test('what is there already is left alone', async (t) => {
  const dataset = await openDataset(await options(await images(1)))
  const output = await folder()
  await writeFile(join(output, 'mine'), '')
  const error = await t.throwsAsync(exportDataset(dataset, output), { instanceOf: DataError })
  t.regex(error.message, /nothing is expected there yet, got a folder; name another output, or remove it$/)
})

test('an export that finds no room names its output, and what the next one goes on from', async (t) => {
  const dataset = await openDataset(await options(await images(3)))
  const dir = await folder()
  for (const output of [join(dir, 'out'), join(dir, 'out.zip')]) {
    const onProgress = () => {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    }
    const error = await t.throwsAsync(exportDataset(dataset, output, { onProgress }), { code: 'ENOSPC' })
    t.true(error.message.startsWith(`the disk is full (ENOSPC): no room is left for ${output}, `), error.message)
    t.true(error.message.endsWith(`run the same command again, which goes on from ${output}.exporting`), error.message)
    await stat(`${output}.exporting`)
  }
})
