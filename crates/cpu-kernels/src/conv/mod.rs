//! The three convolutions of a closed family, f32: images `[N, H, W, C]`, weights `[kh, kw, C, O]`.
//!
//! Work is cut into tiles whose size is a function of the shape alone, and every sum has a fixed order: the result has
//! the same bits for every number of threads.

mod buffers;
mod choice;
mod direct;
mod doubled;
mod geometry;
mod pass;
mod run;
mod scratch;
mod tiling;
mod weight_cache;
mod weight_grad;
mod winograd;

pub use choice::choose;
pub use geometry::{Conv, Kind};
pub use scratch::Scratch;

use crate::matmul::matmul;
use crate::normalize::{Maps, Part};
use crate::thin::{few_rows, has_few_rows};
pub(crate) use buffers::grow;

use buffers::Buffers;
use pass::{Pass, Target, Tile};
use rayon::prelude::*;
use stylegan_tensor::Algorithm;
use tiling::Tiling;
use weight_cache::Made;
use winograd::{Line, Winograd};

/// What a convolution does with its results while they are in the caches: it takes whole rows of y, of one image or of whole
/// images, and where they begin.
pub(crate) type Then<'a> = dyn Fn(usize, &mut [f32]) -> Vec<Part> + Sync + 'a;

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
    forward(g, x.into(), w, y, algorithm, accumulate, scratch, None);
}

/// [`conv2d`] of maps that it may have to normalise, if [`Conv::normalises`]. `None` if it did nothing with the results.
#[allow(clippy::too_many_arguments, reason = "the operands of a convolution, and workspace")]
pub(crate) fn forward(
    g: &Conv,
    x: Maps,
    w: &[f32],
    y: &mut [f32],
    algorithm: Option<Algorithm>,
    accumulate: bool,
    scratch: &mut Scratch,
    then: Option<&Then>,
) -> Option<Vec<Part>> {
    g.assert_lengths("conv2d", x.x, y, w);
    if w.is_empty() {
        clear(y, accumulate);
        return None;
    }
    let (asked, algorithm) = (algorithm, g.algorithm(Kind::Forward, algorithm));
    if let (Some([pixels, k, o]), true) = (g.as_product(), algorithm != Algorithm::Direct) {
        matmul(1, pixels, k, o, x.x, 1, false, w, 1, false, y, accumulate);
        return None;
    }
    let Scratch { large, tiles, cache, buffers, .. } = scratch;
    // Few pixels: the weights are read from memory for them alone.
    let product = [g.n * g.oh * g.ow, g.kh * g.kw * g.c, g.o];
    if algorithm == Algorithm::Im2col && has_few_rows(product) {
        let windows = &mut grow(large, product[0] * product[1])[..product[0] * product[1]];
        let tile = Tile { image: 0, images: g.n, row: 0, rows: g.oh };
        g.pass().gather_windows(x.x, tile, windows);
        few_rows(product, windows, w, y, accumulate);
        return None;
    }
    if let (Some(line), Algorithm::Winograd) = (Line::new(g), algorithm) {
        let make = |transformed: &mut [f32]| line.transform_weights(w, transformed);
        let weights = cache.get_or(w, Made::Line, g, large, line.weights_len(), make);
        return line.run(x.x, weights, y, accumulate, buffers, then);
    }
    // Looked at each time: only discriminators have such convolutions, and training changes their weights.
    let is_sum = asked.is_none() && algorithm == Algorithm::Winograd && g.stride == 2 && doubled::is_sum(g, w);
    let passes = [Pass { is_sum, ..g.pass() }];
    let transformed_len = transformed_len(&passes, algorithm);
    let weights = if transformed_len > 0 {
        let make = |transformed: &mut [f32]| transform(&passes, algorithm, w, transformed);
        let made = if is_sum { Made::MergedWinograd } else { Made::Winograd(algorithm) };
        cache.get_or(w, made, g, large, transformed_len, make)
    } else {
        w
    };
    run(&passes, algorithm, x, weights, y, g.oh, accumulate, tiles, buffers, then)
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
    if algorithm.is_none() && !accumulate && doubled::fits(g) {
        let Scratch { large, cache, buffers, .. } = scratch;
        let make = |planes: &mut [f32]| doubled::prepare(g, w, planes);
        let len = doubled::weights_len(g);
        if let Some(planes) = cache.get_or_if(w, Made::Doubled, g, large, len, || doubled::is_sum(g, w), make) {
            return doubled::run(g, y, planes, x, buffers);
        }
    }
    let algorithm = g.algorithm(Kind::Transpose, algorithm);
    if let (Some([pixels, k, o]), true) = (g.as_product(), algorithm != Algorithm::Direct) {
        return matmul(1, pixels, o, k, y, 1, false, w, 1, true, x, accumulate);
    }
    by_phases(g, y.into(), w, false, x, algorithm, accumulate, scratch, None);
}

