/** Projecting a picture into a network, as an async iterable of events: files, interruptions, going on. */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fromBytes } from '../data/pixels.ts'
import { readSquare } from '../data/picture.ts'
import { checkKeys, checkText } from '../files/keys.ts'
import { acquireLock } from '../files/lock.ts'
import { makeOutdir } from '../files/make-folders.ts'
import { writeAtomic } from '../files/write-atomic.ts'
import { scaleOf } from '../figures/figures.ts'
import type { ImageGenerator, Images } from '../figures/generator.ts'
import type { Picture } from '../figures/grid.ts'
import { blank, enlarge, place, rgbPicture } from '../figures/panel.ts'
import { encodeProjected, type Projected } from '../figures/projected.ts'
import {
  createProjector,
  project as projectStep,
  projectionSpaces,
  type Distance,
  type ProjectionSpace,
} from '../figures/projector.ts'
import type { Styles } from '../figures/styles.ts'
import { animatedPng, encodeVideo, ffmpegFault } from '../figures/video.ts'
import { checkNeeds, featureNetworks, type WeightOptions } from '../metrics/feature-networks.ts'
import { discriminatorDistance, leastLpipsSide, lpipsDistance, pixelDistance, sumOf } from '../metrics/nearness.ts'
import { encodeDrawnPng, scope, type Device } from '../native/index.ts'
import { readDiscriminator } from '../training/state.ts'
import { ifLeft } from './emitting.ts'
import { loadGenerator } from './load-generator.ts'
import { checkOutput } from './outputs.ts'
import { Projection, type ProjectionKey } from './projection.ts'

/** What `project` reads, and how it looks for w. */
export interface ProjectOptions extends Pick<WeightOptions, 'weights' | 'vgg' | 'lpips' | 'allowUnknownWeights'> {
  /** As `loadGenerator` takes it. */
  readonly network: string
  /** An image file. */
  readonly target: string
  /** Default `out`. */
  readonly outdir?: string | undefined
  /** Default w. */
  readonly space?: ProjectionSpace | undefined
  /** Default 1000. */
  readonly numSteps?: number | undefined
  /** Default 303. */
  readonly seed?: number | undefined
  /** Class of a conditional network, by name or number; several where images have several. */
  readonly class?: number | string | readonly (number | string)[] | undefined
  /** A name, or an open device; `cpu` by default. */
  readonly device?: string | Device | undefined
  /** `proj.png` is also written every so many steps, to watch; by default only at the end. */
  readonly preview?: number | undefined
}

const optionKeys = Object.keys({
  network: 0,
  target: 0,
  outdir: 0,
  space: 0,
  numSteps: 0,
  seed: 0,
  class: 0,
  device: 0,
  preview: 0,
  weights: 0,
  vgg: 0,
  lpips: 0,
  allowUnknownWeights: 0,
} satisfies Record<keyof ProjectOptions, 0>)

/** How a projection is stopped. */
export interface ProjectHooks {
  /** Stops after the step under way, and saves; `break` out of the loop does the same. */
  readonly signal?: AbortSignal | undefined
}

/** What happens while a picture is projected. */
export type ProjectEvent =
  | { type: 'notice'; line: string }
  /** The network's file, how pictures are compared, and after how many steps it begins. */
  | { type: 'start'; network: string; distance: string; step: number; total: number }
  /** So many steps are done; the distance of the picture before the last. */
  | { type: 'step'; step: number; total: number; distance: number }
  /** What the same command goes on from. */
  | { type: 'saved'; path: string; step: number }
  | { type: 'file'; path: string }
  | { type: 'end'; step: number; aborted: boolean }

const [framesPerSecond, mostFrames, stepsBetweenSaves] = [10, 100, 100]

/** What is written; of the videos one. */
const outputs = { target: 'target.png', picture: 'proj.png', w: 'projected_w.npz', mp4: 'proj.mp4', apng: 'proj.apng' }

/**
 * Finds the w whose picture is nearest to a target, as StyleGAN2's projector does. The same options go on where an interrupted
 * projection stopped, bit for bit.
 *
 * @throws RangeError for options that do not fit the network, DataError for an unusable target, LockedError if another process
 *   projects into the same folder
 */
