//! Sums, means and maxima over any axes. Neighbouring axes of one kind are merged, which leaves passes of one form:
//! `[a, r, b] → [a, b]`. Sums grow in many lanes over short blocks, and the blocks are added in f64 in their order.

use stylegan_tensor::Reduce;

use crate::parallel::{BLOCK, pieces, simd};

/// `axes` of x reduced into y.
pub fn reduce(op: Reduce, x: &[f32], shape: &[usize], axes: &[usize], y: &mut [f32]) {
    let count: usize = axes.iter().map(|&axis| shape[axis]).product();
    // Runs of axes that are all kept or all reduced.
    let mut runs: Vec<(usize, bool)> = Vec::with_capacity(shape.len());
    for (axis, &size) in shape.iter().enumerate() {
        let reduced = axes.contains(&axis);
        match runs.last_mut() {
            _ if size == 1 => {}
            Some(last) if last.1 == reduced => last.0 *= size,
            _ => runs.push((size, reduced)),
        }
    }
    let mut partial: Option<Vec<f32>> = None;
    loop {
        let (sizes, last) = match runs.iter().rposition(|run| run.1) {
            Some(last) => (split(&runs, last), last),
            None => ([y.len(), 1, 1], runs.len()),
        };
        let x = partial.as_deref().unwrap_or(x);
        if last < runs.len() {
            runs.remove(last);
        }
        if runs.iter().all(|run| !run.1) {
            reduce_middle(op, x, sizes, y);
            break;
        }
        let mut z = vec![0.0; sizes[0] * sizes[2]];
        reduce_middle(op, x, sizes, &mut z);
        partial = Some(z);
    }
    if op == Reduce::Mean {
        let count = count as f32;
        y.iter_mut().for_each(|y| *y /= count);
    }
}

/// Elements before, in and after run `middle`.
fn split(runs: &[(usize, bool)], middle: usize) -> [usize; 3] {
    let product = |runs: &[(usize, bool)]| runs.iter().map(|run| run.0).product();
    [product(&runs[..middle]), runs[middle].0, product(&runs[middle + 1..])]
}

/// `[a, r, b] → [a, b]`, without the division of a mean.
fn reduce_middle(op: Reduce, x: &[f32], [a, r, b]: [usize; 3], y: &mut [f32]) {
    if y.is_empty() {
        return;
    }
    let rows = (BLOCK / b).max(64);
    let blocks = r.div_ceil(rows);
    if blocks <= 1 {
        // Columns of few rows, or several short reductions, are a task.
        let size = if r * b > BLOCK { BLOCK / r } else { BLOCK / (r * b).max(1) * b };
        return pieces(y, size, x.len(), |start, piece| {
            let (mut at, mut rest) = (start, piece);
            while !rest.is_empty() {
                let column = at % b;
                let (out, others) = rest.split_at_mut((b - column).min(rest.len()));
                fold_block(op, &x[at / b * r * b..][..r * b], b, column, out);
                (at, rest) = (at + out.len(), others);
            }
        });
    }
    let mut partials = vec![0.0; a * blocks * b];
    pieces(&mut partials, b, x.len(), |start, out| {
        let (i, block) = (start / b / blocks, start / b % blocks);
        let range = block * rows * b..((block + 1) * rows).min(r) * b;
        fold_block(op, &x[i * r * b..][range], b, 0, out);
    });
    for (i, y) in y.iter_mut().enumerate() {
        let first = i / b * blocks * b + i % b;
        let column = (0..blocks).map(|block| partials[first + block * b]);
        *y = match op {
            Reduce::Max => column.fold(f32::NEG_INFINITY, max),
            Reduce::Sum | Reduce::Mean => column.map(f64::from).sum::<f64>() as f32,
        };
    }
}

#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// Columns `column..` of the rows of x, `b` elements each, reduced into `out`.
fn fold_block(op: Reduce, x: &[f32], b: usize, column: usize, out: &mut [f32]) {
    match op {
        Reduce::Max => simd!(|| fold(x, b, column, out, f32::NEG_INFINITY, max)),
        Reduce::Sum | Reduce::Mean => simd!(|| fold(x, b, column, out, 0.0, |a, b| a + b)),
    }
}

/// Accumulators of one pass over the rows.
const LANES: usize = 256;

#[inline(always)]
fn fold(x: &[f32], b: usize, column: usize, out: &mut [f32], start: f32, combine: impl Fn(f32, f32) -> f32 + Copy) {
    if b == 1 && x.len() <= SHORT {
        out[0] = fold_short(x, start, combine);
        return;
    }
    let rows = x.len() / b;
    // Several narrow rows are taken as one wide row, whose parts are combined in the end.
    let whole = out.len() == b && 2 * b <= LANES;
    let fit = if whole { (LANES / b + 1).next_power_of_two() / 2 } else { 1 };
    let group = fit.min(rows.max(1).next_power_of_two());
    for (tile, out) in out.chunks_mut(LANES).enumerate() {
        let first = column + tile * LANES;
        let width = if whole { group * b } else { out.len() };
        let mut lanes = [0.0; LANES];
        let lanes = &mut lanes[..width];
        lanes.fill(start);
        for row in x.chunks(group * b) {
            let row = &row[first.min(row.len())..(first + width).min(row.len())];
            for (lane, &x) in lanes.iter_mut().zip(row) {
                *lane = combine(*lane, x);
            }
        }
        let mut parts = group;
        while parts > 1 {
            parts /= 2;
            let (low, high) = lanes.split_at_mut(parts * b);
            for (low, &high) in low.iter_mut().zip(&*high) {
                *low = combine(*low, high);
            }
        }
        out.copy_from_slice(&lanes[..out.len()]);
    }
}

/// A run that 16 lanes fold with chains of at most 64.
const SHORT: usize = 1024;

#[inline(always)]
fn fold_short(x: &[f32], start: f32, combine: impl Fn(f32, f32) -> f32 + Copy) -> f32 {
    let (rows, rest) = x.as_chunks::<16>();
    let mut lanes = [start; 16];
    for row in rows {
        for lane in 0..16 {
            lanes[lane] = combine(lanes[lane], row[lane]);
        }
    }
    let mut total = rest.iter().fold(start, |total, &x| combine(total, x));
    if !rows.is_empty() {
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] = combine(lanes[lane], lanes[lane + half]);
            }
        }
        total = combine(total, lanes[0]);
    }
    total
}
