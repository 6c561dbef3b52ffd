/** Two trainings on a few images: with augmentation and without. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { configOf } from '../../scripts/few-images.ts'
import { drawAvatars } from '../../scripts/trials.ts'
import { pngPixels } from '../support/png.ts'
import { avatar } from '../../ts/data/avatars.ts'
import { sameRun } from '../../ts/training/config.ts'
import { folder } from '../support/folder.ts'

test('both trainings on few images differ in augmentation alone', (t) => {
  t.deepEqual(sameRun(configOf('none'), configOf('ada')), ['aug'])
})

test('avatars that were drawn halfway are drawn to the end, and a file that was cut off anew', async (t) => {
  const dir = await folder()
  await drawAvatars(dir, 3, 8)
  await rm(join(dir, '00002.png'))
  await writeFile(join(dir, '00001.png'), 'cut off')
  await drawAvatars(dir, 3, 8)
  t.deepEqual((await readdir(dir)).sort(), ['00000.png', '00001.png', '00002.png'])
  t.deepEqual(pngPixels(await readFile(join(dir, '00001.png'))), avatar(1, 8).pixels)
})
