//! Winograd's convolution ([`matrices`]): transformed tiles of the image, one matrix product over
//! channels for each point, results transformed back. A stride of 2 with a 4×4 kernel is a sum over the four phases of
//! the image, each with a 2×2 kernel: the phases make one deeper product.
//!
//! Where such a kernel is a 3×3 kernel on sums of 2×2 pixels, the 2×2 kernels of neighbouring phases have the same sums
//! of taps: at the point 1 of an axis their weights are equal, so that phases are added before the product and not by it.
//! That leaves 81 of 100 products.

mod factors;
mod line;
mod matrices;
mod output;
mod tasks;
mod weight_grad;
mod weights;

pub(super) use line::Line;
pub(super) use matrices::SIDE;
pub(super) use weight_grad::weight_grad;

use super::pass::{Pass, Tile};
use crate::bf16;
use crate::isa::arch;
use crate::matmul::product;
use crate::matrix::Matrix;
use crate::normalize::Maps;
use crate::panel::PANEL;
use crate::parallel::Shared;
use factors::{Factors, Pairs, Whole};
use matrices::{Lanes, Matrices, ONE};
use pulp::{Simd, WithSimd};
use std::ops::Range;
use stylegan_tensor::Algorithm;

/// Tiles whose product with a panel needs no packing, and that fill a task.
pub(super) const BAND: usize = 48;
/// Elements between the planes of two points: planes whose size is a power of two would fight for the same places in
/// the cache.
pub(in crate::conv) const GAP: usize = 16;
/// A place in an image that lies outside of it.
const OUTSIDE: usize = usize::MAX;

/// A pass in Winograd's form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Winograd {
    pub pass: Pass,
    /// Taps along an axis of one phase.
    taps: usize,
    /// Points along an axis.
    points: usize,
    /// Whether products are of bf16.
    bf16: bool,
    /// Whether the phases are added at the point 1. Not in bf16: sums of rounded numbers would be rounded again, and 1 is
    /// none of its points.
    merges: bool,
}

impl Winograd {
    /// `None` unless the algorithm has this form, and the kernel 2 or 3 taps along both axes for each phase of the stride.
    pub fn new(pass: &Pass, algorithm: Algorithm) -> Option<Self> {
        let taps = pass.kh / pass.stride;
        let is_asked = matches!(algorithm, Algorithm::Winograd | Algorithm::Bf16);
        let fits = pass.kh == pass.kw && taps * pass.stride == pass.kh && (taps == 2 || taps == 3);
        let bf16 = algorithm == Algorithm::Bf16;
        (is_asked && fits).then_some(Self {
            pass: *pass,
            taps,
            points: taps + SIDE - 1,
            bf16,
            merges: pass.is_sum && !bf16,
        })
    }

    pub(super) fn dispatch(&self, transform: impl Transform) {
        if self.bf16 {
            bf16::vectorize(Taps(self.taps, transform, Pairs));
        } else {
            arch().dispatch(Taps(self.taps, transform, Whole));
        }
    }

    /// One of the products, on the calling thread; see [`product`].
    pub(super) fn product(
        &self,
        size: [usize; 3],
        a: Matrix,
        b: Matrix,
        y: &mut [f32],
        pitch: usize,
        accumulate: bool,
    ) {
        (if self.bf16 { bf16::product } else { product })(size, a, b, y, pitch, accumulate);
    }

    /// Length of a product: channels of all phases.
    pub fn depth(&self) -> usize {
        self.pass.stride * self.pass.stride * self.pass.c
    }

    /// The same at one point.
    fn depth_at(&self, point: usize) -> usize {
        let merged = self.axes(point).map(|at| self.merges && at == ONE);
        merged.map(|is_merged| if is_merged { 1 } else { self.pass.stride }).iter().product::<usize>() * self.pass.c
    }

    /// Which phase of the depth at point (p, q) the phase (a, b) belongs to, and whether it is that one's first.
    #[inline(always)]
    fn phase_at(&self, [p, q]: [usize; 2], [a, b]: [usize; 2]) -> (usize, bool) {
        match (self.merges && p == ONE, self.merges && q == ONE) {
            (false, false) => (a * self.pass.stride + b, true),
            (true, false) => (b, a == 0),
            (false, true) => (a, b == 0),
            (true, true) => (0, a + b == 0),
        }
    }

    /// Words that hold so many factors of a sum.
    pub(super) fn words(&self, factors: usize) -> usize {
        if self.bf16 { factors.div_ceil(2) } else { factors }
    }

    /// A point along both axes.
    fn axes(&self, point: usize) -> [usize; 2] {
        [point / self.points, point % self.points]
    }

    /// Number of products.
    pub fn planes(&self) -> usize {
        self.points * self.points
    }

    /// Tiles of a row of the image.
    pub fn wide(&self) -> usize {
        self.pass.ow.div_ceil(SIDE)
    }

