use stylegan_tensor::{AffineResample, Error, Kernel, Result};

use crate::node::Edge;
use crate::tensor::{Tensor, floats, same_device};

/// Each image looked up through its own affine map: `x [N, H, W, C]`, `m [N, 2, 3]` → `[N, size, C]`. Pixel (i, j) of the result
/// is x at row `m[n,0] · (i, j, 1)` and column `m[n,1] · (i, j, 1)`, between pixels as [`AffineResample`] says. The matrices have no
/// gradient.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another form, m has history, `up` is 0, or there are no taps.
pub fn affine_resample(x: &Tensor, m: &Tensor, size: [usize; 2], p: &AffineResample) -> Result<Tensor> {
    let [n, height, width, c] = check("affine_resample", "x", x, m, p)?;
    let adjoint = p.clone();
    let vjp = move |g: &Tensor, saved: &[Tensor]| affine_resample_transpose(g, &saved[0], [height, width], &adjoint);
    let edge = Edge::to(x).saving([m]).vjp(vjp);
    let kernel = Kernel::AffineResample(p.clone());
    Tensor::from_op("affine_resample", kernel, &[x, m], &[n, size[0], size[1], c], [edge])
}

/// The adjoint of [`affine_resample`] in x: from `y [N, H', W', C]` to `[N, size, C]`.
///
/// # Errors
///
/// As [`affine_resample`].
pub fn affine_resample_transpose(y: &Tensor, m: &Tensor, size: [usize; 2], p: &AffineResample) -> Result<Tensor> {
    let [n, height, width, c] = check("affine_resample_transpose", "y", y, m, p)?;
    let adjoint = p.clone();
    let vjp = move |g: &Tensor, saved: &[Tensor]| affine_resample(g, &saved[0], [height, width], &adjoint);
    let edge = Edge::to(y).saving([m]).vjp(vjp);
    let kernel = Kernel::AffineResampleTranspose(p.clone());
    Tensor::from_op("affine_resample_transpose", kernel, &[y, m], &[n, size[0], size[1], c], [edge])
}

fn check(op: &'static str, name: &str, x: &Tensor, m: &Tensor, p: &AffineResample) -> Result<[usize; 4]> {
    same_device(op, &[x, m])?;
    floats(op, &[x, m])?;
    let refuse = |message: String| Err(Error::shape(op, message));
    let &[n, height, width, c] = x.shape() else {
        return refuse(format!("{name} must be [N, H, W, C], got {:?}", x.shape()));
    };
    if m.shape() != [n, 2, 3] {
        return refuse(format!("m must be [{n}, 2, 3], got {:?}", m.shape()));
    }
    if m.is_tracked() {
        return refuse("m has no gradient, and must be detached".to_owned());
    }
    if p.up == 0 || p.taps.is_empty() {
        return refuse(format!("up and taps must be at least 1, got {} and {}", p.up, p.taps.len()));
    }
    Ok([n, height, width, c])
}
