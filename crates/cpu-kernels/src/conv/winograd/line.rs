//! Winograd's form of kernels of one row or one column, along their axis alone: four results of 3 taps from 6 products
//! in place of 12, three results of 7 taps from 9 in place of 21. The matrices are few and small, so they are tables,
//! made from their points (Toom and Cook; [`super::matrices`]).

use super::matrices::Lanes;
use super::{BAND, GAP, PANEL};
use crate::conv::Then;
use crate::conv::buffers::Buffers;
use crate::conv::geometry::Conv;
use crate::isa::arch;
use crate::matmul::product;
use crate::matrix::Matrix;
use crate::normalize::Part;
use crate::parallel::Shared;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::sync::LazyLock;

/// The most points: of three results and seven taps.
const MOST: usize = 9;

/// Coefficients of the three transforms, `[to][from]`.
struct Tables {
    input: [[f32; MOST]; MOST],
    weights: [[f32; MOST]; MOST],
    output: [[f32; MOST]; MOST],
}

static THREE: LazyLock<Tables> = LazyLock::new(|| Tables::new(4, 3, &[0.0, 0.5, -0.5, 2.0, -2.0]));
/// Of the points whose tables have few digits these round best: 5e-6 of the largest result with 192 channels.
static SEVEN: LazyLock<Tables> = LazyLock::new(|| Tables::new(3, 7, &[0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 4.0]));

impl Tables {
    /// For so many results and taps, at these points and infinity.
    fn new(side: usize, taps: usize, finite: &[f64]) -> Self {
        let last = finite.len();
        let [mut input, mut weights, mut output] = [[[0.0; MOST]; MOST]; 3];
        for i in 0..=last {
            // The polynomial that is 0 at all other points.
            let others = finite.iter().enumerate().filter(|&(k, _)| k != i).map(|(_, point)| point);
            let mut polynomial = vec![1.0];
            for point in others.clone() {
                polynomial.push(0.0);
                for k in (0..polynomial.len()).rev() {
                    let lower = if k > 0 { polynomial[k - 1] } else { 0.0 };
                    polynomial[k] = lower - point * polynomial[k];
                }
            }
            // A power of two keeps the factors of a product near 1 and changes no digit.
            let largest = polynomial.iter().fold(0.0f64, |most, c| most.max(c.abs()));
            let scale = largest.log2().round().exp2();
            let value: f64 = finite.get(i).map_or(1.0, |x| others.map(|point| x - point).product());
            let power = |k: usize, end: usize| match finite.get(i) {
                Some(x) => x.powi(k as i32),
                None => f64::from(u8::from(k + 1 == end)),
            };
            for (k, c) in polynomial.iter().enumerate() {
                input[i][k] = (c / scale) as f32;
            }
            for (k, to) in weights[i][..taps].iter_mut().enumerate() {
                *to = (power(k, taps) / value * scale) as f32;
            }
            for (k, to) in output[..side].iter_mut().enumerate() {
                to[i] = power(k, side) as f32;
            }
        }
        Self { input, weights, output }
    }
}

/// A convolution in this form.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Line<'a> {
    g: &'a Conv,
    /// Results of a tile.
    side: usize,
    taps: usize,
    points: usize,
    tables: &'static Tables,
}

impl<'a> Line<'a> {
    /// `None` unless the kernel is a row or a column of 3 or 7 taps, with a stride of 1.
    pub fn new(g: &'a Conv) -> Option<Self> {
        let taps = g.kh.max(g.kw);
        if g.kh.min(g.kw) != 1 || g.stride != 1 || ![3, 7].contains(&taps) {
            return None;
        }
        let (side, tables) = if taps == 3 { (4, &*THREE) } else { (3, &*SEVEN) };
        Some(Self { g, side, taps, points: taps + side - 1, tables })
    }

    /// Whether the kernel is a column.
    fn is_tall(&self) -> bool {
        self.g.kh > 1
    }

    /// Elements of the transformed weights.
    pub fn weights_len(&self) -> usize {
        self.points * (self.g.c * self.g.o + GAP)
    }

