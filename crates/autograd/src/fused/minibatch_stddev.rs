use stylegan_tensor::{Error, Kernel, Result};

use crate::node::{Composition, Edge, Saved};
use crate::ops::{affine, mean, reshape, sqrt, square, sub};
use crate::tensor::{Tensor, floats, images};

/// Inside the root of the deviation (official minibatch_stddev_layer).
const EPSILON: f64 = 1e-8;

/// How much images of a group differ: `x [N, H, W, C]` → `[M]`, M = N / group. Images m, m + M, m + 2M … are a group; the
/// deviation over the group of every pixel and channel, averaged (Karras et al. 2017, section 3).
///
/// # Errors
///
/// [`Error::Shape`] if `x` is not `[N, H, W, C]` or `group` does not divide N.
pub fn minibatch_stddev(x: &Tensor, group: usize) -> Result<Tensor> {
    floats("minibatch_stddev", &[x])?;
    let [n, ..] = images("minibatch_stddev", x.shape())?;
    if group == 0 || n % group != 0 {
        return Err(Error::shape("minibatch_stddev", format!("group must divide {n} images, got {group}")));
    }
    let kernel = Kernel::MinibatchStddev { group };
    let y = x.device().run("minibatch_stddev", kernel, &[x], &[n / group], x.dtype())?;
    let edge = Edge::to(x).saving([x]).vjp(move |g, saved| {
        let inputs = [g, &saved[0]].map(Tensor::detach);
        let kernel = Kernel::MinibatchStddevGrad { group };
        Tensor::from_op("minibatch_stddev", kernel, &inputs.each_ref(), saved[0].shape(), [])
    });
    let composition =
        Composition { inputs: vec![Saved::new(x)], define: Box::new(move |inputs| composed(&inputs[0], group)) };
    Ok(Tensor::recorded("minibatch_stddev", x.device(), y, [edge], Some(composition)))
}

/// The definition in ordinary ops.
pub(crate) fn composed(x: &Tensor, group: usize) -> Result<Tensor> {
    let groups = x.shape()[0] / group;
    let features = x.shape()[1..].iter().product();
    let y = reshape(x, &[group, groups, features])?;
    let centred = sub(&y, &mean(&y, &[0], true)?)?;
    let variance = mean(&square(&centred)?, &[0], false)?;
    mean(&sqrt(&affine(&variance, 1.0, EPSILON)?)?, &[1], false)
}
