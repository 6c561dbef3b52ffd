/** Many images as one, for a person to look at. */

/** Dimensions of a batch of images. */
export interface BatchShape {
  readonly n: number
  readonly h: number
  readonly w: number
  readonly c: number
}

/** An image of as many channels as the batch that it was made of. */
export interface Picture {
  /** `[height, width, C]`. */
  readonly pixels: Uint8Array
  readonly width: number
  readonly height: number
}

/** Part of an image; what is not given reaches from the first to the last column or row. */
export interface Part {
  readonly left?: number
  readonly top?: number
  readonly width?: number
  readonly height?: number
}

/**
 * The same part of each image of a batch.
 *
 * @param batch `[N, H, W, C]`
 * @returns `[N, height, width, C]`
 */
export function cropImages(
  batch: Uint8Array,
  { n, h, w, c }: BatchShape,
  { left = 0, top = 0, width = w - left, height = h - top }: Part,
): Uint8Array {
  const row = width * c
  const cropped = new Uint8Array(n * height * row)
  for (let image = 0; image < n; image++) {
    for (let y = 0; y < height; y++) {
      const from = ((image * h + top + y) * w + left) * c
      cropped.set(batch.subarray(from, from + row), (image * height + y) * row)
    }
  }
  return cropped
}

/** Each pixel of each image of a batch `factor` times along both axes: the nearest, no new colours. */
export function enlargeImages(batch: Uint8Array, shape: BatchShape, factor: number): Uint8Array {
  return factor === 1 ? batch : stretchImages(batch, shape, shape.w * factor, shape.h * factor)
}

/**
 * Each image of a batch in another size, the nearest pixel in each place.
 *
 * @returns `[N, height, width, C]`
 */
export function stretchImages(
  batch: Uint8Array,
  { n, h, w, c }: BatchShape,
  width: number,
  height: number,
): Uint8Array {
  const row = width * c
  const stretched = new Uint8Array(n * height * row)
  const rowOf = (y: number) => Math.floor((y * h) / height)
  for (let image = 0; image < n; image++) {
    for (let y = 0; y < height; y++) {
      const to = (image * height + y) * row
      if (y > 0 && rowOf(y) === rowOf(y - 1)) {
        stretched.copyWithin(to, to - row, to)
        continue
      }
      for (let x = 0; x < width; x++) {
        const from = ((image * h + rowOf(y)) * w + Math.floor((x * w) / width)) * c
        stretched.set(batch.subarray(from, from + c), to + x * c)
      }
    }
  }
  return stretched
}

/**
 * How many images fill a screen: official misc.setup_snapshot_image_grid. Small images get a grid of at most 32 × 32.
 *
 * @param resolution side of the images
 */
export function gridSize(resolution: number, mode: '1080p' | '4k'): { columns: number; rows: number } {
  if (!(Number.isInteger(resolution) && resolution > 0)) {
    throw new RangeError(`gridSize: resolution must be a whole number above 0, got ${resolution}`)
  }
  const clip = (value: number, least: number): number => Math.min(Math.max(Math.floor(value), least), 32)
  return mode === '1080p'
    ? { columns: clip(1920 / resolution, 3), rows: clip(1080 / resolution, 2) }
    : { columns: clip(3840 / resolution, 7), rows: clip(2160 / resolution, 4) }
}

/**
 * Place images side by side, row after row. Gaps, and the places after the last image, are white.
 *
 * @param batch `[N, H, W, C]`
 * @param columns images in a row
 * @param gap pixels between two images
 * @throws RangeError if the batch has not N · H · W · C bytes or if nothing could be placed
 */
export function tileImages(batch: Uint8Array, { n, h, w, c }: BatchShape, columns: number, gap = 0): Picture {
  for (const [name, value, least] of [
    ['n', n, 1],
    ['h', h, 1],
    ['w', w, 1],
    ['c', c, 1],
    ['columns', columns, 1],
    ['gap', gap, 0],
  ] as const) {
    if (!(Number.isInteger(value) && value >= least)) {
      throw new RangeError(`tileImages: ${name} must be a whole number of at least ${least}, got ${value}`)
    }
  }
  if (batch.length !== n * h * w * c) {
    throw new RangeError(
      `tileImages: batch must have ${n}·${h}·${w}·${c} = ${n * h * w * c} bytes, got ${batch.length}`,
    )
  }
  const rows = Math.ceil(n / columns)
  const width = columns * (w + gap) - gap
  const height = rows * (h + gap) - gap
  const pixels = new Uint8Array(width * height * c).fill(255)
  for (let image = 0; image < n; image++) {
    const left = (image % columns) * (w + gap)
    const top = Math.floor(image / columns) * (h + gap)
    for (let y = 0; y < h; y++) {
      const from = (image * h + y) * w * c
      pixels.set(batch.subarray(from, from + w * c), ((top + y) * width + left) * c)
    }
  }
  return { pixels, width, height }
}