    /// `G g` of the weights.
    pub fn transform_weights(&self, weights: &[f32], out: &mut [f32]) {
        let out = Shared(out.as_mut_ptr());
        (0..self.g.c).into_par_iter().with_min_len(4).for_each(|row| {
            arch().dispatch(Weights { line: self, weights, row, out: &out });
        });
    }

    /// Rows of a task, and the tiles of so many rows.
    fn band(&self) -> (usize, usize) {
        let Conv { oh, ow, .. } = *self.g;
        let even = |size: usize, part: usize| size.div_ceil(size.div_ceil(part.clamp(1, size)));
        if self.is_tall() {
            let rows = even(oh.div_ceil(self.side), BAND / ow);
            (rows * self.side, rows * ow)
        } else {
            let wide = ow.div_ceil(self.side);
            let rows = even(oh, BAND / wide);
            (rows, rows * wide)
        }
    }

    /// The convolution, with transformed weights.
    pub fn run(
        &self,
        x: &[f32],
        weights: &[f32],
        y: &mut [f32],
        accumulate: bool,
        buffers: &mut Buffers,
        then: Option<&Then>,
    ) -> Option<Vec<Part>> {
        let Conv { h, w, c, o, oh, ow, .. } = *self.g;
        if y.is_empty() {
            return None;
        }
        let (rows, most) = self.band();
        let [read, written] = [c, PANEL.min(o)].map(|channels| most * channels + GAP);
        buffers.reserve(self.points * (read + written));
        let buffers = &*buffers;
        let images = y.par_chunks_mut(oh * ow * o).with_max_len(1).enumerate();
        let bands = images.flat_map(|(image, y)| {
            y.par_chunks_mut(rows * ow * o).with_max_len(1).enumerate().map(move |(band, y)| (image, band * rows, y))
        });
        let parts = bands.map(|(image, row, y)| {
            let x = &x[image * h * w * c..][..h * w * c];
            let height = y.len() / (ow * o);
            let count = if self.is_tall() { height.div_ceil(self.side) * ow } else { height * ow.div_ceil(self.side) };
            buffers.with(|buffer| {
                let (tiles, results) = buffer.split_at_mut(self.points * read);
                for index in 0..count {
                    let at = self.place(index, row);
                    arch().dispatch(Input { line: self, x, at, to: &mut *tiles, plane: read, index });
                }
                for first in (0..o).step_by(PANEL) {
                    let width = PANEL.min(o - first);
                    for point in 0..self.points {
                        let a = Matrix::rows(&tiles[point * read..][..read], c);
                        let b = Matrix::rows(&weights[point * (c * o + GAP) + first * c..][..c * width], width);
                        let y = &mut results[point * written..][..written];
                        for i in (0..count).step_by(BAND) {
                            let a = Matrix { data: &a.data[i * c..], ..a };
                            product([BAND.min(count - i), c, width], a, b, &mut y[i * width..], width, false);
                        }
                    }
                    let output = Output {
                        line: self,
                        results,
                        plane: written,
                        channels: [first, width],
                        count,
                        y: &mut *y,
                        accumulate,
                    };
                    arch().dispatch(output);
                }
            });
            then.map_or_else(Vec::new, |then| then((image * oh + row) * ow * o, y))
        });
        let parts: Vec<Vec<Part>> = parts.collect();
        then.map(|_| parts.into_iter().flatten().collect())
    }

    /// Row and column of a tile's first result, of the tiles from a row on.
    #[inline(always)]
    fn place(&self, index: usize, row: usize) -> [usize; 2] {
        if self.is_tall() {
            [row + index / self.g.ow * self.side, index % self.g.ow]
        } else {
            let wide = self.g.ow.div_ceil(self.side);
            [row + index / wide, index % wide * self.side]
        }
    }
}

/// A table times numbers, to the place of each result. A macro and no closure, as `both_axes`.
macro_rules! combine {
    ($table:expr, $from:expr, $count:expr, $i:ident in $to:expr, $value:ident => $store:expr) => {
        for $i in 0..$to {
            let mut $value = $table[$i][0] * $from[0];
            for k in 1..$count {
                $value = $value.plus($table[$i][k], $from[k]);
            }
            $store
        }
    };
}

