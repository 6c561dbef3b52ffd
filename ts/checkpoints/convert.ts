/** What all formats share: a file's tensors under official names, permuted and scaled when they are read. */
import type { PickleValue } from '../files/pickle.ts'
import { shown } from '../files/shown.ts'
import { gather, rowMajor, type Weight, type Weights } from '../files/weights.ts'
import { sideOfLayer, type NetworkOptions } from '../networks/params.ts'
import type { Semantics } from '../networks/semantics.ts'

/** A file's networks under official names, and what the names do not tell. */
export interface Networks {
  /** What wrote the file, and what it is. */
  readonly what: string
  readonly licence: string
  /** The generator for pictures: the running average where the file has one. */
  readonly Gs?: Weights | undefined
  readonly G?: Weights | undefined
  readonly D?: Weights | undefined
  /** Level of detail that training had reached; 0 unless told. */
  readonly lod?: number
  readonly semantics?: Semantics
  /** Of the generator's up-convolutions, `auto` unless told. */
  readonly fusedScale?: boolean | 'auto'
  /** What no variable shows, where it is not the official default. */
  readonly options?: Partial<Pick<NetworkOptions, 'mappingLrmul' | 'mbstdGroup' | 'labelSize' | 'config'>>
  /** Names of a conditional network's classes. */
  readonly classes?: readonly string[]
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass?: boolean | undefined
  /** Sentences for whoever imports it. */
  readonly notes?: readonly string[]
}

/** Networks of a file under the official names and shapes; tensors are read when asked for. */
export interface Checkpoint {
  /** What wrote the file, and what is in it. */
  readonly what: string
  readonly licence: string
  readonly sha256: string
  /** Which published file it is, and how that is known. */
  readonly published?: string | undefined
  readonly options: NetworkOptions
  /** Level of detail that training had reached. */
  readonly lod: number
  /** The generator for pictures. */
  readonly Gs: Weights | undefined
  /** The generator that was trained, where the file has both. */
  readonly G: Weights | undefined
  readonly D: Weights | undefined
  /** Names of a conditional network's classes; empty if the file has none. */
  readonly classes: readonly string[]
  /** Whether each image of the data had exactly one class; undefined where that is not known. */
  readonly oneClass?: boolean | undefined
  /** Sentences for whoever imports it. */
  readonly notes: readonly string[]
}

/** What the file alone does not say. */
export interface ReadOptions {
  /** Side of the images, for files that hold every level however far training came. */
  readonly resolution?: number | undefined
}

export type Change = (weight: Weight) => Weight

/** A dict of a pickle; undefined is none. */
export function asDict(value: unknown): ReadonlyMap<string, PickleValue> | undefined {
  return value instanceof Map ? (value as ReadonlyMap<string, PickleValue>) : undefined
}

/** An official name with what becomes of the tensor, or that it carries no information; undefined is no tensor of the format. */
export type Rule = (name: string) => readonly [official: string, change?: Change] | 'ignored' | undefined

/**
 * The tensors of a state_dict under official names.
 *
 * @throws TypeError naming the first tensor that the format does not have
 */
export function renamed(weights: Weights, rule: Rule, format: string): Weights {
  const official = new Map<string, Weight>()
  for (const [name, weight] of weights) {
    const found = rule(name)
    if (found === undefined) throw new TypeError(`'${shown(name)}' is no tensor of a network of ${format}`)
    if (found === 'ignored') continue
    const [to, change] = found
    try {
      official.set(to, change ? change(weight) : weight)
    } catch (error) {
      throw new TypeError(`'${shown(name)}' [${weight.shape.join(', ')}]: ${(error as Error).message}`)
    }
  }
  return official
}

/** Axes in another order: entry i is the axis of the file that becomes axis i. */
export function permuted(...axes: readonly number[]): Change {
  return (weight) => {
    if (weight.shape.length !== axes.length) throw new RangeError(`${axes.length} axes are expected`)
    const strides = rowMajor(weight.shape)
    const shape = axes.map((axis) => weight.shape[axis]!)
    const values = () => {
      return gather(
        weight.values(),
        shape,
        axes.map((axis) => strides[axis]!),
      )
    }
    return { ...weight, shape, values }
  }
}

export function scaled(factor: number): Change {
  return (weight) => ({ ...weight, values: () => weight.values().map((value) => value * factor) })
}

/** The same elements in another shape. */
export function reshaped(shape: (from: readonly number[]) => readonly number[]): Change {
  return (weight) => {
    const to = shape(weight.shape)
    const size = (axes: readonly number[]) => axes.reduce((product, axis) => product * axis, 1)
    if (size(to) !== size(weight.shape)) throw new RangeError(`[${to.join(', ')}] is expected`)
    return { ...weight, shape: to }
  }
}

export function chain(...changes: readonly Change[]): Change {
  return (weight) => changes.reduce((changed, change) => change(changed), weight)
}

/** PyTorch's `[out, in]` as `[in, out]`. */
export const dense = permuted(1, 0)
/** PyTorch's `[out, in, height, width]` as `[height, width, in, out]`. */
export const conv = permuted(2, 3, 1, 0)

/** A tensor that a file leaves out since its code base has none. */
export function zeros(size: number): Weight {
  return { shape: [size], dtype: 'f32', values: () => new Float32Array(size) }
}

/** A network's one number, `lod`. */
export function scalarOf(weights: Weights, name: string): number {
  const weight = weights.get(name)
  return weight !== undefined && weight.shape.every((axis) => axis === 1) ? weight.values()[0]! : 0
}

/** `Conv0_up` and `Conv1` of the two layers that each resolution has, `Const` and `Conv` at 4×4. */
export function layerName(index: number): string {
  const side = sideOfLayer(index)
  return `${side}x${side}/${index === 0 ? 'Const' : index === 1 ? 'Conv' : index % 2 === 0 ? 'Conv0_up' : 'Conv1'}`
}

/** A layer's bias, or its weight with the change that all weights of its kind take. */
export function weightOrBias(layer: string, part: string, change: Change, ofBias?: Change): ReturnType<Rule> {
  if (part !== 'bias') return [`${layer}/weight`, change]
  return ofBias ? [`${layer}/bias`, ofBias] : [`${layer}/bias`]
}
