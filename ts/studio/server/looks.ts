/** Looks and walks of requests, and their pictures. */
import { directionName } from '../../figures/directions.ts'
import { drawLook, type Look as Drawn } from '../../figures/look.ts'
import type { ImageGenerator } from '../../figures/generator.ts'
import type { Picture } from '../../figures/grid.ts'
import { enlarge } from '../../figures/panel.ts'
import type { Projected } from '../../figures/projected.ts'
import { easings, frames, spaces } from '../../figures/video.ts'
import { encodeDrawnPng } from '../../native/index.ts'
import type { Copied, Look, Shift, Walk } from '../protocol.ts'
import { Fields } from './fields.ts'
import { Refused } from './refused.ts'

const seeds = { least: 0, most: 2 ** 32 - 1, whole: true }
const layers = { least: 0, most: 63, whole: true }
const psis = { least: -10, most: 10 }
const cutoffs = { least: 0, most: 64, whole: true }
const components = { least: 0, most: 63, whole: true }
const classes = { least: 0, most: 2 ** 14, whole: true }
export const scales = { least: 1, most: 16, whole: true }

/** @throws Refused naming the field that is wrong */
export function readLook(value: unknown): Look {
  const fields = new Fields(value)
  return {
    network: fields.text('network'),
    seed: fields.number('seed', seeds),
    projected: fields.has('projected') ? fields.text('projected') : undefined,
    psi: fields.number('psi', psis),
    cutoff: fields.number('cutoff', cutoffs),
    class: fields.has('class') ? fields.number('class', classes) : undefined,
    mix: fields.list('mix', 64, readCopied),
    shifts: fields.list('shifts', 64, readShift),
    noise: fields.oneOf('noise', ['const', 'random', 'none']),
    noiseSeed: fields.has('noiseSeed') ? fields.number('noiseSeed', seeds) : undefined,
    noiseStrength: fields.numbers('noiseStrength', 64, { least: 0, most: 100 }),
  }
}

function readCopied(value: unknown): Copied {
  const fields = new Fields(value)
  return { seed: fields.number('seed', seeds), layers: fields.numbers('layers', 64, layers) }
}

function readShift(value: unknown): Shift {
  const fields = new Fields(value)
  const direction = fields.get('direction')
  return {
    direction: typeof direction === 'string' ? directionIn(fields) : fields.number('direction', components),
    by: fields.number('by', { least: -20, most: 20 }),
    layers: fields.numbers('layers', 64, layers),
  }
}

function directionIn(fields: Fields): string {
  const name = fields.text('direction', 200)
  if (name !== directionName(name))
    throw new Refused(400, 'direction: a number or the name of an attribute is expected')
  return name
}

/** @throws Refused naming the field that is wrong */
export function readWalk(value: unknown): Walk {
  const fields = new Fields(value)
  return {
    network: fields.text('network'),
    seeds: fields.numbers('seeds', 64, seeds),
    psi: fields.number('psi', psis),
    cutoff: fields.number('cutoff', cutoffs),
    class: fields.has('class') ? fields.number('class', classes) : undefined,
    space: fields.oneOf('space', spaces),
    easing: fields.oneOf('easing', easings),
    framesPerKey: fields.number('framesPerKey', { least: 1, most: 600, whole: true }),
    fps: fields.number('fps', { least: 1, most: 60, whole: true }),
  }
}

/** A look as PNG: what `stylegan generate` writes for it, and with a scale each pixel so often. */
export async function pngOfLook(
  G: ImageGenerator,
  look: Look,
  scale: number,
  projected?: Projected,
): Promise<Uint8Array> {
  const { noiseStrength: strengths, ...rest } = look
  const noiseStrength = strengths.length === 0 ? undefined : strengths
  const images = await drawLook(G, { ...rest, projected, noiseStrength } satisfies Drawn)
  return scale === 1 ? images.png(0) : pngOf(enlarge(images.picture(0), scale))
}

export const pngOf = ({ pixels, width, height }: Picture) => encodeDrawnPng(pixels, width, height, 3)

type FrameAt = (position: number) => Promise<Picture>

/** The walk that was drawn last from each network: its key frames are mapped already. */
const walkers = new WeakMap<ImageGenerator, { readonly key: string; readonly frameAt: FrameAt }>()

/** Any moment of a walk, as `stylegan video` draws it. */
export function frameOf(G: ImageGenerator, walk: Walk, scale: number): FrameAt {
  const key = JSON.stringify([walk, scale])
  const known = walkers.get(G)
  if (known?.key === key) return known.frameAt
  const { psi, cutoff, class: one, ...rest } = walk
  const sampling = { truncationPsi: psi, truncationCutoff: cutoff, classes: one === undefined ? undefined : [one] }
  const frameAt = frames(G, { ...rest, ...sampling, columns: 1, rows: 1, scale })
  walkers.set(G, { key, frameAt })
  return frameAt
}
