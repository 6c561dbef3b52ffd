use stylegan_tensor::{Error, Kernel, Result};

use super::elementwise::{greater, mul};
use super::reduce::sum_to;
use crate::node::Edge;
use crate::tensor::{Tensor, features, same_device};

/// `x + b`, then values below 0 times `alpha`: `x [.., C]`, `b [C]`. alpha 1 is linear, 0 a ReLU, 0.2 StyleGAN's leaky
/// ReLU (official networks_stylegan.py, apply_bias and leaky_relu).
///
/// # Errors
///
/// [`Error::Shape`] if `b` is not `[C]` or alpha not in [0, 1].
pub fn bias_act(x: &Tensor, b: &Tensor, alpha: f64) -> Result<Tensor> {
    features("bias_act", &[x], &[b])?;
    if x.shape().last().copied().into_iter().collect::<Vec<_>>() != b.shape() {
        return Err(Error::shape("bias_act", format!("b must be [C] for x {:?}, got {:?}", x.shape(), b.shape())));
    }
    let bias_shape = b.shape().to_vec();
    let terms = [Edge::to(x).vjp(|g, _| Ok(g.clone())), Edge::to(b).vjp(move |g, _| sum_to(g, &bias_shape))];
    activated("bias_act", Kernel::BiasAct { alpha }, &[x, b], terms, alpha)
}

/// The leaky ReLU of a sum of `terms`, computed by `kernel` at once: a tensor like the first input. The sum has a node of its
/// own, so the gradient towards it is computed once for all terms; its value is never needed, since their gradients only read g.
pub(crate) fn activated<const K: usize>(
    op: &'static str,
    kernel: Kernel,
    inputs: &[&Tensor],
    terms: [Edge; K],
    alpha: f64,
) -> Result<Tensor> {
    check_slope(op, alpha)?;
    let device = same_device(op, inputs)?;
    let y = device.run(op, kernel, inputs, inputs[0].shape(), inputs[0].dtype())?;
    let sum = Tensor::recorded(op, device, y.clone(), terms, None);
    let edge = Edge::to(&sum).saving_output().vjp(move |g, saved| slope_grad(g, &saved[0], alpha));
    Ok(Tensor::recorded(op, device, y, [edge], None))
}

/// `x` where `x ≥ 0`, else `alpha · x`.
///
/// # Errors
///
/// [`Error::Shape`] if alpha is not in [0, 1].
pub fn leaky_relu(x: &Tensor, alpha: f64) -> Result<Tensor> {
    features("leaky_relu", &[x], &[])?;
    check_slope("leaky_relu", alpha)?;
    let edge = Edge::to(x).saving_output().vjp(move |g, saved| slope_grad(g, &saved[0], alpha));
    Tensor::from_op("leaky_relu", Kernel::BiasAct { alpha }, &[x], x.shape(), [edge])
}

/// `g` where `y ≥ 0`, else `alpha · g`: the gradient of [`bias_act`] towards x from its result `y`. Its own gradient
/// towards `g` is itself, towards `y` zero: the second derivative of a leaky ReLU vanishes.
///
/// # Errors
///
/// [`Error::Shape`] if the shapes differ or alpha is not in (0, 1].
pub fn bias_act_grad(g: &Tensor, y: &Tensor, alpha: f64) -> Result<Tensor> {
    features("bias_act_grad", &[g, y], &[])?;
    if g.shape() != y.shape() {
        return Err(Error::shape("bias_act_grad", format!("g must be {:?} like y, got {:?}", y.shape(), g.shape())));
    }
    if alpha == 0.0 {
        let message = "alpha must be in (0, 1], got 0: the sign cannot be read off the result";
        return Err(Error::shape("bias_act_grad", message));
    }
    check_slope("bias_act_grad", alpha)?;
    let y = y.detach();
    let edge = Edge::to(g).saving([&y]).vjp(move |g, saved| bias_act_grad(g, &saved[0], alpha));
    Tensor::from_op("bias_act_grad", Kernel::BiasActGrad { alpha }, &[g, &y], g.shape(), [edge])
}

/// The gradient towards the input from the result `y`. A ReLU's result does not tell a 0 from a negative input, so there its
/// gradient is 0 where `y = 0`.
fn slope_grad(g: &Tensor, y: &Tensor, alpha: f64) -> Result<Tensor> {
    if alpha > 0.0 {
        return bias_act_grad(g, y, alpha);
    }
    let positive = greater(&y.detach(), &Tensor::scalar(y.device(), 0.0)?)?;
    mul(g, &positive)
}

pub(crate) fn check_slope(op: &'static str, alpha: f64) -> Result<()> {
    if (0.0..=1.0).contains(&alpha) {
        return Ok(());
    }
    Err(Error::shape(op, format!("alpha must be in [0, 1], got {alpha}")))
}
