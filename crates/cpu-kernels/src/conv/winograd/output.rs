//! From transformed tiles to results: the products of all points, and the last transform.

use super::factors::Factors;
use super::matrices::{Lanes, Matrices, SIDE};
use super::{BAND, GAP, Transform, Winograd, both_axes, prefetch};
use crate::conv::pass::{Pass, Tile};
use crate::matrix::Matrix;
use crate::parallel::Shared;
use pulp::Simd;

/// Results of how many tiles later are asked for.
const AHEAD: usize = 2;

/// Transformed tiles.
pub(super) struct Tiles<'a> {
    pub places: &'a [[usize; 3]],
    pub values: &'a [f32],
    /// Elements between the planes of two points.
    pub plane: usize,
    /// The row of the planes with which they begin.
    pub first: usize,
}

/// Where the results of a tile's places go: parts of images, of `rows` rows each.
pub(super) struct Place<'a> {
    pub data: &'a Shared<f32>,
    pub len: usize,
    pub rows: usize,
    pub tile: Tile,
    pub accumulate: bool,
}

impl Winograd {
    /// The results of some tiles for the panel of outputs that begins with `first`; those of all points stay in the cache until
    /// they are transformed back.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes the panel's channels of these tiles' results.
    pub(super) unsafe fn multiply(
        &self,
        tiles: &Tiles,
        weights: &[f32],
        first: usize,
        to: &Place,
        results: &mut [f32],
    ) {
        let (start, width) = self.panel(first);
        let words = self.words(self.depth());
        let count = tiles.places.len();
        let written = self.plane(count, width);
        for point in 0..self.planes() {
            let a = &tiles.values[point * tiles.plane..][..tiles.plane];
            let b = &weights[point * (words * self.pass.o + GAP) + start..][..words * width];
            let y = &mut results[point * written..][..written];
            for i in (0..count).step_by(BAND) {
                let size = [BAND.min(count - i), self.words(self.depth_at(point)), width];
                let [a, b] = [Matrix::rows(&a[(tiles.first + i) * words..], words), Matrix::rows(b, width)];
                self.product(size, a, b, &mut y[i * width..], width, false);
            }
        }
        let (places, channels) = (tiles.places, [first, width]);
        self.dispatch(Output { winograd: self, results, plane: written, channels, places, to });
    }
}

struct Output<'a> {
    winograd: &'a Winograd,
    results: &'a [f32],
    plane: usize,
    /// The first of the results' channels, and their number.
    channels: [usize; 2],
    places: &'a [[usize; 3]],
    to: &'a Place<'a>,
}

impl Transform for Output<'_> {
    #[inline(always)]
    fn with<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize>(self, simd: S) {
        let Self { winograd, results, plane, channels: [channel, width], places, to } = self;
        let (Pass { o, ow, step, first, pitch, .. }, tile) = (winograd.pass, to.tile);
        let zero = Lanes::zero(simd);
        for (index, &[image, row, column]) in places.iter().enumerate() {
            if let Some(&[image, row, column]) = places.get(index + AHEAD) {
                let (image, row) = (image - tile.image, row - tile.row);
                for p in 0..SIDE {
                    let line = (image * to.rows + (row + p) * step + first[0]) * pitch + first[1];
                    let at = (line + column * step) * o + channel;
                    for q in 0..SIDE {
                        for lane in (0..width).step_by(S::F32_LANES) {
                            prefetch::<true>(to.data.0, at + q * step * o + lane);
                        }
                    }
                }
            }
            let (image, row) = (image - tile.image, row - tile.row);
            let (rows, columns) = (SIDE.min(tile.rows - row), SIDE.min(ow - column));
            for lane in (0..width).step_by(S::F32_LANES) {
                let count = S::F32_LANES.min(width - lane);
                both_axes!(
                    F::output::<S>, P, SIDE, zero,
                    load(i, j) Lanes::load(simd, &results[(i * P + j) * plane + index * width + lane..][..count]),
                    store(p, q, value) if p < rows && q < columns {
                        let line = (image * to.rows + (row + p) * step + first[0]) * pitch + first[1];
                        let place = (line + (column + q) * step) * o + channel + lane;
                        assert!(place + count <= to.len, "a result lies inside of its image");
                        // SAFETY: it does, and belongs to this task alone, by the promise of `multiply`.
                        let place = unsafe { std::slice::from_raw_parts_mut(to.data.0.add(place), count) };
                        let value = if to.accumulate { value + Lanes::load(simd, place) } else { value };
                        value.store(place);
                    }
                );
            }
        }
    }
}
