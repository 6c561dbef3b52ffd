//! Weights in Winograd's form.

use super::factors::Factors;
use super::matrices::{Lanes, Matrices};
use super::{GAP, PANEL, Transform, Winograd, both_axes};
use crate::parallel::Shared;
use pulp::Simd;
use rayon::prelude::*;
use std::array::from_fn;

/// Side of a block of weights that is transposed at a time. It is a multiple of the numbers in a register, and of a word.
const SIDE: usize = 16;
/// Taps of a kernel at most.
const TAPS: usize = 9;

impl Winograd {
    /// `G g Gᵀ` of the weights `[kh, kw, c, o]`.
    pub fn transform_weights(&self, weights: &[f32], out: &mut [f32]) {
        assert_eq!(out.len(), self.weights_len());
        assert_eq!(weights.len(), self.pass.depth() * self.pass.o);
        let out = Shared(out.as_mut_ptr());
        // One thread writes both halves of a word.
        (0..self.words(self.depth())).into_par_iter().with_min_len(4).for_each(|word| {
            let (out, factors) = (&out, self.depth().div_ceil(self.words(self.depth())));
            for row in word * factors..((word + 1) * factors).min(self.depth()) {
                self.dispatch(Weights { winograd: self, weights, row, out });
            }
        });
    }

    /// The same of the adjoint's weights, from those of the convolution, `[taps, o, c]` in this pass's channels: `places` are the
    /// taps of this pass's kernel among them.
    pub fn transform_flipped(&self, weights: &[f32], places: &[usize], out: &mut [f32]) {
        assert_eq!(out.len(), self.weights_len());
        assert_eq!(places.len(), self.pass.kh * self.pass.kw);
        let out = Shared(out.as_mut_ptr());
        // Blocks have both halves of a word.
        (0..self.depth().div_ceil(SIDE)).into_par_iter().for_each(|block| {
            self.dispatch(Flipped { winograd: self, weights, places, first: block * SIDE, out: &out });
        });
    }

    /// Puts transformed weights of one point and one row of the depth at their place, those of the panel that begins with `panel` from
    /// its channel `lane` on.
    ///
    /// # Safety
    ///
    /// `out` has room for [`weights_len`](Self::weights_len) elements, and no other thread writes this row's words.
    #[inline(always)]
    unsafe fn put_weights<S: Simd, K: Factors>(
        &self,
        values: Lanes<S>,
        count: usize,
        point: usize,
        row: usize,
        [panel, lane]: [usize; 2],
        out: &Shared<f32>,
    ) {
        let (start, width) = self.panel(panel);
        let (line, odd) = if K::PAIRED { (row / 2, row % 2 == 1) } else { (row, false) };
        let place = point * (self.words(self.depth()) * self.pass.o + GAP) + start + line * width + lane;
        // SAFETY: by the caller's promise.
        unsafe { K::across(values, count, out.0.add(place), odd) };
    }
}

struct Weights<'a> {
    winograd: &'a Winograd,
    weights: &'a [f32],
    row: usize,
    out: &'a Shared<f32>,
}

impl Transform for Weights<'_> {
    #[inline(always)]
    fn with<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize>(self, simd: S) {
        let Self { winograd, weights, row, out } = self;
        let (phase, channel) = (row / winograd.pass.c, row % winograd.pass.c);
        let phase = [phase / winograd.pass.stride, phase % winograd.pass.stride];
        let zero = Lanes::zero(simd);
        for j in (0..winograd.pass.o).step_by(PANEL) {
            let (_, width) = winograd.panel(j);
            for lane in (0..width).step_by(S::F32_LANES) {
                let count = S::F32_LANES.min(width - lane);
                both_axes!(
                    F::weights::<S>, R, P, zero,
                    load(u, v) Lanes::load(simd, &weights[winograd.tap(row, u, v) + j + lane..][..count]),
                    store(p, q, value) {
                        let (phase, is_first) = winograd.phase_at([p, q], phase);
                        if is_first {
                            let row = phase * winograd.pass.c + channel;
                            // SAFETY: `out` has room for all weights, and each thread has rows of its own.
                            unsafe { winograd.put_weights::<S, K>(value, count, p * P + q, row, [j, lane], out) };
                        }
                    }
                );
            }
        }
    }
}

