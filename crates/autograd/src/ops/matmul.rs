use stylegan_tensor::{Error, Kernel, Result, broadcast};

use super::{reshape, sum};
use crate::node::Edge;
use crate::tensor::{Tensor, features};

/// How the operands of a product are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Transposes {
    a: bool,
    b: bool,
}

/// `a [.., m, k] · b [.., k, n] → [.., m, n]`; with `transpose_a` a is stored `[.., k, m]`, with `transpose_b` b is stored
/// `[.., n, k]`. Operands have two axes, or three with batches that agree; a matrix, or a batch of 1, serves every batch.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another number of axes, or if the inner sizes or batches differ.
pub fn matmul(a: &Tensor, b: &Tensor, transpose_a: bool, transpose_b: bool) -> Result<Tensor> {
    features("matmul", &[a, b], &[])?;
    let t = Transposes { a: transpose_a, b: transpose_b };
    let shape = output_shape(a.shape(), b.shape(), t)?;
    let y = product(&as_batch(a)?, &as_batch(b)?, t)?;
    reshape(&y, &shape)
}

fn output_shape(a: &[usize], b: &[usize], t: Transposes) -> Result<Vec<usize>> {
    let wrong = || {
        Error::shape(
            "matmul",
            format!(
                "a must be [.., m, k] and b [.., k, n]{}{}, got {a:?} and {b:?}",
                if t.a { ", a transposed" } else { "" },
                if t.b { ", b transposed" } else { "" }
            ),
        )
    };
    let rows =
        |s: &[usize], t: bool| if t { (s[s.len() - 1], s[s.len() - 2]) } else { (s[s.len() - 2], s[s.len() - 1]) };
    if !(2..=3).contains(&a.len()) || !(2..=3).contains(&b.len()) {
        return Err(wrong());
    }
    let ((m, k), (inner, n)) = (rows(a, t.a), rows(b, t.b));
    let Ok(batch) = broadcast("matmul", &a[..a.len() - 2], &b[..b.len() - 2]) else {
        return Err(wrong());
    };
    if k != inner {
        return Err(wrong());
    }
    Ok(batch.into_iter().chain([m, n]).collect())
}

fn as_batch(x: &Tensor) -> Result<Tensor> {
    match x.shape() {
        &[rows, columns] => reshape(x, &[1, rows, columns]),
        _ => Ok(x.clone()),
    }
}

/// The product of batches `[B or 1, …]`. Its gradients are products again:
/// `dA = dY·Bᵀ`, `dB = Aᵀ·dY`, transposed where the operand is stored so.
fn product(a: &Tensor, b: &Tensor, t: Transposes) -> Result<Tensor> {
    let (ta, tb) = (t.a, t.b);
    let (m, n) = (a.shape()[if ta { 2 } else { 1 }], b.shape()[if tb { 1 } else { 2 }]);
    let (a_batch, b_batch) = (a.shape()[0], b.shape()[0]);
    let shape = [if a_batch == 1 { b_batch } else { a_batch }, m, n];
    let edges = [
        Edge::to(a).saving([b]).vjp(move |g, saved| {
            let b = &saved[0];
            let da = if ta {
                product(b, g, Transposes { a: tb, b: true })
            } else {
                product(g, b, Transposes { a: false, b: !tb })
            };
            over_batch(da?, a_batch)
        }),
        Edge::to(b).saving([a]).vjp(move |g, saved| {
            let a = &saved[0];
            let db = if tb {
                product(g, a, Transposes { a: true, b: ta })
            } else {
                product(a, g, Transposes { a: !ta, b: false })
            };
            over_batch(db?, b_batch)
        }),
    ];
    let kernel = Kernel::Matmul { transpose_a: ta, transpose_b: tb };
    Tensor::from_op("matmul", kernel, &[a, b], &shape, edges)
}

/// A matrix that served every batch receives the sum of their gradients.
fn over_batch(g: Tensor, batch: usize) -> Result<Tensor> {
    if g.shape()[0] == batch { Ok(g) } else { sum(&g, &[0], true) }
}
