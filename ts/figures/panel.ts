/** Figures as papers have them: pictures in rows and columns, white gaps, labels. All in RGB. */
import { optionError } from '../files/option-names.ts'
import { cropImages, stretchImages, type Picture } from './grid.ts'

/** Columns of 5×7 letters, the lowest bit on top, as character displays show them. */
// prettier-ignore
const glyphs: Readonly<Record<string, string>> = {
  ' ': '0000000000', '+': '08083e0808', ',': '0050300000', '-': '0808080808', '.': '0060600000', '/': '2010080402',
  '0': '3e5149453e', '1': '00427f4000', '2': '4261514946', '3': '2141454b31', '4': '1814127f10', '5': '2745454539',
  '6': '3c4a494930', '7': '0171090503', '8': '3649494936', '9': '064949291e', ':': '0036360000', '=': '1414141414',
  a: '2054545478', b: '7f48444438', c: '3844444420', d: '384444487f', e: '3854545418', f: '087e090102',
  g: '18a4a4a47c', h: '7f08040478', i: '00447d4000', j: '2040443d00', k: '7f10284400', l: '00417f4000',
  m: '7c04180478', n: '7c08040478', o: '3844444438', p: 'fc24242418', q: '18242424fc', r: '7c08040408',
  s: '4854545420', t: '043f444020', u: '3c4040207c', v: '1c2040201c', w: '3c4030403c', x: '4428102844',
  y: '1ca0a0a07c', z: '4464544c44', ψ: '1c207e201c',
}

const letter = { width: 6, height: 8 }

/** As RGB these take 1.2 GB. */
const mostPixels = 400_000_000

/** @throws RangeError if a picture of this size would take all memory */
export function checkPixels(width: number, height: number): void {
  if (width * height <= mostPixels) return
  throw optionError(
    (name) =>
      `picture: at most ${mostPixels.toLocaleString('en')} pixels are expected, got ${width}x${height}; draw fewer rows or columns, or take a smaller ${name('scale')}`,
  )
}

export function blank(width: number, height: number): Picture {
  checkPixels(width, height)
  return { pixels: new Uint8Array(width * height * 3).fill(255), width, height }
}

/** An image of 1, 3 or 4 channels as RGB, what is transparent on white. */
export function rgbPicture(pixels: Uint8Array, width: number, height: number, channels: number): Picture {
  if (pixels.length !== width * height * channels) {
    throw new RangeError(
      `rgbPicture: ${width}·${height}·${channels} = ${width * height * channels} bytes are expected, got ${pixels.length}`,
    )
  }
  const picture = blank(width, height)
  for (let i = 0; i < width * height; i++) {
    const alpha = channels === 4 ? pixels[4 * i + 3]! / 255 : 1
    for (let c = 0; c < 3; c++) {
      const value = pixels[i * channels + (channels === 1 ? 0 : c)]!
      picture.pixels[3 * i + c] = Math.round(value * alpha + 255 * (1 - alpha))
    }
  }
  return picture
}

/** Each pixel `factor` times along both axes. */
export function enlarge(picture: Picture, factor: number): Picture {
  return stretch(picture, picture.width * factor, picture.height * factor)
}

/** The nearest pixel in each place. */
export function stretch(picture: Picture, width: number, height: number): Picture {
  checkPixels(width, height)
  const shape = { n: 1, h: picture.height, w: picture.width, c: 3 }
  return { pixels: stretchImages(picture.pixels, shape, width, height), width, height }
}

/** Left and right swapped. */
export function mirror({ pixels, width, height }: Picture): Picture {
  const mirrored = blank(width, height)
  for (let i = 0; i < width * height; i++) {
    const from = 3 * (i - 2 * (i % width) + width - 1)
    mirrored.pixels.set(pixels.subarray(from, from + 3), 3 * i)
  }
  return mirrored
}

/** A picture 1 / `factor` as wide and high, by Lanczos-3 over both axes, as Pillow's LANCZOS, the filter of the official figures. */
export function shrink(picture: Picture, factor: number): Picture {
  const { width, height } = picture
  if (factor === 1) return picture
  const narrow = lanczos(picture.pixels, [height, width, 3], width / factor)
  const pixels = lanczos(narrow, [1, height, (width / factor) * 3], height / factor)
  return { pixels, width: width / factor, height: height / factor }
}

