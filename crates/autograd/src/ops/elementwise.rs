use stylegan_tensor::{Binary, Error, Kernel, Result, Unary, broadcast};

use super::{copy_all, sum_to};
use crate::node::Edge;
use crate::tensor::{Tensor, features, floats};

fn unary<const K: usize>(op: &'static str, x: &Tensor, kernel: Unary, edges: [Edge; K]) -> Result<Tensor> {
    features(op, &[x], &[])?;
    Tensor::from_op(op, Kernel::Unary(kernel), &[x], x.shape(), edges)
}

/// `scale · x + shift`.
pub fn affine(x: &Tensor, scale: f64, shift: f64) -> Result<Tensor> {
    let edge = Edge::to(x).vjp(move |g, _| affine(g, scale, 0.0));
    unary("affine", x, Unary::Affine { scale, shift }, [edge])
}

/// `−x`.
pub fn neg(x: &Tensor) -> Result<Tensor> {
    affine(x, -1.0, 0.0)
}

/// `eˣ`.
pub fn exp(x: &Tensor) -> Result<Tensor> {
    let edge = Edge::to(x).saving_output().vjp(|g, saved| mul(g, &saved[0]));
    unary("exp", x, Unary::Exp, [edge])
}

/// Natural logarithm.
pub fn log(x: &Tensor) -> Result<Tensor> {
    unary("log", x, Unary::Log, [Edge::to(x).saving([x]).vjp(|g, saved| div(g, &saved[0]))])
}

/// `√x`.
pub fn sqrt(x: &Tensor) -> Result<Tensor> {
    let edge = Edge::to(x).saving_output().vjp(|g, saved| affine(&div(g, &saved[0])?, 0.5, 0.0));
    unary("sqrt", x, Unary::Sqrt, [edge])
}

/// `1/√x`.
pub fn rsqrt(x: &Tensor) -> Result<Tensor> {
    // (x^−½)′ = −½ x^−3/2 = −½ y³
    let edge = Edge::to(x).saving_output().vjp(|g, saved| {
        let cube = mul(&square(&saved[0])?, &saved[0])?;
        affine(&mul(g, &cube)?, -0.5, 0.0)
    });
    unary("rsqrt", x, Unary::Rsqrt, [edge])
}

/// `x²`.
pub fn square(x: &Tensor) -> Result<Tensor> {
    let edge = Edge::to(x).saving([x]).vjp(|g, saved| affine(&mul(g, &saved[0])?, 2.0, 0.0));
    unary("square", x, Unary::Square, [edge])
}

/// `ln(1 + eˣ)`, without overflow.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    let edge = Edge::to(x).saving([x]).vjp(|g, saved| mul(g, &sigmoid(&saved[0])?));
    unary("softplus", x, Unary::Softplus, [edge])
}

/// `1 / (1 + e⁻ˣ)`.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    let edge = Edge::to(x).saving_output().vjp(|g, saved| {
        let y = &saved[0];
        mul(g, &sub(y, &square(y)?)?)
    });
    unary("sigmoid", x, Unary::Sigmoid, [edge])
}

/// Sine.
pub fn sin(x: &Tensor) -> Result<Tensor> {
    unary("sin", x, Unary::Sin, [Edge::to(x).saving([x]).vjp(|g, saved| mul(g, &cos(&saved[0])?))])
}

/// Cosine.
pub fn cos(x: &Tensor) -> Result<Tensor> {
    let edge = Edge::to(x).saving([x]).vjp(|g, saved| neg(&mul(g, &sin(&saved[0])?)?));
    unary("cos", x, Unary::Cos, [edge])
}

/// Arc cosine of values in (−1, 1).
pub fn acos(x: &Tensor) -> Result<Tensor> {
    let edge = Edge::to(x).saving([x]).vjp(|g, saved| {
        let sine = rsqrt(&affine(&square(&saved[0])?, -1.0, 1.0)?)?;
        neg(&mul(g, &sine)?)
    });
    unary("acos", x, Unary::Acos, [edge])
}

/// 1 for numbers, NaN for NaN: what a gradient is multiplied with, so that no comparison makes a 0 of NaN.
fn number(x: &Tensor) -> Result<Tensor> {
    let x = x.detach();
    let is = equal(&x, &x)?;
    div(&is, &is)
}

/// `min(max(x, low), high)`, NaN where x is NaN; the gradient passes where `low ≤ x ≤ high`, and is NaN where x is NaN.
///
/// # Errors
///
/// [`Error::Shape`] if `low > high`.
pub fn clamp(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    if low > high || low.is_nan() || high.is_nan() {
        return Err(Error::shape("clamp", format!("low must be at most high, got {low} and {high}")));
    }
    let edge = Edge::to(x).saving([x]).vjp(move |g, saved| {
        let x = saved[0].detach();
        let low = greater_equal(&x, &Tensor::scalar(x.device(), low)?)?;
        let high = greater_equal(&Tensor::scalar(x.device(), high)?, &x)?;
        mul(g, &mul(&mul(&low, &high)?, &number(&x)?)?)
    });
    unary("clamp", x, Unary::Clamp { low, high }, [edge])
}

