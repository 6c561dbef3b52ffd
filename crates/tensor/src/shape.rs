use crate::{Error, Result};

/// The sizes of a tensor's axes, outermost first. A scalar has none.
pub type Shape = Vec<usize>;

/// Elements that no tensor has more of: their bytes and the steps between them stay far below 2⁶³.
const MOST_ELEMENTS: usize = 1 << 56;

/// Number of elements. A size of 0 is a size like any other, and makes it 0.
///
/// # Errors
///
/// [`Error::Shape`] if there are more than memory has addresses for, also by the sizes beside a 0.
pub fn elements(op: &'static str, shape: &[usize]) -> Result<usize> {
    let count = |n: usize, &size: &usize| n.checked_mul(size.max(1)).filter(|&n| n <= MOST_ELEMENTS);
    match shape.iter().try_fold(1, count) {
        Some(_) if shape.contains(&0) => Ok(0),
        Some(count) => Ok(count),
        None => Err(Error::shape(op, format!("a tensor must have at most 2^56 elements, got {shape:?}"))),
    }
}

/// Elements from one index to the next along each axis of a contiguous tensor.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The shape that two operands share under NumPy's broadcasting rule.
///
/// # Errors
///
/// [`Error::Shape`] if two sizes differ and neither is 1.
pub fn broadcast(op: &'static str, a: &[usize], b: &[usize]) -> Result<Shape> {
    let rank = a.len().max(b.len());
    let size = |s: &[usize], axis: usize| (axis + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(Error::shape(op, format!("{a:?} and {b:?} cannot be broadcast together"))),
        })
        .collect()
}

/// `shape` with its axes in the order `axes`.
///
/// # Errors
///
/// [`Error::Shape`] if `axes` is not a permutation of the axes.
pub fn permute(shape: &[usize], axes: &[usize]) -> Result<Shape> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if sorted != (0..shape.len()).collect::<Vec<_>>() {
        return Err(Error::shape(
            "permute",
            format!("axes must be a permutation of the {} axes of {shape:?}, got {axes:?}", shape.len()),
        ));
    }
    Ok(axes.iter().map(|&axis| shape[axis]).collect())
}

/// `shape` with each of `axes` reduced to size 1 (`keep`) or removed.
///
/// # Errors
///
/// [`Error::Shape`] if an axis is missing or named twice.
pub fn reduce_shape(op: &'static str, shape: &[usize], axes: &[usize], keep: bool) -> Result<Shape> {
    for (i, axis) in axes.iter().enumerate() {
        if *axis >= shape.len() || axes[..i].contains(axis) {
            return Err(Error::shape(op, format!("axes must name different axes of {shape:?}, got {axes:?}")));
        }
    }
    let reduced = shape.iter().enumerate().filter_map(|(axis, &size)| match (axes.contains(&axis), keep) {
        (true, true) => Some(1),
        (true, false) => None,
        (false, _) => Some(size),
    });
    Ok(reduced.collect())
}
