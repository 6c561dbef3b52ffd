/** A projection under way: what is saved is what makes the next step. */
import { createHash } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { isRecord, parseJson } from '../files/json.ts'
import { encodeSafetensors, SafetensorsFile, SnapshotError, type HostTensor } from '../files/safetensors.ts'
import { isFormat } from '../files/version.ts'
import { writeAtomic } from '../files/write-atomic.ts'
import type { Projected } from '../figures/projected.ts'
import type { Projector } from '../figures/projector.ts'
import { Styles } from '../figures/styles.ts'
import { Rng, type RngState, type Values } from '../native/index.ts'
import { loadTensor } from '../networks/load.ts'
import { get, numLayers, type Params } from '../networks/params.ts'
import { optimizerTensors } from '../training/optimizer.ts'

/** What must be the same for a projection to go on. */
export interface ProjectionKey {
  /** Path, bytes and time of its file. */
  readonly network: readonly [path: string, bytes: number, modifiedMs: number]
  /** SHA-256 of the pixels, in hexadecimal. */
  readonly target: string
  readonly device: string
  readonly distance: string
  readonly space: string
  readonly numSteps: number
  readonly seed: number
  readonly classes: readonly (number | string)[] | undefined
}

const format = 'stylegan-projection'
const formatVersion = 1

export class Projection {
  /** Where it is saved. */
  readonly path: string
  projector: Projector
  /** Steps done. */
  step = 0
  readonly #key: string
  /** w of the frames of the video, `[rows, dlatentSize]` each. */
  readonly #frames: ArrayLike<number>[] = []

  constructor(path: string, projector: Projector, key: ProjectionKey) {
    this.path = path
    this.projector = projector
    this.#key = createHash('sha256').update(JSON.stringify(key)).digest('hex')
  }

  /**
   * Goes on from what was saved, if that is the same projection.
   *
   * @returns a line for the user if it is another one
   * @throws SnapshotError if the file is damaged
   */
  async load(): Promise<string | undefined> {
    if ((await stat(this.path).catch(() => undefined)) === undefined) return undefined
    return this.#read().catch((error: unknown) => {
      if (!(error instanceof SnapshotError)) throw error
      throw new SnapshotError(`${error.message}; remove it to begin again`, { cause: error })
    })
  }

  #read(): Promise<string | undefined> {
    return SafetensorsFile.use(this.path, async (file) => {
      const { metadata } = file
      if (!isFormat(this.path, metadata['format'], format, formatVersion)) {
        throw file.error('a projection is expected, got another file')
      }
      if (metadata['key'] !== this.#key) {
        return `${this.path} is of another network, target or options: it is replaced, and this projection begins at step 0`
      }
      const { step, rng } = positionOf(this.path, metadata['position'])
      for (const [name, tensor] of this.#tensors()) await loadTensor(tensor, name, file)
      this.projector = { ...this.projector, rng }
      this.step = step
      if (file.tensors.has('frames')) this.#addFrames((await file.read('frames')).values)
      return undefined
    })
  }

  async save(): Promise<void> {
    const tensors = new Map<string, HostTensor>()
    for (const [name, tensor] of this.#tensors()) {
      tensors.set(name, { shape: tensor.shape, values: await tensor.data() })
    }
    const count = this.#frames.length
    const frames = Float64Array.from(this.#frames.flatMap((frame) => Array.from(frame)))
    if (count > 0) tensors.set('frames', { shape: [count, ...this.#shape()], values: frames })
    const position = JSON.stringify({ step: this.step, rng: this.projector.rng.state })
    const metadata = { format: `${format}-${formatVersion}`, key: this.#key, position }
    await writeAtomic(this.path, encodeSafetensors({ tensors, metadata }))
  }

  /** Keeps w as it is now for the video. */
  async keepFrame(): Promise<void> {
    this.#addFrames(await get(this.projector.variables.params, 'w').data())
  }

  #addFrames(values: Values): void {
    const [rows, width] = this.#shape()
    const size = rows! * width!
    for (let at = 0; at < values.length; at += size) this.#frames.push(values.subarray(at, at + size))
  }

  /** The kept w's, in order. */
  *frames(): Generator<Styles> {
    for (const frame of this.#frames) yield this.#stylesOf(frame)
  }

  /** What was found so far. */
  async projected(): Promise<Projected> {
    const { params } = this.projector.variables
    const maps = [...params].filter(([name]) => name !== 'w')
    const noiseMaps = await Promise.all(maps.map(async ([, map]) => Float32Array.from(await map.data())))
    const w = this.#stylesOf(await get(params, 'w').data())
    return { w, ...(noiseMaps.length > 0 && { noiseMaps }) }
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true })
  }

  /** One w a layer, of one for all or one each. */
  #stylesOf(values: ArrayLike<number>): Styles {
    const [rows, width] = this.#shape()
    const layers = numLayers(this.projector.generator.options.resolution)
    const all = Float32Array.from({ length: layers * width! }, (_, i) => values[i % (rows! * width!)]!)
    return new Styles(all, [1, layers, width!])
  }

  #shape(): readonly number[] {
    return get(this.projector.variables.params, 'w').shape
  }

  #tensors(): Params {
    const { variables, optimizer } = this.projector
    return new Map([...variables.params, ...optimizerTensors(optimizer)])
  }
}

/** @throws SnapshotError if the text is no position; anybody may have written it */
function positionOf(path: string, text: string | undefined): { step: number; rng: Rng } {
  try {
    const position = parseJson(text ?? '')
    const { step, rng } = isRecord(position) ? position : {}
    if (typeof step === 'number' && Number.isInteger(step) && step >= 0 && isRecord(rng)) {
      return { step, rng: Rng.from(rng as unknown as RngState) }
    }
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error
  }
  throw new SnapshotError(`${path}: its position cannot be used`)
}
