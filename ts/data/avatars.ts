/**
 * The built-in images: avatar faces of the Avataaars set (Pablo Stanley, free for personal and commercial use), drawn on this
 * machine, with what was drawn as labels.
 */
import * as avataaars from '@dicebear/avataaars'
import { createAvatar } from '@dicebear/core'
import { drawSvg } from '../native/index.ts'
import { HATS } from './avatar-attributes.ts'

/** A drawn face. */
export interface Avatar {
  /** RGB, `[size, size, 3]`. */
  readonly pixels: Uint8Array
  /** What is seen, by name: `top=bob`, `hairColor=#2c1b18`. A part that may be absent is `none`; the colour of an absent part is not listed. */
  readonly attributes: Readonly<Record<string, string>>
}

/** Labels of several faces. */
export interface AttributeTable {
  /** `name=value` of each column, sorted. */
  readonly names: string[]
  /** `[N, names]`: 1 where the face has the value. */
  readonly matrix: Float32Array
}

/** Chances of parts and colours. What is not listed comes from the whole set, evenly. */
export const avatarDicebearOptions = {
  // Even enough for a classifier to learn each from a few thousand faces.
  accessoriesProbability: 40,
  facialHairProbability: 35,
  backgroundColor: ['b6e3f4', 'c0aede', 'ffd5dc', 'ffdfbf', 'c8ecd0', 'f4f1de'],
  // Shirts with pictures are left out: words on them cannot be read at this size.
  clothing: [
    'blazerAndShirt',
    'blazerAndSweater',
    'collarAndSweater',
    'hoodie',
    'overall',
    'shirtCrewNeck',
    'shirtScoopNeck',
    'shirtVNeck',
  ],
  // Tears, crosses for eyes, screams and worse are left out: they would be most of what one sees in a grid.
  eyes: ['closed', 'default', 'eyeRoll', 'happy', 'hearts', 'side', 'squint', 'surprised', 'wink', 'winkWacky'],
  mouth: ['default', 'disbelief', 'eating', 'grimace', 'sad', 'serious', 'smile', 'tongue', 'twinkle'],
} satisfies Parameters<typeof avataaars.create>[0]['options']

/**
 * Draw a face. The same seed always gives the same face, at every size.
 *
 * @param seed whole number of at least 0
 * @param size side in pixels, from 4 to 1024
 * @throws RangeError if either is not
 */
export function avatar(seed: number, size: number): Avatar {
  if (!(Number.isSafeInteger(seed) && seed >= 0)) {
    throw new RangeError(`avatar: seed must be a whole number of at least 0, got ${seed}`)
  }
  if (!(Number.isInteger(size) && size >= 4 && size <= 1024)) {
    throw new RangeError(`avatar: size must be a whole number from 4 to 1024, got ${size}`)
  }
  const options = { ...avatarDicebearOptions, seed: `avatar-${seed}` }
  let drawing = createAvatar(avataaars, options)
  // The set means to draw no beard with a hijab, but decides so after it has picked the parts.
  if (drawing.toJson().extra['top'] === 'hijab')
    drawing = createAvatar(avataaars, { ...options, facialHairProbability: 0 })
  return { pixels: drawSvg(drawing.toString(), size), attributes: visibleAttributes(drawing.toJson().extra) }
}

/** One column for each value that occurs, 1 where a face has it. */
export function attributeTable(attributes: readonly Readonly<Record<string, string>>[]): AttributeTable {
  const labels = attributes.map((face) => Object.entries(face).map(([name, value]) => `${name}=${value}`))
  const names = [...new Set(labels.flat())].sort()
  const column = new Map(names.map((name, index) => [name, index]))
  const matrix = new Float32Array(attributes.length * names.length)
  labels.forEach((face, row) => {
    for (const label of face) matrix[row * names.length + column.get(label)!] = 1
  })
  return { names, matrix }
}

/** The attributes of what is drawn: the library lists a colour for every part, drawn or not. */
function visibleAttributes(extra: Record<string, unknown>): Record<string, string> {
  const part = (name: string): string => (typeof extra[name] === 'string' ? extra[name] : 'none')
  const [top, facialHair, accessories] = [part('top'), part('facialHair'), part('accessories')]
  return {
    top,
    ...(HATS.has(top) ? { hatColor: part('hatColor') } : { hairColor: part('hairColor') }),
    eyes: part('eyes'),
    eyebrows: part('eyebrows'),
    mouth: part('mouth'),
    accessories,
    // The eyepatch is always black.
    ...(accessories === 'none' || accessories === 'eyepatch' ? {} : { accessoriesColor: part('accessoriesColor') }),
    facialHair,
    ...(facialHair === 'none' ? {} : { facialHairColor: part('facialHairColor') }),
    clothing: part('clothing'),
    clothesColor: part('clothesColor'),
    skinColor: part('skinColor'),
    // What fills the picture; `backgroundColor` is a second draw, which nothing shows.
    backgroundColor: part('primaryBackgroundColor'),
  }
}
