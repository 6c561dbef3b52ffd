/** A generator as an ONNX graph: what `networks/` computes, in ops that every runtime has. Its images are `[N, C, H, W]`. */
import { optionError } from '../files/option-names.ts'
import { opset, type OnnxModel, type OnnxType } from '../files/onnx.ts'
import type { Tensor } from '../native/index.ts'
import { configurationOf } from '../networks/configurations.ts'
import { heGain } from '../networks/layers.ts'
import { gainOf, growth, numLayers, sideOfLayer, type NetworkOptions, type Params } from '../networks/params.ts'
import { OnnxGraph } from './onnx-graph.ts'
import { metadataOf, type NetworkMetadata } from './own.ts'

/** What is fixed in the file, and what whoever draws with it gives. */
export interface OnnxChoices {
  /** Latents `z [N, latentSize]`, or a w for each layer: `w [N, layers, dlatentSize]`. */
  readonly input: 'z' | 'w'
  /** The network's own noise, an input `noise0`, `noise1`, … for each layer, or none. */
  readonly noise: 'const' | 'input' | 'none'
  readonly psi: number | 'input'
  readonly cutoff: number | 'input'
  /** `[N, C, H, W]` nominally −1 … 1, or bytes `[N, H, W, C]`. */
  readonly pixels: 'floats' | 'bytes'
}

const epsilon = 1e-8

/**
 * The graph and weights of a generator. Weights are read when the file is written, one at a time.
 *
 * @throws RangeError for a choice that the network has no use for
 */
export function onnxGenerator(params: Params, metadata: NetworkMetadata, choices: OnnxChoices): OnnxModel {
  const { options } = metadata
  checkChoices(options, choices)
  const graph = new OnnxGraph(params)
  const layers = new Layers(graph, options, choices)
  const images = layers.images(layers.styles(), metadata.lod ?? 0)
  const { resolution, numChannels } = options
  const bytes = choices.pixels === 'bytes'
  graph.op(
    bytes ? 'Transpose' : 'Identity',
    [bytes ? layers.bytes(images) : images],
    bytes ? { perm: [0, 2, 3, 1] } : {},
    'images',
  )
  const type: OnnxType = bytes ? 'uint8' : 'float32'
  const description = bytes ? 'bytes, channels last' : 'nominally -1 to 1, channels first'
  const side = bytes ? [resolution, resolution, numChannels] : [numChannels, resolution, resolution]
  return {
    name: 'stylegan',
    nodes: graph.nodes,
    weights: graph.weights,
    inputs: graph.inputs,
    outputs: [{ name: 'images', type, shape: ['N', ...side], description }],
    metadata: {
      ...metadataOf(metadata),
      format: 'stylegan-onnx-1',
      opset: String(opset),
      ...Object.fromEntries(Object.entries(choices).map(([name, choice]) => [name, String(choice)])),
    },
  }
}

function checkChoices(options: NetworkOptions, { input, noise, psi }: OnnxChoices): void {
  const { config = 'F' } = options
  if (config === 'A' && input === 'w') {
    throw optionError((name) => `${name('input')}: z is expected, since configuration A has no w, got w; leave it out`)
  }
  if (config === 'A' && psi !== 1) {
    throw optionError(
      (name) => `${name('psi')}: 1 is expected, since configuration A has no truncation, got ${psi}; leave it out`,
    )
  }
  if (noise === 'input' && !configurationOf(options).noise) {
    throw optionError(
      (name) =>
        `${name('noise')}: const is expected, since configuration ${config} has no noise, got input; leave it out`,
    )
  }
}

/** w of a layer. */
type Styles = (layer: number) => string

class Layers {
  readonly #graph: OnnxGraph
  readonly #options: NetworkOptions
  readonly #choices: OnnxChoices
  readonly #prefix: string
  readonly #R: number

  constructor(graph: OnnxGraph, options: NetworkOptions, choices: OnnxChoices) {
    this.#graph = graph
    this.#options = options
    this.#choices = choices
    this.#prefix = options.config === 'A' ? '' : 'G_synthesis/'
    this.#R = Math.log2(options.resolution)
  }

  /** The inputs up to a truncated w for each layer. */
  styles(): Styles {
    const graph = this.#graph
    const { dlatentSize, resolution } = this.#options
    const { input, psi, cutoff } = this.#choices
    const shape = ['N', numLayers(resolution), dlatentSize]
    const w =
      input === 'z'
        ? this.#mapping()
        : graph.input({ name: 'w', type: 'float32', shape, description: 'one w for each layer' })
    const ofLayer = (all: string) => (i: number) =>
      input === 'z' ? all : graph.op('Gather', [all, graph.integers(i)], { axis: 1 })
    if (psi === 1) return ofLayer(w)
    const average = graph.variable('dlatent_avg', [dlatentSize], (value) => value)
    const near = graph.lerp(average, w, psi === 'input' ? this.#number('psi', 'float32', psiHelp) : graph.numbers(psi))
    if (cutoff !== 'input') return (i) => ofLayer(i < cutoff ? near : w)(i)
    const given = this.#number('cutoff', 'int64', 'layers below it are truncated')
    return (i) => {
      const isNear = graph.op('Less', [graph.integers(i), given])
      return graph.op('Where', [isNear, ofLayer(near)(i), ofLayer(w)(i)])
    }
  }

  #number(name: string, type: OnnxType, description: string): string {
    return this.#graph.input({ name, type, shape: [], description })
  }

