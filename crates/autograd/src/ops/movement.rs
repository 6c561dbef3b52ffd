use stylegan_tensor::{DType, Error, Kernel, Result, Shape, broadcast, elements, strides};

use super::sum_to;
use crate::node::Edge;
use crate::tensor::{Tensor, features, same_device};

/// The kernel that copies all of a tensor.
pub(crate) fn copy_all(len: usize) -> Kernel {
    copy(vec![len], (0, vec![1]), (0, vec![1]))
}

fn copy(shape: Shape, (src, src_strides): (usize, Vec<isize>), (dst, dst_strides): (usize, Vec<isize>)) -> Kernel {
    Kernel::Copy { shape, src, src_strides, dst, dst_strides }
}

fn signed(strides: Vec<usize>) -> Vec<isize> {
    strides.into_iter().map(|step| step as isize).collect()
}

/// A copy that covers its result: `from` says where each index of `shape` is read.
fn gather<const K: usize>(
    op: &'static str,
    x: &Tensor,
    shape: &[usize],
    from: (usize, Vec<isize>),
    edges: [Edge; K],
) -> Result<Tensor> {
    let kernel = copy(shape.to_vec(), from, (0, signed(strides(shape))));
    Tensor::from_op(op, kernel, &[x], shape, edges)
}

/// The same elements in another shape of as many elements; nothing is copied.
pub fn reshape(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if elements("reshape", shape)? != x.len() {
        return Err(Error::shape(
            "reshape",
            format!("{:?} has {} elements, {shape:?} another number", x.shape(), x.len()),
        ));
    }
    let from = x.shape().to_vec();
    let edge = Edge::to(x).vjp(move |g, _| reshape(g, &from));
    Ok(Tensor::recorded("reshape", x.device(), x.reshaped(shape.to_vec()), [edge], None))
}

/// Axes in the order `axes`: axis `i` of the result is axis `axes[i]` of x.
pub fn permute(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let shape = stylegan_tensor::permute(x.shape(), axes)?;
    let steps = strides(x.shape());
    let mut back = vec![0; axes.len()];
    axes.iter().enumerate().for_each(|(i, &axis)| back[axis] = i);
    let from = axes.iter().map(|&axis| steps[axis] as isize).collect();
    let edge = Edge::to(x).vjp(move |g, _| permute(g, &back));
    gather("permute", x, &shape, (0, from), [edge])
}

/// `lengths` elements along each axis, from `starts` on.
pub fn slice(x: &Tensor, starts: &[usize], lengths: &[usize]) -> Result<Tensor> {
    let rank = x.shape().len();
    let inside = starts.len() == rank
        && lengths.len() == rank
        && (0..rank).all(|axis| starts[axis] + lengths[axis] <= x.shape()[axis]);
    if !inside {
        return Err(Error::shape(
            "slice",
            format!("starts {starts:?} with lengths {lengths:?} must lie inside of {:?}", x.shape()),
        ));
    }
    let padding: Vec<(usize, usize)> =
        (0..rank).map(|axis| (starts[axis], x.shape()[axis] - starts[axis] - lengths[axis])).collect();
    let steps = strides(x.shape());
    let first = starts.iter().zip(&steps).map(|(start, step)| start * step).sum();
    let edge = Edge::to(x).vjp(move |g, _| pad(g, &padding));
    gather("slice", x, lengths, (first, signed(steps)), [edge])
}

/// Zeros before and after each axis.
pub fn pad(x: &Tensor, padding: &[(usize, usize)]) -> Result<Tensor> {
    features("pad", &[x], &[])?;
    if padding.len() != x.shape().len() {
        return Err(Error::shape(
            "pad",
            format!("padding must have {} pairs for {:?}, got {}", x.shape().len(), x.shape(), padding.len()),
        ));
    }
    let sizes = x.shape().iter().zip(padding);
    let shape: Shape = sizes.map(|(size, (before, after))| before + size + after).collect();
    let steps = strides(&shape);
    let first = padding.iter().zip(&steps).map(|((before, _), step)| before * step).sum();
    let out = x.device().run("pad", Kernel::Fill { value: 0.0 }, &[], &shape, x.dtype())?;
    let kernel = copy(x.shape().to_vec(), (0, signed(strides(x.shape()))), (first, signed(steps)));
    x.device().backend().launch(kernel, &[x.view()], &[&out], false)?;
    let starts: Vec<usize> = padding.iter().map(|(before, _)| *before).collect();
    let lengths = x.shape().to_vec();
    let edge = Edge::to(x).vjp(move |g, _| slice(g, &starts, &lengths));
    Ok(Tensor::recorded("pad", x.device(), out, [edge], None))
}

