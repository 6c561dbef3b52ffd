/** Labels of class folders, of dataset.json, and of the built-in avatars. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { readLabels, requireLabels } from '../../ts/data/labels.ts'
import { DataError, encodePng } from '../../ts/native/index.ts'
import { classFolders, folder, images, options } from '../support/images.ts'

test('the built-in avatars have labels that stand for what is drawn', async (t) => {
  const dataset = await openDataset(await options('builtin:avatars', { resolution: 32 }))
  t.deepEqual([dataset.levels.count, dataset.levels.resolution], [4000, 64])
  const labels = (await readLabels(dataset))!
  t.is(labels.values.length, 4000 * labels.names.length)
  const tops = labels.names.flatMap((name, column) => (name.startsWith('top=') ? [column] : []))
  t.true(tops.length > 10)
  // Every face has one top.
  for (const row of [0, 1234, 3999]) {
    t.is(
      tops.reduce((sum, column) => sum + labels.values[row * labels.names.length + column]!, 0),
      1,
    )
  }
})

test('folders are classes where every image lies in one, and a bad file leaves no label behind', async (t) => {
  const data = await classFolders()
  await writeFile(join(data, 'a', 'bad.png'), 'no image')
  const labels = (await readLabels(await openDataset(await options(data, { skipBad: true }))))!
  t.deepEqual(labels.names, ['a', 'b'])
  t.deepEqual([...labels.values], [1, 0, 0, 1])
  t.is(await readLabels(await openDataset(await options(await images(2)))), undefined)
})

test('labels come from dataset.json as StyleGAN3 writes it, and each image needs one', async (t) => {
  const data = await classFolders()
  await writeFile(join(data, 'dataset.json'), '{"labels": [["a/x.png", 2], ["b/x.png", 0]]}')
  const labels = (await readLabels(await openDataset(await options(data))))!
  t.deepEqual(labels.names, ['0', '1', '2'])
  t.deepEqual([...labels.values], [0, 0, 1, 1, 0, 0])
  await writeFile(join(data, 'dataset.json'), '{"labels": [["a/x.png", 2]]}')
  const prepare = await options(data, { labels: true })
  await t.throwsAsync(openDataset(prepare), {
    instanceOf: DataError,
    message: /a label for each image .*b\/x\.png has none/,
  })
})

test('the first three images without a label are named, and how many more there are', async (t) => {
  const data = await images(6)
  await writeFile(join(data, 'dataset.json'), '{"labels": [["0002.png", 1]]}')
  await t.throwsAsync(openDataset(await options(data, { labels: true })), {
    instanceOf: DataError,
    message: /expected, 0000\.png, 0004\.png, nested\/0001\.png and 2 more have none$/,
  })
})

test('a label may be a list of 0 and 1, and classes may have names', async (t) => {
  const data = await classFolders()
  const write = (text: string) => writeFile(join(data, 'dataset.json'), text)
  await write('{"labels": [["a/x.png", [0, 1]], ["b/x.png", [1.0, 0.0]]]}')
  const prepare = await options(data)
  t.deepEqual([...(await readLabels(await openDataset(prepare)))!.values], [0, 1, 1, 0])
  await write('{"labels": [["a/x.png", 1], ["b/x.png", 0]], "classes": ["cat", "dog"]}')
  t.deepEqual((await readLabels(await openDataset(prepare)))!.names, ['cat', 'dog'])
})

test('folders of a thousand images each are no classes', async (t) => {
  for (const names of [
    ['00000/img00000999.png', '00001/img00001000.png'],
    ['00000/00999.png', '01000/01000.png'],
  ]) {
    const data = await folder()
    for (const name of names) {
      await mkdir(join(data, dirname(name)))
      await writeFile(join(data, name), await encodePng(new Uint8Array(8 * 8 * 3), 8, 8, 3))
    }
    t.is((await openDataset(await options(data))).info.labels, undefined)
    await rename(join(data, names[0]!), join(data, dirname(names[0]!), '1.png'))
    t.deepEqual((await openDataset(await options(data))).info.labels, names.map(dirname))
  }
})

/** What is said where labels are needed, and where they are not. */
async function refusals(data: string): Promise<{ needed: string; notes: string[]; required: string }> {
  const failure = async (work: Promise<unknown>) =>
    work.then(
      () => '',
      (error: unknown) => (error as Error).message,
    )
  const prepare = await options(data)
  const needed = await failure(openDataset({ ...prepare, labels: true }))
  const notes: string[] = []
  const dataset = await openDataset({ ...prepare, onNote: (line) => notes.push(line) })
  return { needed, notes, required: await failure(requireLabels(dataset)) }
}

test('a broken dataset.json stops a run that needs labels, and is told to one that does not', async (t) => {
  const data = await classFolders()
  const json = join(data, 'dataset.json')
  await writeFile(json, '{"labels": [\n["a/x.png", 2],\n["b/x.png", 0],]}')
  const { needed, notes, required } = await refusals(data)
  t.is(needed, `${json}: JSON is expected, got trailing comma at line 3 column 16`)
  t.deepEqual(notes, [`Labels are not used: ${needed}`])
  t.true(required.endsWith(`got none: ${needed}`), required)
})

test('a file beside class folders is named where labels are needed', async (t) => {
  const data = await classFolders()
  await writeFile(join(data, 'stray.png'), await encodePng(new Uint8Array(48), 4, 4, 3))
  const { needed, notes, required } = await refusals(data)
  t.regex(needed, /folders are classes if every image lies in one, but stray\.png lies beside them; move it .* a, b/)
  t.deepEqual([notes, required], [[], needed])
})

test('images without labels say how to give them some', async (t) => {
  const { needed, required } = await refusals(await images(2))
  t.regex(
    needed,
    /labels are expected for a training with classes and for a classifier, got none: \S+ has none; each class may have a folder/,
  )
  t.is(required, needed)
})
