/** Folders of images that tests prepare. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PrepareOptions } from '../../ts/data/prepare.ts'
import { encodePng } from '../../ts/native/index.ts'
import { folder } from './folder.ts'

export { folder } from './folder.ts'

/** PNG files of one colour each, named 0.png … */
export async function images(count: number, size = 8): Promise<string> {
  const dir = await folder()
  await mkdir(join(dir, 'nested'))
  for (let i = 0; i < count; i++) {
    const pixels = new Uint8Array(size * size * 3).fill(i)
    const name = `${String(i).padStart(4, '0')}.png`
    await writeFile(join(dir, i % 2 ? 'nested' : '.', name), await encodePng(pixels, size, size, 3))
  }
  return dir
}

export async function options(data: string, more: Partial<PrepareOptions> = {}): Promise<PrepareOptions> {
  return { data, cache: await folder(), resolution: 8, channels: 3, skipBad: false, ...more }
}

/** Folders a and b with one image each. */
export async function classFolders(): Promise<string> {
  const data = await folder()
  for (const [i, name] of ['a', 'b'].entries()) {
    await mkdir(join(data, name))
    await writeFile(join(data, name, 'x.png'), await encodePng(new Uint8Array(8 * 8 * 3).fill(i), 8, 8, 3))
  }
  return data
}
