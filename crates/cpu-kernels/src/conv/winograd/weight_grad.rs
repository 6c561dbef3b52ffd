//! The adjoint of Winograd's convolution in the weights: of its three steps, in their reversed order.

use super::factors::Factors;
use super::matrices::{Lanes, Matrices, SIDE};
use super::{GAP, PANEL, Transform, Winograd, both_axes};
use crate::conv::buffers::grow;
use crate::conv::pass::{Pass, Tile};
use crate::conv::scratch::Scratch;
use crate::matrix::Matrix;
use crate::parallel::Shared;
use pulp::Simd;
use rayon::prelude::*;
use std::ops::Range;

/// Words of the transforms of tiles that are multiplied at once: few stay in the cache, but sums that do not are read and written
/// once for each batch of them.
const WORDS: usize = 64;
/// And where sums are many.
const MANY_WORDS: usize = 128;
/// Sums of a task from which on they do not stay in the cache.
const MANY_SUMS: usize = 1 << 20;
/// Tiles of a chunk, at least.
const CHUNK: usize = 64;
/// Tasks wanted: more would share too little.
const TASKS: usize = 8;
/// Elements that the sums of all tasks may take, if one set of sums does not take more.
const SUMS: usize = 1 << 22;
/// Rows and columns of a block: smaller ones, as only few tasks justify, would be transformed more often than needed.
const BLOCK: usize = 128;

/// Which part of the work a task does: a block of the sums, over a chunk of the tiles. It shares nothing with other tasks,
/// since what one core has just written is slow to read for another; chunks are added in their order.
struct Plan {
    /// Rows and columns of a block.
    block: [usize; 2],
    /// Blocks along the depth and along the outputs.
    blocks: [usize; 2],
    chunks: usize,
    /// Elements of a task's sums, and between those of two points.
    sums: usize,
    plane: usize,
}

impl Plan {
    fn new(winograd: &Winograd, tiles: usize) -> Self {
        let size = [winograd.depth(), winograd.pass.o];
        let most = (SUMS / (winograd.planes() * size[0] * size[1])).clamp(1, TASKS);
        let mut chunks = 1 << most.min(tiles.div_ceil(CHUNK)).ilog2();
        let mut block = size;
        let count = |block: [usize; 2]| [size[0].div_ceil(block[0]), size[1].div_ceil(block[1])];
        while chunks * count(block)[0] * count(block)[1] < TASKS && block[0].max(block[1]) > BLOCK {
            let longer = usize::from(block[1] > block[0]);
            block[longer] = block[longer].div_ceil(2).next_multiple_of(16);
        }
        // One task would leave all cores but one without work.
        if chunks * count(block)[0] * count(block)[1] == 1 && most > 1 && tiles >= CHUNK / 2 {
            chunks = 2;
        }
        let plane = block[0] * block[1] + GAP;
        Self { block, blocks: count(block), chunks, sums: winograd.planes() * plane, plane }
    }

    fn tasks(&self) -> usize {
        self.chunks * self.blocks[0] * self.blocks[1]
    }

    /// Chunk, rows and columns of a task, of a matrix of `size`.
    fn task(&self, task: usize, size: [usize; 2]) -> (usize, Range<usize>, Range<usize>) {
        let [_, across] = self.blocks;
        let range = |index: usize, axis: usize| {
            let first = index * self.block[axis];
            first..(first + self.block[axis]).min(size[axis])
        };
        let block = task % (self.blocks[0] * across);
        (task / (self.blocks[0] * across), range(block / across, 0), range(block % across, 1))
    }
}

/// `w (+)= Σ x · y` for images of `height` rows of results.
pub(in crate::conv) fn weight_grad(
    winograd: &Winograd,
    [n, height]: [usize; 2],
    [x, y]: [&[f32]; 2],
    w: &mut [f32],
    accumulate: bool,
    scratch: &mut Scratch,
) {
    let tile = Tile { image: 0, images: n, row: 0, rows: height };
    let places: Vec<_> = winograd.places(tile).collect();
    let plan = Plan::new(winograd, places.len());
    let words = if plan.sums < MANY_SUMS { WORDS } else { MANY_WORDS };
    let batch = if winograd.bf16 { 2 * words } else { words };
    let most = winograd.words(batch.min(places.len()));
    let planes = plan.block.map(|channels| winograd.plane(most, channels));
    let Scratch { large, buffers, .. } = scratch;
    buffers.reserve(winograd.planes() * (planes[0] + planes[1]));
    let sums = grow(large, plan.tasks() * plan.sums);
    let size = [winograd.depth(), winograd.pass.o];
    sums.par_chunks_mut(plan.sums).with_max_len(1).enumerate().for_each(|(task, sums)| {
        let (chunk, rows, columns) = plan.task(task, size);
        let places = &places[places.len() * chunk / plan.chunks..places.len() * (chunk + 1) / plan.chunks];
        buffers.with(|buffer| {
            let (inputs, grads) = buffer.split_at_mut(winograd.planes() * planes[0]);
            for (index, places) in places.chunks(batch).enumerate() {
                let [to_inputs, to_grads] = [Shared(inputs.as_mut_ptr()), Shared(grads.as_mut_ptr())];
                for (index, &at) in places.iter().enumerate() {
                    let (rows, columns) = (rows.clone(), columns.clone());
                    let to = &to_grads;
                    // SAFETY: the buffer's parts hold all planes of `most` tiles of a block's rows and columns.
                    unsafe { winograd.transform_input(x.into(), at, rows, &to_inputs, planes[0], index, true) };
                    winograd.dispatch(OutputGrad {
                        winograd,
                        y,
                        height,
                        at,
                        columns,
                        to,
                        plane: planes[1],
                        index,
                        most,
                    });
                }
                for point in 0..winograd.planes() {
                    let a = Matrix::rows(&inputs[point * planes[0]..], rows.len()).transposed();
                    let sums = &mut sums[point * plan.plane..][..plan.plane];
                    for first in (0..columns.len()).step_by(PANEL) {
                        let width = PANEL.min(columns.len() - first);
                        let b = Matrix::rows(&grads[point * planes[1] + first * most..], width);
                        let size = [rows.len(), winograd.words(places.len()), width];
                        winograd.product(size, a, b, &mut sums[first..], plan.block[1], index > 0);
                    }
                }
            }
        });
    });
    let (sums, w) = (&*sums, Shared(w.as_mut_ptr()));
    (0..size[0]).into_par_iter().with_min_len(4).for_each(|row| {
        let w = &w;
        winograd.dispatch(WeightsGrad { winograd, plan: &plan, sums, row, w, accumulate });
    });
}

