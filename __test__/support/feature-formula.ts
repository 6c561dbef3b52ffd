/** Weights and images of a formula, the same in `fixtures/features/make.py`. */
import { readFile } from 'node:fs/promises'
import type { Weight, Weights } from '../../ts/files/weights.ts'

/** The `i`-th number in [-1, 1) with 24 bits: a 32-bit mix (xxHash's) of the index and a seed. */
function uniform(seed: number, i: number): number {
  let h = (Math.imul(i, 0x9e3779b1) + seed) | 0
  h ^= h >>> 15
  h = Math.imul(h, 0x85ebca77)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae3d)
  h ^= h >>> 16
  return (h >>> 8) / 2 ** 23 - 1
}

/** FNV-1a. */
function seedOf(name: string): number {
  return Buffer.from(name).reduce((seed, byte) => Math.imul(seed ^ byte, 0x01000193), 0x811c9dc5)
}

function values(name: string, shape: readonly number[]): Float32Array {
  const seed = seedOf(name)
  const fanIn = shape.slice(1).reduce((product, axis) => product * axis, 1)
  const [scale, shift] = name.endsWith('bn.weight')
    ? [0.25, 1]
    : name.endsWith('running_var')
      ? [0.5, 1]
      : [shape.length > 1 ? Math.sqrt(6 / fanIn) : 0.1, 0]
  const result = new Float32Array(shape.reduce((product, axis) => product * axis, 1))
  for (let i = 0; i < result.length; i++) result[i] = uniform(seed, i) * scale + shift
  return result
}

/** Of a scale that keeps activations near 1. */
export function formulaWeights(shapes: ReadonlyMap<string, readonly number[]>): Weights {
  const weightOf = (name: string, shape: readonly number[]): Weight => {
    return { shape, dtype: 'f32', values: () => values(name, shape) }
  }
  return new Map([...shapes].map(([name, shape]) => [name, weightOf(name, shape)]))
}

/** Bytes [N, H, W, 3]: slanted waves, a quarter noise. */
export function formulaImages(name: string, n: number, h: number, w: number): Uint8Array {
  const seed = seedOf(name)
  return new Uint8Array(n * h * w * 3).map((_, at) => {
    const [c, j, i, k] = [at % 3, Math.floor(at / 3) % w, Math.floor(at / 3 / w) % h, Math.floor(at / 3 / w / h)]
    const wave = (3 * i + 5 * j * (k + 1) + 97 * c) % 256
    return Math.floor((3 * wave + Math.floor((uniform(seed, at) + 1) * 128)) / 4)
  })
}

/** A file of `fixtures/features`. */
export function fixture(file: string): string {
  return new URL(`../fixtures/features/${file}`, import.meta.url).pathname
}

export async function fixtureBytes(file: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(fixture(file)))
}
