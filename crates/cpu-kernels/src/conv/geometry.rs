//! What follows from a convolution's geometry: how it may be computed, and the passes that do it.

use super::pass::Pass;
use rayon::prelude::*;
use stylegan_tensor::Phase;

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

/// The members of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`conv2d`](super::conv2d).
    Forward,
    /// [`conv2d_transpose`](super::conv2d_transpose).
    Transpose,
    /// [`conv2d_weight_grad`](super::conv2d_weight_grad).
    WeightGrad,
}

impl Conv {
    pub(super) fn assert_lengths(&self, name: &str, x: &[f32], y: &[f32], w: &[f32]) {
        let expected = [
            self.n * self.h * self.w * self.c,
            self.n * self.oh * self.ow * self.o,
            self.kh * self.kw * self.c * self.o,
        ];
        let found = [x.len(), y.len(), w.len()];
        assert!(
            expected == found,
            "{name}: {expected:?} elements of x, y and w are expected, got {found:?}; give slices that fit {self:?}"
        );
    }

    /// Whether all members of the family can be computed in Winograd's form.
    pub(super) fn fits_winograd(&self) -> bool {
        let taps = [3, 4][usize::from(self.stride == 2)];
        self.stride <= 2 && self.kh == taps && self.kw == taps
    }

    /// Rows, depth and columns of the one product that this is, if its windows are consecutive parts of x: pixels for a
    /// 1 × 1 kernel, images for a kernel as large as an image.
    pub(super) fn as_product(&self) -> Option<[usize; 3]> {
        let pointwise = self.kh * self.kw == 1 && self.stride == 1 && (self.oh, self.ow) == (self.h, self.w);
        let whole = (self.kh, self.kw) == (self.h, self.w) && self.oh * self.ow == 1;
        let plain = self.padding == [0; 4] && (pointwise || whole);
        plain.then_some([self.n * self.oh * self.ow, self.kh * self.kw * self.c, self.o])
    }

    pub(super) fn pass(&self) -> Pass {
        let [top, _, left, _] = self.padding.map(|zeros| zeros as isize);
        let &Conv { h, w, c, kh, kw, o, ow, stride, .. } = self;
        Pass { h, w, c, kh, kw, o, stride, top, left, ow, step: 1, first: [0; 2], pitch: ow, is_sum: false }
    }

    /// The passes of the adjoint in x, and the taps of their weights one after another.
    pub(super) fn phases(&self) -> (Vec<Pass>, Vec<usize>) {
        let (s, [top, _, left, _]) = (self.stride, self.padding);
        let mut passes = Vec::with_capacity(s * s);
        let mut places = Vec::with_capacity(self.kh * self.kw);
        for i in 0..s {
            for j in 0..s {
                let (rows, columns) = (Phase::new(s, i, top, self.kh), Phase::new(s, j, left, self.kw));
                let (kh, kw) = (rows.taps, columns.taps);
                let tap = |phase: Phase, index: usize| phase.last.unsigned_abs() - index * s;
                places.extend((0..kh * kw).map(|index| tap(rows, index / kw) * self.kw + tap(columns, index % kw)));
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
                    top: rows.before,
                    left: columns.before,
                    ow,
                    step: s,
                    first: [i, j],
                    pitch: self.w,
                    is_sum: false,
                });
            }
        }
        (passes, places)
    }

    /// The weights of the adjoint's passes.
    pub(super) fn flip(&self, w: &[f32], places: &[usize], weights: &mut [f32]) {
        let size = self.c * self.o;
        let taps = weights.par_chunks_mut(size).zip(places);
        taps.for_each(|(to, tap)| transpose(&w[tap * size..][..size], self.o, to));
    }

    /// The kernel `[4, 4, C, O]` of the adjoint that is a nearest upscale by 2 and then the kernel w `[3, 3, O, C]`: the sum of the four
    /// shifts of w, turned and with its channels exchanged.
    pub(super) fn spread(&self, w: &[f32], spread: &mut [f32]) {
        let size = self.c * self.o;
        spread.par_chunks_mut(size).enumerate().for_each(|(tap, to)| {
            let mut sum = vec![0.0; size];
            let near = |at: usize| at.saturating_sub(1)..=at.min(2);
            for u in near(tap / 4) {
                for v in near(tap % 4) {
                    let w = &w[((2 - u) * 3 + 2 - v) * size..][..size];
                    sum.iter_mut().zip(w).for_each(|(sum, w)| *sum += w);
                }
            }
            transpose(&sum, self.c, to);
        });
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
