/** What training data come from: a folder, an archive, records; each is an ordered list of named images. */
import type { Labelling } from '../classes.ts'
import type { ImageInput } from '../../native/index.ts'

export type { ImageInput }

/** An image in memory. */
export type PixelInput = Extract<ImageInput, { readonly pixels: Uint8Array }>

/** A hash that is not finished, as `createHash` makes it. */
export interface UnfinishedHash {
  update(data: string | Uint8Array): UnfinishedHash
  digest(encoding: 'hex'): string
}

/** A file of the source that is not among its images, or a folder of which nothing is known. */
export interface LeftOut {
  readonly path: string
  /** Why it cannot be read, if it should be an image or a folder. */
  readonly bad?: string | undefined
  /** What it is, if it is no image. */
  readonly kind?: string | undefined
}

/** How a source is read. */
export interface SourceOptions {
  /** Take pictures for images that this program drew; they are left out by default. */
  readonly keepDrawn?: boolean | undefined
}

/**
 * Images in an order that does not change. Of a million, what is kept of each is its name and a few numbers: pixels and the
 * bytes of files are read when they are asked for.
 */
export interface Source {
  /** What the content showed it to be, in a word or two. */
  readonly kind: string
  /** As it was given. */
  readonly path: string
  readonly count: number
  readonly leftOut: readonly LeftOut[]
  /** The name of an image within the source, with `/` between folders; no two have the same. */
  name(index: number): string
  /** A SHA-256 of what tells this content from others; whoever adds to it has one of his own. */
  hash(): UnfinishedHash
  /** The classes of its images, or why there are none. */
  labels(): Promise<Labelling>
  /**
   * The images from `first`: `count` of them, or fewer where those would take much memory, but one at least. Any order works; the
   * one of their numbers is the fastest.
   */
  read(first: number, count: number): Promise<ImageInput[]>
  close(): Promise<void>
}
