use std::f64::consts::TAU;

use super::Array;
use super::movement::{broadcast_strides, walk};
use crate::{Binary, Position, Unary, uniform_from_bits};

pub(super) fn unary(op: Unary, x: &Array) -> Vec<f64> {
    let f = |x: f64| match op {
        Unary::Affine { scale, shift } => scale * x + shift,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Square => x * x,
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Acos => x.acos(),
        // NaN is on neither side.
        Unary::Clamp { low, .. } if x < low => low,
        Unary::Clamp { high, .. } if x > high => high,
        Unary::Clamp { .. } => x,
    };
    x.values.iter().map(|&x| f(x)).collect()
}

pub(super) fn binary(op: Binary, a: &Array, b: &Array, shape: &[usize]) -> Vec<f64> {
    let f = |a: f64, b: f64| match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Greater => f64::from(a > b),
        Binary::GreaterEqual => f64::from(a >= b),
        Binary::Equal => f64::from(a == b),
        Binary::Maximum if a > b || a.is_nan() => a,
        Binary::Maximum => b,
    };
    let mut y = Vec::with_capacity(shape.iter().product());
    let steps = [a, b].map(|x| broadcast_strides(&x.shape, shape));
    walk(shape, [&steps[0], &steps[1]], [0; 2], &mut |[i, j]| {
        y.push(f(a.values[i], b.values[j]));
    });
    y
}

pub(super) fn select(c: &Array, a: &Array, b: &Array, shape: &[usize]) -> Vec<f64> {
    let mut y = Vec::with_capacity(shape.iter().product());
    let steps = [c, a, b].map(|x| broadcast_strides(&x.shape, shape));
    walk(shape, [&steps[0], &steps[1], &steps[2]], [0; 3], &mut |[i, j, k]| {
        y.push(if c.values[i] != 0.0 { a.values[j] } else { b.values[k] });
    });
    y
}

pub(super) fn uniform(position: Position, len: usize) -> Vec<f64> {
    let blocks = (0..len.div_ceil(4) as u64).flat_map(|block| position.block(block));
    blocks.take(len).map(|bits| f64::from(uniform_from_bits(bits))).collect()
}

pub(super) fn normal(position: Position, len: usize) -> Vec<f64> {
    let uniforms = uniform(position, len.next_multiple_of(2));
    let pairs = uniforms.as_chunks::<2>().0.iter().flat_map(|[u, v]| {
        let (sin, cos) = (TAU * v).sin_cos();
        let radius = (-2.0 * u.ln()).sqrt();
        [radius * cos, radius * sin]
    });
    pairs.take(len).collect()
}

pub(super) fn bias_act(x: &Array, b: Option<&Array>, alpha: f64) -> Vec<f64> {
    let bias = |i: usize| b.map_or(0.0, |b| b.values[i % b.values.len()]);
    let act = |v: f64| if v >= 0.0 { v } else { alpha * v };
    x.values.iter().enumerate().map(|(i, x)| act(x + bias(i))).collect()
}

pub(super) fn bias_act_grad(g: &Array, y: &Array, alpha: f64) -> Vec<f64> {
    let slope = |y: f64| if y >= 0.0 { 1.0 } else { alpha };
    g.values.iter().zip(&y.values).map(|(g, &y)| slope(y) * g).collect()
}

pub(super) fn noise_bias_act([x, noise, strength, b]: [&Array; 4], alpha: f64) -> Vec<f64> {
    let channels = strength.values.len();
    let pixel = |i: usize| noise.values[i / channels % noise.values.len()];
    let scaled = |i: usize| pixel(i) * strength.values[i % channels];
    let noisy = x.values.iter().enumerate().map(|(i, x)| x + scaled(i));
    let noisy = Array { values: noisy.collect(), shape: x.shape.clone() };
    bias_act(&noisy, Some(b), alpha)
}
