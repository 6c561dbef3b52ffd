/** The figures of the paper: what stands in which place. */
import test from 'ava'
import {
  deviationMap,
  pictureOf,
  labelOf,
  mixingFigure,
  noiseComponentsFigure,
  noiseDetailFigure,
  stylesOf,
  truncationFigure,
  uncuratedFigure,
  type TrainedGenerator,
} from '../../ts/figures/figures.ts'
import type { Picture } from '../../ts/figures/grid.ts'
import { Device, Rng } from '../../ts/native/index.ts'
import { generatorSpecs } from '../../ts/networks/generator.ts'
import { createNetwork, type NetworkOptions } from '../../ts/networks/params.ts'
import { mixingOfPaper } from '../../ts/figures/paper.ts'
import { crop, enlarge, lettering, mirror, panel, rgbPicture, shrink } from '../../ts/figures/panel.ts'
import { tinyNetwork } from '../support/tiny.ts'

const options: NetworkOptions = { ...tinyNetwork, config: 'F', resolution: 16, fmapBase: 32 }

function generator(of = options): TrainedGenerator {
  const Gs = createNetwork(Device.open('cpu'), generatorSpecs(of), new Rng(1))
  const rng = new Rng(2)
  for (const [name, tensor] of Gs.params) {
    if (name.endsWith('Noise/weight') || name === 'dlatent_avg') tensor.assign(rng.normal(Gs.device, tensor.shape))
  }
  return { Gs, options: of }
}
const network = generator()
const gap = 8
// 16x16 images are shown at 128x128.
const side = 128
const shown = (picture: Picture) => enlarge(picture, 8)

/** The picture in a row and column of a figure, counted from its lower right corner. */
function cell(figure: Picture, fromRight: number, fromBottom: number): Picture {
  const at = (size: number, places: number) => size - (places + 1) * (side + gap)
  return crop(figure, at(figure.width, fromRight), at(figure.height, fromBottom), side, side)
}
const image = async (seed: number, psi = 1) =>
  shown(await pictureOf(network, stylesOf(network, seed, { truncationPsi: psi }), 'const'))

test('mixing all layers gives the image of the column, mixing none the image of the row', async (t) => {
  const styles = [[0, 1, 2, 3, 4, 5], []]
  const figure = await mixingFigure(network, { rows: [1, 2], cols: [3, 4], styles })
  t.deepEqual(cell(figure, 1, 1), await image(3))
  t.deepEqual(cell(figure, 0, 1), await image(4))
  t.deepEqual(cell(figure, 0, 0), await image(2))
  // The sources stand above, the receivers to the left.
  t.deepEqual(cell(figure, 0, 2), await image(4))
  t.deepEqual(cell(figure, 2, 0), await image(2))
})

test('mixing layers 0 to 2 takes those from the column', async (t) => {
  const figure = await mixingFigure(network, { rows: [1], cols: [3], styles: [[0, 1, 2]] })
  const [row, col] = [stylesOf(network, 1, {}), stylesOf(network, 3, {})]
  const expected = await pictureOf(network, [...col.slice(0, 3), ...row.slice(3)], 'const')
  t.deepEqual(cell(figure, 0, 0), shown(expected))
  t.notDeepEqual(cell(figure, 0, 0), await image(1))
})

test('layers that the network has not, and lists that fit no row, are refused', async (t) => {
  const mix = (styles: number[][]) => mixingFigure(network, { rows: [1, 2, 3], cols: [3], styles })
  await t.throwsAsync(mix([[6]]), { message: 'styles: layers from 0 to 5 are expected, got 6' })
  const many = Array.from({ length: 5001 }, (_, seed) => seed)
  await t.throwsAsync(mixingFigure(network, { rows: many, cols: many, styles: [[0]] }), {
    message: /^picture: at most 400,000,000 pixels are expected, got \d+x\d+; draw fewer rows or columns/,
  })
  await t.throwsAsync(mix([[0], [1]]), { message: /one list of layers, or one a row, 3, are expected, got 2/ })
})

test('a truncation of 0 shows one image for all seeds, others each seed at its psi', async (t) => {
  const figure = await truncationFigure(network, { seeds: [1, 2], psis: [-1, 0] })
  t.deepEqual(cell(figure, 0, 0), cell(figure, 0, 1))
  t.deepEqual(cell(figure, 1, 1), await image(1, -1))
  t.notDeepEqual(cell(figure, 1, 1), cell(figure, 1, 0))
})

