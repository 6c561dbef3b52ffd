use super::Array;
use crate::{Conv2d, Upfirdn2d};

pub(super) fn matmul(a: &Array, b: &Array, transpose_a: bool, transpose_b: bool, shape: &[usize]) -> Vec<f64> {
    let [batch, m, n] = [shape[0], shape[1], shape[2]];
    let k = if transpose_a { a.shape[1] } else { a.shape[2] };
    let (a_row, a_column) = if transpose_a { (1, m) } else { (k, 1) };
    let (b_row, b_column) = if transpose_b { (1, k) } else { (n, 1) };
    let mut y = vec![0.0; batch * m * n];
    for s in 0..batch {
        let a_at = if a.shape[0] == 1 { 0 } else { s * m * k };
        let b_at = if b.shape[0] == 1 { 0 } else { s * k * n };
        for i in 0..m {
            let row = &mut y[(s * m + i) * n..][..n];
            for l in 0..k {
                let a = a.values[a_at + i * a_row + l * a_column];
                for (j, y) in row.iter_mut().enumerate() {
                    *y += a * b.values[b_at + l * b_row + j * b_column];
                }
            }
        }
    }
    y
}

pub(super) fn conv2d(p: &Conv2d, x: &Array, w: &Array, shape: &[usize]) -> Vec<f64> {
    let [channels, outputs] = [w.shape[2], w.shape[3]];
    let mut y = vec![0.0; shape.iter().product()];
    each_tap(p, &x.shape, &w.shape, shape, |x_at, w_at, y_at| {
        let y = &mut y[y_at..][..outputs];
        for c in 0..channels {
            let x = x.values[x_at + c];
            let w = &w.values[w_at + c * outputs..][..outputs];
            for o in 0..outputs {
                y[o] += x * w[o];
            }
        }
    });
    y
}

pub(super) fn conv2d_transpose(p: &Conv2d, y: &Array, w: &Array, shape: &[usize]) -> Vec<f64> {
    let [channels, outputs] = [w.shape[2], w.shape[3]];
    let mut x = vec![0.0; shape.iter().product()];
    each_tap(p, shape, &w.shape, &y.shape, |x_at, w_at, y_at| {
        let y = &y.values[y_at..][..outputs];
        for c in 0..channels {
            let w = &w.values[w_at + c * outputs..][..outputs];
            x[x_at + c] += y.iter().zip(w).map(|(y, w)| y * w).sum::<f64>();
        }
    });
    x
}

pub(super) fn conv2d_weight_grad(p: &Conv2d, x: &Array, y: &Array, shape: &[usize]) -> Vec<f64> {
    let [channels, outputs] = [shape[2], shape[3]];
    let mut w = vec![0.0; shape.iter().product()];
    each_tap(p, &x.shape, shape, &y.shape, |x_at, w_at, y_at| {
        let y = &y.values[y_at..][..outputs];
        for c in 0..channels {
            let x = x.values[x_at + c];
            let w = &mut w[w_at + c * outputs..][..outputs];
            for o in 0..outputs {
                w[o] += x * y[o];
            }
        }
    });
    w
}

/// Calls `f(x, w, y)` with the first elements of every pixel of x, tap of w and pixel of y that meet.
fn each_tap(p: &Conv2d, x: &[usize], w: &[usize], y: &[usize], mut f: impl FnMut(usize, usize, usize)) {
    let [top, _, left, _] = p.padding;
    for n in 0..y[0] {
        for i in 0..y[1] {
            for j in 0..y[2] {
                for u in 0..w[0] {
                    for v in 0..w[1] {
                        let row = (i * p.stride + u).checked_sub(top).filter(|&row| row < x[1]);
                        let column = (j * p.stride + v).checked_sub(left).filter(|&column| column < x[2]);
                        if let (Some(row), Some(column)) = (row, column) {
                            f(
                                ((n * x[1] + row) * x[2] + column) * x[3],
                                (u * w[1] + v) * w[2] * w[3],
                                ((n * y[1] + i) * y[2] + j) * y[3],
                            );
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn upfirdn2d(p: &Upfirdn2d, x: &Array, shape: &[usize]) -> Vec<f64> {
    let [height, width, channels] = [x.shape[1], x.shape[2], x.shape[3]];
    let [top, _, left, _] = p.padding;
    let mut y = vec![0.0; shape.iter().product()];
    for n in 0..shape[0] {
        for i in 0..shape[1] {
            for j in 0..shape[2] {
                let pixel = &mut y[((n * shape[1] + i) * shape[2] + j) * channels..][..channels];
                for (u, row_tap) in p.taps.iter().enumerate() {
                    for (v, column_tap) in p.taps.iter().enumerate() {
                        let row = source(p, i * p.down + u, top, height);
                        let column = source(p, j * p.down + v, left, width);
                        if let (Some(row), Some(column)) = (row, column) {
                            let x = &x.values[((n * height + row) * width + column) * channels..][..channels];
                            for c in 0..channels {
                                pixel[c] += row_tap * column_tap * x[c];
                            }
                        }
                    }
                }
            }
        }
    }
    y
}

/// The row of x at row `at` of the upsampled and padded image; `None` where that is an inserted zero.
fn source(p: &Upfirdn2d, at: usize, before: isize, size: usize) -> Option<usize> {
    let at = usize::try_from(at as isize - before).ok()?;
    (at.is_multiple_of(p.up) && at / p.up < size).then_some(at / p.up)
}