    /// Elements of the transformed weights.
    pub fn weights_len(&self) -> usize {
        self.planes() * (self.words(self.depth()) * self.pass.o + GAP)
    }

    /// Elements of workspace for `tiles` tiles.
    pub fn workspace(&self, tiles: usize) -> usize {
        self.planes() * (self.plane(tiles, self.words(self.depth())) + self.plane(tiles, PANEL.min(self.pass.o)))
    }

    /// Elements between the planes of `tiles` tiles of `channels` channels.
    pub fn plane(&self, tiles: usize, channels: usize) -> usize {
        tiles * channels + GAP
    }

    /// Where panel j of the weights of a point begins, and its width: `[words of a sum, width]`, panels after one another.
    fn panel(&self, first: usize) -> (usize, usize) {
        (first * self.words(self.depth()), PANEL.min(self.pass.o - first))
    }

    /// Where row `row` of the products' depth lies among the weights of tap (u, v) of its phase.
    pub(super) fn tap(&self, row: usize, u: usize, v: usize) -> usize {
        let (s, c) = (self.pass.stride, self.pass.c);
        let (phase, channel) = (row / c, row % c);
        let (u, v) = (u * s + phase / s, v * s + phase % s);
        ((u * self.pass.kw + v) * c + channel) * self.pass.o
    }

    /// Tiles of 4×4 results.
    fn count(&self, tile: Tile) -> usize {
        tile.images * tile.rows.div_ceil(SIDE) * self.wide()
    }

    /// Image, row and column of every tile of a pass's tile, in order.
    pub fn places(&self, tile: Tile) -> impl Iterator<Item = [usize; 3]> + use<> {
        let (wide, bands) = (self.wide(), tile.rows.div_ceil(SIDE));
        (0..self.count(tile)).map(move |index| {
            let (image, rest) = (index / (bands * wide), index % (bands * wide));
            [tile.image + image, tile.row + rest / wide * SIDE, rest % wide * SIDE]
        })
    }

    /// Elements of the image from a tile to the next one: of its row, or the first of the next row or image.
    #[inline(always)]
    fn ahead(&self, [_, row, column]: [usize; 3]) -> usize {
        let Pass { h, w, c, stride, ow, .. } = self.pass;
        if column + SIDE < ow {
            return SIDE * stride * c;
        }
        let rows = if (row + SIDE) * stride < h { SIDE * stride } else { h.saturating_sub(row * stride) };
        (rows * w).saturating_sub(column * stride) * c
    }

    /// `Bᵀ d B` of the tile whose first result is at `[image, row, column]`, for `rows` of the depth: factors of one sum, or
    /// `across` all of them.
    ///
    /// # Safety
    ///
    /// `to` has room for row `index` of `rows.len()` factors, or for factor `index` of `rows.len()` sums, at `point · plane` for every
    /// point.
    #[allow(clippy::too_many_arguments, reason = "a place in the image, and one in the matrix")]
    pub unsafe fn transform_input(
        &self,
        x: Maps,
        at: [usize; 3],
        rows: Range<usize>,
        to: &Shared<f32>,
        plane: usize,
        index: usize,
        across: bool,
    ) {
        let Maps { x, normal } = x;
        match normal.map(|normal| Maps::of(normal, at[0], self.pass.c)) {
            Some(by) => self.dispatch(Input::<true> { winograd: self, x, by, at, rows, to, plane, index, across }),
            None => {
                self.dispatch(Input::<false> { winograd: self, x, by: [&[]; 3], at, rows, to, plane, index, across })
            }
        }
    }
}

/// What a transform does with the matrices.
pub(super) trait Transform {
    fn with<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize>(self, simd: S);
}

/// A transform with the matrices for so many taps, to such factors.
struct Taps<T, K>(usize, T, K);

impl<T: Transform, K: Factors> WithSimd for Taps<T, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.0 == 3 { self.1.with::<S, K, K::Three, 3, 6>(simd) } else { self.1.with::<S, K, K::Two, 2, 5>(simd) }
    }
}

/// A matrix along both axes, columns first, from what `load` reads at (i, j) to what `store` takes. A macro and no
/// closures: the compiler does not inline a closure's shim into the function that may use SIMD.
macro_rules! both_axes {
    ($f:expr, $from:expr, $to:expr, $zero:expr, load($i:ident, $j:ident) $load:expr, store($p:ident, $q:ident, $value:ident) $store:expr) => {{
        // Not filled with zeros first: that would take a sixth of the time of a transform.
        let mut half = [[std::mem::MaybeUninit::uninit(); $from]; $to];
        for $j in 0..$from {
            let mut column = [$zero; $from];
            for $i in 0..$from {
                column[$i] = $load;
            }
            let column = $f(column);
            for i in 0..$to {
                half[i][$j].write(column[i]);
            }
        }
        for $p in 0..$to {
            let mut line = [$zero; $from];
            for j in 0..$from {
                // SAFETY: the loop above has written every element.
                line[j] = unsafe { half[$p][j].assume_init() };
            }
            let line = $f(line);
            for $q in 0..$to {
                let $value = line[$q];
                $store
            }
        }
    }};
}
pub(super) use both_axes;

