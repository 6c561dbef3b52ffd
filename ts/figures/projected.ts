/** Files of projected pictures: NumPy's `.npz` with `w [N, layers, dlatentSize]`, as StyleGAN2-ADA writes and reads them. */
import { readFile } from 'node:fs/promises'
import { whyNoFile } from '../files/kind.ts'
import { encodeNpz, readNpz } from '../files/npz.ts'
import { WeightsError } from '../files/weights.ts'
import { firstNotFinite } from '../networks/load.ts'
import { Styles } from './styles.ts'

/** A point of W or W+, with the noise that belongs to it. */
export interface Projected {
  readonly w: Styles
  /** One map `[side, side]` a layer, for `synthesis`; none in files of other programs. */
  readonly noiseMaps?: readonly Float32Array[] | undefined
}

/** The bytes of a file: `w`, and beside it `noise0` …, which other programs leave alone. */
export function encodeProjected({ w, noiseMaps = [] }: Projected): Iterable<Uint8Array> {
  const arrays = new Map([['w', { shape: [w.count, w.layers, w.width], values: Float32Array.from(w.values) }]])
  for (const [i, values] of noiseMaps.entries()) {
    const side = Math.sqrt(values.length)
    arrays.set(`noise${i}`, { shape: [side, side], values: Float32Array.from(values) })
  }
  return encodeNpz(arrays)
}

/**
 * Reads w of `stylegan project`, or of StyleGAN2-ADA's projector for a network that was imported.
 *
 * @throws WeightsError if the file is missing, damaged, or holds no `w [N, layers, dlatentSize]` of finite numbers
 */
export async function readProjected(path: string): Promise<Projected> {
  const obstacle = await whyNoFile(path)
  const refuse = (found: string) => new WeightsError(`${path || "''"}: a .npz file with w is expected, ${found}`)
  if (obstacle !== undefined) throw refuse(obstacle)
  try {
    const { arrays } = readNpz(new Uint8Array(await readFile(path)))
    const w = arrays.get('w')
    if (w === undefined) throw new TypeError('it has no w')
    if (w.shape.length !== 3 || w.shape.includes(0)) {
      throw new TypeError(`its w is [${w.shape.join(', ')}], not [N, layers, dlatentSize]`)
    }
    const values = w.values()
    const maps: Float32Array[] = []
    for (let map = arrays.get('noise0'); map; map = arrays.get(`noise${maps.length}`)) maps.push(map.values())
    if ([values, ...maps].some((array) => firstNotFinite(array) >= 0)) throw new TypeError('its numbers are not finite')
    const styles = new Styles(values, w.shape as [number, number, number])
    return { w: styles, ...(maps.length > 0 && { noiseMaps: maps }) }
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError)
      throw refuse(`${error.message}; make one with stylegan project`)
    throw error
  }
}
