use super::Array;
use crate::{Error, Kernel, Reduce, Result, strides};

/// Calls `f` for every index of `shape`, last axis fastest, with `at[k] + Σ index · strides[k]` for each k.
pub(super) fn walk<const K: usize>(
    shape: &[usize],
    strides: [&[isize]; K],
    mut at: [isize; K],
    f: &mut impl FnMut([usize; K]),
) {
    let Some((&size, inner)) = shape.split_first() else {
        return f(at.map(|at| at as usize));
    };
    for _ in 0..size {
        if inner.is_empty() {
            f(at.map(|at| at as usize));
        } else {
            walk(inner, strides.map(|s| &s[1..]), at, f);
        }
        for k in 0..K {
            at[k] += strides[k][0];
        }
    }
}

/// Steps through an operand of shape `from` along each axis of `to`: 0 where it is broadcast.
pub(super) fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<isize> {
    let missing = to.len() - from.len();
    let steps = strides(from);
    (0..to.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(i) if from[i] != 1 => steps[i] as isize,
            _ => 0,
        })
        .collect()
}

/// A `Kernel::Copy` from `x` into `y`.
pub(super) fn copy(kernel: &Kernel, x: &[f64], y: &mut [f64], accumulate: bool) {
    let Kernel::Copy { shape, src, src_strides, dst, dst_strides } = kernel else {
        unreachable!("only a copy comes here");
    };
    let first = [*src as isize, *dst as isize];
    walk(shape, [src_strides, dst_strides], first, &mut |[from, to]| {
        y[to] = if accumulate { y[to] + x[from] } else { x[from] };
    });
}

pub(super) fn reduce(op: Reduce, x: &Array, axes: &[usize]) -> Vec<f64> {
    // Axes of size 1 are the broadcast ones: walking x walks y with steps of 0 along what is reduced.
    let kept: Vec<usize> =
        (0..x.shape.len()).map(|axis| if axes.contains(&axis) { 1 } else { x.shape[axis] }).collect();
    let (from, to) = (broadcast_strides(&x.shape, &x.shape), broadcast_strides(&kept, &x.shape));
    let start = if op == Reduce::Max { f64::NEG_INFINITY } else { 0.0 };
    let mut y = vec![start; kept.iter().product()];
    walk(&x.shape, [&from, &to], [0, 0], &mut |[from, to]| {
        y[to] = match op {
            Reduce::Sum | Reduce::Mean => y[to] + x.values[from],
            Reduce::Max if x.values[from] > y[to] || x.values[from].is_nan() => x.values[from],
            Reduce::Max => y[to],
        };
    });
    if op == Reduce::Mean {
        let count: usize = axes.iter().map(|&axis| x.shape[axis]).product();
        y.iter_mut().for_each(|y| *y /= count as f64);
    }
    y
}

pub(super) fn gather_rows(table: &Array, rows: &Array, shape: &[usize]) -> Result<Vec<f64>> {
    let width = shape[1];
    let mut y = Vec::with_capacity(shape.iter().product());
    for &row in &rows.values {
        let row = check_row("gather_rows", row, table.shape[0])?;
        y.extend_from_slice(&table.values[row * width..][..width]);
    }
    Ok(y)
}

pub(super) fn scatter_rows(y: &Array, rows: &Array, shape: &[usize]) -> Result<Vec<f64>> {
    let width = shape[1];
    let mut table = vec![0.0; shape.iter().product()];
    for (k, &row) in rows.values.iter().enumerate() {
        let row = check_row("scatter_rows", row, shape[0])?;
        for c in 0..width {
            table[row * width + c] += y.values[k * width + c];
        }
    }
    Ok(table)
}

fn check_row(op: &'static str, row: f64, count: usize) -> Result<usize> {
    if row >= 0.0 && row < count as f64 {
        return Ok(row as usize);
    }
    Err(Error::device(op, format!("rows must be in 0..{count}, got {row}")))
}
