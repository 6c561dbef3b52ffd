/** Opening data sets. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openDataset } from '../../ts/data/dataset.ts'
import { folder, images, options } from '../support/images.ts'

test('a prepared dataset can be named itself', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  t.is((await openDataset(await options(dir))).levels.count, 3)
})

test('a folder that is missing, a file, or empty is refused by name', async (t) => {
  const dir = await folder()
  await writeFile(join(dir, 'file'), '')
  const open = async (data: string) => openDataset(await options(data))
  await t.throwsAsync(open(join(dir, 'gone')), { message: /gone: a folder of images is expected, there is nothing/ })
  await t.throwsAsync(open(join(dir, 'file')), { message: /file: a folder of images is expected, this is a file/ })
  await t.throwsAsync(open(dir), { message: /no image|images/ })
})

test('a prepared dataset that is too small is refused', async (t) => {
  const { dir } = await openDataset(await options(await images(3)))
  const error = await t.throwsAsync(openDataset(await options(dir, { resolution: 16 })))
  t.regex(error.message, /at least 16x16 are expected, the prepared dataset has 8x8/)
})
