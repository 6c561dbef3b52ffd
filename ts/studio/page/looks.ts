/** Looks as links, and what a network allows of them. */
import { layersText } from '../commands.ts'
import type { Copied, Look, NetworkInfo, NoiseMode, Shift } from '../protocol.ts'

type Params = Readonly<Record<string, string>>

export const mostSeed = 2 ** 32 - 1

export const isSeed = (seed: number) => Number.isInteger(seed) && seed >= 0 && seed <= mostSeed

export function numberIn(params: Params, name: string, fallback: number): number {
  const value = Number(params[name])
  return params[name] !== undefined && Number.isFinite(value) ? value : fallback
}

export function seedIn(params: Params, name: string, fallback: number): number {
  const seed = numberIn(params, name, fallback)
  return isSeed(seed) ? seed : fallback
}

/** The first of the pictures of a page of them. */
export const firstIn = (params: Params) => Math.max(0, Math.floor(numberIn(params, 'first', 0)))

/** `0-3+5` as 0, 1, 2, 3, 5. */
export function readLayers(text: string): number[] {
  return text.split('+').flatMap((part) => {
    const [first = NaN, last = first] = part.split('-').map(Number)
    if (!(first >= 0 && last < 64)) return []
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
  })
}

function readMix(text: string | undefined): Copied[] {
  return (text ?? '').split(',').flatMap((part) => {
    const [seed = '', layers = ''] = part.split(':')
    return seed === '' ? [] : [{ seed: seedIn({ seed }, 'seed', 0), layers: readLayers(layers) }]
  })
}

function readShifts(text: string | undefined): Shift[] {
  return (text ?? '').split(',').flatMap((part) => {
    const [name = '', by = '', layers = ''] = part.split(':')
    const direction = /^\d+$/.test(name) ? Number(name) : name
    return name === '' ? [] : [{ direction, by: Number(by) || 0, layers: readLayers(layers) }]
  })
}

/** The look of a link, within what the network allows. */
export function readLook(params: Params, info: NetworkInfo): Look {
  const noises: readonly NoiseMode[] = ['const', 'random', 'none']
  const strengths = (params['strength'] ?? '').split(',').map(Number)
  const fits = strengths.length === info.layers && strengths.every((value) => value >= 0 && value <= 100)
  const projected = info.hasStyles ? params['w'] : undefined
  const inside = <T extends { readonly layers: readonly number[] }>(list: T[]) =>
    list.map((one) => ({ ...one, layers: one.layers.filter((layer) => layer < info.layers) }))
  return {
    network: info.network,
    seed: projected === undefined ? seedIn(params, 'seed', 0) : 0,
    projected,
    psi: info.canTruncate ? numberIn(params, 'psi', info.defaultPsi) : 1,
    cutoff: numberIn(params, 'cutoff', 8),
    class: info.labelSize > 0 ? Math.min(seedIn(params, 'class', 0), info.labelSize - 1) : undefined,
    mix: info.hasStyles ? inside(readMix(params['mix'])) : [],
    shifts: info.hasStyles ? inside(readShifts(params['shift'])) : [],
    noise: noises.find((noise) => noise === params['noise']) ?? 'const',
    noiseSeed: params['noiseSeed'] === undefined ? undefined : seedIn(params, 'noiseSeed', 0),
    noiseStrength: info.hasNoise && fits ? strengths : [],
  }
}

/** The parameters of a link that differ from a plain picture. */
export function lookParams(look: Look): Record<string, string | number | undefined> {
  const { network, seed, projected, psi, cutoff, mix, shifts, noise, noiseSeed, noiseStrength } = look
  return {
    network,
    seed: projected === undefined ? seed : undefined,
    w: projected,
    psi,
    cutoff,
    class: look.class,
    mix: mix.map((one) => `${one.seed}:${layersText(one.layers)}`).join(','),
    shift: shifts.map((one) => `${one.direction}:${one.by}:${layersText(one.layers)}`).join(','),
    noise: noise === 'const' ? undefined : noise,
    noiseSeed,
    strength: noiseStrength.join(','),
  }
}

export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % 100_000
}

export const plain = (look: Look): Look => ({ ...look, projected: undefined, mix: [], shifts: [] })