fn binary<const K: usize>(
    op: &'static str,
    a: &Tensor,
    b: &Tensor,
    kernel: Binary,
    edges: [Edge; K],
) -> Result<Tensor> {
    features(op, &[a, b], &[])?;
    let shape = broadcast(op, a.shape(), b.shape())?;
    Tensor::from_op(op, Kernel::Binary(kernel), &[a, b], &shape, edges)
}

/// `a + b`, broadcast.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let edge = |x: &Tensor| {
        let shape = x.shape().to_vec();
        Edge::to(x).vjp(move |g, _| sum_to(g, &shape))
    };
    binary("add", a, b, Binary::Add, [edge(a), edge(b)])
}

/// `sum + x`, in place where nothing else can see `sum`; both have one shape and no history is made.
pub(crate) fn add_into(sum: Tensor, x: &Tensor) -> Result<Tensor> {
    if !sum.storage().is_unique() {
        return add(&sum.detach(), &x.detach());
    }
    sum.storage().touch();
    let backend = sum.device().backend();
    backend.launch(copy_all(sum.len()), &[x.view()], &[sum.view()], true)?;
    Ok(sum)
}

/// `a − b`, broadcast.
pub fn sub(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (to_a, to_b) = (a.shape().to_vec(), b.shape().to_vec());
    let edges = [Edge::to(a).vjp(move |g, _| sum_to(g, &to_a)), Edge::to(b).vjp(move |g, _| neg(&sum_to(g, &to_b)?))];
    binary("sub", a, b, Binary::Sub, edges)
}

/// `a · b`, broadcast.
pub fn mul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let edge = |x: &Tensor, other: &Tensor| {
        let shape = x.shape().to_vec();
        Edge::to(x).saving([other]).vjp(move |g, saved| sum_to(&mul(g, &saved[0])?, &shape))
    };
    binary("mul", a, b, Binary::Mul, [edge(a, b), edge(b, a)])
}

/// `a / b`, broadcast.
pub fn div(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (to_a, to_b) = (a.shape().to_vec(), b.shape().to_vec());
    let edges = [
        Edge::to(a).saving([b]).vjp(move |g, saved| sum_to(&div(g, &saved[0])?, &to_a)),
        // (a/b)′ = −(a/b)/b
        Edge::to(b).saving([b]).saving_output().vjp(move |g, saved| {
            let quotient = div(&saved[1], &saved[0])?;
            neg(&sum_to(&mul(g, &quotient)?, &to_b)?)
        }),
    ];
    binary("div", a, b, Binary::Div, edges)
}

/// 1 where `a > b`, else 0; no gradient.
pub fn greater(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary("greater", a, b, Binary::Greater, [])
}

/// 1 where `a ≥ b`, else 0; no gradient.
pub fn greater_equal(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary("greater_equal", a, b, Binary::GreaterEqual, [])
}

/// 1 where `a = b`, else 0; no gradient.
pub fn equal(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    binary("equal", a, b, Binary::Equal, [])
}

/// The larger of `a` and `b`, broadcast, NaN where one is NaN; the gradient goes to `a` where they are equal, and is NaN for both
/// where the result is NaN.
pub fn maximum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (to_a, to_b) = (a.shape().to_vec(), b.shape().to_vec());
    let edges = [
        Edge::to(a).saving([a, b]).saving_output().vjp(move |g, saved| {
            let first = mul(&greater_equal(&saved[0], &saved[1])?, &number(&saved[2])?)?;
            sum_to(&mul(g, &first)?, &to_a)
        }),
        Edge::to(b).saving([a, b]).saving_output().vjp(move |g, saved| {
            let second = mul(&greater(&saved[1], &saved[0])?, &number(&saved[2])?)?;
            sum_to(&mul(g, &second)?, &to_b)
        }),
    ];
    binary("maximum", a, b, Binary::Maximum, edges)
}

/// `a` where the condition is not 0, else `b`, all three broadcast together.
pub fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    floats("select", &[condition, a, b])?;
    let operands = broadcast("select", a.shape(), b.shape())?;
    let shape = broadcast("select", condition.shape(), &operands)?;
    let condition = condition.detach();
    let (to_a, to_b) = (a.shape().to_vec(), b.shape().to_vec());
    let edges = [
        Edge::to(a).saving([&condition]).vjp(move |g, saved| {
            let zero = Tensor::scalar(g.device(), 0.0)?;
            sum_to(&select(&saved[0], g, &zero)?, &to_a)
        }),
        Edge::to(b).saving([&condition]).vjp(move |g, saved| {
            let zero = Tensor::scalar(g.device(), 0.0)?;
            sum_to(&select(&saved[0], &zero, g)?, &to_b)
        }),
    ];
    Tensor::from_op("select", Kernel::Select, &[&condition, a, b], &shape, edges)
}