/// Tensors one after the other along `axis`; their other axes agree.
pub fn concat(tensors: &[&Tensor], axis: usize) -> Result<Tensor> {
    let Some(first) = tensors.first() else {
        return Err(Error::shape("concat", "at least one tensor is needed, got none"));
    };
    same_device("concat", tensors)?;
    let fits = |x: &&Tensor| {
        let same = |(i, (a, b)): (usize, (&usize, &usize))| i == axis || a == b;
        x.dtype() == first.dtype()
            && x.shape().len() == first.shape().len()
            && x.shape().iter().zip(first.shape()).enumerate().all(same)
    };
    if axis >= first.shape().len() || !tensors.iter().all(fits) {
        let shapes: Vec<_> = tensors.iter().map(|x| x.shape()).collect();
        return Err(Error::shape("concat", format!("shapes must agree but for axis {axis}, got {shapes:?}")));
    }
    let mut shape = first.shape().to_vec();
    shape[axis] = tensors.iter().map(|x| x.shape()[axis]).sum();
    let out = first.device().empty("concat", &shape, first.dtype())?;
    let steps = strides(&shape);
    let mut start = 0;
    let mut edges = Vec::with_capacity(tensors.len());
    for x in tensors {
        let to = (start * steps[axis], signed(steps.clone()));
        let kernel = copy(x.shape().to_vec(), (0, signed(strides(x.shape()))), to);
        x.device().backend().launch(kernel, &[x.view()], &[&out], false)?;
        let mut starts = vec![0; shape.len()];
        starts[axis] = start;
        let lengths = x.shape().to_vec();
        edges.push(Edge::to(x).vjp(move |g, _| slice(g, &starts, &lengths)));
        start += x.shape()[axis];
    }
    Ok(Tensor::recorded("concat", first.device(), out, edges, None))
}

/// The order of elements reversed along each of `axes`.
pub fn flip(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    stylegan_tensor::reduce_shape("flip", x.shape(), axes, true)?;
    let mut from = signed(strides(x.shape()));
    let mut first = 0;
    for &axis in axes {
        first += x.shape()[axis].saturating_sub(1) * from[axis] as usize;
        from[axis] = -from[axis];
    }
    let again = axes.to_vec();
    let edge = Edge::to(x).vjp(move |g, _| flip(g, &again));
    gather("flip", x, x.shape(), (first, from), [edge])
}

/// `x` repeated along new axes and along axes of size 1.
pub fn broadcast_to(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if x.shape() == shape {
        return Ok(x.clone());
    }
    if broadcast("broadcast_to", x.shape(), shape)? != shape {
        return Err(Error::shape("broadcast_to", format!("{:?} does not grow into {shape:?}", x.shape())));
    }
    let added = shape.len() - x.shape().len();
    let steps = strides(x.shape());
    let step = |axis: usize| match axis.checked_sub(added) {
        Some(i) if x.shape()[i] != 1 => steps[i] as isize,
        _ => 0,
    };
    let from = (0..shape.len()).map(step).collect();
    let back = x.shape().to_vec();
    let edge = Edge::to(x).vjp(move |g, _| sum_to(g, &back));
    gather("broadcast_to", x, shape, (0, from), [edge])
}

/// The same values in another dtype; to integers truncated and clamped, which has no gradient. Feature maps are cast to 16 bits and
/// back: that of one is the gradient cast the other way.
///
/// # Errors
///
/// [`Error::Shape`] for a float that the device neither computes in nor stores.
pub fn cast(x: &Tensor, dtype: DType) -> Result<Tensor> {
    let from = x.dtype();
    if dtype == from {
        return Ok(x.clone());
    }
    let backend = x.device().backend();
    let float = backend.float();
    let is_held = dtype == float || (dtype.is_half() && backend.stores_half());
    if dtype.is_float() && !is_held {
        let (name, does) = (backend.name(), if dtype.is_half() { "stores feature maps" } else { "computes" });
        return Err(Error::shape("cast", format!("device '{name}' {does} in {float}, got {dtype}")));
    }
    let edge = Edge::to(x).vjp(move |g, _| cast(g, from));
    let edges = (from.is_float() && dtype.is_float()).then_some(edge);
    let view = x.device().run("cast", Kernel::Cast, &[x], x.shape(), dtype)?;
    Ok(Tensor::recorded("cast", x.device(), view, edges, None))
}