  /** w `[N, dlatentSize]` of z and labels. */
  #mapping(): string {
    const graph = this.#graph
    const { config, latentSize, labelSize, mappingLayers, mappingLrmul } = this.#options
    let x = graph.input({ name: 'z', type: 'float32', shape: ['N', latentSize], description: 'latents' })
    let width = latentSize
    if (labelSize > 0) {
      const description = 'one-hot labels'
      let labels = graph.input({ name: 'labels', type: 'float32', shape: ['N', labelSize], description })
      const embedding = 'G_mapping/LabelConcat/weight'
      if (config !== 'A') {
        labels = graph.op('MatMul', [labels, graph.variable(embedding, [labelSize, latentSize], (weight) => weight)])
      }
      x = graph.op('Concat', [x, labels], { axis: 1 })
      width += config === 'A' ? labelSize : latentSize
    }
    x = graph.op('Div', [x, graph.rms(x, 1, width, epsilon)])
    for (let layer = 0; layer < mappingLayers; layer++) {
      x = graph.leakyRelu(this.#dense(`G_mapping/Dense${layer}`, x, heGain, mappingLrmul))
    }
    return x
  }

  #dense(name: string, x: string, gain: number, lrmul = 1): string {
    const graph = this.#graph
    const [rows, columns] = graph.shapeOf(`${name}/weight`) as [number, number]
    const weight = graph.variable(`${name}/weight`, [rows, columns], (value) => value.mul(gainOf(value, gain, lrmul)))
    const bias = graph.variable(`${name}/bias`, [columns], (value) => value.mul(lrmul))
    return graph.op('Gemm', [x, weight, bias])
  }

  /** Images of the file's level of detail, at full size. */
  images(styles: Styles, lod: number): string {
    const graph = this.#graph
    const { resolution, semantics = {} } = this.#options
    const { top, fade } = growth(lod, resolution)
    let x = this.#after(0, ...this.#start(styles), styles)
    x = this.#after(1, '4x4/Conv', this.#conv('4x4/Conv', x), styles)
    let before = x
    for (let r = 3; r <= top; r++) {
      const [up, conv] = [`${2 ** r}x${2 ** r}/Conv0_up`, `${2 ** r}x${2 ** r}/Conv1`]
      before = x
      x = this.#after(2 * r - 4, up, this.#up(r, up, x), styles)
      x = this.#after(2 * r - 3, conv, this.#conv(conv, x), styles)
    }
    let image = this.#toRgb(top, x)
    if (fade > 0) {
      const old = graph.upscale(this.#toRgb(top - 1, before), 2, semantics.bilinear)
      image = graph.lerp(image, old, graph.numbers(fade))
    }
    return graph.upscale(image, 2 ** (this.#R - top))
  }

  /** `127.5 x + 128`, clamped and truncated. */
  bytes(images: string): string {
    const graph = this.#graph
    const wide = graph.add(graph.mul(images, graph.numbers(127.5)), graph.numbers(128))
    return graph.op('Cast', [graph.op('Clip', [wide, graph.numbers(0), graph.numbers(255)])], { to: 2 })
  }

  /** The first layer's name and its feature maps, with bias. */
  #start(styles: Styles): [name: string, x: string] {
    const graph = this.#graph
    const constant = configurationOf(this.#options).constInput
    const name = constant ? '4x4/Const' : '4x4/Dense'
    const bias = this.#perChannel(`${name}/bias`)
    if (constant) {
      const from = `${this.#prefix}4x4/Const/const`
      return [
        name,
        graph.add(
          graph.variable(from, graph.shapeOf(from), (value) => value),
          bias,
        ),
      ]
    }
    const from = `${this.#prefix}4x4/Dense/weight`
    // A quarter of He's gain, as in the official code; the outputs are ordered (channel, y, x).
    const weight = graph.variable(from, graph.shapeOf(from), (value) => value.mul(gainOf(value, heGain / 4)))
    const maps = graph.shapeOf(`${this.#prefix}${name}/bias`)[0]!
    return [name, graph.add(graph.reshape(graph.op('MatMul', [styles(0), weight]), [-1, maps, 4, 4]), bias)]
  }

  /** A variable `[C]` as `[1, C, 1, 1]`. */
  #perChannel(name: string): string {
    const full = this.#prefix + name
    const shape = [1, this.#graph.shapeOf(full)[0]!, 1, 1]
    return this.#graph.variable(full, shape, (value) => value.reshape(shape))
  }

  #bias(name: string): string {
    const full = `${this.#prefix}${name}/bias`
    return this.#graph.variable(full, this.#graph.shapeOf(full), (value) => value)
  }

  /** A filter `[height, width, in, out]` as `[out, in, height, width]`, scaled. */
  #filter(name: string, gain: number, turn: (weight: Tensor) => Tensor = (weight) => weight): string {
    const full = `${this.#prefix}${name}/weight`
    const [height, width, C, O] = this.#graph.shapeOf(full) as [number, number, number, number]
    const make = (weight: Tensor) => turn(weight.mul(gainOf(weight, gain))).permute([3, 2, 0, 1])
    return this.#graph.variable(full, [O, C, height, width], make)
  }

  #conv(name: string, x: string): string {
    return this.#graph.op('Conv', [x, this.#filter(name, heGain), this.#bias(name)], { pads: [1, 1, 1, 1] })
  }

  /** Upscale, convolution, blur, with bias. The official fused form turns the filter. */
  #up(r: number, name: string, x: string): string {
    const graph = this.#graph
    const { fusedScale, semantics = {} } = this.#options
    const fused = fusedScale === 'auto' ? 2 ** r >= 128 : fusedScale
    const turned = fused && !semantics.bilinear
    const filter = this.#filter(name, heGain, (weight) => (turned ? weight.flip([0, 1]) : weight))
    const blurred = configurationOf(this.#options).blur && !semantics.sharpG
    // The bias comes last: it can be added by the last convolution.
    const early = !blurred || semantics.biasBeforeBlur
    const pads = [1, 1, 1, 1]
    const wide = graph.upscale(x, 2, semantics.bilinear)
    const up = graph.op('Conv', early ? [wide, filter, this.#bias(name)] : [wide, filter], { pads })
    if (!blurred) return up
    const maps = graph.shapeOf(`${this.#prefix}${name}/bias`)[0]!
    const taps = Array.from({ length: maps }, () => [1, 2, 1, 2, 4, 2, 1, 2, 1].map((tap) => tap / 16)).flat()
    const blur = graph.numbers(taps, [maps, 1, 3, 3], `blur of ${maps} feature maps`)
    return graph.op('Conv', early ? [up, blur] : [up, blur, this.#bias(name)], { pads, group: maps })
  }

  #toRgb(r: number, x: string): string {
    const name = `ToRGB_lod${this.#R - r}`
    return this.#graph.op('Conv', [x, this.#filter(name, 1), this.#bias(name)])
  }

  /** What follows a layer's convolution and bias: noise, activation, normalisation, style. */
  #after(layer: number, name: string, x: string, styles: Styles): string {
    const graph = this.#graph
    const maps = graph.shapeOf(`${this.#prefix}${name}/bias`)[0]!
    const { traditional, noise } = configurationOf(this.#options)
    if (traditional) {
      const active = graph.leakyRelu(x)
      return graph.op('Div', [active, graph.rms(active, 1, maps, epsilon)])
    }
    const { epsilon: own = epsilon, styleBeforeActivation: late } = this.#options.semantics ?? {}
    let y = noise && this.#choices.noise !== 'none' ? this.#withNoise(layer, name, x) : x
    if (!late) y = graph.leakyRelu(y)
    const [centred, deviation] = graph.centred(y, sideOfLayer(layer), own)
    const style = this.#dense(`${this.#prefix}${name}/StyleMod`, styles(layer), 1)
    const part = (from: number) => {
      const slice = graph.op('Slice', [
        style,
        graph.integers([from]),
        graph.integers([from + maps]),
        graph.integers([1]),
      ])
      return graph.reshape(slice, [-1, maps, 1, 1])
    }
    const scale = graph.op('Div', [graph.add(part(0), graph.numbers(1)), deviation])
    y = graph.add(graph.mul(centred, scale), part(maps))
    return late ? graph.leakyRelu(y) : y
  }

  #withNoise(layer: number, name: string, x: string): string {
    const graph = this.#graph
    const side = sideOfLayer(layer)
    const shape = [1, 1, side, side]
    const own = `G_synthesis/noise${layer}`
    const description = 'standard normal, one for each image or one for all'
    const map =
      this.#choices.noise === 'input'
        ? graph.input({ name: `noise${layer}`, type: 'float32', shape: ['noises', 1, side, side], description })
        : graph.forEach(
            graph.variable(own, shape, (value) => value),
            this.#choices.input,
          )
    return graph.add(x, graph.mul(map, this.#perChannel(`${name}/Noise/weight`)))
  }
}

const psiHelp = 'truncation: 1 draws from all that was learned, 0 the mean image'
