/** Looping walks through W, and files that show them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rename, rm } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { crc32 } from 'node:zlib'
import { optionError } from '../files/option-names.ts'
import { shownLine, shownValue } from '../files/shown.ts'
import { codeOf, diskError, placeToWrite, TEMPORARY } from '../files/write-atomic.ts'
import {
  latentOf,
  pictureOf,
  shownRows,
  stylesOf,
  stylesOfLatent,
  type FigureOptions,
  type TrainedGenerator,
} from './render.ts'
import type { Picture } from './grid.ts'
import { encodeDrawnPng, scope, type Tensor } from '../native/index.ts'
import { blank, enlarge, place } from './panel.ts'

export const easings = ['cubic', 'linear', 'smooth'] as const
/** How time passes between two key frames. */
export type Easing = (typeof easings)[number]

/** What is interpolated: w, or z, whose length does not matter. Ways through W are straighter (StyleGAN, section 4.1). */
export const spaces = ['w', 'z'] as const
/** The space that is walked through. */
export type Space = (typeof spaces)[number]

/** A way through key frames, in a grid of cells. */
export interface Walk extends FigureOptions {
  /** Key frames: in a grid, seed i is key frame ⌊i / cells⌋ of cell i mod cells. */
  readonly seeds: readonly number[]
  readonly columns: number
  readonly rows: number
  /** Frames from one key frame to the next. */
  readonly framesPerKey: number
  readonly easing: Easing
  /** Default w. */
  readonly space?: Space | undefined
  /** Each pixel so often along both axes. */
  readonly scale?: number | undefined
}

/**
 * Weights of the key frames around a moment of a loop: position 1.5 is halfway from key frame 1 to 2. `cubic` passes through each
 * without a turn (Catmull-Rom), `linear` turns at each, `smooth` rests at each.
 *
 * @returns [key frame, weight] pairs; the weights add up to 1
 */
export function keyWeights(position: number, keys: number, easing: Easing): [key: number, weight: number][] {
  const key = Math.floor(position)
  const t = position - key
  const at = (offset: number) => (((key + offset) % keys) + keys) % keys
  if (easing === 'cubic') {
    return [
      [at(-1), (-t + 2 * t ** 2 - t ** 3) / 2],
      [at(0), (2 - 5 * t ** 2 + 3 * t ** 3) / 2],
      [at(1), (t + 4 * t ** 2 - 3 * t ** 3) / 2],
      [at(2), (t ** 3 - t ** 2) / 2],
    ]
  }
  const share = easing === 'linear' ? t : (1 - Math.cos(Math.PI * t)) / 2
  return [
    [at(0), 1 - share],
    [at(1), share],
  ]
}

/** The frames of a loop, one after the other: the last leads to the first. */
export async function* walk(generator: TrainedGenerator, options: Walk): AsyncGenerator<Picture, void> {
  const frameAt = frames(generator, options)
  const keys = options.seeds.length / (options.columns * options.rows)
  for (let frame = 0; frame < keys * options.framesPerKey; frame++) yield frameAt(frame / options.framesPerKey)
}

/**
 * Any moment of a walk.
 *
 * @returns the frame at a position: 1.5 is halfway from key frame 1 to 2
 * @throws RangeError unless each cell has two key frames or more
 */
export function frames(generator: TrainedGenerator, options: Walk): (position: number) => Promise<Picture> {
  const { seeds, columns, rows, easing, space = 'w', scale = 1 } = options
  const cells = columns * rows
  if (seeds.length === 0 || seeds.length % cells !== 0 || seeds.length < 2 * cells) {
    throw optionError(
      (name) =>
        `${name('seeds')}: two or more for each of the ${columns}x${rows} cells, a multiple of ${cells}, are expected, got ${seeds.length}`,
    )
  }
  const keys = new Map<number, Tensor[]>()
  const keyOf = (seed: number): Tensor[] => {
    const key = keys.get(seed) ?? (space === 'w' ? stylesOf(generator, seed, options) : [latentOf(generator, seed)])
    keys.set(seed, key)
    return key
  }
  const width = generator.options.resolution
  const { height } = shownRows(generator)
  return async (position) => {
    const weights = keyWeights(position, seeds.length / cells, easing)
    const picture = blank(columns * width, rows * height)
    for (let cell = 0; cell < cells; cell++) {
      const parts = weights.map(([key, weight]) => [keyOf(seeds[key * cells + cell]!), weight] as const)
      const w = scope(() => {
        const sum = mixOf(parts)
        return space === 'w' ? sum : stylesOfLatent(generator, sum[0]!, options)
      })
      const image = await pictureOf(generator, w, 'const')
      for (const tensor of new Set(w)) tensor.dispose()
      place(picture, image, (cell % columns) * width, Math.floor(cell / columns) * height)
    }
    return scale === 1 ? picture : enlarge(picture, scale)
  }
}

