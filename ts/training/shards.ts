/**
 * A minibatch in equal parts, as many as `gpus`: what is computed of each is added in a fixed binary tree. Whoever computes a part,
 * the sum has the same bits.
 */
import { Rng, type Device, type Tensor } from '../native/index.ts'
import { streams } from '../data/sampler.ts'

/** How many parts a minibatch may have: official train.py has a row each. */
export const shardCounts = [1, 2, 4, 8] as const
export type ShardCount = (typeof shardCounts)[number]

/** The shards of one process. */
export interface Share {
  readonly first: number
  readonly count: number
}

/** The fewest shards that give each process one; undefined if there are not as many. */
export const fewestShards = (processes: number): ShardCount | undefined =>
  shardCounts.find((count) => count >= processes)

/** The shards of each process, by rank: a whole subtree each, so that a process adds its own before it sends them. */
export function sharesOf(processes: number, shards: ShardCount): Share[] {
  const shares: Share[] = [{ first: 0, count: shards }]
  while (shares.length < processes) {
    const most = Math.max(...shares.map(({ count }) => count))
    if (most === 1) throw new RangeError(`sharesOf: at most ${shards} processes are expected, got ${processes}`)
    // The first process also writes files: it is given less before others are.
    const i = shares.findIndex(({ count }) => count === most)
    const { first } = shares[i]!
    const count = most / 2
    shares.splice(i, 1, { first, count }, { first: first + count, count })
  }
  return shares
}

/** The random numbers of a shard, by the number of its first image: nobody needs to know what others have drawn. */
export const rngOfImage = (seed: number, image: number): Rng => new Rng(seed, streams.images + image)

/** Tensors in one buffer. */
export type Arena = ReturnType<Device['arena']>

/** Copies of tensors in one buffer, which one kernel adds and one message carries. */
export function arenaOf(tensors: readonly Tensor[]): Arena {
  const arena = tensors[0]!.device.arena(tensors.map(({ shape }) => shape))
  tensors.forEach((tensor, i) => arena.tensors[i]!.assign(tensor))
  return arena
}

/** The sum of the parts' arenas, a power of two of them, as a binary tree adds them. */
export function treeSum<T>(parts: readonly T[], arena: (part: T) => Arena): Arena {
  if (parts.length === 1) return arena(parts[0]!)
  const half = parts.length / 2
  const [left, right] = [treeSum(parts.slice(0, half), arena), treeSum(parts.slice(half), arena)]
  const sum = left.flat.add(right.flat)
  left.flat.assign(sum)
  disposeArena(right)
  sum.dispose()
  return left
}

export function disposeArena({ flat, tensors }: Arena): void {
  for (const tensor of [flat, ...tensors]) tensor.dispose()
}
