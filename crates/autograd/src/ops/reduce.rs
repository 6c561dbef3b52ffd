use stylegan_tensor::{Error, Kernel, Reduce, Result, reduce_shape};

use super::{affine, broadcast_to, div, equal, mul, reshape};
use crate::node::Edge;
use crate::tensor::{Tensor, features};

fn reduce<const K: usize>(
    op: &'static str,
    x: &Tensor,
    axes: &[usize],
    keep: bool,
    reduce: Reduce,
    edges: [Edge; K],
) -> Result<Tensor> {
    features(op, &[x], &[])?;
    let shape = reduce_shape(op, x.shape(), axes, keep)?;
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    Tensor::from_op(op, Kernel::Reduce { op: reduce, axes }, &[x], &shape, edges)
}

/// Sum over `axes`, which stay with size 1 if `keep`.
pub fn sum(x: &Tensor, axes: &[usize], keep: bool) -> Result<Tensor> {
    let shape = x.shape().to_vec();
    let kept = reduce_shape("sum", x.shape(), axes, true)?;
    let edge = Edge::to(x).vjp(move |g, _| broadcast_to(&reshape(g, &kept)?, &shape));
    reduce("sum", x, axes, keep, Reduce::Sum, [edge])
}

/// Mean over `axes`, which stay with size 1 if `keep`.
pub fn mean(x: &Tensor, axes: &[usize], keep: bool) -> Result<Tensor> {
    let shape = x.shape().to_vec();
    let kept = reduce_shape("mean", x.shape(), axes, true)?;
    let count: usize = axes.iter().map(|&axis| shape[axis]).product();
    let edge = Edge::to(x).vjp(move |g, _| {
        let share = affine(&reshape(g, &kept)?, 1.0 / count as f64, 0.0)?;
        broadcast_to(&share, &shape)
    });
    reduce("mean", x, axes, keep, Reduce::Mean, [edge])
}

/// Largest value over `axes`, which stay with size 1 if `keep`, NaN if one of them is NaN; equal largest values share the
/// gradient, and where the value is NaN, it is NaN for all.
///
/// # Errors
///
/// [`Error::Shape`] if the axes have no elements, of which none is the largest.
pub fn max(x: &Tensor, axes: &[usize], keep: bool) -> Result<Tensor> {
    let shape = x.shape().to_vec();
    let kept = reduce_shape("max", x.shape(), axes, true)?;
    if x.is_empty() && !kept.contains(&0) {
        let shape = x.shape();
        return Err(Error::shape(
            "max",
            format!("axes {axes:?} of {shape:?} must have elements; none is the largest of none"),
        ));
    }
    let reduced = axes.to_vec();
    let edge = Edge::to(x).saving([x]).saving_output().vjp(move |g, saved| {
        let largest = reshape(&saved[1].detach(), &kept)?;
        let hits = equal(&saved[0].detach(), &largest)?;
        let share = div(&reshape(g, &kept)?, &sum(&hits, &reduced, true)?)?;
        mul(&hits, &broadcast_to(&share, &shape)?)
    });
    reduce("max", x, axes, keep, Reduce::Max, [edge])
}

/// Sums the axes along which a tensor of `shape` was broadcast: the adjoint of broadcasting.
pub(crate) fn sum_to(g: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if g.shape() == shape {
        return Ok(g.clone());
    }
    let added = g.shape().len() - shape.len();
    let grown = |axis: &usize| *axis < added || shape[axis - added] != g.shape()[*axis];
    let axes: Vec<usize> = (0..g.shape().len()).filter(grown).collect();
    reshape(&sum(g, &axes, true)?, shape)
}
