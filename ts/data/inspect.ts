/** What is in a source, before hours are spent on it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shownLine } from '../files/shown.ts'
import { countKinds, preparedBytes } from './info.ts'
import { openSource, type ImageInput, type Source, type SourceOptions } from './sources/index.ts'
import { inspectImages, Levels, LevelWriter, SeenImages, type Recipe } from '../native/index.ts'

export interface InspectOptions extends SourceOptions, Recipe {
  /** The side that is asked for; by default the largest power of two that half of the images have. */
  readonly resolution?: number | undefined
  readonly channels?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with images looked at and images in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** An image that repeats an earlier one. */
export interface Repeat {
  readonly image: string
  readonly of: string
}

/** What is known of a source. Lists of images name at most 20; the numbers count all. */
export interface Inspection {
  readonly source: string
  /** Folder, zip archive, … */
  readonly kind: string
  /** Images that can be used. */
  readonly count: number
  readonly formats: Readonly<Record<string, number>>
  /** From the most frequent, such as `1024x768`. */
  readonly sizes: Readonly<Record<string, number>>
  /** Width by height: square, landscape, portrait. */
  readonly aspects: Readonly<Record<string, number>>
  readonly colours: Readonly<Record<string, number>>
  /** Images with a colour profile that changes what is seen. */
  readonly profiles: number
  readonly duplicates: { readonly count: number; readonly images: readonly Repeat[] }
  readonly nearDuplicates: { readonly count: number; readonly images: readonly Repeat[] }
  readonly unreadable: { readonly count: number; readonly images: readonly string[] }
  /** Files that are no images, by kind. */
  readonly leftOut: Readonly<Record<string, number>>
  /** By name, with their numbers of images; null without labels. */
  readonly classes: Readonly<Record<string, number>> | null
  readonly noLabels: string | null
  readonly resolution: number
  /** Images whose shorter side has fewer pixels than `resolution`: they would be enlarged. */
  readonly below: number
  /** What the prepared set will take on the disk. */
  readonly bytes: number
  /** What preparing is estimated to take on this machine. */
  readonly seconds: number
}

/** Some images as they would be trained on: `[count, side, side, channels]`. */
export interface Sample {
  readonly pixels: Uint8Array
  readonly count: number
  readonly side: number
  readonly channels: number
}

const mostListed = 20
const chunkSize = 64
const sampleSize = 48
/** Largest side of an image of the sample. */
const sampleSide = 128

/**
 * Looks at every image of a source.
 *
 * @throws DataError if there is no such source, or no image in it
 */
export async function inspectSource(
  path: string,
  options: InspectOptions = {},
): Promise<{ inspection: Inspection; sample: Sample | undefined }> {
  const source = await openSource(path, options)
  try {
    const counted = new Counts(source.count)
    const seen = new SeenImages()
    for (let first = 0; first < source.count;) {
      options.signal?.throwIfAborted()
      const chunk = await source.read(first, Math.min(chunkSize, source.count - first))
      const facts = await inspectImages(chunk, first, options, seen)
      facts.forEach((found, i) => counted.add(found, first + i, source))
      first += chunk.length
      options.onProgress?.(first, source.count)
    }
    return await conclude(source, counted, options)
  } finally {
    await source.close()
  }
}

type Facts = Awaited<ReturnType<typeof inspectImages>>[number]

class Counts {
  count = 0
  profiles = 0
  readonly formats = new Map<string, number>()
  readonly sizes = new Map<string, number>()
  readonly aspects = new Map<string, number>()
  readonly colours = new Map<string, number>()
  /** How many images have this shorter side. */
  readonly sides = new Map<number, number>()
  readonly same = { count: 0, images: [] as Repeat[] }
  readonly near = { count: 0, images: [] as Repeat[] }
  readonly unreadable = { count: 0, images: [] as string[] }
  /** For each image whether it can be used: 1 or 0. */
  readonly good: Uint8Array

  constructor(images: number) {
    this.good = new Uint8Array(images)
  }

  add(facts: Facts, index: number, source: Source): void {
    if (facts.bad !== undefined) {
      note(this.unreadable, () => shownLine(facts.bad!))
      return
    }
    const { width, height } = facts
    this.count++
    this.good[index] = 1
    if (facts.hasProfile) this.profiles++
    increase(this.formats, facts.format)
    increase(this.colours, facts.colours)
    increase(this.sizes, `${width}x${height}`)
    increase(this.aspects, width === height ? 'square' : width > height ? 'landscape' : 'portrait')
    increase(this.sides, Math.min(width, height))
    if (facts.sameAs === undefined) return
    const repeat = () => ({ image: source.name(index), of: source.name(facts.sameAs!) })
    note(facts.isExact ? this.same : this.near, repeat)
  }
}