/** Sums of w's, layer by layer; layers that share one w share the sum. */
function mixOf(parts: readonly (readonly [styles: readonly Tensor[], weight: number])[]): Tensor[] {
  const sums = new Map<Tensor, Tensor>()
  return parts[0]![0].map((first, layer) => {
    const sum =
      sums.get(first) ?? parts.map(([styles, weight]) => styles[layer]!.mul(weight)).reduce((a, b) => a.add(b))
    sums.set(first, sum)
    return sum
  })
}

/**
 * The frames, looked at.
 *
 * @throws RangeError if there are none, or one of another size
 */
async function* ofOneSize(frames: AsyncIterable<Picture> | Iterable<Picture>): AsyncGenerator<Picture, void> {
  let [index, size] = [0, '']
  for await (const frame of frames) {
    const own = `${frame.width}x${frame.height}`
    size ||= own
    if (own !== size) throw new RangeError(`frame ${index}: ${size} is expected, as the first, got ${own}`)
    index++
    yield frame
  }
  if (index === 0) throw new RangeError('frames: one or more are expected, got none')
}

/**
 * An animated PNG that loops for ever: the frames' own compressed data, in animation chunks (PNG, third edition).
 *
 * @throws RangeError unless there are frames, of one size, and fps is a whole number from 1 to 65535
 */
export async function animatedPng(
  frames: AsyncIterable<Picture> | Iterable<Picture>,
  fps: number,
): Promise<Uint8Array> {
  if (!(Number.isInteger(fps) && fps >= 1 && fps <= 65_535)) {
    throw optionError((name) => `${name('fps')}: a whole number from 1 to 65535 is expected, got ${shownValue(fps)}`)
  }
  const chunks: Buffer[] = []
  let header: Buffer[] = []
  let [sequence, count] = [0, 0]
  for await (const { pixels, width, height } of ofOneSize(frames)) {
    const png = Buffer.from(await encodeDrawnPng(pixels, width, height, 3))
    const parts = [...pngChunks(png)]
    // With the mark of what this program draws.
    header = parts
      .filter(({ type }) => type === 'IHDR' || type === 'tEXt')
      .map(({ type, data }) => pngChunk(type, data))
    const control = Buffer.alloc(26)
    ;[sequence++, width, height, 0, 0].forEach((value, i) => control.writeUInt32BE(value, 4 * i))
    control.writeUInt16BE(1, 20)
    control.writeUInt16BE(fps, 22)
    chunks.push(pngChunk('fcTL', control))
    const data = Buffer.concat(parts.filter(({ type }) => type === 'IDAT').map((part) => part.data))
    const number = Buffer.alloc(4)
    // The first frame is also what readers without animation show.
    if (count++ > 0) number.writeUInt32BE(sequence++)
    chunks.push(count === 1 ? pngChunk('IDAT', data) : pngChunk('fdAT', Buffer.concat([number, data])))
  }
  const animation = Buffer.alloc(8)
  animation.writeUInt32BE(count)
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])
  return Buffer.concat([
    signature,
    ...header,
    pngChunk('acTL', animation),
    ...chunks,
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function* pngChunks(png: Buffer): Generator<{ type: string; data: Buffer }> {
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at)
    yield { type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) }
    at += 12 + length
  }
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

