//! Convolution by nested loops, for few channels. Lanes are explicit arrays, so the order of every sum, and thereby the
//! result, is the same with any instruction set that has a fused multiply-add.

use super::pass::{Pass, Target, Tile};
use crate::isa::arch;
use crate::parallel::put;
use pulp::{Simd, WithSimd};

/// Outputs below which lanes run over input channels.
const NARROW: usize = 8;
const LANES: usize = 16;

/// One tile of a pass: [`Pass::run`].
pub(super) fn run(pass: &Pass, x: &[f32], weights: &[f32], tile: Tile, to: &mut Target, buffer: &mut [f32]) {
    arch().dispatch(Run { pass, x, weights, tile, to, buffer });
}

// A structure and not a closure: the compiler does not inline a closure's shim into the function that may use SIMD.
struct Run<'a, 'b> {
    pass: &'a Pass,
    x: &'a [f32],
    weights: &'a [f32],
    tile: Tile,
    to: &'a mut Target<'b>,
    buffer: &'a mut [f32],
}

impl WithSimd for Run<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { pass, x, weights, tile, to, buffer } = self;
        if pass.o < NARROW && pass.c >= LANES {
            let [length, o] = [pass.c, pass.o];
            for (tap, block) in buffer[..pass.depth() * o].chunks_exact_mut(length).enumerate() {
                let (tap, out) = (tap / o, tap % o);
                block.iter_mut().enumerate().for_each(|(c, w)| *w = weights[(tap * length + c) * o + out]);
            }
            pixels(
                pass,
                x,
                tile,
                to,
                #[inline(always)]
                |windows, sums| narrow(pass, windows, buffer, sums),
            );
        } else {
            pixels(
                pass,
                x,
                tile,
                to,
                #[inline(always)]
                |windows, sums| wide(pass, windows, weights, sums),
            );
        }
    }
}

/// The taps of one window that lie inside of the image.
struct Window<'a> {
    x: &'a [f32],
    top: isize,
    left: isize,
}

/// Calls `window` for every pixel of the tile, with a place for its results, and puts them where they belong.
#[inline(always)]
fn pixels(pass: &Pass, x: &[f32], tile: Tile, to: &mut Target, window: impl Fn(&Window, &mut [f32])) {
    let o = pass.o;
    for image in 0..tile.images {
        let x = &x[(tile.image + image) * pass.image()..][..pass.image()];
        for i in 0..tile.rows {
            let top = ((tile.row + i) * pass.stride) as isize - pass.top;
            let start = ((image * to.rows + i * pass.step + pass.first[0]) * pass.pitch + pass.first[1]) * o;
            for (j, place) in to.data[start..].chunks_mut(pass.step * o).take(pass.ow).enumerate() {
                let place = &mut place[..o];
                if !to.accumulate {
                    place.fill(0.0);
                }
                window(&Window { x, top, left: (j * pass.stride) as isize - pass.left }, place);
            }
        }
    }
}

/// Calls `tap(index of the tap, its pixel)` for each tap of the window inside of the image.
#[inline(always)]
fn taps<'a>(pass: &Pass, window: &Window<'a>, mut tap: impl FnMut(usize, &'a [f32])) {
    let inside = |first: isize, size: usize, k: usize| {
        let begin = (-first).clamp(0, k as isize) as usize;
        begin..(size as isize - first).clamp(begin as isize, k as isize) as usize
    };
    for u in inside(window.top, pass.h, pass.kh) {
        for v in inside(window.left, pass.w, pass.kw) {
            let pixel = (window.top + u as isize) as usize * pass.w + (window.left + v as isize) as usize;
            tap(u * pass.kw + v, &window.x[pixel * pass.c..][..pass.c]);
        }
    }
}

/// Lanes over outputs.
#[inline(always)]
fn wide(pass: &Pass, window: &Window, weights: &[f32], sums: &mut [f32]) {
    let mut at = 0;
    at = blocks::<64>(pass, window, weights, sums, at);
    at = blocks::<LANES>(pass, window, weights, sums, at);
    blocks::<1>(pass, window, weights, sums, at);
}