function increase<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function note<T>(list: { count: number; images: T[] }, image: () => T): void {
  if (list.count++ < mostListed) list.images.push(image())
}

async function conclude(
  source: Source,
  counted: Counts,
  options: InspectOptions,
): Promise<{ inspection: Inspection; sample: Sample | undefined }> {
  const { resolution = usualSide(counted), channels = 3 } = options
  const { unreadable, same: duplicates, near: nearDuplicates, count, profiles, formats, aspects, colours } = counted
  for (const { path, bad, kind } of source.leftOut) {
    if (bad !== undefined && kind === undefined) note(unreadable, () => shownLine(`${path}: ${bad}`))
  }
  const labelling = await source.labels()
  const classes = 'names' in labelling ? sizesOf(labelling.names, labelling.of, counted.good) : null
  const noLabels = 'names' in labelling ? null : labelling.noLabels
  const below = [...counted.sides].reduce((sum, [side, n]) => sum + (side < resolution ? n : 0), 0)
  const { sample, secondsEach } = await sampleOf(source, counted, { ...options, resolution, channels })
  const inspection: Inspection = {
    source: source.path,
    kind: source.kind,
    count,
    formats: sorted(formats),
    sizes: sorted(counted.sizes),
    aspects: sorted(aspects),
    colours: sorted(colours),
    profiles,
    duplicates,
    nearDuplicates,
    unreadable,
    leftOut: sorted(countKinds(source.leftOut)),
    classes,
    noLabels,
    resolution,
    below,
    bytes: count * preparedBytes(resolution, channels),
    seconds: count * secondsEach,
  }
  return { inspection, sample }
}

const sorted = (counts: Map<string, number>) => Object.fromEntries([...counts].sort(([, a], [, b]) => b - a))

/** The largest power of two from 4 to 1024 that at least half of the images have on both sides. */
function usualSide({ sides, count }: Counts): number {
  const having = (side: number) => [...sides].reduce((sum, [found, n]) => sum + (found >= side ? n : 0), 0)
  let side = 1024
  while (side > 4 && 2 * having(side) < count) side /= 2
  return side
}

function sizesOf(
  names: readonly string[],
  of: readonly (number | readonly number[])[],
  good: Uint8Array,
): Record<string, number> {
  const counts = names.map(() => 0)
  of.forEach((labels, index) => {
    if (good[index] === 1) for (const label of [labels].flat()) counts[label]!++
  })
  return Object.fromEntries(names.map((name, i) => [name, counts[i]!]))
}

/** Prepares some of the images, evenly spaced, and times it. */
async function sampleOf(
  source: Source,
  { good, count }: Counts,
  { resolution, channels, ...recipe }: InspectOptions & { resolution: number; channels: number },
): Promise<{ sample: Sample | undefined; secondsEach: number }> {
  if (count === 0) return { sample: undefined, secondsEach: 0 }
  const size = Math.min(sampleSize, count)
  const chosen: number[] = []
  for (let index = 0, place = 0; chosen.length < size; index++) {
    if (good[index] === 1 && place++ === Math.floor((chosen.length * count) / size)) chosen.push(index)
  }
  const dir = await mkdtemp(join(tmpdir(), 'stylegan-'))
  try {
    const writer = LevelWriter.create(dir, size, resolution, channels)
    const began = performance.now()
    const inputs: ImageInput[] = []
    for (const index of chosen) {
      recipe.signal?.throwIfAborted()
      inputs.push(...(await source.read(index, 1)))
    }
    const { written } = await writer.prepare(0, inputs, recipe)
    await writer.sync()
    const secondsEach = (performance.now() - began) / 1000 / size
    if (written === 0) return { sample: undefined, secondsEach }
    await writer.finish(written)
    const levels = Levels.open(dir)
    const side = Math.min(resolution, sampleSide)
    const indices = Array.from({ length: written }, (_, i) => i)
    const pixels = await levels.batch(side, indices)
    return { sample: { pixels, count: written, side, channels }, secondsEach }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
