//! All that follows a convolution of the synthesis network, as one kernel. Maps larger than the caches come from memory twice, once
//! for their statistics and once for the result, and only the result is written. What lies between is computed twice, a block at a
//! time.

use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

use crate::elementwise::leaky_relu;
use crate::normalize::Image;
use crate::parallel::{BLOCK, by_channels, is_large, pieces, simd, some};

/// Geometry and constants.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue {
    /// N, H, W, C of x and y.
    pub shape: [usize; 4],
    /// The filter of the blur, along both axes.
    pub blur: Option<[f32; 3]>,
    /// Slope of the activation below 0.
    pub alpha: f32,
}

/// `x [N, H, W, C], noise [N or 1, H, W, 1], strength [C], b [C], style [N, 2C] → y`: the blur, [`noise_bias_act`] and [`adain`].
///
/// [`noise_bias_act`]: crate::elementwise::noise_bias_act
/// [`adain`]: crate::normalize::adain
pub fn layer_epilogue(p: Epilogue, x: &[f32], noise: &[f32], [strength, b, style]: [&[f32]; 3], y: &mut [f32]) {
    let [_, h, w, c] = p.shape;
    if y.is_empty() {
        return;
    }
    let image = Image { pixels: h * w, channels: c };
    let block = (BLOCK / (w * c)).max(1) * w;
    let input = Input { p, x, noise, strength, b };
    let epilogue = |n: usize, y: &mut [f32]| {
        // The activated values of some whole rows.
        let activated = |pixels: Range<usize>, then: &mut dyn FnMut(&[f32])| {
            with_block(pixels.len() * c, |block| {
                simd!(|| input.activate::<false>(n * h * w + pixels.start, [&[]; 3], &mut *block));
                then(block);
            });
        };
        let [mut mean, mut rsqrt] = [(); 2].map(|()| vec![0.0; c]);
        image.statistics(block, [&mut mean, &mut rsqrt], activated);
        let [scale, bias] = &image.style(style, n, &rsqrt);
        let cost = y.len();
        pieces(y, block * c, cost, |start, y| {
            simd!(|| input.activate::<true>(n * h * w + start / c, [&mean, scale, bias], y));
        });
    };
    if is_large(x.len()) {
        y.par_chunks_mut(h * w * c).enumerate().for_each(|(n, y)| epilogue(n, y));
    } else {
        y.chunks_mut(h * w * c).enumerate().for_each(|(n, y)| epilogue(n, y));
    }
}

/// Calls `f` with a block of this thread's memory.
fn with_block(len: usize, f: impl FnOnce(&mut [f32])) {
    thread_local! {
        static BLOCK: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    BLOCK.with_borrow_mut(|block| {
        block.resize(block.len().max(len), 0.0);
        f(&mut block[..len]);
    });
}

struct Input<'a> {
    p: Epilogue,
    x: &'a [f32],
    noise: &'a [f32],
    strength: &'a [f32],
    b: &'a [f32],
}

impl Input<'_> {
    /// Activated whole rows, which begin with pixel `first`, counted through all images; if `NORMAL`, then normalised `by` means,
    /// scales and biases.
    #[inline(always)]
    fn activate<const NORMAL: bool>(&self, first: usize, by: [&[f32]; 3], y: &mut [f32]) {
        by_channels!(self.p.shape[3], c, W => self.some_channels::<NORMAL, W>(first, by, c, y));
    }

    /// Channels `c..c + W` of [`Self::activate`]. A row's three columns stay in registers.
    #[inline(always)]
    fn some_channels<const NORMAL: bool, const W: usize>(
        &self,
        first: usize,
        by: [&[f32]; 3],
        c: usize,
        y: &mut [f32],
    ) {
        let Self { p: Epilogue { shape: [_, h, w, channels], alpha, blur }, x, noise, .. } = *self;
        let (strength, b) = (some::<W>(self.strength, c), some::<W>(self.b, c));
        let [mut mean, mut scale, mut bias] = [[0.0; W]; 3];
        if NORMAL {
            (mean, scale, bias) = (some(by[0], c), some(by[1], c), some(by[2], c));
        }
        let taps = blur.unwrap_or([0.0, 1.0, 0.0]);
        for (row, y) in y.chunks_exact_mut(w * channels).enumerate() {
            let pixel = first + row * w;
            let noise = &noise[pixel % noise.len()..][..w];
            let rows = around(x, [h, w * channels], pixel / w);
            let [mut before, mut here] = [[0.0; W], [0.0; W]];
            if blur.is_some() {
                here = column(taps, rows, c);
            }
            for j in 0..w {
                let mut values;
                if blur.is_some() {
                    let behind = if j + 1 < w { column(taps, rows, (j + 1) * channels + c) } else { [0.0; W] };
                    values = weighted(taps, [before, here, behind]);
                    (before, here) = (here, behind);
                } else {
                    values = some(x, (pixel + j) * channels + c);
                }
                for k in 0..W {
                    values[k] = leaky_relu(values[k] + noise[j] * strength[k] + b[k], alpha);
                    if NORMAL {
                        values[k] = (values[k] - mean[k]) * scale[k] + bias[k];
                    }
                }
                y[j * channels + c..][..W].copy_from_slice(&values);
            }
        }
    }
}

/// The rows above, at and below a row, counted through all images of `h` rows.
fn around(x: &[f32], [h, len]: [usize; 2], row: usize) -> [Option<&[f32]>; 3] {
    let at = |row: usize| &x[row * len..][..len];
    let i = row % h;
    [(i > 0).then(|| at(row - 1)), Some(at(row)), (i + 1 < h).then(|| at(row + 1))]
}

/// Numbers of a pixel filtered along its column.
#[inline(always)]
fn column<const W: usize>(taps: [f32; 3], rows: [Option<&[f32]>; 3], at: usize) -> [f32; W] {
    let mut x = [[0.0; W]; 3];
    for t in 0..3 {
        if let Some(row) = rows[t] {
            x[t] = some(row, at);
        }
    }
    weighted(taps, x)
}

/// `Σ taps · x`, in the order of [`upfirdn2d`](crate::resample::upfirdn2d).
#[inline(always)]
fn weighted<const W: usize>(taps: [f32; 3], x: [[f32; W]; 3]) -> [f32; W] {
    let mut sum = [0.0; W];
    for k in 0..W {
        sum[k] = taps[0] * x[0][k] + taps[1] * x[1][k] + taps[2] * x[2][k];
    }
    sum
}
