/**
 * Augmentation of all that the discriminator sees (Karras et al. 2020, "Training generative adversarial networks with limited data",
 * Section 2 and Appendix B): each transformation happens to each image with probability p, so that D cannot know the images by heart,
 * and G does not learn the transformations as long as p is below about 0.8. Derivatives of every order go through to the images.
 */
import { scope, type Rng, type Tensor } from '../native/index.ts'

/** What `--augpipe` may name: which groups of transformations are used. */
export const augpipes = {
  blit: ['blit'],
  geom: ['geom'],
  color: ['color'],
  filter: ['filter'],
  noise: ['noise'],
  cutout: ['cutout'],
  bg: ['blit', 'geom'],
  bgc: ['blit', 'geom', 'color'],
  bgcf: ['blit', 'geom', 'color', 'filter'],
  bgcfn: ['blit', 'geom', 'color', 'filter', 'noise'],
  bgcfnc: ['blit', 'geom', 'color', 'filter', 'noise', 'cutout'],
} as const satisfies Readonly<Record<string, readonly Group[]>>

type Group = 'blit' | 'geom' | 'color' | 'filter' | 'noise' | 'cutout'
export type Augpipe = keyof typeof augpipes

export interface AugmentOptions {
  /** Probability of each transformation, 0 … 1. */
  readonly p: number
  readonly augpipe: Augpipe
}

/**
 * T: a batch of images with transformations drawn afresh for each of them.
 *
 * @param images `[N, side, side, C]` of 1 (gray), 3 (RGB) or 4 (RGBA) channels in −1 … 1
 * @returns as many images of the same size
 */
export function augment(images: Tensor, rng: Rng, { p, augpipe }: AugmentOptions): Tensor {
  if (p === 0) return images
  const groups: readonly Group[] = augpipes[augpipe]
  const uses = (group: Group) => groups.includes(group)
  const [N, side, , C] = images.dims4()
  const draw = new Draw(rng, p)
  const each = <T>(make: () => T): T[] => Array.from({ length: N }, make)
  return scope(() => {
    let x = images
    if (uses('blit') || uses('geom')) {
      x = warp(
        x,
        each(() => geometry(draw, side, uses('blit'), uses('geom'))),
      )
    }
    if (uses('color')) {
      x = recolor(
        x,
        each(() => color(draw, C > 1)),
      )
    }
    if (uses('filter')) {
      x = filter(
        x,
        each(() => bandGains(draw)),
      )
    }
    if (uses('noise')) {
      x = addNoise(
        x,
        each(() => (draw.happens() ? Math.abs(draw.normal()) * 0.1 : 0)),
        rng,
      )
    }
    if (uses('cutout')) {
      x = cutOut(
        x,
        each(() => (draw.happens() ? ([draw.uniform(0, 1), draw.uniform(0, 1)] as const) : undefined)),
      )
    }
    return x
  })
}

/** Random numbers on the host: there are a few for each image. */
class Draw {
  readonly #rng: Rng
  readonly #p: number

  constructor(rng: Rng, p: number) {
    this.#rng = rng
    this.#p = p
  }

  happens(p = this.#p): boolean {
    return this.#rng.nextUniform() <= p
  }

  uniform(low: number, high: number): number {
    return low + (high - low) * this.#rng.nextUniform()
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.#rng.nextUniform())) * Math.cos(2 * Math.PI * this.#rng.nextUniform())
  }

  integer(count: number): number {
    return this.#rng.nextInteger(0, count)
  }

  /** 2^N(0, σ²). */
  logNormal(sigma: number): number {
    return 2 ** (sigma * this.normal())
  }

  angle(): number {
    return this.uniform(-Math.PI, Math.PI)
  }

  /** Rotations have two chances to happen, before and after the anisotropic scaling: one of them does with probability p. */
  rotates(): boolean {
    return this.happens(1 - Math.sqrt(1 - this.#p))
  }
}

/** Rows of a square matrix. */
type Matrix = readonly (readonly number[])[]

const times = (a: Matrix, b: Matrix): Matrix => {
  return a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)))
}
const identity = (size: number): Matrix => Array.from({ length: size }, (_, i) => unit(size, i))
const unit = (size: number, i: number) => Array.from({ length: size }, (_, j) => Number(i === j))

