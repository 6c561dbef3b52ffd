use stylegan_tensor::{Error, Kernel, Result};

use crate::node::Edge;
use crate::ops::{activated, matmul, reshape, sum_to};
use crate::tensor::{Tensor, features, images};

/// `x + noise · strength + b`, then values below 0 times `alpha`: `x [N, H, W, C]`, `noise [N or 1, H, W, 1]`, `strength [C]`,
/// `b [C]` (StyleGAN, Fig. 1b, "B"; official apply_noise, apply_bias and leaky_relu).
///
/// The sum is linear in each operand, and each gradient is a matrix product with the outer product's other factor.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another form or alpha is not in [0, 1].
pub fn noise_bias_act(x: &Tensor, noise: &Tensor, strength: &Tensor, b: &Tensor, alpha: f64) -> Result<Tensor> {
    let op = "noise_bias_act";
    features(op, &[x], &[noise, strength, b])?;
    let [n, h, w, c] = check_noise(op, x.shape(), [noise, strength, b])?;
    let noise_shape = noise.shape().to_vec();
    let noises = noise.shape()[0];
    let terms = [
        Edge::to(x).vjp(|g, _| Ok(g.clone())),
        Edge::to(noise).saving([strength]).vjp(move |g, saved| {
            // [N·H·W, C] · [C, 1]
            let product = matmul(&reshape(g, &[n * h * w, c])?, &reshape(&saved[0], &[c, 1])?, false, false)?;
            let mut shape = g.shape().to_vec();
            shape[3] = 1;
            sum_to(&reshape(&product, &shape)?, &noise_shape)
        }),
        Edge::to(strength).saving([noise]).vjp(move |g, saved| {
            // Per image: [1, H·W] · [H·W, C], then the sum over images.
            let noise = reshape(&saved[0], &[noises, 1, h * w])?;
            let product = matmul(&noise, &reshape(g, &[n, h * w, c])?, false, false)?;
            sum_to(&reshape(&product, &[n, c])?, &[c])
        }),
        Edge::to(b).vjp(move |g, _| sum_to(g, &[c])),
    ];
    activated(op, Kernel::NoiseBiasAct { alpha }, &[x, noise, strength, b], terms, alpha)
}

/// N, H, W and C of maps x, if the others have the shapes that belong to it.
pub(super) fn check_noise(op: &'static str, x: &[usize], [noise, strength, b]: [&Tensor; 3]) -> Result<[usize; 4]> {
    let [n, h, w, c] = images(op, x)?;
    let fits_noise = matches!(noise.shape(), &[m, nh, nw, 1] if (m == n || m == 1) && (nh, nw) == (h, w));
    if fits_noise && strength.shape() == [c] && b.shape() == [c] {
        return Ok([n, h, w, c]);
    }
    Err(Error::shape(
        op,
        format!(
            "x must be [N, H, W, C], noise [N or 1, H, W, 1], strength and b [C], got {x:?}, {:?}, {:?}, {:?}",
            noise.shape(),
            strength.shape(),
            b.shape()
        ),
    ))
}
