/** Walks as files. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Picture } from '../../figures/grid.ts'
import { animatedPng, encodeVideo } from '../../figures/video.ts'
import type { VideoRequest, Walk } from '../protocol.ts'
import { Refused } from './refused.ts'

const mostFrames = 3600
/** Of all frames together; an animated PNG is made in memory. */
const mostPixels = { mp4: 8e9, png: 4e8 }
const mostAtOnce = 3

export class Videos {
  /** Of each page the newest wins. */
  readonly #running = new Map<string, AbortController>()

  /**
   * Draws all frames.
   *
   * @param frameAt draws one, when it is its turn
   * @param onProgress called after each frame
   * @throws Refused if it would be too large, or if there are too many
   */
  async make(
    { page, walk, kind, scale }: VideoRequest,
    side: number,
    frameAt: (position: number, signal: AbortSignal) => Promise<Picture>,
    onProgress: (done: number, total: number) => void,
    gone: AbortSignal,
  ): Promise<Uint8Array> {
    const total = walk.seeds.length * walk.framesPerKey
    checkSize(walk, total * (side * scale) ** 2, kind)
    this.#running.get(page)?.abort()
    if (this.#running.size >= mostAtOnce) throw new Refused(429, 'too many videos at once')
    const own = new AbortController()
    this.#running.set(page, own)
    const signal = AbortSignal.any([own.signal, gone])
    async function* frames(): AsyncGenerator<Picture, void> {
      for (let frame = 0; frame < total; frame++) {
        signal.throwIfAborted()
        yield await frameAt(frame / walk.framesPerKey, signal)
        onProgress(frame + 1, total)
      }
    }
    try {
      return await (kind === 'png' ? animatedPng(frames(), walk.fps) : mp4Of(frames(), walk.fps))
    } finally {
      if (this.#running.get(page) === own) this.#running.delete(page)
    }
  }

  close(): void {
    for (const one of this.#running.values()) one.abort()
  }
}

function checkSize({ seeds, framesPerKey }: Walk, pixels: number, kind: keyof typeof mostPixels): void {
  const frames = seeds.length * framesPerKey
  if (frames > mostFrames || pixels > mostPixels[kind]) {
    throw new Refused(400, `a walk of ${frames} frames is too large for one file; take fewer frames from key to key`)
  }
}

async function mp4Of(frames: AsyncIterable<Picture>, fps: number): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'stylegan-studio-'))
  try {
    const path = join(folder, 'walk.mp4')
    await encodeVideo(frames, fps, path)
    return await readFile(path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