/** On (x, y, 1), with the origin at the image's centre. */
const scale2d = (x: number, y: number): Matrix => [
  [x, 0, 0],
  [0, y, 0],
  [0, 0, 1],
]
const rotate2d = (angle: number): Matrix => [
  [Math.cos(angle), -Math.sin(angle), 0],
  [Math.sin(angle), Math.cos(angle), 0],
  [0, 0, 1],
]
const translate2d = (x: number, y: number): Matrix => [
  [1, 0, x],
  [0, 1, y],
  [0, 0, 1],
]
/** Exact, so that blitting copies pixels. */
const turns2d = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
].map(([cos, sin]): Matrix => [
  [cos!, -sin!, 0],
  [sin!, cos!, 0],
  [0, 0, 1],
])

/** The matrix from the pixels of a transformed image to those of the image: the inverse of each transformation, in their order. */
function geometry(draw: Draw, side: number, blits: boolean, warps: boolean): Matrix {
  let M = identity(3)
  const undo = (happens: boolean, inverse: () => Matrix) => {
    if (happens) M = times(M, inverse())
  }
  if (blits) {
    undo(draw.happens(), () => scale2d(1 - 2 * draw.integer(2), 1))
    undo(draw.happens(), () => turns2d[draw.integer(4)]!)
    const whole = () => Math.round(draw.uniform(-1 / 8, 1 / 8) * side)
    undo(draw.happens(), () => translate2d(whole(), whole()))
  }
  if (warps) {
    undo(draw.happens(), () => {
      const s = draw.logNormal(0.2)
      return scale2d(1 / s, 1 / s)
    })
    undo(draw.rotates(), () => rotate2d(draw.angle()))
    undo(draw.happens(), () => {
      const s = draw.logNormal(0.2)
      return scale2d(1 / s, s)
    })
    undo(draw.rotates(), () => rotate2d(draw.angle()))
    const part = () => (draw.normal() / 8) * side
    undo(draw.happens(), () => translate2d(part(), part()))
  }
  return M
}

/** The orthogonal low-pass filter of the wavelet sym6 (PyWavelets, `sym6.dec_lo`). */
const sym6 = [
  0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
  0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
  0.0017677118642428036, -0.007800708325034148,
]

const isWhole = (M: Matrix) => M.every((row) => row.every(Number.isInteger))
const isIdentity = (M: Matrix) => M.every((row, i) => row.every((value, j) => value === Number(i === j)))

/**
 * Images through their matrices. Flips, quarter turns and shifts by whole pixels copy pixels; all else is done without aliasing: reflected
 * at its borders, upsampled by 2, looked up bilinearly, and downsampled by 2 (Appendix B.2). The filter is orthogonal, so that the
 * identity changes nothing; but it is not symmetric, so that a flip would.
 */
export function warp(images: Tensor, matrices: readonly Matrix[]): Tensor {
  return scope(() => {
    const I = identity(3)
    const whole = matrices.map((M) => (isWhole(M) ? M : I))
    const others = matrices.map((M) => (isWhole(M) ? I : M))
    const copied = whole.every(isIdentity) ? images : blit(images, whole)
    return others.every(isIdentity) ? copied : resample(copied, others)
  })
}

function blit(images: Tensor, matrices: readonly Matrix[]): Tensor {
  const [, side] = images.dims4()
  return images.affineResample(lookup(images, matrices, { scale: 1, first: 0 }), [side, side], { reflect: true })
}

function resample(images: Tensor, matrices: readonly Matrix[]): Tensor {
  const [, side] = images.dims4()
  // Pixel i of the large image lies at i / 2 − (length − 1) / 4.
  const large = 2 * (side - 1) + sym6.length
  const m = lookup(images, matrices, { scale: 1 / 2, first: -(sym6.length - 1) / 4 })
  const taps = (gain: number) => sym6.map((tap) => tap * gain)
  return images
    .affineResample(m, [large, large], { up: 2, taps: taps(Math.SQRT2), reflect: true })
    .upfirdn2d({ down: 2, taps: taps(Math.SQRT1_2) })
}

