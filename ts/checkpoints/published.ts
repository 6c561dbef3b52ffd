/**
 * Files of networks that others published: names, places and licences as their publishers state them (docs/checkpoints.md). None states a
 * hash; that of one file is known from a copy of it.
 */

interface Published {
  readonly file: string
  /** Where it is, or was, published. */
  readonly place: string
  readonly licence: string
  readonly sha256?: string
}

const nonCommercial = 'CC BY-NC 4.0'
const ofNvidia = (name: string, id: string, sha256?: string): Published => ({
  file: `karras2019stylegan-${name}.pkl`,
  place: `NVlabs/stylegan, Google Drive ${id}`,
  licence: nonCommercial,
  ...(sha256 ? { sha256 } : {}),
})
const ofGenforce = (licence: string, ...names: readonly string[]): Published[] =>
  names.map((name) => ({ file: `stylegan_${name}.pth`, place: 'genforce/genforce, model zoo', licence }))

const files: readonly Published[] = [
  // From the Git LFS pointer of a copy, 324,733,157 bytes, in github.com/yypylypiv0422/babygan.
  ofNvidia(
    'ffhq-1024x1024',
    '1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ',
    'f277a43711447812d809b2fdd7748b945cfd7bdcd391d66e557a68d590309aab',
  ),
  ofNvidia('celebahq-1024x1024', '1MGqJl28pN4t7SAtSrPdSRJSQJqahkzUf'),
  ofNvidia('bedrooms-256x256', '1MOSKeGF0FJcivpBI7s63V9YHloUTORiF'),
  ofNvidia('cars-512x384', '1MJ6iCfNtMIRicihwRorsM3b7mmtmK9c3'),
  ofNvidia('cats-256x256', '1MQywl0FNt6lHu8E_EUqnRbviagS7fbiJ'),
  {
    file: 'karras2019stylegan-ffhq-1024x1024.for_g_all.pt',
    place: 'lernapparat/lernapparat, release v2019-02-01',
    licence: nonCommercial,
  },
  ...ofGenforce(`${nonCommercial}, converted`, 'ffhq1024', 'celebahq1024', 'bedroom256', 'cat256', 'car512'),
  ...ofGenforce(
    'none is stated for the weights (the code is MIT)',
    ...['celeba_partial256', 'ffhq256', 'ffhq512', 'livingroom256', 'diningroom256', 'kitchen256', 'apartment256'],
    ...['church256', 'tower256', 'bridge256', 'restaurant256', 'classroom256', 'conferenceroom256'],
    ...['animeface512', 'animeportrait512', 'artface512'],
  ),
]

/** What is known of a file by its hash, or by its name where its hash is known of nobody. */
export interface Recognised {
  /** For people: which file it is, and how that is known. */
  readonly text: string
  /** None if it has only the name of a published file. */
  readonly licence?: string
  /** The published file's name, if it has the same hash. */
  readonly file?: string
}

export function recognise(name: string, sha256: string): Recognised | undefined {
  const same = files.find((one) => one.sha256 === sha256)
  if (same) {
    const { file, place, licence } = same
    return { text: `${file} (${place}): the same SHA-256 as a known copy`, licence, file }
  }
  const named = files.find(({ file }) => file === name)
  if (named === undefined) return undefined
  const { file, place, licence } = named
  if (named.sha256)
    return { text: `${file} (${place}) by its name, but a known copy of that has SHA-256 ${named.sha256}` }
  return { text: `${file} (${place}), by its name alone: no SHA-256 is published`, licence }
}
