use stylegan_tensor::{Algorithm, Conv2d, DType, Error, Kernel, Result};

use crate::node::Edge;
use crate::tensor::{Tensor, features, images};

/// Correlation of images with filters: `x [N, H, W, C]`, `w [kh, kw, C, O]` → `[N, H', W', O]` with
/// `H' = (H + top + bottom − kh) / stride + 1`, rounded down.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another form, channels differ, the stride is 0, or the kernel is larger than
/// the padded image.
pub fn conv2d(x: &Tensor, w: &Tensor, p: Conv2d) -> Result<Tensor> {
    conv2d_in(x, w, p, x.dtype())
}

/// [`conv2d`] with the result in `dtype`: from an image to feature maps of 16 bits, and back, without another pass over them.
///
/// # Errors
///
/// As [`conv2d`], and if the device does not store feature maps in `dtype`.
pub fn conv2d_in(x: &Tensor, w: &Tensor, p: Conv2d, dtype: DType) -> Result<Tensor> {
    features("conv2d", &[x], &[w])?;
    is_known("conv2d", x, p)?;
    let shape = output_shape("conv2d", x.shape(), w.shape(), p)?;
    let (xs, ws) = (shape4("conv2d", x)?, shape4("conv2d", w)?);
    let from = x.dtype();
    let edges = [
        Edge::to(x).saving([w]).vjp(move |g, saved| transpose_in(g, &saved[0], [xs[1], xs[2]], p, from)),
        Edge::to(w).saving([x]).vjp(move |g, saved| conv2d_weight_grad(&saved[0], g, [ws[0], ws[1]], p)),
    ];
    Tensor::from_op_in("conv2d", Kernel::Conv2d(p), &[x, w], &shape, dtype, edges)
}

/// The adjoint of [`conv2d`] in x: `y [N, H', W', O]`, `w [kh, kw, C, O]` → `[N, H, W, C]` with `[H, W] = size`.
///
/// # Errors
///
/// [`Error::Shape`] if `conv2d` of an image of that size with `w` does not give the shape of `y`.
pub fn conv2d_transpose(y: &Tensor, w: &Tensor, size: [usize; 2], p: Conv2d) -> Result<Tensor> {
    transpose_in(y, w, size, p, y.dtype())
}

fn transpose_in(y: &Tensor, w: &Tensor, size: [usize; 2], p: Conv2d, dtype: DType) -> Result<Tensor> {
    features("conv2d_transpose", &[y], &[w])?;
    is_known("conv2d_transpose", y, p)?;
    let (ys, ws) = (shape4("conv2d_transpose", y)?, shape4("conv2d_transpose", w)?);
    let shape = [ys[0], size[0], size[1], ws[2]];
    let from = y.dtype();
    expect("conv2d_transpose", "y", &output_shape("conv2d_transpose", &shape, &ws, p)?, &ys)?;
    let edges = [
        Edge::to(y).saving([w]).vjp(move |g, saved| conv2d_in(g, &saved[0], p, from)),
        Edge::to(w).saving([y]).vjp(move |g, saved| conv2d_weight_grad(g, &saved[0], [ws[0], ws[1]], p)),
    ];
    Tensor::from_op_in("conv2d_transpose", Kernel::Conv2dTranspose(p), &[y, w], &shape, dtype, edges)
}

/// The adjoint of [`conv2d`] in w: `x [N, H, W, C]`, `y [N, H', W', O]` → `[kh, kw, C, O]` with `[kh, kw] = kernel`.
///
/// # Errors
///
/// [`Error::Shape`] if `conv2d` of `x` with such a filter does not give the shape of `y`.
pub fn conv2d_weight_grad(x: &Tensor, y: &Tensor, kernel: [usize; 2], p: Conv2d) -> Result<Tensor> {
    features("conv2d_weight_grad", &[x, y], &[])?;
    is_known("conv2d_weight_grad", x, p)?;
    let (xs, ys) = (shape4("conv2d_weight_grad", x)?, shape4("conv2d_weight_grad", y)?);
    let shape = [kernel[0], kernel[1], xs[3], ys[3]];
    let (x_type, y_type) = (x.dtype(), y.dtype());
    expect("conv2d_weight_grad", "y", &output_shape("conv2d_weight_grad", &xs, &shape, p)?, &ys)?;
    let edges = [
        Edge::to(x).saving([y]).vjp(move |g, saved| transpose_in(&saved[0], g, [xs[1], xs[2]], p, x_type)),
        Edge::to(y).saving([x]).vjp(move |g, saved| conv2d_in(&saved[0], g, p, y_type)),
    ];
    Tensor::from_op("conv2d_weight_grad", Kernel::Conv2dWeightGrad(p), &[x, y], &shape, edges)
}

/// Whether the device has the algorithm that is asked for.
pub(crate) fn is_known(op: &'static str, x: &Tensor, p: Conv2d) -> Result<()> {
    let backend = x.device().backend();
    if p.algorithm == Some(Algorithm::Bf16) && !backend.multiplies_bf16() {
        let (name, float) = (backend.name(), backend.float());
        return Err(Error::shape(
            op,
            format!("device '{name}' multiplies in {float}, got algorithm bf16; choose auto"),
        ));
    }
    Ok(())
}

fn shape4(op: &'static str, x: &Tensor) -> Result<[usize; 4]> {
    x.shape().try_into().map_err(|_| Error::shape(op, format!("images and filters have 4 axes, got {:?}", x.shape())))
}

pub(crate) fn output_shape(op: &'static str, x: &[usize], w: &[usize], p: Conv2d) -> Result<[usize; 4]> {
    let [n, height, width, c] = images(op, x)?;
    if p.stride == 0 {
        return Err(Error::shape(op, "stride must be at least 1, got 0"));
    }
    let &[kh, kw, inner, o] = w else {
        return Err(Error::shape(op, format!("w must be [kh, kw, {c}, O], got {w:?}")));
    };
    if inner != c {
        return Err(Error::shape(op, format!("w must be [{kh}, {kw}, {c}, O], got {w:?}")));
    }
    let [top, bottom, left, right] = p.padding;
    let sizes = (p.output_size(height, kh, top, bottom), p.output_size(width, kw, left, right));
    match sizes {
        (Some(h), Some(w)) if kh > 0 && kw > 0 => Ok([n, h, w, o]),
        _ => Err(Error::shape(
            op,
            format!(
                "a {kh}x{kw} kernel must fit into the padded image, got {}x{}",
                height + top + bottom,
                width + left + right
            ),
        )),
    }
}

fn expect(op: &'static str, what: &str, expected: &[usize; 4], got: &[usize; 4]) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::shape(op, format!("{what} must be {expected:?}, got {got:?}")))
}
