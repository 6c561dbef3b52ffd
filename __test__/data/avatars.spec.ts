import { createHash } from 'node:crypto'
import test from 'ava'
import { attributeTable, avatar, avatarDicebearOptions } from '../../ts/data/avatars.ts'

const faces = Array.from({ length: 300 }, (_, seed) => avatar(seed, 16))

test('a seed always draws the same face, and another seed another one', (t) => {
  t.deepEqual(avatar(5, 64), avatar(5, 64))
  t.notDeepEqual(avatar(5, 64).pixels, avatar(6, 64).pixels)
  t.true(new Set(faces.map(({ pixels }) => pixels.join())).size >= 299, 'one chance meeting is allowed')
})

test('faces are the same pixels on every machine and in every version', (t) => {
  const hash = createHash('sha256')
  for (let seed = 0; seed < 200; seed++) hash.update(avatar(seed, 32).pixels)
  for (let seed = 0; seed < 20; seed++) for (const size of [4, 8, 64, 100, 256]) hash.update(avatar(seed, size).pixels)
  // What stylegan 0.1.0 drew with @resvg/resvg-js 2.6.2.
  t.is(hash.digest('hex'), 'cf8a442188936a87e8da8c7b24a966a6ca53b5689c15924eddd1dbf85cd1da2b')
})

test('the size changes the pixels only', (t) => {
  for (const size of [4, 32, 100]) {
    const face = avatar(5, size)
    t.is(face.pixels.length, size * size * 3)
    t.deepEqual(face.attributes, avatar(5, 64).attributes)
  }
})

test('the corner shows the background that the label names, for each of the soft colours', (t) => {
  for (const { pixels, attributes } of faces) {
    const corner = [...pixels.subarray(0, 3)].map((value) => value.toString(16).padStart(2, '0')).join('')
    t.is(attributes['backgroundColor'], `#${corner}`)
  }
  const seen = new Set(faces.map(({ attributes }) => attributes['backgroundColor']?.slice(1)))
  t.deepEqual([...seen].sort(), [...avatarDicebearOptions.backgroundColor].sort())
})

test('the colour of a part that is not drawn is not an attribute', (t) => {
  let [hats, beards, glasses] = [0, 0, 0]
  for (const { attributes } of faces) {
    const has = (name: string): boolean => name in attributes
    t.true(has('hairColor') !== has('hatColor'), 'hats cover the hair')
    t.is(has('facialHairColor'), attributes['facialHair'] !== 'none')
    t.is(has('accessoriesColor'), !['none', 'eyepatch'].includes(attributes['accessories'] ?? ''))
    hats += Number(has('hatColor'))
    beards += Number(has('facialHairColor'))
    glasses += Number(attributes['accessories'] !== 'none')
    if (attributes['top'] === 'hijab') t.is(attributes['facialHair'], 'none')
  }
  // 7 of 34 tops are hats; beards 35 %, glasses 40 %: four standard deviations of 300 draws are under 0.12.
  t.true(
    Math.abs(hats / 300 - 7 / 34) < 0.12 &&
      Math.abs(beards / 300 - 0.35) < 0.12 &&
      Math.abs(glasses / 300 - 0.4) < 0.12,
  )
})

test('the table of attributes has one column a value and a 1 where a face has it', (t) => {
  const { names, matrix } = attributeTable([
    { top: 'bob', hairColor: '#000000' },
    { top: 'hat', hatColor: '#ffffff' },
    { top: 'bob', hairColor: '#ffffff' },
  ])
  t.deepEqual(names, ['hairColor=#000000', 'hairColor=#ffffff', 'hatColor=#ffffff', 'top=bob', 'top=hat'])
  t.deepEqual([...matrix], [...[1, 0, 0, 1, 0], ...[0, 0, 1, 0, 1], ...[0, 1, 0, 1, 0]])
  t.deepEqual(attributeTable([]), { names: [], matrix: new Float32Array(0) })
})

test('a fractional or negative seed and an impossible size are refused', (t) => {
  const refuses = (seed: number, size: number, message: string) =>
    t.throws(() => avatar(seed, size), { instanceOf: RangeError, message })
  refuses(0.5, 64, 'avatar: seed must be a whole number of at least 0, got 0.5')
  refuses(-1, 64, 'avatar: seed must be a whole number of at least 0, got -1')
  refuses(0, 0, 'avatar: size must be a whole number from 4 to 1024, got 0')
  refuses(0, NaN, 'avatar: size must be a whole number from 4 to 1024, got NaN')
})
