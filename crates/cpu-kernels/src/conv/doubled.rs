//! [`conv2d_transpose`](super::conv2d_transpose) with stride 2 and weights that are the sum of the four shifts of a 3×3 kernel: then it
//! is a nearest upscale by 2 and that kernel, turned; a layer has the kernel itself. Along one axis `w₁ + w₃ = w₀ + w₂ = s`, and
//!
//! `x[2i] = w₁ y[i] + w₃ y[i−1] = s y[i] + w₃ (y[i−1] − y[i])`, `x[2i+1] = s y[i] + w₀ (y[i+1] − y[i])`.
//!
//! Along both axes, nine products make four results. Winograd's form has 1.44 times fewer, but eleven times as many weights: with many
//! channels for the number of pixels, reading and preparing them takes longer than that.

use super::buffers::Buffers;
use super::geometry::Conv;
use super::winograd::GAP;
use crate::matmul::{BAND, product};
use crate::matrix::Matrix;
use crate::panel::PANEL;
use crate::parallel::{Shared, simd};
use rayon::prelude::*;
use std::ops::Range;

/// Pixels of all images of y up to which this form is taken.
const PIXELS: usize = 1024;
/// And for each pixel more, so many weights of a tap.
const WEIGHTS_PER_PIXEL: usize = 8;
/// Weights of a tap from which on it is taken.
const WEIGHTS: usize = 64 * 64;
/// Tasks wanted at least.
const TASKS: usize = 4;
const PLANES: usize = 9;
/// The same of a 3×3 kernel that is applied after the upscale.
const OWN_TAPS: [&[usize]; 3] = [&[0, 1, 2], &[0], &[2]];
/// Taps whose sum is s, and those of the differences to the pixel before and to the one behind.
const TAPS: [&[usize]; 3] = [&[1, 3], &[3], &[0]];
/// Side of a block of weights that is transposed at a time.
const BLOCK: usize = 16;
/// How far, of a row's largest weight, both sums may differ by rounding.
const ROUNDING: f32 = 1e-5;

/// Whether the geometry is that of an upscale, of few pixels for its channels.
pub(super) fn fits(g: &Conv) -> bool {
    let doubles = (g.h, g.w) == (2 * g.oh, 2 * g.ow) && g.padding == [1; 4];
    let (pixels, weights) = (g.n * g.oh * g.ow, g.c * g.o);
    let pays = weights >= WEIGHTS && pixels <= PIXELS.max(weights / WEIGHTS_PER_PIXEL);
    doubles && (g.stride, g.kh, g.kw) == (2, 4, 4) && pays
}

/// Elements between two planes of weights.
fn plane(g: &Conv) -> usize {
    g.c * g.o + GAP
}

/// Elements of the weights of all products.
pub(super) fn weights_len(g: &Conv) -> usize {
    PLANES * plane(g)
}

/// Whether the kernel is the sum of four shifts.
pub(super) fn is_sum(g: &Conv, w: &[f32]) -> bool {
    let size = g.c * g.o;
    (0..g.c).into_par_iter().all(|c| {
        let tap = |u: usize, v: usize| &w[(u * 4 + v) * size + c * g.o..][..g.o];
        simd!(|| {
            let (mut largest, mut apart) = (0f32, 0f32);
            for i in 0..4 {
                let rows: [&[f32]; 4] = std::array::from_fn(|u| tap(u, i));
                let columns: [&[f32]; 4] = std::array::from_fn(|v| tap(i, v));
                for [a, b, c, d] in [rows, columns] {
                    for o in 0..g.o {
                        largest = largest.max(a[o].abs());
                        apart = apart.max((b[o] + d[o] - a[o] - c[o]).abs());
                    }
                }
            }
            apart <= ROUNDING * largest
        })
    })
}

/// The weights of the nine products of such a kernel, in panels of columns.
pub(super) fn prepare(g: &Conv, w: &[f32], planes: &mut [f32]) {
    assert_eq!(planes.len(), weights_len(g));
    let to = Shared(planes.as_mut_ptr());
    (0..g.c.div_ceil(BLOCK)).into_par_iter().for_each(|block| {
        let columns = block * BLOCK..g.c.min((block + 1) * BLOCK);
        for row in (0..g.o).step_by(BLOCK) {
            let rows = row..g.o.min(row + BLOCK);
            // SAFETY: the block's columns belong to this task.
            simd!(|| unsafe { prepare_block(g, w, columns.clone(), rows.clone(), &to) });
        }
    });
}