/// `A y Aᵀ` of a tile of a gradient: the adjoint of the last transform. It is row `index` of a matrix at `point · plane`, where
/// `to` has room for it, which is stored in panels of `most` rows.
struct OutputGrad<'a> {
    winograd: &'a Winograd,
    y: &'a [f32],
    height: usize,
    at: [usize; 3],
    columns: Range<usize>,
    to: &'a Shared<f32>,
    plane: usize,
    index: usize,
    most: usize,
}

impl Transform for OutputGrad<'_> {
    #[inline(always)]
    fn with<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize>(self, simd: S) {
        let Self { winograd, y, height, at: [image, row, column], columns, to, plane, index, most } = self;
        let Pass { o, ow, .. } = winograd.pass;
        let y = &y[image * height * ow * o..][..height * ow * o];
        let zero = Lanes::zero(simd);
        for lane in columns.clone().step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(columns.end - lane);
            let at = lane - columns.start;
            let (line, odd) = if K::PAIRED { (index / 2, index % 2 == 1) } else { (index, false) };
            let first = at / PANEL * PANEL;
            let first = first * most + line * PANEL.min(columns.len() - first) + at - first;
            both_axes!(
                F::output_grad::<S>, SIDE, P, zero,
                load(i, j) if row + i < height && column + j < ow {
                    Lanes::load(simd, &y[((row + i) * ow + column + j) * o + lane..][..count])
                } else {
                    zero
                },
                store(p, q, value) {
                    // SAFETY: whoever makes an `OutputGrad` has room for it.
                    unsafe { K::across(value, count, to.0.add((p * P + q) * plane + first), odd) };
                }
            );
        }
    }
}

/// `Gᵀ u G`: the sums of all points and chunks become the gradient of row `row` of the weights, which no other task has;
/// `w` has room for all weights.
struct WeightsGrad<'a> {
    winograd: &'a Winograd,
    plan: &'a Plan,
    sums: &'a [f32],
    row: usize,
    w: &'a Shared<f32>,
    accumulate: bool,
}

impl Transform for WeightsGrad<'_> {
    #[inline(always)]
    fn with<S: Simd, K: Factors, F: Matrices<R, P>, const R: usize, const P: usize>(self, simd: S) {
        let Self { winograd, plan, sums, row, w, accumulate } = self;
        let zero = Lanes::zero(simd);
        let ([height, width], [_, across]) = (plan.block, plan.blocks);
        let chunk = plan.sums * plan.blocks[0] * across;
        for block in 0..across {
            let first = (row / height * across + block) * plan.sums + row % height * width;
            let columns = width.min(winograd.pass.o - block * width);
            for lane in (0..columns).step_by(S::F32_LANES) {
                let count = S::F32_LANES.min(columns - lane);
                both_axes!(
                    F::weights_grad::<S>, P, R, zero,
                    load(i, j) {
                        let first = first + (i * P + j) * plan.plane + lane;
                        let mut sum = Lanes::load(simd, &sums[first..][..count]);
                        for other in 1..plan.chunks {
                            sum = sum + Lanes::load(simd, &sums[first + other * chunk..][..count]);
                        }
                        sum
                    },
                    store(p, q, value) {
                        let place = winograd.tap(row, p, q) + block * width + lane;
                        // SAFETY: whoever makes a `WeightsGrad` has room for all weights; each row has places of its own.
                        let place = unsafe { std::slice::from_raw_parts_mut(w.0.add(place), count) };
                        let value = if accumulate { value + Lanes::load(simd, place) } else { value };
                        value.store(place);
                    }
                );
            }
        }
    }
}
