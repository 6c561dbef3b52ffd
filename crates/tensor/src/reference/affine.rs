use super::Array;
use crate::AffineResample;

pub(super) fn resample(p: &AffineResample, x: &Array, m: &Array, shape: &[usize]) -> Vec<f64> {
    let mut y = vec![0.0; shape.iter().product()];
    let channels = shape[3];
    each(p, &x.shape, shape, m, |weight, from, to| {
        for c in 0..channels {
            y[to + c] += weight * x.values[from + c];
        }
    });
    y
}

pub(super) fn resample_transpose(p: &AffineResample, y: &Array, m: &Array, shape: &[usize]) -> Vec<f64> {
    let mut x = vec![0.0; shape.iter().product()];
    let channels = shape[3];
    each(p, shape, &y.shape, m, |weight, to, from| {
        for c in 0..channels {
            x[to + c] += weight * y.values[from + c];
        }
    });
    x
}

/// Calls `f` with the weight, the first channel in x and the first channel in y of every pair of pixels that belong together.
fn each(p: &AffineResample, x: &[usize], y: &[usize], m: &Array, mut f: impl FnMut(f64, usize, usize)) {
    for n in 0..y[0] {
        for i in 0..y[1] {
            for j in 0..y[2] {
                let at = |row: usize| {
                    let m = &m.values[6 * n + 3 * row..][..3];
                    m[0] * i as f64 + m[1] * j as f64 + m[2]
                };
                let columns = weights(p, at(1), x[2]);
                for (row, row_weight) in weights(p, at(0), x[1]) {
                    for &(column, weight) in &columns {
                        let pixel = ((n * x[1] + row) * x[2] + column) * x[3];
                        f(row_weight * weight, pixel, ((n * y[1] + i) * y[2] + j) * y[3]);
                    }
                }
            }
        }
    }
}

/// The pixels of one axis of x with the weight of each at `position`; a pixel that is also reflected comes several times.
fn weights(p: &AffineResample, position: f64, size: usize) -> Vec<(usize, f64)> {
    let last = size as isize - 1;
    let reach = if p.reflect { last } else { 0 };
    let all = (-reach..=last + reach).map(|at| {
        let from_first = at.abs();
        let folded = if from_first > last { 2 * last - from_first } else { from_first };
        (folded as usize, phi(p, position - at as f64))
    });
    all.filter(|(_, weight)| *weight != 0.0).collect()
}

fn phi(p: &AffineResample, distance: f64) -> f64 {
    let length = p.taps.len() as f64;
    let at = distance * p.up as f64 + (length - 1.0) / 2.0;
    if !(at > -1.0 && at < length) {
        return 0.0;
    }
    let tap = |t: f64| if t < 0.0 || t >= length { 0.0 } else { p.taps[t as usize] };
    let part = at - at.floor();
    tap(at.floor()) * (1.0 - part) + tap(at.floor() + 1.0) * part
}
