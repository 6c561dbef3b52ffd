//! The three convolutions of a closed family, f32: images `[N, H, W, C]`, weights `[kh, kw, C, O]`.
//!
//! Work is cut into tiles whose size is a function of the shape alone, and every sum has a fixed order: the result has
//! the same bits for every number of threads.

mod choice;
mod direct;
mod filtering;
mod kept;
mod pass;
mod scratch;
mod tiling;
mod weight_grad;
mod winograd;
mod winograd_grad;

pub use choice::choose;
pub use scratch::Scratch;

use crate::matmul::matmul;
use kept::Made;
use pass::{Pass, Target};
use rayon::prelude::*;
use scratch::{Buffers, grow};
use tiling::{Tile, Tiling};

/// Geometry of the correlation `y[n,i,j,o] = Σ x[n, i·s + u − top, j·s + v − left, c] · w[u,v,c,o]`, zero outside of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Images.
    pub n: usize,
    /// Rows of x.
    pub h: usize,
    /// Columns of x.
    pub w: usize,
    /// Channels of x.
    pub c: usize,
    /// Rows of the kernel.
    pub kh: usize,
    /// Columns of the kernel.
    pub kw: usize,
    /// Channels of y.
    pub o: usize,
    /// Rows of y.
    pub oh: usize,
    /// Columns of y.
    pub ow: usize,
    /// Step between windows.
    pub stride: usize,
    /// Zero rows and columns around x: top, bottom, left, right.
    pub padding: [usize; 4],
}

/// Ways to compute a convolution; the value is the same up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Windows gathered into a matrix, one matrix product a tile.
    Im2col,
    /// One matrix product a kernel row on shifted rows of a padded copy, which lives as long as its tile.
    Shifted,
    /// Nested loops.
    Direct,
    /// Minimal filtering; for 3×3 kernels of stride 1 and 4×4 kernels of stride 2, others are computed as chosen for them.
    Winograd,
}

/// The members of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`conv2d`].
    Forward,
    /// [`conv2d_transpose`].
    Transpose,
    /// [`conv2d_weight_grad`].
    WeightGrad,
}

/// `x [N, H, W, C], w [kh, kw, C, O] → y [N, H', W', O]`, added to y if `accumulate`.
///
/// # Panics
///
/// If a slice does not have the length that `g` says.
pub fn conv2d(
    g: &Conv,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    algorithm: Option<Algorithm>,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    g.assert_lengths("conv2d", x, y, w);
    if w.is_empty() {
        return clear(y, accumulate);
    }
    let algorithm = g.algorithm(Kind::Forward, algorithm);
    if let (Some([pixels, k, o]), true) = (g.as_product(), algorithm != Algorithm::Direct) {
        return matmul(1, pixels, k, o, x, 1, false, w, 1, false, y, accumulate);
    }
    let Scratch { large, kept, buffers, .. } = scratch;
    let passes = [g.pass()];
    let weights = if algorithm == Algorithm::Winograd {
        let make = |filters: &mut [f32]| transform(&passes, w, filters);
        kept.get_or(w, Made::Filters, g, large, filters_len(&passes), make)
    } else {
        w
    };
    run(&passes, algorithm, x, weights, y, g.oh, accumulate, buffers);
}

/// `y [N, H', W', O], w [kh, kw, C, O] → x [N, H, W, C]`, the adjoint of [`conv2d`] in x, added to x if `accumulate`.
///
/// Pixels of x whose row and column have the same remainders by the stride are met by the same taps: each such phase is
/// a convolution of stride 1 with its part of the kernel, flipped. Nothing is multiplied with inserted zeros.
///
/// # Panics
///
/// If a slice does not have the length that `g` says.
pub fn conv2d_transpose(
    g: &Conv,
    y: &[f32],
    w: &[f32],
    x: &mut [f32],
    algorithm: Option<Algorithm>,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    g.assert_lengths("conv2d_transpose", x, y, w);
    if w.is_empty() {
        return clear(x, accumulate);
    }
    let algorithm = g.algorithm(Kind::Transpose, algorithm);
    if let (Some([pixels, k, o]), true) = (g.as_product(), algorithm != Algorithm::Direct) {
        return matmul(1, pixels, o, k, y, 1, false, w, 1, true, x, accumulate);
    }
    let Scratch { weights, large, kept, buffers, .. } = scratch;
    let (passes, places) = g.phases();
    let weights = if algorithm == Algorithm::Winograd {
        let make = |filters: &mut [f32]| {
            let flipped = grow(weights, w.len());
            g.flip(w, &places, flipped);
            transform(&passes, flipped, filters);
        };
        kept.get_or(w, Made::FlippedFilters, g, large, filters_len(&passes), make)
    } else {
        kept.get_or(w, Made::Flipped, g, weights, w.len(), |flipped| g.flip(w, &places, flipped))
    };
    run(&passes, algorithm, y, weights, x, g.h, accumulate, buffers);
}