test('noise in all, none, fine and coarse layers stands in this order', async (t) => {
  const figure = await noiseComponentsFigure(network, { seeds: [1], split: 2 })
  const styles = stylesOf(network, 1, {})
  t.deepEqual(cell(figure, 3, 0), await image(1))
  t.deepEqual(cell(figure, 2, 0), shown(await pictureOf(network, styles, 'none')))
  t.notDeepEqual(cell(figure, 1, 0), cell(figure, 0, 0))
  await t.throwsAsync(noiseComponentsFigure(network, { seeds: [1], split: 6 }), {
    message: /split: .*1 to 5 is expected, got 6/,
  })
})

test('the deviation over realisations of noise is four times that of the gray value, 0 where nothing changes', async (t) => {
  const pixel = (r: number, g: number, b: number) => rgbPicture(Uint8Array.of(r, g, b, 9, 9, 9), 2, 1, 3)
  // Gray values 10 and 20: deviation 5.
  t.deepEqual([...deviationMap([pixel(0, 10, 20), pixel(20, 20, 20)]).pixels], [20, 20, 20, 0, 0, 0])
  const figure = await noiseDetailFigure(network, { seeds: [1], realisations: 4 })
  t.true(cell(figure, 0, 0).pixels.some((value) => value > 0))
})

test('columns of the uncurated grid hold images of the next seeds, each smaller by 2^lod, and white gaps', async (t) => {
  const figure = await uncuratedFigure(network, { seed: 7, rows: 1, lods: [0, 1] })
  const picture = async (seed: number) => pictureOf(network, stylesOf(network, seed, {}), new Rng(seed, 5))
  // Gaps of 2 pixels around full-size images, of 1 above and below the smaller ones.
  t.deepEqual([figure.width, figure.height], [2 + 128 + 2 + 64 + 2, 2 + 128 + 2])
  t.deepEqual(crop(figure, 2, 2, side, side), shown(await picture(7)))
  t.deepEqual(crop(figure, 132, 2, 64, 64), shown(shrink(await picture(8), 2)))
  t.deepEqual(crop(figure, 132, 67, 64, 64), shown(shrink(await picture(9), 2)))
  const white = (picture: Picture) => picture.pixels.every((value) => value === 255)
  t.true(white(crop(figure, 130, 0, 2, 132)) && white(crop(figure, 132, 66, 64, 1)))
})

test('images are made smaller as Pillow does it with LANCZOS', (t) => {
  const pixels = Uint8Array.from({ length: 8 * 12 * 3 }, (_, i) => (i * i * 7 + i * 31) % 256)
  const small = shrink({ pixels, width: 12, height: 8 }, 4)
  t.deepEqual([small.width, small.height], [3, 2])
  // Image.fromarray(pixels).resize((3, 2), Image.LANCZOS), Pillow
  const pillow = [119, 131, 130, 124, 123, 113, 131, 124, 124, 149, 131, 120, 101, 139, 140, 114, 119, 135]
  t.deepEqual([...small.pixels], pillow)
})

test('more realisations than could end are refused', async (t) => {
  for (const realisations of [3, 65_536, 1e9, NaN]) {
    await t.throwsAsync(noiseDetailFigure(network, { seeds: [0], realisations }), {
      message: `realisations: a whole number from 4 to 65535 is expected, got ${realisations}`,
    })
  }
})

test("half images show the left half of each, of some after they were turned, as in the paper's Fig. 5", async (t) => {
  const whole = await noiseComponentsFigure(network, { seeds: [1] })
  const halves = await noiseComponentsFigure(network, { seeds: [1], halves: true, mirrored: [1] })
  const half = (place: number) =>
    crop(halves, halves.width - (place + 1) * (side / 2 + gap), halves.height - side - gap, side / 2, side)
  for (const place of [0, 1, 2, 3]) {
    t.deepEqual(half(place), crop(mirror(cell(whole, place, 0)), 0, 0, side / 2, side))
  }
  t.deepEqual([...mirror(rgbPicture(Uint8Array.of(1, 2, 3, 4), 2, 2, 1)).pixels], [2, 2, 2, 1, 1, 1, 4, 4, 4, 3, 3, 3])
})

test('pictures of wide images show their middle rows alone, in every figure', async (t) => {
  const wide = { ...network, height: 12 }
  const styles = stylesOf(network, 1, {})
  const square = await pictureOf(network, styles, 'const')
  t.deepEqual(await pictureOf(wide, styles, 'const'), crop(square, 0, 2, 16, 12))
  const uncurated = await uncuratedFigure(wide, { seed: 1, rows: 1, lods: [0, 2] })
  t.deepEqual([uncurated.width, uncurated.height], [4 + 128 + 4 + 32 + 4, 4 + 96 + 4])
  const detail = await noiseDetailFigure(wide, { seeds: [1], realisations: 4, part: { left: 0, top: 0, side: 1 } })
  t.is(detail.height, (await truncationFigure(wide, { seeds: [1], psis: [1] })).height)
  await t.throwsAsync(uncuratedFigure(wide, { seed: 1, lods: [3] }), { message: /lods: .*0 to 2 are expected, got 3/ })
  await t.throwsAsync(pictureOf({ ...network, height: 13 }, styles, 'const'), {
    message: /height: .*16 rows is expected, got 13/,
  })
})

