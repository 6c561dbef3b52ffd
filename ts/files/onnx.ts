/** ONNX: a graph of ops with its weights as one message of Protocol Buffers. Numbers of fields are those of onnx.proto3. */
import { bytes, float, integer, message, nested, streamed, text, type Fields, type LazyBytes } from './protobuf.ts'

/**
 * Version of the ops. Runtimes have had 17 since 2022, and nothing here is simpler in a newer one. It goes with version 8 of the
 * format.
 */
export const opset = 17
const irVersion = 8

const elements = { float32: 1, uint8: 2, int64: 7 } as const
export type OnnxType = keyof typeof elements

/** Whole numbers, or one real number. */
export type Attributes = Readonly<
  Record<string, { readonly float: number } | { readonly text: string } | number | readonly number[]>
>

export interface OnnxNode {
  readonly type: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
}

/** An array that is part of the file. */
export interface OnnxWeight {
  readonly name: string
  readonly type: OnnxType
  readonly shape: readonly number[]
  /** Little endian. */
  readonly data: Uint8Array | LazyBytes
}

/** What a caller gives or gets; a name in place of a size stands for any. */
export interface OnnxValue {
  readonly name: string
  readonly type: OnnxType
  readonly shape: readonly (number | string)[]
  readonly description: string
}

export interface OnnxModel {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly weights: readonly OnnxWeight[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  /** Text by name. */
  readonly metadata: Readonly<Record<string, string>>
}

/** The bytes of a file, in pieces: arrays that are lazy are read when they are written. */
export function encodeOnnx({ name, nodes, weights, inputs, outputs, metadata }: OnnxModel): AsyncIterable<Uint8Array> {
  const graph = [
    ...nodes.map((node) => nested(1, ...nodeFields(node))),
    text(2, name),
    ...weights.map((weight) => nested(5, ...weightFields(weight))),
    ...inputs.map((value) => nested(11, ...valueFields(value))),
    ...outputs.map((value) => nested(12, ...valueFields(value))),
  ]
  const entries = Object.entries(metadata).map(([key, value]) => nested(14, text(1, key), text(2, value)))
  const producer = text(2, 'stylegan')
  return streamed(
    message(integer(1, irVersion), producer, nested(7, ...graph), nested(8, integer(2, opset)), ...entries),
  )
}

/** Whether a file begins as ONNX files do: with the version of the format, then who wrote it. */
export const isOnnx = (bytes: Uint8Array): boolean => bytes[0] === 0x08 && bytes[1]! < 0x80 && bytes[2] === 0x12

function nodeFields({ type, inputs, outputs, attributes }: OnnxNode): Fields[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0]!),
    text(4, type),
    ...Object.entries(attributes).map(([name, value]) => nested(5, text(1, name), ...attributeFields(value))),
  ]
}

function attributeFields(value: Attributes[string]): Fields[] {
  if (typeof value === 'number') return [integer(3, value), integer(20, 2)]
  if ('float' in value) return [float(2, value.float), integer(20, 1)]
  if ('text' in value) return [text(4, value.text), integer(20, 3)]
  return [...value.map((one) => integer(8, one)), integer(20, 7)]
}

function weightFields({ name, type, shape, data }: OnnxWeight): Fields[] {
  return [...shape.map((axis) => integer(1, axis)), integer(2, elements[type]), text(8, name), bytes(9, data)]
}

function valueFields({ name, type, shape, description }: OnnxValue): Fields[] {
  const axes = shape.map((axis) => nested(1, typeof axis === 'string' ? text(2, axis) : integer(1, axis)))
  const tensor = nested(1, integer(1, elements[type]), nested(2, ...axes))
  return [text(1, name), nested(2, tensor), text(3, description)]
}
