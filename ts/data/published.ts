/** Where the data sets of the paper are, as their publishers pack them. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe } from '../native/index.ts'
import { DataError } from '../native/index.ts'

interface Published {
  readonly what: string
  readonly by: string
  readonly url: string
  /** Folders and files that unpacking gives, the best first. */
  readonly places: readonly string[]
  /** Rows of a hundred columns that are shown, between black ones. */
  readonly rows?: number
}

const ffhq: Published = {
  what: 'FFHQ',
  by: 'NVIDIA',
  url: 'https://github.com/NVlabs/ffhq-dataset',
  // Not thumbnails128x128 and in-the-wild-images, which lie beside them.
  places: [
    'images1024x1024',
    'images1024x1024.zip',
    'tfrecords/ffhq',
    'ffhq-1024x1024.zip',
    'ffhq-dataset/images1024x1024',
  ],
}
const lsun = (category: string, kind: string, places: readonly string[]): Published => ({
  what: `LSUN ${category}`,
  by: 'Princeton and Berkeley',
  url: `http://dl.yf.io/lsun/${kind}`,
  places,
})

/** By preset. */
const published: Readonly<Record<string, Published>> = {
  ffhq,
  ffhq512: { ...ffhq, places: ['ffhq-512x512.zip', ...ffhq.places] },
  ffhq256: { ...ffhq, places: ['ffhq-256x256.zip', ...ffhq.places] },
  celebahq: {
    what: 'CelebA-HQ',
    by: 'NVIDIA and CUHK',
    url: 'https://github.com/switchablenorms/CelebAMask-HQ',
    places: [
      'CelebA-HQ-img',
      'CelebAMask-HQ/CelebA-HQ-img',
      'celeba-hq/celeba-1024',
      'celeba-1024',
      'tfrecords/celebahq',
      'data1024x1024',
    ],
  },
  bedroom: lsun('bedroom', 'scenes/bedroom_train_lmdb.zip', ['bedroom_train_lmdb', 'lsun/bedroom_train_lmdb']),
  // 512x384 in 512x512: official dataset_tool.py, create_lsun_wide.
  car: { ...lsun('car', 'objects/car.zip', ['car', 'lsun/car', 'car_lmdb']), rows: 75 },
  cat: lsun('cat', 'objects/cat.zip', ['cat', 'lsun/cat', 'cat_lmdb']),
}

/**
 * The data of a preset below a folder into which its publisher's files were unpacked, and how they are prepared; other data as they are.
 * Cars are laid on black squares only where they are the published ones.
 */
export async function publishedData(
  preset: string,
  data: string,
  resolution: number,
): Promise<{ readonly data: string } & Pick<Recipe, 'wideHeight'>> {
  const known = published[preset]
  for (const place of known?.places ?? []) {
    const path = join(data, place)
    if ((await stat(path).catch(() => undefined)) === undefined) continue
    const wideHeight = known?.rows === undefined ? undefined : (resolution * known.rows) / 100
    return { data: path, ...(wideHeight === undefined ? {} : { wideHeight }) }
  }
  return { data }
}

/** What `work` gives; where the data of a preset are missing, the error says who publishes them. */
export async function namingPublisher<T>(preset: string, work: () => Promise<T>): Promise<T> {
  const known = published[preset]
  try {
    return await work()
  } catch (error) {
    if (
      known === undefined ||
      !(error instanceof DataError) ||
      !/got nothing|no image found|is expected, got a file/.test(error.message)
    ) {
      throw error
    }
    const { what, by, url, places } = known
    const hint = `preset ${preset} takes ${what}, which ${by} publish${by.includes(' and ') ? '' : 'es'}: ${url}; data is the folder of ${places[0]}`
    throw new DataError(`${error.message}; ${hint}`, { cause: error })
  }
}
