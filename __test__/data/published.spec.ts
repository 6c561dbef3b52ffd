/** Data sets of the paper as they are published. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { namingPublisher, publishedData } from '../../ts/data/published.ts'
import { checkData } from '../../ts/data/dataset.ts'
import { DataError } from '../../ts/native/index.ts'
import { folder } from '../support/folder.ts'

test('the images of a preset are found below the folder into which they were unpacked', async (t) => {
  const root = await folder()
  const places = {
    ffhq: 'images1024x1024',
    celebahq: 'CelebAMask-HQ/CelebA-HQ-img',
    bedroom: 'bedroom_train_lmdb',
    cat: 'cat',
  }
  await mkdir(join(root, 'thumbnails128x128'))
  for (const [preset, place] of Object.entries(places)) {
    await mkdir(join(root, place), { recursive: true })
    t.deepEqual(await publishedData(preset, root, 256), { data: join(root, place) })
  }
})

test('published cars are 512x384 on black squares, at every resolution; other data are as they are', async (t) => {
  const root = await folder()
  await mkdir(join(root, 'car'))
  t.deepEqual(await publishedData('car', root, 512), { data: join(root, 'car'), wideHeight: 384 })
  t.deepEqual(await publishedData('car', root, 128), { data: join(root, 'car'), wideHeight: 96 })
  t.deepEqual(await publishedData('stylegan', root, 512), { data: root })
  t.deepEqual(await publishedData('cat', root, 512), { data: root })
})

test('where they are missing, who publishes them is named', async (t) => {
  const check = (preset: string) => namingPublisher(preset, () => checkData('/nowhere'))
  const error = await t.throwsAsync(check('ffhq'), { instanceOf: DataError })
  t.regex(
    error.message,
    /got nothing; check the path; preset ffhq takes FFHQ, which NVIDIA publishes: https:\/\/github\.com\/NVlabs\/ffhq-dataset; data is the folder of images1024x1024$/,
  )
  await t.throwsAsync(check('demo'), { message: /got nothing; check the path$/ })
})
