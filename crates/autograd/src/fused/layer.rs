use stylegan_tensor::{Conv2d, Error, Kernel, Layer, Result};

use super::adain::{check_style, normalisation};
use super::noise_bias_act::{check_noise, noise_bias_act};
use crate::ops::{add, affine, bias_act, check_slope, concat, conv2d, mul, reshape, slice, sub, upfirdn2d};
use crate::ops::{is_known, output_shape};
use crate::tensor::{Tensor, features, images, same_device};

/// Constants of a [`layer`].
#[derive(Clone, Copy, Debug)]
pub struct LayerForm {
    /// The convolution.
    pub conv: Conv2d,
    /// Whether each pixel of x is first repeated twice along both axes: then the kernel is 3×3, with a stride and a padding of 1.
    pub is_upscaled: bool,
    /// What the convolution is multiplied with.
    pub gain: f64,
    /// The separable filter of a blur, with zeros around the image.
    pub blur: Option<[f64; 3]>,
    /// Slope of the activation below 0.
    pub alpha: f64,
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
    let LayerForm { conv, is_upscaled, gain, blur, alpha } = form;
    let mut inputs = vec![x, w, b];
    inputs.extend(of.normal.into_iter().chain(of.noise.into_iter().flatten()).chain(of.style));
    features(op, &[x], &inputs[1..])?;
    is_known(op, x, conv)?;
    let [n, h, width, channels] = images(op, x.shape())?;
    let from = if is_upscaled { [n, 2 * h, 2 * width, channels] } else { [n, h, width, channels] };
    let shape = output_shape(op, &from, w.shape(), conv)?;
    if is_upscaled && (&w.shape()[..2], conv.stride, conv.padding) != (&[3, 3], 1, [1; 4]) {
        let (kernel, stride, padding) = (&w.shape()[..2], conv.stride, conv.padding);
        let message = format!(
            "an upscaled layer has a kernel [3, 3], stride 1 and padding 1, got {kernel:?}, {stride}, {padding:?}"
        );
        return Err(Error::shape(op, message));
    }
    let c = shape[3];
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
        is_upscaled,
        gain,
        blur,
        alpha,
        has_normal: of.normal.is_some(),
        has_noise: of.noise.is_some(),
        has_style: of.style.is_some(),
    };
    let device = same_device(op, &inputs)?;
    if !device.backend().has_layers() || inputs.iter().any(|input| input.is_tracked() || input.is_empty()) {
        return composed(x, w, b, of, &p);
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
fn composed(x: &Tensor, w: &Tensor, b: &Tensor, of: LayerOperands, p: &Layer) -> Result<(Tensor, Option<Tensor>)> {
    let normalised = of.normal.map(|normal| apply(x, normal)).transpose()?;
    let x = normalised.as_ref().unwrap_or(x);
    let upscaled = p.upscale().map(|twice| upfirdn2d(x, &twice)).transpose()?;
    let mut y = affine(&conv2d(upscaled.as_ref().unwrap_or(x), w, p.conv)?, p.gain, 0.0)?;
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
    let numbers = normalisation(&y, style)?;
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
