use stylegan_tensor::{Conv2d, Error, Kernel, Layer, Result};

use super::adain::{check_style, normalisation};
use super::noise_bias_act::{check_noise, noise_bias_act};
use crate::ops::{
    add, affine, bias_act, check_slope, concat, conv2d, conv2d_transpose, mul, reshape, slice, sub, upfirdn2d,
};
use crate::ops::{conv2d_shape, conv2d_transpose_shape};
use crate::tensor::{Tensor, features, images, same_device};

/// Constants of a [`layer`].
#[derive(Clone, Copy, Debug)]
pub struct LayerForm {
    /// The convolution.
    pub conv: Conv2d,
    /// Height and width of the result of `conv2d_transpose`; without them it is `conv2d`.
    pub size: Option<[usize; 2]>,
    /// The separable filter of a blur, with zeros around the image.
    pub blur: Option<[f64; 3]>,
    /// Slope of the activation below 0.
    pub alpha: f64,
    /// What the second result has y multiplied with, after its normalisation.
    pub gain: f64,
}

/// What a [`layer`] may have beside x, w and b.
#[derive(Clone, Copy, Default)]
pub struct LayerOperands<'a> {
    /// What normalises x, `[N, 3, C]`: a layer's second result.
    pub normal: Option<&'a Tensor>,
    /// Noise `[N or 1, H, W, 1]` and its strength `[C]`, in the result.
    pub noise: Option<[&'a Tensor; 2]>,
    /// The style `[N, 2C]` of [`adain`](super::adain()).
    pub style: Option<&'a Tensor>,
}

/// A convolution of x and what follows it: the blur, noise, bias `[C]`, leaky ReLU, and, if there is a style, the numbers that
/// normalise the result: `[N, 3, C]`, by image μ, factor and summand of `(y − μ) · factor + summand` (StyleGAN, Fig. 1b and Eq. 1;
/// official layer_epilogue). The next layer applies them to what it reads. One kernel on a device that has it, where nothing is
/// recorded, since gradients need what lies between; else ordinary ops.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another form than those ops take.
pub fn layer(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    of: LayerOperands,
    form: LayerForm,
) -> Result<(Tensor, Option<Tensor>)> {
    let op = "layer";
    let LayerForm { conv, size, blur, alpha, gain } = form;
    let mut inputs = vec![x, w, b];
    inputs.extend(of.normal.into_iter().chain(of.noise.into_iter().flatten()).chain(of.style));
    features(op, &[x], &inputs[1..])?;
    let shape = match size {
        None => conv2d_shape(op, x, w, conv)?,
        Some(size) => conv2d_transpose_shape(op, "x", x, w, size, conv)?,
    };
    let [n, _, _, c] = shape;
    if b.shape() != [c] {
        return Err(Error::shape(op, format!("b must be [{c}], got {:?}", b.shape())));
    }
    if let Some(normal) = of.normal {
        check_normal(x, normal)?;
    }
    if let Some(noise) = of.noise {
        check_noise(op, &shape, [noise[0], noise[1], b])?;
    }
    if let Some(style) = of.style {
        check_style(op, &shape, style)?;
    }
    check_slope(op, alpha)?;
    let p = Layer {
        conv,
        is_transposed: size.is_some(),
        blur,
        alpha,
        has_normal: of.normal.is_some(),
        has_noise: of.noise.is_some(),
        has_style: of.style.is_some(),
        gain,
    };
    let device = same_device(op, &inputs)?;
    if !device.backend().has_layers() || inputs.iter().any(|input| input.is_tracked() || input.is_empty()) {
        return composed(x, w, b, of, size, &p);
    }
    let y = device.empty(op, &shape, x.dtype())?;
    let normal = of.style.map(|_| device.empty(op, &[n, 3, c], x.dtype())).transpose()?;
    let views: Vec<_> = inputs.iter().map(|input| input.view()).collect();
    let outs: Vec<_> = [&y].into_iter().chain(&normal).collect();
    device.backend().launch(Kernel::Layer(p), &views, &outs, false)?;
    Ok((Tensor::new(device, y), normal.map(|normal| Tensor::new(device, normal))))
}

fn check_normal(x: &Tensor, normal: &Tensor) -> Result<()> {
    let [n, _, _, c] = images("layer", x.shape())?;
    if normal.shape() == [n, 3, c] {
        return Ok(());
    }
    Err(Error::shape("layer", format!("normal must be [{n}, 3, {c}], got {:?}", normal.shape())))
}

/// The definition in other ops.
fn composed(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    of: LayerOperands,
    size: Option<[usize; 2]>,
    p: &Layer,
) -> Result<(Tensor, Option<Tensor>)> {
    let normalised = of.normal.map(|normal| apply(x, normal)).transpose()?;
    let x = normalised.as_ref().unwrap_or(x);
    let mut y = match size {
        None => conv2d(x, w, p.conv)?,
        Some(size) => conv2d_transpose(x, w, size, p.conv)?,
    };
    // An image without pixels is smaller than the filter.
    if let Some(blur) = p.blur().filter(|_| !y.is_empty()) {
        y = upfirdn2d(&y, &blur)?;
    }
    let y = match of.noise {
        Some([noise, strength]) => noise_bias_act(&y, noise, strength, b, p.alpha)?,
        None => bias_act(&y, b, p.alpha)?,
    };
    let [n, c] = [y.shape()[0], y.shape()[3]];
    let Some(style) = of.style else { return Ok((y, None)) };
    let [mean, factor, summand] = normalisation(&y, style)?;
    let numbers = [mean, affine(&factor, p.gain, 0.0)?, affine(&summand, p.gain, 0.0)?];
    let rows: Vec<Tensor> = numbers.iter().map(|row| reshape(row, &[n, 1, c])).collect::<Result<_>>()?;
    let normal = concat(&rows.iter().collect::<Vec<_>>(), 1)?;
    Ok((y, Some(normal)))
}

/// `(x − μ) · factor + summand`.
fn apply(x: &Tensor, normal: &Tensor) -> Result<Tensor> {
    let [n, c] = [x.shape()[0], x.shape()[3]];
    let number = |k: usize| reshape(&slice(normal, &[0, k, 0], &[n, 1, c])?, &[n, 1, 1, c]);
    add(&mul(&sub(x, &number(0)?)?, &number(1)?)?, &number(2)?)
}