/// As many blocks of L outputs as fit, from `at` on; returns where they end.
#[inline(always)]
fn blocks<const L: usize>(pass: &Pass, window: &Window, weights: &[f32], sums: &mut [f32], mut at: usize) -> usize {
    while at + L <= pass.o {
        let mut sum = [0.0; L];
        taps(
            pass,
            window,
            #[inline(always)]
            |tap, pixel| {
                for (c, &x) in pixel.iter().enumerate() {
                    let weights = &weights[(tap * pass.c + c) * pass.o + at..][..L];
                    for (sum, &w) in sum.iter_mut().zip(weights) {
                        *sum = x.mul_add(w, *sum);
                    }
                }
            },
        );
        put(&mut sums[at..at + L], &sum, true);
        at += L;
    }
    at
}

/// Lanes over input channels; `weights` are `[kh, kw, o, c]`.
#[inline(always)]
fn narrow(pass: &Pass, window: &Window, weights: &[f32], sums: &mut [f32]) {
    for (o, result) in sums.iter_mut().enumerate() {
        let mut sum = [0.0f32; LANES];
        let mut rest = 0.0f32;
        taps(
            pass,
            window,
            #[inline(always)]
            |tap, pixel| {
                let weights = &weights[(tap * pass.o + o) * pass.c..][..pass.c];
                let (x, w) = (pixel.chunks_exact(LANES), weights.chunks_exact(LANES));
                for (x, w) in x.remainder().iter().zip(w.remainder()) {
                    rest = x.mul_add(*w, rest);
                }
                for (x, w) in x.zip(w) {
                    for lane in 0..LANES {
                        sum[lane] = x[lane].mul_add(w[lane], sum[lane]);
                    }
                }
            },
        );
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                sum[lane] += sum[lane + half];
            }
        }
        *result += sum[0] + rest;
    }
}

/// Adds a tile's part of the gradient of the weights, or starts it; y is the tile's, `sums` are `[kh, kw, c, o]`.
pub(super) fn weight_grad(
    pass: &Pass,
    x: &[f32],
    y: &[f32],
    tile: Tile,
    sums: &mut [f32],
    add: bool,
    buffer: &mut [f32],
) {
    let [c, o] = [pass.c, pass.o];
    let across = o < NARROW && c > o;
    let place = if across { &mut buffer[..pass.depth() * o] } else { &mut *sums };
    if across || !add {
        place.fill(0.0);
    }
    arch().dispatch(Outer { pass, x, y, tile, sums: place, across });
    if across {
        for (tap, block) in buffer[..pass.depth() * o].chunks_exact(c).enumerate() {
            let (tap, out) = (tap / o, tap % o);
            for (channel, &value) in block.iter().enumerate() {
                let sum = &mut sums[(tap * c + channel) * o + out];
                *sum = if add { *sum + value } else { value };
            }
        }
    }
}

/// Adds the outer product of every tap and gradient to `sums`: `[kh, kw, c, o]`, or `[kh, kw, o, c]` if `across`.
struct Outer<'a> {
    pass: &'a Pass,
    x: &'a [f32],
    y: &'a [f32],
    tile: Tile,
    sums: &'a mut [f32],
    across: bool,
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { pass, x, y, tile, sums, across } = self;
        let mut gradients = y.chunks_exact(pass.o);
        for image in tile.image..tile.image + tile.images {
            let x = &x[image * pass.image()..][..pass.image()];
            for row in tile.row..tile.row + tile.rows {
                let top = (row * pass.stride) as isize - pass.top;
                for (j, g) in gradients.by_ref().take(pass.ow).enumerate() {
                    let window = Window { x, top, left: (j * pass.stride) as isize - pass.left };
                    taps(
                        pass,
                        &window,
                        #[inline(always)]
                        |tap, pixel| {
                            let sums = &mut sums[tap * pass.c * pass.o..][..pass.c * pass.o];
                            if across { outer(g, pixel, sums) } else { outer(pixel, g, sums) }
                        },
                    );
                }
            }
        }
    }
}

/// `sums[i, j] += a[i] · b[j]`.
#[inline(always)]
fn outer(a: &[f32], b: &[f32], sums: &mut [f32]) {
    for (&a, sums) in a.iter().zip(sums.chunks_exact_mut(b.len())) {
        for (sum, &b) in sums.iter_mut().zip(b) {
            *sum = a.mul_add(b, *sum);
        }
    }
}