export async function* project(options: ProjectOptions, hooks: ProjectHooks = {}): AsyncGenerator<ProjectEvent, void> {
  checkKeys(options, optionKeys, 'option')
  checkKeys(hooks, ['signal'] satisfies (keyof ProjectHooks)[], 'hook')
  checkText(options.network, 'network', 'the path of a network')
  checkText(options.target, 'target', 'the path of an image')
  const { space = 'w', numSteps = 1000, device, preview } = options
  if (!projectionSpaces.includes(space)) {
    throw new RangeError(`space: one of ${projectionSpaces.join(', ')} is expected, got '${space}'`)
  }
  if (!(Number.isInteger(numSteps) && numSteps > 0)) {
    throw new RangeError(`numSteps: a whole number above 0 is expected, got ${numSteps}`)
  }
  if (preview !== undefined && !(Number.isInteger(preview) && preview > 0)) {
    throw new RangeError(`preview: a whole number above 0 is expected, got ${preview}`)
  }
  const G = await loadGenerator(options.network, device === undefined ? {} : { device })
  try {
    yield* projectInto(G, options, { space, numSteps, seed: options.seed ?? 303 }, hooks.signal)
  } finally {
    G.dispose()
  }
}

async function* projectInto(
  G: ImageGenerator,
  options: ProjectOptions,
  { space, numSteps, seed }: Pick<ProjectionKey, 'numSteps' | 'seed'> & { space: ProjectionSpace },
  signal: AbortSignal | undefined,
): AsyncGenerator<ProjectEvent, void> {
  const { outdir = 'out', target, preview } = options
  const { resolution, numChannels } = G.options
  for (const name of Object.values(outputs)) {
    const inputs = [target, G.path, ...[options.vgg, options.lpips].filter((file) => file !== undefined)]
    await checkOutput(join(outdir, name), ['.png', '.npz', '.mp4', '.apng'], inputs)
  }
  const pixels = await readSquare(target, resolution, numChannels)
  const classes = options.class === undefined ? undefined : [options.class].flat()
  const projector = await createProjector(G, { space, seed, classes })
  const { distance, name, notice } = await distanceTo(G, pixels, options)
  await makeOutdir(outdir)
  const what = `${outdir}: another projection in this folder`
  const lock = acquireLock(join(outdir, '.lock'), {
    what,
    advice: (of) => `wait for it, or give another ${of('outdir')}`,
  })
  try {
    const key = await keyOf(G, pixels, { space, numSteps, seed, classes, distance: `${name} ${options.lpips ?? ''}` })
    const projection = new Projection(join(outdir, 'projection.safetensors'), projector, key)
    const other = await projection.load()
    for (const line of [lock.warning, notice, other]) if (line !== undefined) yield { type: 'notice', line }
    yield { type: 'start', network: G.path, distance: name, step: projection.step, total: numSteps }
    const onStep = async () => {
      if (preview !== undefined && projection.step % preview === 0) await writeDrawn(G, projection, outdir)
    }
    const steps = stepsOf(projection, distance, numSteps, onStep, signal)
    const aborted = yield* ifLeft(steps, () => projection.save())
    if (!aborted) yield* results(G, projection, { pixels, outdir })
    yield { type: 'end', step: projection.step, aborted }
  } finally {
    lock.release()
  }
}