/// The weights of the nine products of an upscale and a kernel `[3, 3, O, C]`, in panels of columns.
pub(super) fn prepare_own(g: &Conv, w: &[f32], planes: &mut [f32]) {
    assert_eq!((planes.len(), w.len()), (weights_len(g), 9 * g.c * g.o));
    let size = g.c * g.o;
    let to = Shared(planes.as_mut_ptr());
    (0..g.o).into_par_iter().with_min_len(4).for_each(|row| {
        let to = &to;
        simd!(|| {
            for index in 0..PLANES {
                for first in (0..g.c).step_by(PANEL) {
                    let width = PANEL.min(g.c - first);
                    let place = index * plane(g) + first * g.o + row * width;
                    // SAFETY: the place lies inside of the planes (asserted), and the row belongs to this task.
                    let line = unsafe { std::slice::from_raw_parts_mut(to.0.add(place), width) };
                    line.fill(0.0);
                    for u in OWN_TAPS[index / 3] {
                        for v in OWN_TAPS[index % 3] {
                            let tap = &w[(u * 3 + v) * size + row * g.c + first..][..width];
                            line.iter_mut().zip(tap).for_each(|(sum, w)| *sum += w);
                        }
                    }
                }
            }
        });
    });
}

/// The sums of a block of weights, with rows and columns exchanged.
///
/// # Safety
///
/// Nobody else writes these columns; `to` has room for all planes.
#[inline(always)]
unsafe fn prepare_block(g: &Conv, w: &[f32], columns: Range<usize>, rows: Range<usize>, to: &Shared<f32>) {
    let size = g.c * g.o;
    let first = columns.start / PANEL * PANEL;
    let width = PANEL.min(g.c - first);
    for index in 0..PLANES {
        let mut sums = [[0.0; BLOCK]; BLOCK];
        for u in TAPS[index / 3] {
            for v in TAPS[index % 3] {
                for (c, sums) in columns.clone().zip(&mut sums) {
                    let tap = &w[(u * 4 + v) * size + c * g.o..][rows.clone()];
                    for (sum, w) in sums.iter_mut().zip(tap) {
                        *sum += w;
                    }
                }
            }
        }
        for o in rows.clone() {
            let mut line = [0.0; BLOCK];
            for (at, sums) in line.iter_mut().zip(&sums) {
                *at = sums[o - rows.start];
            }
            let place = index * plane(g) + first * g.o + o * width + columns.start - first;
            // SAFETY: the place lies inside of the planes, by the caller's promise.
            let place = unsafe { std::slice::from_raw_parts_mut(to.0.add(place), columns.len()) };
            place.copy_from_slice(&line[..columns.len()]);
        }
    }
}

/// Computes x from y and the prepared weights.
pub(super) fn run(g: &Conv, y: &[f32], planes: &[f32], x: &mut [f32], buffers: &mut Buffers) {
    let pixels = g.n * g.oh * g.ow;
    if x.is_empty() {
        return;
    }
    let bands = pixels.div_ceil(BAND);
    let band = pixels.div_ceil(bands);
    // Few bands share their columns among tasks, which gather the same pixels.
    let part = g.c.div_ceil(TASKS.div_ceil(bands)).next_multiple_of(PANEL);
    let parts = g.c.div_ceil(part);
    let [read, written] = [g.o, PANEL].map(|channels| band * channels + GAP);
    buffers.reserve(PLANES * (read + written));
    let (buffers, x) = (&*buffers, Shared(x.as_mut_ptr()));
    (0..bands * parts).into_par_iter().with_max_len(1).for_each(|task| {
        let (x, first) = (&x, task / parts * band);
        let own = first..pixels.min(first + band);
        let columns = task % parts * part..g.c.min((task % parts + 1) * part);
        buffers.with(|buffer| {
            let (gathered, results) = buffer.split_at_mut(PLANES * read);
            simd!(|| gather(g, y, own.clone(), gathered, read));
            for first in columns.step_by(PANEL) {
                let width = PANEL.min(g.c - first);
                for index in 0..PLANES {
                    let a = Matrix::rows(&gathered[index * read..], g.o);
                    let b = Matrix::rows(&planes[index * plane(g) + first * g.o..], width);
                    product([own.len(), g.o, width], a, b, &mut results[index * written..], width, false);
                }
                // SAFETY: each task has pixels and columns of its own, which lie inside of x.
                simd!(|| unsafe { combine(g, results, written, own.clone(), [first, width], x) });
            }
        });
    });
}

