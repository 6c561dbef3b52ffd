/** The layers of a network as a table, as the official Network.print_layers prints it. */
import { countParams, type NetworkOptions, type ParamSpec } from './params.ts'

export interface LayerRow {
  readonly name: string
  readonly params: number
  /** Of one image: `HxWxC`, or the width of a vector. */
  readonly output: string
  readonly weight: string
}

/** One row a layer, in the order of the network. */
export function layerRows(specs: readonly ParamSpec[], { resolution }: NetworkOptions): LayerRow[] {
  const layers = new Map<string, ParamSpec[]>()
  for (const spec of specs.filter(({ trainable }) => trainable)) {
    const name = spec.name.replace(/(\/Noise|\/StyleMod)?\/(weight|bias|const)$/, '')
    layers.set(name, [...(layers.get(name) ?? []), spec])
  }
  return [...layers].map(([name, parts]) => {
    const main = parts.find((spec) => spec.name === `${name}/weight` || spec.name === `${name}/const`)!
    const bias = parts.find((spec) => spec.name === `${name}/bias`)
    const side = outputSide(name, resolution)
    const maps = String(bias?.shape[0] ?? main.shape.at(-1)!)
    return {
      name,
      params: countParams(parts),
      output: side === undefined ? maps : `${side}x${side}x${maps}`,
      weight: main.shape.join('x'),
    }
  })
}

/** Side of a layer's images, undefined for a vector. */
function outputSide(name: string, resolution: number): number | undefined {
  const rgb = /RGB_lod(\d+)$/.exec(name)
  if (rgb) return resolution / 2 ** Number(rgb[1])
  const block = /(\d+)x\d+\/(\w+)$/.exec(name)
  // The discriminator's Dense0 and Dense1 make vectors; the generator's Dense makes the first image.
  if (!block || /^Dense\d/.test(block[2]!)) return undefined
  return Number(block[1]) / (block[2] === 'Conv1_down' ? 2 : 1)
}

/** The rows as aligned text, with their total. */
export function layerTable(title: string, specs: readonly ParamSpec[], options: NetworkOptions): string {
  const count = (n: number) => n.toLocaleString('en')
  const rows = layerRows(specs, options).map(({ name, params, output, weight }) => [
    name,
    count(params),
    output,
    weight,
  ])
  const lines = [[title, 'Params', 'Output', 'Weight'], ...rows, ['Total', count(countParams(specs)), '', '']]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) => line.map((cell, i) => (i === 1 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}