/// `x [N, H, W, C], y [N, H', W', O] → w [kh, kw, C, O]`, the adjoint of [`conv2d`] in w, added to w if `accumulate`.
///
/// # Panics
///
/// If a slice does not have the length that `g` says.
pub fn conv2d_weight_grad(
    g: &Conv,
    x: &[f32],
    y: &[f32],
    w: &mut [f32],
    algorithm: Option<Algorithm>,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    g.assert_lengths("conv2d_weight_grad", x, y, w);
    let algorithm = g.algorithm(Kind::WeightGrad, algorithm);
    if w.is_empty() || y.is_empty() {
        return clear(w, accumulate);
    }
    let g = match g.as_product() {
        // The images make one column of pixels.
        Some([pixels, c, o]) => Conv {
            n: 1,
            h: pixels,
            w: 1,
            c,
            kh: 1,
            kw: 1,
            o,
            oh: pixels,
            ow: 1,
            stride: 1,
            padding: [0; 4],
        },
        None => *g,
    };
    weight_grad::weight_grad(
        &g.pass(),
        algorithm,
        [g.n, g.oh],
        [x, y],
        w,
        accumulate,
        scratch,
    );
}

impl Conv {
    fn assert_lengths(&self, name: &str, x: &[f32], y: &[f32], w: &[f32]) {
        let expected = [
            self.n * self.h * self.w * self.c,
            self.n * self.oh * self.ow * self.o,
            self.kh * self.kw * self.c * self.o,
        ];
        let found = [x.len(), y.len(), w.len()];
        assert!(
            expected == found,
            "{name}: expected {expected:?} elements of x, y and w, found {found:?}; give slices that fit {self:?}"
        );
    }

    /// The algorithm asked for, if the kernel allows it, else the fastest.
    fn algorithm(&self, kind: Kind, asked: Option<Algorithm>) -> Algorithm {
        let fits = |algorithm: &Algorithm| *algorithm != Algorithm::Winograd || self.filters();
        asked.filter(fits).unwrap_or_else(|| choose(kind, self))
    }

    /// Whether all members of the family can be computed by minimal filtering.
    fn filters(&self) -> bool {
        let taps = [3, 4][usize::from(self.stride == 2)];
        self.stride <= 2 && self.kh == taps && self.kw == taps
    }

    /// Rows, depth and columns of the one product that this is, if its windows are consecutive parts of x: pixels for a
    /// 1 × 1 kernel, images for a kernel as large as an image.
    fn as_product(&self) -> Option<[usize; 3]> {
        let pointwise =
            self.kh * self.kw == 1 && self.stride == 1 && (self.oh, self.ow) == (self.h, self.w);
        let whole = (self.kh, self.kw) == (self.h, self.w) && self.oh * self.ow == 1;
        let plain = self.padding == [0; 4] && (pointwise || whole);
        plain.then_some([
            self.n * self.oh * self.ow,
            self.kh * self.kw * self.c,
            self.o,
        ])
    }

    fn pass(&self) -> Pass {
        let [top, _, left, _] = self.padding.map(|zeros| zeros as isize);
        let &Conv {
            h,
            w,
            c,
            kh,
            kw,
            o,
            ow,
            stride,
            ..
        } = self;
        Pass {
            h,
            w,
            c,
            kh,
            kw,
            o,
            stride,
            top,
            left,
            ow,
            step: 1,
            first: [0; 2],
            pitch: ow,
        }
    }

    /// The passes of the adjoint in x, and the taps of their weights one after another.
    fn phases(&self) -> (Vec<Pass>, Vec<usize>) {
        let (s, [top, _, left, _]) = (self.stride, self.padding);
        // Pixel p of x in phase r = (p + top) mod s is met by the taps r, r + s, r + 2s …
        let axis = |first: usize, before: usize, k: usize| {
            let (phase, shift) = ((first + before) % s, (first + before) / s);
            let taps = k.saturating_sub(phase).div_ceil(s);
            (phase, taps, taps as isize - 1 - shift as isize)
        };
        let mut passes = Vec::with_capacity(s * s);
        let mut places = Vec::with_capacity(self.kh * self.kw);
        for i in 0..s {
            for j in 0..s {
                let ((u, kh, top), (v, kw, left)) = (axis(i, top, self.kh), axis(j, left, self.kw));
                places.extend((0..kh * kw).map(|tap| {
                    (u + (kh - 1 - tap / kw) * s) * self.kw + v + (kw - 1 - tap % kw) * s
                }));
                let ow = self.w.saturating_sub(j).div_ceil(s);
                let [h, w, c, o] = [self.oh, self.ow, self.o, self.c];
                passes.push(Pass {
                    h,
                    w,
                    c,
                    kh,
                    kw,
                    o,
                    stride: 1,
                    top,
                    left,
                    ow,
                    step: s,
                    first: [i, j],
                    pitch: self.w,
                });
            }
        }
        (passes, places)
    }