/** @returns whether the signal came before the last step */
async function* stepsOf(
  projection: Projection,
  distance: Distance,
  total: number,
  onStep: () => Promise<void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ProjectEvent, boolean> {
  const frameEvery = Math.ceil(total / mostFrames)
  const save = async (): Promise<ProjectEvent> => {
    await projection.save()
    return { type: 'saved', path: projection.path, step: projection.step }
  }
  while (projection.step < total) {
    if (signal?.aborted) {
      yield await save()
      return true
    }
    const found = await projectStep(projection.projector, projection.step, total, distance)
    projection.step++
    if (projection.step % frameEvery === 0 || projection.step === total) await projection.keepFrame()
    await onStep()
    yield { type: 'step', step: projection.step, total, distance: found }
    if (projection.step % stepsBetweenSaves === 0 || projection.step === total) yield await save()
  }
  return false
}

/** Writes the pictures, w and the video. The saved steps are removed last. */
async function* results(
  G: ImageGenerator,
  projection: Projection,
  { pixels, outdir }: { pixels: Uint8Array; outdir: string },
): AsyncGenerator<ProjectEvent, void> {
  const { resolution: side, numChannels: channels } = G.options
  const written = (name: string): ProjectEvent => ({ type: 'file', path: join(outdir, name) })
  const write = (name: string, data: Uint8Array | Iterable<Uint8Array>) => writeAtomic(join(outdir, name), data)
  await write(outputs.target, await encodeDrawnPng(pixels, side, side, channels))
  yield written(outputs.target)
  const projected = await writeDrawn(G, projection, outdir)
  yield written(outputs.picture)
  await write(outputs.w, encodeProjected(projected))
  yield written(outputs.w)
  const wanted = rgbPicture(pixels, side, side, channels)
  // As in the official video, every frame has the noise of the last.
  const frames = async function* (): AsyncGenerator<Picture, void> {
    for (const w of projection.frames()) yield beside(wanted, (await drawnWhole(G, w, projected)).picture(0))
  }
  const fault = await ffmpegFault()
  if (fault === undefined) {
    await encodeVideo(frames(), framesPerSecond, join(outdir, outputs.mp4))
    yield written(outputs.mp4)
  } else {
    yield {
      type: 'notice',
      line: `${fault}: ${outputs.apng} takes the place of ${outputs.mp4}`,
    }
    await write(outputs.apng, await animatedPng(frames(), framesPerSecond))
    yield written(outputs.apng)
  }
  await projection.remove()
}

/** Writes the picture that was found so far. */
async function writeDrawn(G: ImageGenerator, projection: Projection, outdir: string): Promise<Projected> {
  const projected = await projection.projected()
  await writeAtomic(join(outdir, outputs.picture), await (await drawnWhole(G, projected.w, projected)).png(0))
  return projected
}

/** A picture of all rows, with the noise that was found. */
const drawnWhole = (G: ImageGenerator, w: Styles, projected: Projected): Promise<Images> =>
  G.synthesis(w, { noiseMaps: projected.noiseMaps, height: G.options.resolution })

/** Two pictures side by side, at least 128 pixels wide each. */
function beside(left: Picture, right: Picture): Picture {
  const both = blank(left.width + right.width, left.height)
  place(both, left, 0, 0)
  place(both, right, left.width, 0)
  return enlarge(both, scaleOf(left.width))
}

/** How pictures are compared with the target: by LPIPS where its weights are given. */
async function distanceTo(
  G: ImageGenerator,
  pixels: Uint8Array,
  options: ProjectOptions,
): Promise<{ distance: Distance; name: string; notice?: string }> {
  const { resolution: side, numChannels } = G.options
  const { device } = G.Gs
  const target = scope(() => fromBytes(device.tensor(pixels, [1, side, side, numChannels])))
  if (options.weights !== undefined || options.vgg !== undefined) {
    const shown = side / 2 ** Math.floor(G.lod)
    if (shown < leastLpipsSide) {
      throw new RangeError(
        `weights: a network of at least ${leastLpipsSide} pixels is expected for LPIPS, got ${shown}; leave the weights out`,
      )
    }
    await checkNeeds(['ppl_wend'], options)
    const lpips = await featureNetworks(device, options).lpips()
    return { distance: lpipsDistance(lpips, target), name: `LPIPS, VGG-16 ${lpips.sha256.slice(0, 8)}` }
  }
  const D = await readDiscriminator(G.path, device)
  // Images of 4×4 pixels have no features before the last layers.
  if (D && side / 2 ** Math.floor(G.lod) > 4) {
    const distances = [pixelDistance(target), discriminatorDistance(D, G.options, G.lod, target)]
    return { distance: sumOf(distances), name: "pixels of every size, and features of the network's discriminator" }
  }
  const notice = `${G.path} has no discriminator: pictures are compared by pixels alone; LPIPS, with --weights, sees more`
  return { distance: pixelDistance(target), name: 'pixels of every size', ...(D ? {} : { notice }) }
}

/** What must be the same for a projection to go on. */
async function keyOf(
  G: ImageGenerator,
  pixels: Uint8Array,
  options: Pick<ProjectionKey, 'space' | 'numSteps' | 'seed' | 'classes' | 'distance'>,
): Promise<ProjectionKey> {
  const { size, mtimeMs } = await stat(G.path)
  return {
    network: [resolve(G.path), size, mtimeMs],
    target: createHash('sha256').update(pixels).digest('hex'),
    device: G.Gs.device.name,
    ...options,
  }
}