/** Why ffmpeg cannot be used on this machine, in words; undefined if it can. */
export async function ffmpegFault(): Promise<string | undefined> {
  const child = spawn('ffmpeg', ['-version'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: AbortSignal.timeout(10_000),
    killSignal: 'SIGKILL',
  })
  let message = ''
  child.stderr.on('data', (text: Buffer) => (message = (message + text.toString()).slice(-1000)))
  return new Promise((resolve) => {
    child.on('error', (error) => {
      if (codeOf(error) === 'ENOENT') resolve('ffmpeg was not found on this machine')
      else if (codeOf(error) === 'ABORT_ERR') resolve("ffmpeg is there but 'ffmpeg -version' gives no answer in 10 s")
      else resolve(`ffmpeg cannot be started: ${error.message}`)
    })
    child.on('close', (code, signal) => {
      const last = message.trim().split('\n').at(-1)
      const end = code === null ? `by ${signal}` : `with code ${code}`
      resolve(
        code === 0
          ? undefined
          : `ffmpeg is there but fails: 'ffmpeg -version' ended ${end}${last ? `: ${shownLine(last.trim())}` : ''}`,
      )
    })
  })
}

/**
 * Hands the frames to ffmpeg, which picks the format by the file's name. The file has its name once it is whole.
 *
 * @throws RangeError unless there are frames, of one size, and fps is a number above 0
 */
export async function encodeVideo(frames: AsyncIterable<Picture>, fps: number, path: string): Promise<void> {
  if (!(Number.isFinite(fps) && fps > 0)) {
    throw optionError((name) => `${name('fps')}: a number above 0 is expected, got ${shownValue(fps)}`)
  }
  const target = await placeToWrite(path)
  const { dir, name, ext } = parse(target)
  const unfinished = join(dir, `.${name}.${process.pid}${TEMPORARY}${ext}`)
  try {
    await encode(frames, fps, path, unfinished)
    await rename(unfinished, target)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw diskError(path, error)
  }
}

/** @param path what messages name */
async function encode(frames: AsyncIterable<Picture>, fps: number, path: string, file: string): Promise<void> {
  let child: ReturnType<typeof startFfmpeg> | undefined
  for await (const { pixels, width, height } of ofOneSize(frames)) {
    const { stdin, done } = (child ??= startFfmpeg(width, height, fps, path, file))
    // A pipe that breaks tells less than how ffmpeg ended.
    if (!stdin.write(pixels)) await Promise.race([once(stdin, 'drain').catch(() => done), done])
  }
  child?.stdin.end()
  await child?.done
}

/** What ffmpeg says of a disk, in the words of the C library. */
const ofDisk: Readonly<Record<string, string>> = {
  ENOSPC: 'No space left on device',
  EDQUOT: 'Disk quota exceeded',
  EROFS: 'Read-only file system',
  EACCES: 'Permission denied',
  EFBIG: 'File too large',
  EIO: 'Input/output error',
}

/** The system's code of what ffmpeg says, if that is about the disk. */
function faultOfDisk(message: string): string | undefined {
  const lines = message.split('\n').map((line) => line.trimEnd())
  return Object.keys(ofDisk).find((code) => lines.some((line) => line.endsWith(ofDisk[code]!)))
}

function startFfmpeg(width: number, height: number, fps: number, path: string, file: string) {
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps), '-i', '-']
  const child = spawn('ffmpeg', ['-loglevel', 'error', '-y', ...input, '-pix_fmt', 'yuv420p', file], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let message = ''
  child.stderr.on('data', (text: Buffer) => (message += text.toString()))
  child.stdin.on('error', () => {}) // ffmpeg's own message says more
  const done = new Promise<void>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => {
      const fault = faultOfDisk(message)
      // A file whose end found no room is cut, and ffmpeg ends as if all went well.
      if (code === 0 && fault === undefined) return resolve()
      const line = message.trim().split('\n')[0]!.replaceAll(file, path)
      reject(Object.assign(new Error(`${path}: ffmpeg ended with code ${code}: ${line}`), fault && { code: fault }))
    })
  })
  done.catch(() => {}) // thrown where it is awaited
  return { stdin: child.stdin, done }
}
