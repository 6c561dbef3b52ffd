//! The adjoint of a convolution in its weights: products over pixels. Tasks own a block of the weights and a chunk of
//! the tiles; chunks are summed in their order.

use super::buffers::grow;
use super::pass::{Pass, Tile};
use super::scratch::Scratch;
use super::tiling::Tiling;
use super::winograd::Winograd;
use super::{direct, winograd};
use crate::matmul::product;
use crate::matrix::Matrix;
use crate::parallel::put;
use rayon::prelude::*;
use stylegan_tensor::Algorithm;

/// Tasks wanted for 16 cores.
const TASKS: usize = 32;
/// Elements that the partial sums may take in all.
const PARTIALS: usize = 1 << 23;

/// `w (+)= Σ x[n, i·s + u − top, j·s + v − left, c] · y[n, i, j, o]`; `pass` is the convolution's,
/// `size` the number of images and the rows of y.
pub(super) fn weight_grad(
    pass: &Pass,
    algorithm: Algorithm,
    size: [usize; 2],
    [x, y]: [&[f32]; 2],
    w: &mut [f32],
    accumulate: bool,
    scratch: &mut Scratch,
) {
    if let Some(transforms) = Winograd::new(pass, algorithm) {
        return winograd::weight_grad(&transforms, size, [x, y], w, accumulate, scratch);
    }
    let pixels = ((1 << 16) / (pass.c + pass.o)).clamp(128, 512);
    let tiling = Tiling::with_pixels(pixels, pass.ow, size);
    let block = block(pass, algorithm, tiling.count());
    let blocks = pass.kh / block.kh * (pass.kw / block.kw);
    let chunks = TASKS.div_ceil(blocks).min(PARTIALS / w.len().max(1)).clamp(1, tiling.count());
    let Scratch { large, buffers, .. } = scratch;
    buffers.reserve(block.workspace(algorithm, tiling.images, tiling.rows));
    let partials = grow(large, if chunks > 1 { chunks * w.len() } else { 0 });
    let sums = if chunks > 1 { &mut *partials } else { &mut *w };
    let accumulate_here = chunks == 1 && accumulate;
    let work = |(task, sums): (usize, &mut [f32])| {
        let (chunk, index) = (task / blocks, task % blocks);
        let row = index / (pass.kw / block.kw) * block.kh;
        let column = index % (pass.kw / block.kw) * block.kw;
        let part = Pass { top: pass.top - row as isize, left: pass.left - column as isize, ..block };
        let first = tiling.count() * chunk / chunks;
        for tile in first..tiling.count() * (chunk + 1) / chunks {
            let add = accumulate_here || tile > first;
            buffers
                .with(|buffer| add_tile(&part, algorithm, [x, y], tiling.tile(tile), tiling.height, sums, add, buffer));
        }
    };
    sums.par_chunks_mut(block.depth() * pass.o).with_max_len(1).enumerate().for_each(work);
    if chunks > 1 {
        let (len, partials) = (w.len(), &*partials);
        w.par_chunks_mut(4096).enumerate().for_each(|(index, w)| {
            for chunk in 0..chunks {
                let part = &partials[chunk * len + index * 4096..][..w.len()];
                put(w, part, accumulate || chunk > 0);
            }
        });
    }
}

/// The part of the kernel that a task computes: all of it, a row, or one tap. Its weights are neighbours in memory.
fn block(pass: &Pass, algorithm: Algorithm, tiles: usize) -> Pass {
    let size = pass.depth() * pass.o;
    if size <= 1 << 14 || algorithm == Algorithm::Direct {
        *pass
    } else if tiles.min(PARTIALS / size) * pass.kh >= TASKS / 2 {
        Pass { kh: 1, ..*pass }
    } else {
        Pass { kh: 1, kw: 1, ..*pass }
    }
}

/// Adds one tile's part to `sums`, or starts it.
#[allow(clippy::too_many_arguments, reason = "one step of the loop above, with what it borrows")]
fn add_tile(
    pass: &Pass,
    algorithm: Algorithm,
    [x, y]: [&[f32]; 2],
    tile: Tile,
    height: usize,
    sums: &mut [f32],
    add: bool,
    buffer: &mut [f32],
) {
    let (o, depth) = (pass.o, pass.depth());
    let y = &y[(tile.image * height + tile.row) * pass.ow * o..][..tile.images * tile.rows * pass.ow * o];
    let pixels = tile.images * tile.rows * pass.ow;
    match algorithm {
        Algorithm::Direct => direct::weight_grad(pass, x, y, tile, sums, add, buffer),
        Algorithm::Im2col => {
            let windows = if pass.is_pointwise() && height == pass.h {
                &x[(tile.image * pass.h + tile.row) * pass.w * depth..][..pixels * depth]
            } else {
                pass.gather_windows(x, tile, &mut buffer[..pixels * depth]);
                &buffer[..pixels * depth]
            };
            let windows = Matrix::rows(windows, depth).transposed();
            product([depth, pixels, o], windows, Matrix::rows(y, o), sums, o, add);
        }
        Algorithm::Winograd | Algorithm::Bf16 => unreachable!("`weight_grad` has taken another way"),
        Algorithm::Shifted => {
            let (wide, length) = (pass.wide(), pass.kw * pass.c);
            let (padded, gradients) = buffer.split_at_mut(pass.gathered(tile.rows));
            let gradients = &mut gradients[..tile.rows * wide * o];
            for image in 0..tile.images {
                let x = &x[(tile.image + image) * pass.image()..][..pass.image()];
                pass.gather_rows(x, tile.row, tile.rows, padded);
                let y = y[image * tile.rows * pass.ow * o..].chunks_exact(pass.ow * o);
                for (line, y) in gradients.chunks_exact_mut(wide * o).zip(y) {
                    line[..y.len()].copy_from_slice(y);
                    line[y.len()..].fill(0.0);
                }
                for u in 0..pass.kh {
                    let a = Matrix::rows(&padded[pass.term(u, tile.rows)..], pass.stride * pass.c).transposed();
                    let size = [length, tile.rows * wide, o];
                    let sums = &mut sums[u * length * o..][..length * o];
                    product(size, a, Matrix::rows(gradients, o), sums, o, add || image > 0);
                }
            }
        }
    }
}
