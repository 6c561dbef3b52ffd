//! The definition of the three convolutions, and what computes them.

use crate::values::numbers;
use stylegan_cpu_kernels::conv::{Conv, Kind, Scratch, conv2d, conv2d_transpose, conv2d_weight_grad};
use stylegan_tensor::Algorithm;

pub const KINDS: [Kind; 3] = [Kind::Forward, Kind::Transpose, Kind::WeightGrad];

/// The three operands; a kind writes one of them from the other two.
#[derive(Clone)]
pub struct Operands {
    pub x: Vec<f32>,
    pub y: Vec<f32>,
    pub w: Vec<f32>,
}

pub fn operands(g: &Conv) -> Operands {
    Operands {
        x: numbers(g.n * g.h * g.w * g.c, 1),
        y: numbers(g.n * g.oh * g.ow * g.o, 2),
        w: numbers(g.kh * g.kw * g.c * g.o, 3),
    }
}

pub fn conv(
    n: usize,
    [h, w, c]: [usize; 3],
    [kh, kw, o]: [usize; 3],
    stride: usize,
    padding: [usize; 4],
) -> Option<Conv> {
    let [top, bottom, left, right] = padding;
    let oh = (h + top + bottom).checked_sub(kh)? / stride + 1;
    let ow = (w + left + right).checked_sub(kw)? / stride + 1;
    Some(Conv { n, h, w, c, kh, kw, o, oh, ow, stride, padding })
}

/// The definition, in f64: visits every product `x · w` that is part of a `y`.
pub fn reference(kind: Kind, g: &Conv, operands: &Operands) -> Vec<f64> {
    let Operands { x, y, w } = operands;
    let mut out = vec![0.0; [y.len(), x.len(), w.len()][kind as usize]];
    for place in 0..g.n * g.oh * g.ow {
        let (n, i, j) = (place / (g.oh * g.ow), place / g.ow % g.oh, place % g.ow);
        for (u, v) in (0..g.kh * g.kw).map(|tap| (tap / g.kw, tap % g.kw)) {
            let (p, q) = ((i * g.stride + u).wrapping_sub(g.padding[0]), (j * g.stride + v).wrapping_sub(g.padding[2]));
            if p >= g.h || q >= g.w {
                continue;
            }
            for (c, o) in (0..g.c * g.o).map(|k| (k / g.o, k % g.o)) {
                let at_x = ((n * g.h + p) * g.w + q) * g.c + c;
                let at_w = ((u * g.kw + v) * g.c + c) * g.o + o;
                let at_y = place * g.o + o;
                match kind {
                    Kind::Forward => out[at_y] += f64::from(x[at_x]) * f64::from(w[at_w]),
                    Kind::Transpose => out[at_x] += f64::from(y[at_y]) * f64::from(w[at_w]),
                    Kind::WeightGrad => out[at_w] += f64::from(x[at_x]) * f64::from(y[at_y]),
                }
            }
        }
    }
    out
}

/// Computes into a copy of the operand that the kind writes.
pub fn compute(
    kind: Kind,
    g: &Conv,
    with: &Operands,
    algorithm: Option<Algorithm>,
    accumulate: bool,
    scratch: &mut Scratch,
) -> Vec<f32> {
    let Operands { mut x, mut y, mut w } = with.clone();
    match kind {
        Kind::Forward => conv2d(g, &x, &w, &mut y, algorithm, accumulate, scratch),
        Kind::Transpose => conv2d_transpose(g, &y, &w, &mut x, algorithm, accumulate, scratch),
        Kind::WeightGrad => conv2d_weight_grad(g, &x, &y, &mut w, algorithm, accumulate, scratch),
    }
    match kind {
        Kind::Forward => y,
        Kind::Transpose => x,
        Kind::WeightGrad => w,
    }
}