/// Asks for a part of one of the next tiles, to read or to write it: its pixels lie too far apart for the machine to foresee.
#[inline(always)]
fn prefetch<const WRITE: bool>(x: *const f32, at: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing; any address is allowed.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
        let at = x.wrapping_add(at).cast();
        if WRITE { _mm_prefetch(at, _MM_HINT_ET0) } else { _mm_prefetch(at, _MM_HINT_T0) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, at);
}

struct Input<'a, const NORMAL: bool> {
    winograd: &'a Winograd,
    x: &'a [f32],
    /// Of the tile's image: means, factors and summands, if `NORMAL`.
    by: [&'a [f32]; 3],
    at: [usize; 3],
    rows: Range<usize>,
    to: &'a Shared<f32>,
    plane: usize,
    index: usize,
    across: bool,
}

impl<const NORMAL: bool> Transform for Input<'_, NORMAL> {
    #[inline(always)]
    fn with<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize>(self, simd: S) {
        let Self { winograd, at: [_, row, column], ref rows, .. } = self;
        let Pass { h, w, c, stride, top, left, .. } = winograd.pass;
        for phase in rows.start / c..rows.end.div_ceil(c) {
            let channels = rows.start.max(phase * c) - phase * c..rows.end.min((phase + 1) * c) - phase * c;
            let (a, b) = (phase / stride, phase % stride);
            // Where each row and column of the window begins.
            let [mut rows_at, mut columns_at] = [[OUTSIDE; P]; 2];
            let mut is_inside = true;
            for p in 0..P {
                let i = ((row + p) * stride + a).wrapping_add_signed(-top);
                let j = ((column + p) * stride + b).wrapping_add_signed(-left);
                rows_at[p] = if i < h { i * w * c } else { OUTSIDE };
                columns_at[p] = if j < w { j * c } else { OUTSIDE };
                is_inside &= i < h && j < w;
            }
            for lane in channels.clone().step_by(S::F32_LANES) {
                let count = S::F32_LANES.min(channels.end - lane);
                let place = [a, b, lane];
                if is_inside && count == S::F32_LANES {
                    self.some::<S, K, F, R, P, true>(simd, [rows_at, columns_at], place, S::F32_LANES);
                } else {
                    self.some::<S, K, F, R, P, false>(simd, [rows_at, columns_at], place, count);
                }
            }
        }
    }
}

impl<const NORMAL: bool> Input<'_, NORMAL> {
    /// `count` channels of the phase (a, b) from `lane` on; a whole register of pixels inside of the image, if `WHOLE`.
    #[inline(always)]
    fn some<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize, const WHOLE: bool>(
        &self,
        simd: S,
        [rows_at, columns_at]: [[usize; P]; 2],
        [a, b, lane]: [usize; 3],
        count: usize,
    ) {
        let Self { winograd, x, by, at, ref rows, to, plane, index, across } = *self;
        let Pass { c, stride, .. } = winograd.pass;
        let x = &x[at[0] * winograd.pass.image()..][..winograd.pass.image()];
        let line = winograd.words(rows.len());
        let zero = Lanes::zero(simd);
        let mut numbers = [zero; 3];
        for k in 0..if NORMAL { 3 } else { 0 } {
            numbers[k] = Lanes::load(simd, &by[k][lane..][..count]);
        }
        let [mean, factor, summand] = numbers;
        let ahead = winograd.ahead(at);
        both_axes!(
            F::input::<S>, P, P, zero,
            load(i, j) {
                if !WHOLE && (rows_at[i] == OUTSIDE || columns_at[j] == OUTSIDE) {
                    zero
                } else {
                    let pixel = rows_at[i] + columns_at[j];
                    if j >= P - SIDE {
                        prefetch::<false>(x.as_ptr(), pixel + lane + ahead);
                    }
                    let value = Lanes::load(simd, &x[pixel + lane..][..count]);
                    if NORMAL { summand.plus_product(value - mean, factor) } else { value }
                }
            },
            store(p, q, value) {
                let place = (p * P + q) * plane;
                let (phase, is_first) = if R == 2 { winograd.phase_at([p, q], [a, b]) } else { (a * stride + b, true) };
                let first = phase * c + lane - rows.start;
                let value = if is_first {
                    value
                } else {
                    // SAFETY: the phase before has been stored there.
                    value + Lanes::load(simd, unsafe { std::slice::from_raw_parts(to.0.add(place + index * line + first), count) })
                };
                // SAFETY: by the promise of `transform_input`.
                unsafe {
                    if K::PAIRED && across {
                        K::across(value, count, to.0.add(place + index / 2 * rows.len() + first), index % 2 == 1);
                    } else {
                        K::along(value, count, to.0.add(place + index * line), first);
                    }
                }
            }
        );
    }
}