/** Matrices `[N, 2, 3]` from (i, j, 1), the pixel at `scale · (i, j) + first`, to rows and columns of the image. */
function lookup(
  images: Tensor,
  matrices: readonly Matrix[],
  { scale, first }: { scale: number; first: number },
): Tensor {
  const [N, side] = images.dims4()
  const centre = (side - 1) / 2
  const rows = matrices.flatMap(([X, Y]) => {
    return [Y!, X!].map(([x, y, one]) => [scale * y!, scale * x!, one! + (first - centre) * (x! + y!) + centre])
  })
  return images.device.tensor(rows.flat(), [N, 2, 3])
}

/** The direction of gray, (1, 1, 1)/√3, times itself. */
const gray = [1, 1, 1].map(() => [1 / 3, 1 / 3, 1 / 3])
const onRgb = (rows: Matrix): Matrix => [...rows.map((row) => [...row, 0]), [0, 0, 0, 1]]
const mixed = (a: number, A: Matrix, b: number, B: Matrix) =>
  A.map((row, i) => row.map((value, j) => a * value + b * B[i]![j]!))

/** The matrix on (red, green, blue, 1). */
function color(draw: Draw, hasHue: boolean): Matrix {
  let C = identity(4)
  const apply = (happens: boolean, matrix: () => Matrix) => {
    if (happens) C = times(matrix(), C)
  }
  const I = identity(3)
  // Brightness, contrast, luma flip.
  apply(draw.happens(), () => {
    const b = 0.2 * draw.normal()
    return [...I.map((row) => [...row, b]), [0, 0, 0, 1]]
  })
  apply(draw.happens(), () => onRgb(mixed(draw.logNormal(0.5), I, 0, I)))
  apply(draw.happens(), () => onRgb(mixed(1, I, -2 * draw.integer(2), gray)))
  if (!hasHue) return C
  // Hue, saturation.
  apply(draw.happens(), () => onRgb(rotationAboutGray(draw.angle())))
  apply(draw.happens(), () => {
    const s = draw.logNormal(1)
    return onRgb(mixed(s, I, 1 - s, gray))
  })
  return C
}

/** By Rodrigues' formula. */
function rotationAboutGray(angle: number): Matrix {
  const v = 1 / Math.sqrt(3)
  const cross = [
    [0, -v, v],
    [v, 0, -v],
    [-v, v, 0],
  ]
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  return mixed(1, mixed(cos, identity(3), 1 - cos, gray), sin, cross)
}

/** Colours through their matrices; alpha stays, gray sees the mean of what red, green and blue would become. */
export function recolor(images: Tensor, matrices: readonly Matrix[]): Tensor {
  const [N, height, width, C] = images.dims4()
  const rows = (M: Matrix): Matrix => {
    const rgb = M.slice(0, 3)
    if (C === 3) return rgb
    if (C === 4) return [...rgb.map(([r, g, b, one]) => [r!, g!, b!, 0, one!]), [0, 0, 0, 1, 0]]
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
    return [[sum(rgb.flatMap((row) => row.slice(0, 3))) / 3, sum(rgb.map((row) => row[3]!)) / 3]]
  }
  const all = matrices.map(rows)
  const linear = all.flatMap((M) => M.flatMap((row) => row.slice(0, C)))
  const constant = all.flatMap((M) => M.map((row) => row[C]!))
  return scope(() => {
    const { device } = images
    const pixels = images.reshape([N, height * width, C])
    const turned = pixels.matmul(device.tensor(linear, [N, C, C]), { transposeB: true })
    // Of a whole row of pixels: the sum of long rows is faster.
    const shift = device
      .tensor(constant, [N, 1, 1, C])
      .broadcastTo([N, 1, width, C])
      .reshape([N, 1, width * C])
    return turned
      .reshape([N, height, width * C])
      .add(shift)
      .reshape(images.shape)
  })
}

/** The low-pass filter of the wavelet sym2 (PyWavelets, `sym2.dec_lo`). */
const sym2 = [-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025]
/** Expected power of the bands: human faces have most in the lowest. */
const bandPower = [10, 1, 1, 1].map((power) => power / 13)