/** Resamples the middle axis of `[rows, length, inner]` to `to` places; bytes in, bytes out. */
function lanczos(from: Uint8Array, [rows, length, inner]: readonly [number, number, number], to: number): Uint8Array {
  const result = new Uint8Array(rows * to * inner)
  const scale = length / to
  const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale
    const first = Math.max(0, Math.floor(centre - 3 * scale + 0.5))
    const last = Math.min(length, Math.floor(centre + 3 * scale + 0.5))
    const weights = Array.from({ length: last - first }, (_, k) => {
      const x = (first + k + 0.5 - centre) / scale
      return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0
    })
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    for (let row = 0; row < rows; row++) {
      for (let c = 0; c < inner; c++) {
        const at = (row * length + first) * inner + c
        const sum = weights.reduce((sum, weight, k) => sum + weight * from[at + k * inner]!, 0)
        result[(row * to + i) * inner + c] = Math.min(255, Math.max(0, Math.floor(sum / total + 0.5)))
      }
    }
  }
  return result
}

/** Part of a picture. */
export function crop(picture: Picture, left: number, top: number, width: number, height: number): Picture {
  const shape = { n: 1, h: picture.height, w: picture.width, c: 3 }
  return { pixels: cropImages(picture.pixels, shape, { left, top, width, height }), width, height }
}

/** Draws one picture into another. */
export function place(onto: Picture, { pixels, width, height }: Picture, left: number, top: number): void {
  for (let y = 0; y < height; y++) {
    onto.pixels.set(pixels.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * onto.width + left))
  }
}

/** Black letters on white; what has no letter is left blank. */
export function lettering(text: string, scale = 1): Picture {
  const line = blank(Math.max(text.length * letter.width - 1, 1), letter.height)
  for (const [i, char] of Array.from(text.toLowerCase()).entries()) {
    const columns = Buffer.from(glyphs[char] ?? glyphs[' ']!, 'hex')
    for (const [x, bits] of columns.entries()) {
      for (let y = 0; y < letter.height; y++) {
        const at = 3 * (y * line.width + i * letter.width + x)
        if ((bits >> y) & 1) line.pixels.fill(0, at, at + 3)
      }
    }
  }
  return scale === 1 ? line : enlarge(line, scale)
}

export interface PanelOptions {
  readonly columnLabels?: readonly string[]
  readonly rowLabels?: readonly string[]
  readonly gap?: number
}

/**
 * Pictures in rows and columns. A column is as wide as its widest picture, a row as high as its highest; a place may be empty.
 * Labels stand over the columns and left of the rows.
 */
export function panel(
  rows: readonly (readonly (Picture | undefined)[])[],
  { columnLabels, rowLabels, gap = 8 }: PanelOptions = {},
): Picture {
  const count = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, i) => Math.max(...rows.map((row) => row[i]?.width ?? 0)))
  const heights = rows.map((row) => Math.max(...row.map((picture) => picture?.height ?? 0)))
  const narrowest = Math.min(...widths.filter((width) => width > 0))
  const longest = Math.max(...(columnLabels ?? []).map((text) => text.length), 1)
  const scale = Math.max(1, Math.min(Math.floor(narrowest / (longest * letter.width)), Math.round(narrowest / 100)))
  const above = columnLabels ? letter.height * scale + gap : 0
  const texts = rowLabels?.map((text) => lettering(text, scale))
  const beside = texts ? Math.max(...texts.map(({ width }) => width)) + gap : 0
  const total = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size + gap, gap)
  const canvas = blank(beside + total(widths), above + total(heights))
  let top = above + gap
  for (const [r, row] of rows.entries()) {
    let left = beside + gap
    const text = texts?.[r]
    if (text) place(canvas, text, gap, top + Math.floor((heights[r]! - text.height) / 2))
    for (const [c, width] of widths.entries()) {
      const [picture, label] = [row[c], r === 0 ? columnLabels?.[c] : undefined]
      if (picture) place(canvas, picture, left, top)
      if (label) {
        const line = lettering(label, scale)
        const offset = Math.floor((width - line.width) / 2)
        if (offset >= 0) place(canvas, line, left + offset, gap)
      }
      left += width + gap
    }
    top += heights[r]! + gap
  }
  return canvas
}