struct Weights<'a> {
    line: &'a Line<'a>,
    weights: &'a [f32],
    row: usize,
    out: &'a Shared<f32>,
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { line, weights, row, out } = self;
        let Conv { c, o, .. } = *line.g;
        for first in (0..o).step_by(PANEL) {
            let width = PANEL.min(o - first);
            for lane in (0..width).step_by(S::F32_LANES) {
                let count = S::F32_LANES.min(width - lane);
                let mut taps = [Lanes::zero(simd); MOST];
                for (tap, to) in taps.iter_mut().enumerate().take(line.taps) {
                    *to = Lanes::load(simd, &weights[(tap * c + row) * o + first + lane..][..count]);
                }
                combine!(line.tables.weights, taps, line.taps, i in line.points, value => {
                    let place = i * (c * o + GAP) + first * c + row * width + lane;
                    // SAFETY: the place lies in `weights_len` elements; each row has places of its own.
                    value.store(unsafe { std::slice::from_raw_parts_mut(out.0.add(place), count) });
                });
            }
        }
    }
}

/// `Bᵀ d` of one tile.
struct Input<'a> {
    line: &'a Line<'a>,
    x: &'a [f32],
    at: [usize; 2],
    to: &'a mut [f32],
    plane: usize,
    index: usize,
}

impl WithSimd for Input<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.line.taps == 3 { self.with::<S, 6>(simd) } else { self.with::<S, 9>(simd) }
    }
}

impl Input<'_> {
    #[inline(always)]
    fn with<S: Simd, const P: usize>(self, simd: S) {
        let Self { line, x, at, to, plane, index } = self;
        let Conv { h, w, c, padding: [top, _, left, _], .. } = *line.g;
        let [down, across] = if line.is_tall() { [1, 0] } else { [0, 1] };
        // Where each pixel begins, if it is one.
        let mut pixels = [None; P];
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let (row, column) = ((at[0] + i * down).wrapping_sub(top), (at[1] + i * across).wrapping_sub(left));
            *pixel = (row < h && column < w).then(|| (row * w + column) * c);
        }
        for lane in (0..c).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(c - lane);
            let mut from = [Lanes::zero(simd); P];
            for i in 0..P {
                if let Some(pixel) = pixels[i] {
                    from[i] = Lanes::load(simd, &x[pixel + lane..][..count]);
                }
            }
            combine!(line.tables.input, from, P, i in P, value => {
                value.store(&mut to[i * plane + index * c + lane..][..count]);
            });
        }
    }
}

/// `Aᵀ m` of all tiles of a panel.
struct Output<'a> {
    line: &'a Line<'a>,
    results: &'a [f32],
    plane: usize,
    /// The first of the panel's channels, and their number.
    channels: [usize; 2],
    count: usize,
    y: &'a mut [f32],
    accumulate: bool,
}

impl WithSimd for Output<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.line.taps == 3 { self.with::<S, 6, 4>(simd) } else { self.with::<S, 9, 3>(simd) }
    }
}

impl Output<'_> {
    #[inline(always)]
    fn with<S: Simd, const P: usize, const SIDE: usize>(self, simd: S) {
        let Self { line, results, plane, channels: [first, width], count, y, accumulate } = self;
        let Conv { o, ow, .. } = *line.g;
        let height = y.len() / (ow * o);
        for index in 0..count {
            let [i, j] = line.place(index, 0);
            let (inside, step) = if line.is_tall() { (height - i, ow) } else { (ow - j, 1) };
            for lane in (0..width).step_by(S::F32_LANES) {
                let count = S::F32_LANES.min(width - lane);
                let mut from = [Lanes::zero(simd); P];
                for k in 0..P {
                    from[k] = Lanes::load(simd, &results[k * plane + index * width + lane..][..count]);
                }
                combine!(line.tables.output, from, P, k in SIDE.min(inside), value => {
                    let place = &mut y[(i * ow + j + k * step) * o + first + lane..][..count];
                    let value = if accumulate { value + Lanes::load(simd, place) } else { value };
                    value.store(place);
                });
            }
        }
    }
}
