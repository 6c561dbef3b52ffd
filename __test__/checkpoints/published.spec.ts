/** Published files are recognised. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openCheckpoint } from '../../ts/checkpoints/index.ts'
import { recognise } from '../../ts/checkpoints/published.ts'
import { folder as fixtures } from '../support/checkpoints.ts'
import { folder } from '../support/folder.ts'

const ffhq = 'f277a43711447812d809b2fdd7748b945cfd7bdcd391d66e557a68d590309aab'

test('a file with the hash of a published one is that one, whatever its name, and has its licence', (t) => {
  t.deepEqual(recognise('renamed.pkl', ffhq), {
    text: 'karras2019stylegan-ffhq-1024x1024.pkl (NVlabs/stylegan, Google Drive 1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ): the same SHA-256 as a known copy',
    licence: 'CC BY-NC 4.0',
    file: 'karras2019stylegan-ffhq-1024x1024.pkl',
  })
  t.is(recognise('network.pkl', '00'), undefined)
})

test('a name alone says so where no hash is published, and nothing where the hash is another', async (t) => {
  const dir = await folder()
  const open = async (fixture: string, name: string) => {
    const path = join(dir, name)
    await copyFile(new URL(fixture, fixtures), path)
    return openCheckpoint([path])
  }
  const cats = await open('nvlabs/fused16/network.pkl', 'karras2019stylegan-cats-256x256.pkl')
  t.regex(cats.published!, /^karras2019stylegan-cats-256x256\.pkl \(NVlabs.*\), by its name alone/)
  const other = await open('nvlabs/fused16/network.pkl', 'karras2019stylegan-ffhq-1024x1024.pkl')
  t.regex(other.published!, new RegExp(`by its name, but a known copy of that has SHA-256 ${ffhq}$`))
  const zoo = await open('genforce/labels16/network.pth', 'stylegan_ffhq1024.pth')
  t.is(zoo.licence, 'CC BY-NC 4.0, converted')
  const own = await open('genforce/labels16/network.pth', 'mine.pth')
  t.is(own.published, undefined)
})