/// Each pixel of y repeated twice along both axes, then a convolution with a kernel w `[3, 3, O, C]`, padded by 1, to x; `g` is that of
/// [`conv2d_transpose`] with a kernel of 4×4. As [`forward`] otherwise.
#[allow(clippy::too_many_arguments, reason = "the operands of a convolution, and workspace")]
pub(crate) fn upscaled(
    g: &Conv,
    y: Maps,
    w: &[f32],
    x: &mut [f32],
    algorithm: Option<Algorithm>,
    scratch: &mut Scratch,
    then: Option<&Then>,
) -> Option<Vec<Part>> {
    assert_eq!((w.len(), g.kh, g.kw, g.stride), (9 * g.c * g.o, 4, 4, 2), "a 3×3 kernel makes one of 4×4");
    if w.is_empty() {
        clear(x, false);
        return None;
    }
    if algorithm.is_none() && doubled::fits(g) {
        let Scratch { large, cache, buffers, .. } = scratch;
        let make = |planes: &mut [f32]| doubled::prepare_own(g, w, planes);
        let planes = cache.get_or(w, Made::Doubled, g, large, doubled::weights_len(g), make);
        doubled::run(g, y.x, planes, x, buffers);
        return None;
    }
    by_phases(g, y, w, true, x, g.algorithm(Kind::Transpose, algorithm), false, scratch, then)
}

/// The adjoint as passes, one for each phase of x. w is its kernel, or, if `is_own`, that of an upscale, which is spread where something
/// is made of it.
#[allow(clippy::too_many_arguments, reason = "the operands of a convolution, and workspace")]
fn by_phases(
    g: &Conv,
    y: Maps,
    w: &[f32],
    is_own: bool,
    x: &mut [f32],
    algorithm: Algorithm,
    accumulate: bool,
    scratch: &mut Scratch,
    then: Option<&Then>,
) -> Option<Vec<Part>> {
    let Scratch { weights, large, tiles, cache, buffers, .. } = scratch;
    let (passes, places) = g.phases();
    let (transformed, size) = (transformed_len(&passes, algorithm), g.kh * g.kw * g.c * g.o);
    let (made, len, room, other) = if transformed > 0 {
        (Made::FlippedWinograd(algorithm), transformed, large, weights)
    } else {
        (Made::Flipped, size, weights, large)
    };
    let make = |to: &mut [f32]| {
        let mut kernel = w;
        if is_own {
            let spread = grow(other, size);
            g.spread(w, spread);
            kernel = spread;
        }
        if transformed > 0 {
            transform_flipped(&passes, algorithm, kernel, &places, to);
        } else {
            g.flip(kernel, &places, to);
        }
    };
    let weights = cache.get_or(w, made, g, room, len, make);
    run(&passes, algorithm, y, weights, x, g.h, accumulate, tiles, buffers, then)
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
        Some([pixels, c, o]) => {
            Conv { n: 1, h: pixels, w: 1, c, kh: 1, kw: 1, o, oh: pixels, ow: 1, stride: 1, padding: [0; 4] }
        }
        None => *g,
    };
    weight_grad::weight_grad(&g.pass(), algorithm, [g.n, g.oh], [x, y], w, accumulate, scratch);
}

/// The result of no products.
fn clear(out: &mut [f32], accumulate: bool) {
    if !accumulate {
        out.fill(0.0);
    }
}

/// Elements of the passes' weights in Winograd's form, if the algorithm has it.
fn transformed_len(passes: &[Pass], algorithm: Algorithm) -> usize {
    passes.iter().filter_map(|pass| Winograd::new(pass, algorithm)).map(|winograd| winograd.weights_len()).sum()
}

