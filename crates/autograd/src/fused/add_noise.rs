use stylegan_tensor::{Error, Kernel, Result};

use crate::node::Edge;
use crate::ops::{matmul, reshape, sum_to};
use crate::tensor::{Tensor, features};

/// `x + noise · strength`: `x [N, H, W, C]`, `noise [N or 1, H, W, 1]`, `strength [C]` (StyleGAN, Fig. 1b, "B"; official
/// apply_noise).
///
/// Linear in each operand, and each gradient is a matrix product with the outer product's other factor.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another form.
pub fn add_noise(x: &Tensor, noise: &Tensor, strength: &Tensor) -> Result<Tensor> {
    features("add_noise", &[x], &[noise, strength])?;
    let fits = match (x.shape(), noise.shape()) {
        (&[n, h, w, c], &[m, nh, nw, 1]) => (m == n || m == 1) && (nh, nw) == (h, w) && strength.shape() == [c],
        _ => false,
    };
    if !fits {
        return Err(Error::shape(
            "add_noise",
            format!(
                "x must be [N, H, W, C], noise [N or 1, H, W, 1], strength [C], got {:?}, {:?}, {:?}",
                x.shape(),
                noise.shape(),
                strength.shape()
            ),
        ));
    }
    let noise_shape = noise.shape().to_vec();
    let c = strength.len();
    let edges = [
        Edge::to(x).vjp(|g, _| Ok(g.clone())),
        Edge::to(noise).saving([strength]).vjp(move |g, saved| {
            // [N·H·W, C] · [C, 1]
            let product = matmul(&reshape(g, &[g.len() / c, c])?, &reshape(&saved[0], &[c, 1])?, false, false)?;
            let mut shape = g.shape().to_vec();
            shape[3] = 1;
            sum_to(&reshape(&product, &shape)?, &noise_shape)
        }),
        Edge::to(strength).saving([noise]).vjp(move |g, saved| {
            // Per image: [1, H·W] · [H·W, C], then the sum over images.
            let (n, pixels) = (g.shape()[0], g.len() / g.shape()[0].max(1) / c);
            let noise = reshape(&saved[0], &[saved[0].len() / pixels, 1, pixels])?;
            let product = matmul(&noise, &reshape(g, &[n, pixels, c])?, false, false)?;
            sum_to(&reshape(&product, &[n, c])?, &[c])
        }),
    ];
    Tensor::from_op("add_noise", Kernel::AddNoise, &[x, noise, strength], x.shape(), edges)
}
