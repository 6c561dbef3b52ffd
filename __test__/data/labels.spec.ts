/** Labels of class folders, of dataset.json, and of the built-in avatars. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { readLabels } from '../../ts/data/labels.ts'
import { DataError } from '../../ts/native/index.ts'
import { classFolders, images, options } from '../support/images.ts'

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
  const prepare = await options(data)
  await t.throwsAsync(openDataset(prepare), {
    instanceOf: DataError,
    message: /a label for each image .*b\/x\.png has none/,
  })
})