    /// The weights of the adjoint's passes.
    fn flip(&self, w: &[f32], places: &[usize], weights: &mut [f32]) {
        let size = self.c * self.o;
        let taps = weights.par_chunks_mut(size).zip(places);
        taps.for_each(|(to, tap)| transpose(&w[tap * size..][..size], self.o, to));
    }
}

/// The result of no products.
fn clear(out: &mut [f32], accumulate: bool) {
    if !accumulate {
        out.fill(0.0);
    }
}

/// Rows of `columns` elements become columns. Blocks of 16 × 16 elements pass through an array, because rows whose
/// length is a power of two would fight for the same few places in the cache.
fn transpose(from: &[f32], columns: usize, to: &mut [f32]) {
    let rows = from.len() / columns;
    let mut block = [[0.0; 16]; 16];
    for i in (0..rows).step_by(16) {
        for j in (0..columns).step_by(16) {
            let (height, width) = ((rows - i).min(16), (columns - j).min(16));
            for (y, line) in block.iter_mut().take(height).enumerate() {
                line[..width].copy_from_slice(&from[(i + y) * columns + j..][..width]);
            }
            for x in 0..width {
                let line: [f32; 16] = std::array::from_fn(|y| block[y][x]);
                to[(j + x) * rows + i..][..height].copy_from_slice(&line[..height]);
            }
        }
    }
}

/// Elements of the passes' weights, transformed for minimal filtering.
fn filters_len(passes: &[Pass]) -> usize {
    passes.iter().filter_map(Pass::filter).map(|filter| filter.weights_len()).sum()
}

/// Transforms the passes' weights, which follow one another, for minimal filtering.
fn transform(passes: &[Pass], weights: &[f32], filters: &mut [f32]) {
    let (mut weights, mut filters) = (weights, filters);
    for pass in passes {
        let Some(filter) = pass.filter() else { continue };
        let (own, others) = weights.split_at(pass.depth() * pass.o);
        let (to, rest) = filters.split_at_mut(filter.weights_len());
        filter.transform_weights(own, to);
        (weights, filters) = (others, rest);
    }
}

/// Runs passes that together write every pixel of `out`, images of `height` rows; their weights follow one another.
#[allow(clippy::too_many_arguments, reason = "the operands of a convolution, and workspace")]
fn run(
    passes: &[Pass],
    algorithm: Algorithm,
    x: &[f32],
    weights: &[f32],
    out: &mut [f32],
    height: usize,
    accumulate: bool,
    buffers: &mut Buffers,
) {
    let mut rest = weights;
    let passes: Vec<(Pass, &[f32])> = passes
        .iter()
        .map(|&pass| {
            let filter = pass.filter().filter(|_| algorithm == Algorithm::Winograd);
            let len = filter.map_or(pass.depth() * pass.o, |filter| filter.weights_len());
            let (own, after) = rest.split_at(len);
            rest = after;
            (pass, own)
        })
        .collect();
    let passes = &passes;
    let Pass { step, pitch, o, .. } = passes[0].0;
    let (line, image) = (pitch * o, height * pitch * o);
    if out.is_empty() {
        return;
    }
    // The pass with the most taps decides how large tiles are.
    let Some(deepest) = passes.iter().map(|(pass, _)| *pass).max_by_key(Pass::depth) else {
        return;
    };
    let tiling = Tiling::new(
        &deepest,
        algorithm,
        [out.len() / image, height.div_ceil(step)],
    );
    let rows = passes
        .iter()
        .map(|(pass, _)| pass.workspace(algorithm, tiling.images, tiling.rows));
    buffers.reserve(rows.max().unwrap_or(0));
    let buffers = &*buffers;
    let (group, band) = if tiling.images > 1 {
        (tiling.images * image, tiling.images * image)
    } else {
        (image, tiling.rows * step * line)
    };
    let groups = out.par_chunks_mut(group).with_max_len(1).enumerate();
    let bands = groups.flat_map(|(group, out)| {
        out.par_chunks_mut(band)
            .with_max_len(1)
            .enumerate()
            .map(move |(band, out)| (group, band, out))
    });
    bands.for_each(|(group, band, data)| {
        let images = (data.len() / image).max(1);
        let rows = data.len() / (images * line);
        let mut target = Target {
            data,
            rows,
            accumulate,
        };
        buffers.with(|buffer| {
            for (pass, weights) in passes {
                let (image, row) = (group * tiling.images, band * tiling.rows);
                let tile = Tile {
                    image,
                    images,
                    row,
                    rows: rows.saturating_sub(pass.first[0]).div_ceil(step),
                };
                pass.run(algorithm, x, weights, tile, &mut target, buffer);
            }
        });
    });
}