/// Transforms the passes' weights, which follow one another, into Winograd's form.
fn transform(passes: &[Pass], algorithm: Algorithm, weights: &[f32], transformed: &mut [f32]) {
    let (mut weights, mut transformed) = (weights, transformed);
    for pass in passes {
        let Some(winograd) = Winograd::new(pass, algorithm) else { continue };
        let (own, others) = weights.split_at(pass.depth() * pass.o);
        let (to, rest) = transformed.split_at_mut(winograd.weights_len());
        winograd.transform_weights(own, to);
        (weights, transformed) = (others, rest);
    }
}

/// The same of the adjoint's passes, from the convolution's weights; `places` are the taps of all passes.
fn transform_flipped(passes: &[Pass], algorithm: Algorithm, w: &[f32], places: &[usize], transformed: &mut [f32]) {
    let [taps, len] = [places.len(), transformed.len()].map(|all| all / passes.len());
    let parts = transformed.par_chunks_mut(len).zip(places.par_chunks(taps)).zip(passes);
    parts.for_each(|((to, places), pass)| {
        let winograd = Winograd::new(pass, algorithm).expect("the phases of a kernel have one size");
        winograd.transform_flipped(w, places, to);
    });
}

/// Runs passes that together write every pixel of `out`, images of `height` rows; their weights follow one another.
#[allow(clippy::too_many_arguments, reason = "the operands of a convolution, and workspace")]
fn run(
    passes: &[Pass],
    algorithm: Algorithm,
    x: Maps,
    weights: &[f32],
    out: &mut [f32],
    height: usize,
    accumulate: bool,
    tiles: &mut Vec<f32>,
    buffers: &mut Buffers,
    then: Option<&Then>,
) -> Option<Vec<Part>> {
    let mut rest = weights;
    let passes: Vec<(Pass, &[f32])> = passes
        .iter()
        .map(|&pass| {
            let winograd = Winograd::new(&pass, algorithm);
            let len = winograd.map_or(pass.depth() * pass.o, |winograd| winograd.weights_len());
            let (own, after) = rest.split_at(len);
            rest = after;
            (pass, own)
        })
        .collect();
    let passes = &passes;
    let Pass { step, pitch, o, .. } = passes[0].0;
    let (line, image) = (pitch * o, height * pitch * o);
    if out.is_empty() {
        return None;
    }
    if Winograd::new(&passes[0].0, algorithm).is_some_and(|winograd| winograd.has_many_weights()) {
        for (pass, weights) in passes {
            let winograd = Winograd::new(pass, algorithm).expect("the phases of a kernel have one size");
            let size = [out.len() / image, height];
            winograd.run_by_panel(x, weights, out, size, accumulate, tiles, buffers);
        }
        return None;
    }
    // The pass with the most taps decides how large tiles are.
    let deepest = passes.iter().map(|(pass, _)| *pass).max_by_key(Pass::depth)?;
    let tiling = Tiling::new(&deepest, algorithm, [out.len() / image, height.div_ceil(step)]);
    let rows = passes.iter().map(|(pass, _)| pass.workspace(algorithm, tiling.images, tiling.rows));
    buffers.reserve(rows.max().unwrap_or(0));
    let buffers = &*buffers;
    let (group, band) = if tiling.images > 1 {
        (tiling.images * image, tiling.images * image)
    } else {
        (image, tiling.rows * step * line)
    };
    let groups = out.par_chunks_mut(group).with_max_len(1).enumerate();
    let bands = groups.flat_map(|(index, out)| {
        out.par_chunks_mut(band).with_max_len(1).enumerate().map(move |(at, out)| (index, at, out))
    });
    let parts = bands.map(|(index, at, data)| {
        let images = (data.len() / image).max(1);
        let rows = data.len() / (images * line);
        let mut target = Target { data: &mut *data, rows, accumulate };
        buffers.with(|buffer| {
            for (pass, weights) in passes {
                let (image, row) = (index * tiling.images, at * tiling.rows);
                let tile = Tile { image, images, row, rows: rows.saturating_sub(pass.first[0]).div_ceil(step) };
                pass.run(algorithm, x, weights, tile, &mut target, buffer);
            }
        });
        then.map_or_else(Vec::new, |then| then(index * group + at * band, data))
    });
    let parts: Vec<Vec<Part>> = parts.collect();
    then.map(|_| parts.into_iter().flatten().collect())
}
