use stylegan_tensor::{Error, Kernel, Result};

use crate::node::{Composition, Edge, Saved};
use crate::ops::{add, affine, mean, mul, reshape, rsqrt, slice, square, sub};
use crate::tensor::{Tensor, features, images, same_device};

/// Inside the root of the normalisation (official instance_norm).
const EPSILON: f64 = 1e-8;

/// Adaptive instance normalisation (StyleGAN, Eq. 1): each feature map of `x [N, H, W, C]` is brought to mean 0 and
/// deviation 1 (biased variance, ε = 1e-8 inside the root), times `style[:, ..C] + 1`, plus `style[:, C..]`;
/// `style [N, 2C]`.
///
/// # Errors
///
/// [`Error::Shape`] if `x` is not `[N, H, W, C]` or `style` not `[N, 2C]`.
pub fn adain(x: &Tensor, style: &Tensor) -> Result<Tensor> {
    features("adain", &[x], &[style])?;
    let [n, c] = check_style("adain", x.shape(), style)?;
    let device = same_device("adain", &[x, style])?;
    let y = device.empty("adain", x.shape(), x.dtype())?;
    let stats = device.empty("adain", &[n, 2, c], style.dtype())?;
    device.backend().launch(Kernel::Adain, &[x.view(), style.view()], &[&y, &stats], false)?;
    let stats = Tensor::new(device, stats);
    let edges = [
        Edge::to(x).saving([x, style, &stats]).vjp(|g, saved| {
            let inputs = [g, &saved[0], &saved[1], &saved[2]].map(Tensor::detach);
            Tensor::from_op("adain", Kernel::AdainInputGrad, &inputs.each_ref(), g.shape(), [])
        }),
        Edge::to(style).saving([x, &stats]).vjp(move |g, saved| {
            let inputs = [g, &saved[0], &saved[1]].map(Tensor::detach);
            Tensor::from_op("adain", Kernel::AdainStyleGrad, &inputs.each_ref(), &[n, 2 * c], [])
        }),
    ];
    let composition = Composition {
        inputs: vec![Saved::new(x), Saved::new(style)],
        define: Box::new(|inputs| composed(&inputs[0], &inputs[1])),
    };
    Ok(Tensor::recorded("adain", device, y, edges, Some(composition)))
}

/// N and C of x, if the style has the shape that belongs to it.
pub(super) fn check_style(op: &'static str, x: &[usize], style: &Tensor) -> Result<[usize; 2]> {
    let [n, _, _, c] = images(op, x)?;
    if style.shape() != [n, 2 * c] {
        return Err(Error::shape(op, format!("style must be [{n}, {}], got {:?}", 2 * c, style.shape())));
    }
    Ok([n, c])
}

/// The definition in ordinary ops.
pub(crate) fn composed(x: &Tensor, style: &Tensor) -> Result<Tensor> {
    let [mean, factor, summand] = normalisation(x, style)?;
    add(&mul(&sub(x, &mean)?, &factor)?, &summand)
}

/// μ, factor and summand of `(x − μ) · factor + summand`, each `[N, 1, 1, C]`.
pub(super) fn normalisation(x: &Tensor, style: &Tensor) -> Result<[Tensor; 3]> {
    let (n, c) = (x.shape()[0], x.shape()[3]);
    let half = |start: usize| reshape(&slice(style, &[0, start], &[n, c])?, &[n, 1, 1, c]);
    let mu = mean(x, &[1, 2], true)?;
    let variance = mean(&square(&sub(x, &mu)?)?, &[1, 2], true)?;
    let rsqrt = rsqrt(&affine(&variance, 1.0, EPSILON)?)?;
    Ok([mu, mul(&rsqrt, &affine(&half(0)?, 1.0, 1.0)?)?, half(c)?])
}