test("the paper's mixing rows copy coarse, middle and fine styles; a small network has the rows whose layers it has", async (t) => {
  const { rows, cols, styles } = mixingOfPaper(18)
  t.is(cols.length, 5)
  const ranges = styles.map((layers) => [layers[0], layers.at(-1)])
  t.deepEqual(ranges, [...Array<number[]>(3).fill([0, 3]), ...Array<number[]>(2).fill([4, 7]), [8, 17]])
  t.is(rows.length, 6)
  t.deepEqual(mixingOfPaper(6).styles.at(-1), [4, 5])
  t.is(mixingOfPaper(6).rows.length, 5)
  await t.notThrowsAsync(mixingFigure(network, mixingOfPaper(6)))
})

test('a network without styles or noise is refused by name', async (t) => {
  const B = generator({ ...options, config: 'B', mappingLayers: 0 })
  await t.throwsAsync(mixingFigure(B, { rows: [1], cols: [2], styles: [[0]] }), {
    message: 'mixing: a network with styles (C to F) is expected, got configuration B',
  })
  await t.throwsAsync(noiseComponentsFigure(B, { seeds: [1] }), { message: /noise: .*got configuration B/ })
})

test('classes make another image, and a class that is missing, out of range or of no use is refused', async (t) => {
  const conditional = generator({ ...options, labelSize: 3 })
  const of = (one: number) => pictureOf(conditional, stylesOf(conditional, 1, { classes: [one] }), 'const')
  t.notDeepEqual(await of(0), await of(2))
  const values = await labelOf(conditional, [0, 2])!.data()
  t.deepEqual([...values], [1, 0, 1])
  t.throws(() => labelOf(conditional, [3]), { message: 'class: a whole number from 0 to 2 is expected, got 3' })
  const named = { ...conditional, classes: ['cat', 'dog', '7'] }
  t.deepEqual([...(await labelOf(named, ['dog', 0])!.data())], [1, 1, 0])
  t.throws(() => labelOf(named, ['dgo']), {
    message:
      'class: a whole number from 0 to 2 or one of "cat", "dog", "7" is expected, got "dgo"; did you mean "dog"?',
  })
  for (const name of ['', '-1']) {
    t.throws(() => labelOf({ ...named, classes: ['a', 'b', 'c'] }, [name]), { message: new RegExp(`got "${name}"$`) })
  }
  t.throws(() => labelOf(named, [7]), { message: /got 7$/ }, 'a number is no name')
  t.deepEqual([...(await labelOf(named, ['7', '1'])!.data())], [0, 1, 1], 'text is a name first, then a number')
  t.throws(() => labelOf(conditional, ['cat']), { message: 'class: a whole number from 0 to 2 is expected, got "cat"' })
  t.throws(() => labelOf(conditional), { message: /class: .* is expected, got nothing/ })
  t.throws(() => labelOf(network, [0]), { message: /class: none is expected, .* got 0/ })
})

test('a panel has white gaps, and labels in black over columns and beside rows', (t) => {
  const dark = { pixels: new Uint8Array(64 * 64 * 3), width: 64, height: 64 }
  const plain = panel([[dark, undefined, dark]], { gap: 4 })
  t.deepEqual([plain.width, plain.height], [4 + 64 + 4 + 0 + 4 + 64 + 4, 72])
  const labelled = panel([[dark]], { gap: 4, columnLabels: ['a'], rowLabels: ['b'] })
  t.true(labelled.width > 72 && labelled.height > 72)
  const above = crop(labelled, labelled.width - 68, 0, 68, 12)
  t.true(above.pixels.includes(0))
})

test('letters are black on white, letter by letter', (t) => {
  const one = lettering('1')
  const rows = Array.from({ length: 8 }, (_, y) =>
    Array.from({ length: 5 }, (_, x) => (one.pixels[3 * (y * one.width + x)] === 0 ? '#' : '.')).join(''),
  )
  t.deepEqual(rows, ['..#..', '.##..', '..#..', '..#..', '..#..', '..#..', '.###.', '.....'])
})

test('gray images become RGB, and what is transparent becomes white', (t) => {
  t.deepEqual([...rgbPicture(Uint8Array.of(7), 1, 1, 1).pixels], [7, 7, 7])
  t.deepEqual([...rgbPicture(Uint8Array.of(10, 20, 30, 0), 1, 1, 4).pixels], [255, 255, 255])
  t.throws(() => rgbPicture(new Uint8Array(5), 1, 1, 3), { instanceOf: RangeError })
})
