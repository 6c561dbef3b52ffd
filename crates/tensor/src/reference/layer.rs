use super::{Array, conv, elementwise, fused};
use crate::Layer;

/// Activated maps of `shape`, and what normalises them, if there is a style: by image μ, factors and summands.
pub(super) fn layer(p: &Layer, inputs: &[Array], shape: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let array = |values| Array { values, shape: shape.to_vec() };
    let (first, mut others) = inputs.split_at(3);
    let mut take = |count: usize, is_given: bool| {
        let (taken, rest) = others.split_at(if is_given { count } else { 0 });
        others = rest;
        taken
    };
    let (normal, noise, style) = (take(1, p.has_normal), take(2, p.has_noise), take(1, p.has_style));
    let [x, w, b] = first else { unreachable!("a layer has three operands at least") };
    let values = normal.first().map_or_else(|| x.values.clone(), |by| normalised(x, by));
    let mut x = Array { values, shape: x.shape.clone() };
    if let Some(twice) = p.upscale() {
        let shape = vec![x.shape[0], 2 * x.shape[1], 2 * x.shape[2], x.shape[3]];
        x = Array { values: conv::upfirdn2d(&twice, &x, &shape), shape };
    }
    let mut y = array(conv::conv2d(&p.conv, &x, w, shape).into_iter().map(|y| y * p.gain).collect());
    if let Some(blur) = p.blur() {
        y = array(conv::upfirdn2d(&blur, &y, shape));
    }
    let y = array(match noise {
        [noise, strength] => elementwise::noise_bias_act([&y, noise, strength, b], p.alpha),
        _ => elementwise::bias_act(&y, Some(b), p.alpha),
    });
    let normal = style.first().map_or_else(Vec::new, |style| fused::normal(&y, style));
    (y.values, normal)
}

fn normalised(x: &Array, by: &Array) -> Vec<f64> {
    let (image, c) = (x.shape[1..].iter().product::<usize>(), x.shape[3]);
    let value = |(i, x): (usize, &f64)| {
        let number = |k: usize| by.values[(3 * (i / image) + k) * c + i % c];
        (x - number(0)) * number(1) + number(2)
    };
    x.values.iter().enumerate().map(value).collect()
}
