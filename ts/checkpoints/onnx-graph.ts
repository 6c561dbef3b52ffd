/** An ONNX graph that grows node by node. Values have names; an op takes those of its inputs and returns that of its output. */
import type { Attributes, OnnxNode, OnnxType, OnnxValue, OnnxWeight } from '../files/onnx.ts'
import { scope, type Tensor } from '../native/index.ts'
import { get, type Params } from '../networks/params.ts'

const product = (shape: readonly number[]) => shape.reduce((size, axis) => size * axis, 1)
const bytesOf = ({ buffer, byteLength }: Float32Array | BigInt64Array) => new Uint8Array(buffer, 0, byteLength)

/** Slope of the leaky ReLU below 0. */
const slope = 0.2

export class OnnxGraph {
  readonly nodes: OnnxNode[] = []
  readonly inputs: OnnxValue[] = []
  readonly #weights = new Map<string, OnnxWeight>()
  readonly #params: Params
  #values = 0

  constructor(params: Params) {
    this.#params = params
  }

  get weights(): OnnxWeight[] {
    return [...this.#weights.values()]
  }

  /** A node with one output, of a name of its own unless one is given. */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}, output = `value${this.#values++}`): string {
    this.nodes.push({ type, inputs, outputs: [output], attributes })
    return output
  }

  input(value: OnnxValue): string {
    this.inputs.push(value)
    return value.name
  }

  /** The shape of a variable of the network. */
  shapeOf(name: string): readonly number[] {
    return get(this.#params, name).shape
  }

  /** A variable of the network as the graph uses it: `make` scales and turns it when the file is written. */
  variable(name: string, shape: readonly number[], make: (variable: Tensor) => Tensor): string {
    const read = async () => {
      const tensor = scope(() => make(get(this.#params, name)).cast('f32'))
      const values = tensor.data() as Promise<Float32Array>
      tensor.dispose()
      const { buffer, byteOffset, byteLength } = await values
      return new Uint8Array(buffer, byteOffset, byteLength)
    }
    return this.#keep(name, 'float32', shape, { byteLength: 4 * product(shape), read })
  }

  /** Numbers that are no variables: one, or an array. */
  numbers(
    values: number | readonly number[],
    shape: readonly number[] = typeof values === 'number' ? [] : [values.length],
    name = `numbers ${[values].flat().join(' ')} [${shape.join()}]`,
  ): string {
    return this.#keep(name, 'float32', shape, bytesOf(Float32Array.from([values].flat())))
  }

  integers(values: number | readonly number[]): string {
    const all = [values].flat()
    const shape = typeof values === 'number' ? [] : [all.length]
    return this.#keep(
      `integers ${all.join(' ')} [${shape.join()}]`,
      'int64',
      shape,
      bytesOf(BigInt64Array.from(all.map(BigInt))),
    )
  }

  #keep(name: string, type: OnnxType, shape: readonly number[], data: OnnxWeight['data']): string {
    if (!this.#weights.has(name)) this.#weights.set(name, { name, type, shape, data })
    return name
  }

  leakyRelu(x: string): string {
    return this.op('LeakyRelu', [x], { alpha: { float: slope } })
  }

  add(a: string, b: string): string {
    return this.op('Add', [a, b])
  }

  mul(a: string, b: string): string {
    return this.op('Mul', [a, b])
  }

  /** `a + (b − a) · t`. */
  lerp(a: string, b: string, t: string): string {
    return this.add(a, this.mul(this.op('Sub', [b, a]), t))
  }

  /** √(mean of squares + epsilon) along an axis of `count` elements. */
  rms(x: string, axis: number, count: number, epsilon: number): string {
    return this.#root(this.#meanSquare(x, axis, count), epsilon)
  }

  /**
   * Feature maps less their means, and √(variance + epsilon) of each. Rows are summed up before columns: runtimes add in f32 one after
   * the other, and of 1024² numbers in one sum 5e-4 of the image was lost, of two sums 1e-5.
   */
  centred(x: string, side: number, epsilon: number): [centred: string, deviation: string] {
    const mean = (value: string, axis: number) => this.op('ReduceMean', [value], { axes: [axis], keepdims: 1 })
    const centred = this.op('Sub', [x, mean(mean(x, 3), 2)])
    return [centred, this.#root(mean(this.#meanSquare(centred, 3, side), 2), epsilon)]
  }

  #meanSquare(x: string, axis: number, count: number): string {
    return this.mul(this.op('ReduceSumSquare', [x], { axes: [axis], keepdims: 1 }), this.numbers(1 / count))
  }

  #root(square: string, epsilon: number): string {
    return this.op('Sqrt', [this.add(square, this.numbers(epsilon))])
  }

  /**
   * A constant `[1, …]`, once for each row of an input. So it is no constant any more: what follows from constants alone runtimes work
   * out when they load, and noise times its strengths took 276 MB of a network of 1024².
   */
  forEach(constant: string, input: string): string {
    const [from, to] = [this.integers([0]), this.integers([1])]
    const rows = this.op('Slice', [this.op('Shape', [input]), from, to])
    return this.op('Expand', [constant, this.op('Concat', [rows, this.integers([1, 1, 1])], { axis: 0 })])
  }

  reshape(x: string, shape: readonly number[]): string {
    return this.op('Reshape', [x, this.integers(shape)])
  }

  /** Each pixel of `[N, C, H, W]` `factor` times along both axes, or values between the centres of pixels. */
  upscale(x: string, factor: number, bilinear = false): string {
    if (factor === 1) return x
    const mode = bilinear ? 'linear' : 'nearest'
    const place = bilinear ? 'half_pixel' : 'asymmetric'
    return this.op('Resize', [x, '', this.numbers([1, 1, factor, factor])], {
      mode: { text: mode },
      coordinate_transformation_mode: { text: place },
      nearest_mode: { text: 'floor' },
    })
  }
}