/// Image, row and column of a pixel of y.
fn place(g: &Conv, pixel: usize) -> [usize; 3] {
    [pixel / (g.oh * g.ow), pixel / g.ow % g.oh, pixel % g.ow]
}

/// The nine operands of some pixels: themselves and the differences to their neighbours, which are zeros outside of the image.
#[inline(always)]
fn gather(g: &Conv, y: &[f32], own: Range<usize>, to: &mut [f32], size: usize) {
    for (index, pixel) in own.enumerate() {
        let [n, i, j] = place(g, pixel);
        let at = |down: usize, right: usize| {
            let (row, column) = ((i + down).wrapping_sub(1), (j + right).wrapping_sub(1));
            let inside = row < g.oh && column < g.ow;
            inside.then(|| &y[((n * g.oh + row) * g.ow + column) * g.o..][..g.o])
        };
        let here = at(1, 1).expect("a pixel lies in its image");
        // Pairs of a difference's two terms: before and behind along each axis.
        for (a, down) in [(0, 1), (1, 0), (2, 2)] {
            for (b, right) in [(0, 1), (1, 0), (2, 2)] {
                let to = &mut to[(a * 3 + b) * size + index * g.o..][..g.o];
                match (a, b) {
                    (0, 0) => to.copy_from_slice(here),
                    (0, _) | (_, 0) => difference(at(down, right), Some(here), to),
                    _ => {
                        difference(at(down, right), at(down, 1), to);
                        add_difference(at(1, right), here, to);
                    }
                }
            }
        }
    }
}

/// `to = a − b`; nothing is zeros.
#[inline(always)]
fn difference(a: Option<&[f32]>, b: Option<&[f32]>, to: &mut [f32]) {
    match (a, b) {
        (Some(a), Some(b)) => to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (a, b))| *to = a - b),
        (Some(a), None) => to.copy_from_slice(a),
        (None, Some(b)) => to.iter_mut().zip(b).for_each(|(to, b)| *to = -b),
        (None, None) => to.fill(0.0),
    }
}

/// `to −= a − b`; nothing is zeros.
#[inline(always)]
fn add_difference(a: Option<&[f32]>, b: &[f32], to: &mut [f32]) {
    match a {
        Some(a) => to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (a, b))| *to -= a - b),
        None => to.iter_mut().zip(b).for_each(|(to, b)| *to += b),
    }
}

/// Four pixels of x for each of y, from the nine products of a panel of columns.
///
/// # Safety
///
/// x has room for all pixels, and nobody else uses these.
#[inline(always)]
unsafe fn combine(
    g: &Conv,
    results: &[f32],
    size: usize,
    own: Range<usize>,
    [first, width]: [usize; 2],
    x: &Shared<f32>,
) {
    for (index, pixel) in own.enumerate() {
        let [n, i, j] = place(g, pixel);
        let of = |a: usize, b: usize| &results[(a * 3 + b) * size + index * width..][..width];
        for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let place = ((n * g.h + 2 * i + a) * g.w + 2 * j + b) * g.c + first;
            // SAFETY: by the caller's promise.
            let to = unsafe { std::slice::from_raw_parts_mut(x.0.add(place), width) };
            let (sum, across, down, both) = (of(0, 0), of(0, 1 + b), of(1 + a, 0), of(1 + a, 1 + b));
            for c in 0..width {
                to[c] = sum[c] + across[c] + (down[c] + both[c]);
            }
        }
    }
}
