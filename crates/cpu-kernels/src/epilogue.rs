//! All that follows a convolution of the synthesis network, as one kernel. Maps larger than the caches come from memory twice, once
//! for their statistics and once for the result, and only the result is written; as ops of their own blur, activation and
//! normalisation move five times as much. What lies between is computed twice, a block at a time.

use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

use crate::elementwise::pixels;
use crate::normalize::{Image, normalize};
use crate::parallel::{BLOCK, is_large, pieces, simd};
use crate::resample::{Plan, Resample};

/// Geometry and constants.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// N, H, W, C of x and y.
    pub shape: [usize; 4],
    /// The filter of the blur, along both axes; a single 1 is none.
    pub taps: &'a [f32],
    /// Slope of the activation below 0.
    pub alpha: f32,
}

/// `x [N, H, W, C], noise [N or 1, H, W, 1], strength [C], b [C], style [N, 2C] → y`: the blur, [`noise_bias_act`] and [`adain`].
///
/// [`noise_bias_act`]: crate::elementwise::noise_bias_act
/// [`adain`]: crate::normalize::adain
pub fn layer_epilogue(p: &Epilogue, x: &[f32], noise: &[f32], [strength, b, style]: [&[f32]; 3], y: &mut [f32]) {
    let [_, h, w, c] = p.shape;
    if y.is_empty() {
        return;
    }
    let around = (p.taps.len() / 2) as isize;
    let blur = Resample { shape: p.shape, out: [h, w], up: 1, down: 1, taps: p.taps, before: [around; 2] };
    let blur = (p.taps != [1.0]).then(|| Plan::new(&blur));
    let image = Image { pixels: h * w, channels: c };
    let block = (BLOCK / (w * c)).max(1) * w;
    let epilogue = |n: usize, y: &mut [f32]| {
        // The activated values of some whole rows.
        let activated = |rows: Range<usize>, then: &mut dyn FnMut(&[f32])| {
            with_blocks(rows.len() * c, |blurred, activated| {
                let first = n * h * w + rows.start;
                let x = match &blur {
                    None => &x[first * c..],
                    Some(plan) => {
                        plan.write(x, first / w, blurred);
                        blurred
                    }
                };
                let operands = [strength, b];
                simd!(|| pixels::<true>(x, noise, first % noise.len(), operands, p.alpha, &mut *activated));
                then(activated);
            });
        };
        let [mut mean, mut rsqrt] = [(); 2].map(|()| vec![0.0; c]);
        image.statistics(block, [&mut mean, &mut rsqrt], activated);
        let [scale, bias] = &image.style(style, n, &rsqrt);
        let cost = y.len();
        pieces(y, block * c, cost, |start, y| {
            let rows = start / c..(start + y.len()) / c;
            activated(rows, &mut |x| simd!(|| normalize(x, [&mean, scale, bias], y)));
        });
    };
    if is_large(x.len()) {
        y.par_chunks_mut(h * w * c).enumerate().for_each(|(n, y)| epilogue(n, y));
    } else {
        y.chunks_mut(h * w * c).enumerate().for_each(|(n, y)| epilogue(n, y));
    }
}

/// Calls `f` with two blocks of this thread's memory.
fn with_blocks(len: usize, f: impl FnOnce(&mut [f32], &mut [f32])) {
    thread_local! {
        static BLOCKS: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    }
    BLOCKS.with_borrow_mut(|blocks| {
        let [a, b] = blocks.each_mut().map(|block| {
            block.resize(block.len().max(len), 0.0);
            &mut block[..len]
        });
        f(a, b);
    });
}