struct Flipped<'a> {
    winograd: &'a Winograd,
    weights: &'a [f32],
    places: &'a [usize],
    /// The first row of the products' depth.
    first: usize,
    out: &'a Shared<f32>,
}

impl Transform for Flipped<'_> {
    #[inline(always)]
    fn with<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize>(self, simd: S) {
        let Self { winograd, weights, places, first, out } = self;
        let (o, depth) = (winograd.pass.o, winograd.depth());
        let height = SIDE.min(depth - first);
        let zero = Lanes::zero(simd);
        let mut panel = [[[0.0; PANEL]; TAPS]; SIDE];
        for j in (0..o).step_by(PANEL) {
            let (_, width) = winograd.panel(j);
            for (index, tap) in places.iter().enumerate() {
                for column in (0..width).step_by(SIDE) {
                    let mut lines = [[0.0; SIDE]; SIDE];
                    for (y, line) in lines.iter_mut().take(width - column).enumerate() {
                        let from = &weights[(tap * o + j + column + y) * depth + first..][..height];
                        match from.first_chunk() {
                            Some(from) => *line = *from,
                            None => line[..height].copy_from_slice(from),
                        }
                    }
                    for (x, taps) in panel.iter_mut().enumerate() {
                        let line: [f32; SIDE] = from_fn(|y| lines[y][x]);
                        taps[index][column..column + SIDE].copy_from_slice(&line);
                    }
                }
            }
            for (row, taps) in panel.iter().enumerate().take(height) {
                for lane in (0..width).step_by(S::F32_LANES) {
                    let count = S::F32_LANES.min(width - lane);
                    both_axes!(
                        F::weights::<S>, R, P, zero,
                        load(u, v) Lanes::load(simd, &taps[u * R + v][lane..][..count]),
                        store(p, q, value) {
                            // SAFETY: `out` has room for all weights, and each thread has rows of its own.
                            unsafe { winograd.put_weights::<S, K>(value, count, p * P + q, first + row, [j, lane], out) };
                        }
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::is_supported;
    use crate::conv::geometry::Conv;
    use stylegan_tensor::Algorithm;

    #[test]
    fn weights_of_the_adjoint_have_the_bits_of_flipped_ones_in_this_form() {
        for (k, stride, c, o) in [(3, 1, 16, 64), (3, 1, 70, 37), (4, 2, 5, 20), (4, 2, 130, 18)] {
            let (h, oh) = (16, 16 / stride);
            let g = Conv { n: 1, h, w: h, c, kh: k, kw: k, o, oh, ow: oh, stride, padding: [1; 4] };
            let w: Vec<f32> = (0..k * k * c * o).map(|at| (at * 7919 % 1999) as f32 / 1000.0 - 1.0).collect();
            let (passes, places) = g.phases();
            let mut flipped = vec![0.0; w.len()];
            g.flip(&w, &places, &mut flipped);
            let taps = places.len() / passes.len();
            let parts = flipped.chunks_exact(taps * c * o).zip(places.chunks_exact(taps));
            for ((flipped, places), pass) in parts.zip(&passes) {
                for algorithm in [Algorithm::Winograd, Algorithm::Bf16] {
                    if algorithm == Algorithm::Bf16 && !is_supported() {
                        continue;
                    }
                    let winograd = Winograd::new(pass, algorithm).expect("it has this form");
                    let [mut expected, mut found] = [(); 2].map(|()| vec![0.0; winograd.weights_len()]);
                    winograd.transform_weights(flipped, &mut expected);
                    winograd.transform_flipped(&w, places, &mut found);
                    let is_same = found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(is_same, "{algorithm:?} {pass:?}");
                }
            }
        }
    }
}
