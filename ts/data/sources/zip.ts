/** Image files in a zip archive, such as StyleGAN2-ADA and 3 train on: read in place, with `dataset.json` beside the images. */
import { plural } from '../../files/units.ts'
import { createHash } from 'node:crypto'
import { labelFiles, labelsIn } from '../labels.ts'
import { readBudget } from './file.ts'
import type { ImageInput, LeftOut, Source } from './source.ts'
import type { ZipFile } from './zip-file.ts'
import { DataError } from '../../native/index.ts'

/** Names that say that a file is an image of a kind that is read. */
export const imageSuffix = /\.(?:a?png|jpe?g|jpe|jfif|jif|webp|gif|bmp|dib|tiff?)$/i
/** What no one takes for data: hidden files, and what macOS adds. */
const hidden = /(?:^|\/)(?:\.|__MACOSX\/)/

/** @throws DataError if it holds no image, or is encrypted, or leads out of the archive */
export function openZip(zip: ZipFile): Source {
  const { path, stamp } = zip.file
  const { images, others, leftOut } = listed(zip)
  if (images.length === 0) {
    throw new DataError(
      `${path}: no image found: looked for PNG, JPEG, GIF, WebP, BMP and TIFF among the ${zip.count} ${plural(zip.count, 'file')} of the archive`,
    )
  }
  if (zip.entry(images[0]!).isEncrypted) {
    throw new DataError(`${path}: an archive without a password is expected, got an encrypted one; pack it again`)
  }
  const top = commonFolder(zip, images, others)
  const names = { count: images.length, name: (index: number) => zip.name(images[index]!).slice(top.length) }
  const inZip = {
    place: (name: string) => `${path}: ${top}${name}`,
    read: async (name: string) => {
      const found = others.get(top + name)
      return found === undefined ? undefined : zip.content(found)
    },
  }
  return {
    kind: 'zip',
    path,
    leftOut,
    ...names,
    hash: () => createHash('sha256').update(stamp),
    labels: () => labelsIn(path, names, inZip),
    read: (first, count) => read(zip, images.subarray(first, first + count)),
    close: () => zip.file.close(),
  }
}

interface Listed {
  readonly images: Uint32Array
  readonly others: ReadonlyMap<string, number>
  readonly leftOut: readonly LeftOut[]
}

/** The images by name, the files that may hold labels, and what is neither. */
function listed(zip: ZipFile): Listed {
  const images = new Uint32Array(zip.count)
  const others = new Map<string, number>()
  const leftOut: LeftOut[] = []
  let [count, before, isSorted] = [0, '', true]
  for (let i = 0; i < zip.count; i++) {
    const name = zip.name(i)
    if (name.endsWith('/') || hidden.test(name)) continue
    const file = name.slice(name.lastIndexOf('/') + 1)
    if (imageSuffix.test(name)) {
      const key = zip.key(i)
      isSorted &&= before < key
      before = key
      images[count++] = i
    } else if (labelFiles.includes(file)) others.set(name, i)
    else
      leftOut.push({
        path: `${zip.file.path}: ${name}`,
        kind: /\.[a-z0-9]{1,11}$/i.exec(file)?.[0].toLowerCase() ?? 'other file',
      })
  }
  const found = count === zip.count ? images : images.slice(0, count)
  if (isSorted) return { images: found, others, leftOut }
  const compare = zip.comparing()
  found.sort((a, b) => compare(a, b) || a - b)
  // Of two files of one name the later one counts, as for those who unpack the archive.
  const last = found.filter((a, i) => i + 1 === count || compare(a, found[i + 1]!) !== 0)
  return { images: last, others, leftOut }
}

/** The folder that was packed as a whole, if all is in one: it is no class. */
function commonFolder(zip: ZipFile, images: Uint32Array, others: ReadonlyMap<string, number>): string {
  const first = zip.name(images[0]!)
  const folder = first.slice(0, first.indexOf('/') + 1)
  if ([...others.keys()].some((name) => !name.startsWith(folder))) return ''
  return images.every((image) => zip.name(image).startsWith(folder)) ? folder : ''
}

async function read(zip: ZipFile, images: Uint32Array): Promise<ImageInput[]> {
  const found: ImageInput[] = []
  let left = readBudget
  for (const image of images) {
    left -= zip.entry(image).size
    if (left < 0 && found.length > 0) break
    const name = `${zip.file.path}: ${zip.name(image)}`
    try {
      found.push({ name, bytes: await zip.content(image) })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      found.push({ name, bad: error.message })
    }
  }
  return found
}