/** Gains of the four octave bands, each changed with probability p; the expected power of the image stays. */
function bandGains(draw: Draw): number[] {
  return bandPower.reduce(
    (gains, _, band) => {
      if (!draw.happens()) return gains
      const t = unit(4, band).map((is) => (is === 1 ? draw.logNormal(1) : 1))
      const power = t.reduce((sum, value, i) => sum + bandPower[i]! * value ** 2, 0)
      return gains.map((gain, i) => (gain * t[i]!) / Math.sqrt(power))
    },
    [1, 1, 1, 1],
  )
}

const convolve = (a: readonly number[], b: readonly number[]) => {
  return Array.from({ length: a.length + b.length - 1 }, (_, i) =>
    a.reduce((sum, value, k) => sum + value * (b[i - k] ?? 0), 0),
  )
}
const stretch = (a: readonly number[], step: number) => {
  return Array.from({ length: (a.length - 1) * step + 1 }, (_, i) => (i % step === 0 ? a[i / step]! : 0))
}

/**
 * Four symmetric filters, from the lowest octave to the highest, that add up to the identity: with the low-pass filter
 * L = H(z) H(1/z) / 2 of the wavelet and the high-pass filter 1 − L, each octave is split from what is below (Appendix B.3).
 */
function filterBank(): number[][] {
  const low = convolve(sym2, sym2.toReversed()).map((value) => value / 2)
  const high = low.map((value, i) => (i % 2 === 1 ? value : -value))
  const [low2, low4] = [stretch(low, 2), stretch(low, 4)]
  const below = convolve(low, low2)
  return [convolve(below, low4), convolve(below, stretch(high, 4)), convolve(low, stretch(high, 2)), high]
}

/** Images whose octave bands have other gains: a filter along both axes, reflected at the borders. */
export function filter(images: Tensor, gains: readonly (readonly number[])[]): Tensor {
  const [N, height, width, C] = images.dims4()
  return scope(() => {
    const { device } = images
    // A filter with reflection is a matrix on the pixels of an axis.
    const bands = device.tensor(
      filterBank().flatMap((taps) => reflectedFilter(taps, height)),
      [4, height * height],
    )
    const A = device.tensor(gains.flat(), [N, 4]).matmul(bands).reshape([N, height, height])
    const alongRows = (x: Tensor) => A.matmul(x.reshape([N, height, width * C])).reshape([N, height, width, C])
    const turn = (x: Tensor) => x.permute([0, 2, 1, 3])
    return turn(alongRows(turn(alongRows(images))))
  })
}

/** Of a centred filter, the matrix `[size, size]` on an axis that is reflected at both ends. */
function reflectedFilter(taps: readonly number[], size: number): number[] {
  const matrix = new Array<number>(size * size).fill(0)
  const period = Math.max(2 * (size - 1), 1)
  for (let i = 0; i < size; i++) {
    for (const [t, tap] of taps.entries()) {
      const at = Math.abs(i + t - (taps.length - 1) / 2) % period
      matrix[i * size + Math.min(at, period - at)]! += tap
    }
  }
  return matrix
}

/** White noise of each image's own deviation. */
function addNoise(images: Tensor, sigmas: readonly number[], rng: Rng): Tensor {
  if (sigmas.every((sigma) => sigma === 0)) return images
  return scope(() => {
    const { device, shape } = images
    return images.add(rng.normal(device, shape).mul(device.tensor(sigmas, [sigmas.length, 1, 1, 1])))
  })
}

/** A square of half the side around each centre, in parts of the side, is set to 0. */
function cutOut(images: Tensor, centres: readonly (readonly [number, number] | undefined)[]): Tensor {
  if (centres.every((centre) => centre === undefined)) return images
  const [N, side] = images.dims4()
  // 1 within the square, along one axis.
  const within = (axis: 0 | 1) =>
    centres.flatMap((centre) => {
      return Array.from({ length: side }, (_, i) =>
        Number(centre !== undefined && Math.abs((i + 0.5) / side - centre[axis]) < 1 / 4),
      )
    })
  return scope(() => {
    const { device } = images
    const square = device.tensor(within(0), [N, side, 1, 1]).mul(device.tensor(within(1), [N, 1, side, 1]))
    return images.mul(square.affine(-1, 1))
  })
}
